//! A saved adapter as the command line names it: a run by id or name, or a file or folder of any program; and what is said of
//! it where it does not say it.

use super::Globals;
use crate::format;
use crate::job::{Given, Saved};
use crate::record::RunSummary;
use crate::spec::{Field, RunSpec, SpecError};
use crate::store::{DATABASE, Reader};
use clap::{Arg, ArgMatches, Command};
use std::path::{Path, PathBuf};

/// What an adapter argument takes.
pub const ADAPTER: &str = "RUN|FILE|FOLDER";
pub const ADAPTER_HELP: &str =
    "a run, an adapter.safetensors or its folder, a folder of PEFT, or a state dict of loralib";

pub struct Named {
    pub saved: Saved,
    /// The run that it belongs to, where it was named.
    pub run: Option<RunSummary>,
}

/// --model, --task and --alpha.
pub fn flags(command: Command) -> Command {
    let flag = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    command
        .arg(flag("model", "DIR", "mini-roberta or a Hugging Face folder [default: the one that the adapter names]"))
        .arg(flag("task", "ID", "GLUE task [default: the one that the adapter names]"))
        .arg(alpha())
}

/// --alpha.
pub fn alpha() -> Arg {
    let help = "alpha of the scale alpha / r, where the adapter does not say it, as loralib's do not";
    Arg::new("alpha").long("alpha").value_name("N").value_parser(a_number).help(help)
}

/// alpha as a spec takes it.
fn a_number(text: &str) -> Result<f64, SpecError> {
    let mut spec = RunSpec::default();
    Field::find("alpha").map_or(Ok(()), |field| field.set(&mut spec, text))?;
    Ok(spec.alpha)
}

/// What those flags say.
pub fn given(matches: &ArgMatches) -> Given {
    let text = |name: &str| matches.try_get_one::<String>(name).ok().flatten().cloned();
    Given { model: text("model"), task: text("task"), alpha: matches.try_get_one("alpha").ok().flatten().copied() }
}

/// Where an adapter lies.
pub enum Place {
    /// A file, or a folder that an adapter is in.
    Path(PathBuf),
    /// A run and its folder.
    Run(Box<RunSummary>, PathBuf),
}

/// An existing file, or a folder that an adapter is in, else a run. The folder of a run is that run.
pub fn place_of(text: &str, globals: &Globals) -> anyhow::Result<Place> {
    let path = Path::new(text);
    let of_run = |name: &str| -> anyhow::Result<Place> {
        let run = Reader::open(&globals.runs)?.find(name)?;
        let folder = globals.runs.join(run.id.as_str());
        Ok(Place::Run(Box::new(run), folder))
    };
    let there = globals.runs.join(DATABASE).exists();
    if let Some(name) = folder_in(path, &globals.runs).filter(|_| there)
        && let Ok(run) = of_run(&name)
    {
        return Ok(run);
    }
    let many = path.components().count() > 1 || !there;
    // What a folder lacks is told by who reads it.
    if format::is_adapter(path) || many && path.exists() {
        return Ok(Place::Path(path.into()));
    }
    if many {
        let expected = format!("a file or folder that is there, or a run in {}", globals.runs.display());
        return Err(SpecError::new("adapter", format!("{text:?}"), expected).into());
    }
    of_run(text)
}

/// The name of the folder `path` where it lies in `runs`.
fn folder_in(path: &Path, runs: &Path) -> Option<String> {
    let whole = path.canonicalize().ok().filter(|whole| whole.is_dir())?;
    let inside = whole.parent()? == runs.canonicalize().ok()?;
    inside.then(|| whole.file_name()?.to_str().map(str::to_string))?
}

/// The adapter at such a place, with what is given in the place of what is said there.
pub fn saved_of(text: &str, globals: &Globals, given: &Given) -> anyhow::Result<Named> {
    let (run, folder) = match place_of(text, globals)? {
        Place::Path(path) => return Ok(Named { saved: Saved::open(&path, given)?, run: None }),
        Place::Run(run, folder) => (*run, folder),
    };
    let mut spec = run.spec.clone();
    spec.model = given.model.clone().unwrap_or(spec.model);
    spec.task = given.task.clone().unwrap_or(spec.task);
    spec.alpha = given.alpha.unwrap_or(spec.alpha);
    Ok(Named { saved: Saved::of_run(&spec, &folder)?, run: Some(run) })
}
