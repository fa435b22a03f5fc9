//! A saved adapter as the command line names it: a run by id or name, or a file or folder of any program; and what is said of
//! it where it does not say it.

use super::Globals;
use crate::format;
use crate::job::{Given, Saved};
use crate::record::RunSummary;
use crate::store::{DATABASE, Reader};
use clap::{Arg, ArgMatches, Command, value_parser};
use std::path::Path;

/// What an adapter argument takes.
pub const ADAPTER: &str = "RUN|FILE|FOLDER";
pub const ADAPTER_HELP: &str = "a run, an adapter.safetensors, a folder of PEFT, or a state dict of loralib";

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
    Arg::new("alpha").long("alpha").value_name("N").value_parser(value_parser!(f64)).help(help)
}

/// What those flags say.
pub fn given(matches: &ArgMatches) -> Given {
    let text = |name: &str| matches.try_get_one::<String>(name).ok().flatten().cloned();
    Given { model: text("model"), task: text("task"), alpha: matches.try_get_one("alpha").ok().flatten().copied() }
}

/// An existing file, or a folder that an adapter is in, else a run.
pub fn saved_of(text: &str, globals: &Globals, given: &Given) -> anyhow::Result<Named> {
    let path = Path::new(text);
    if format::is_adapter(path) {
        return Ok(Named { saved: Saved::open(path, given)?, run: None });
    }
    if path.components().count() > 1 || !globals.runs.join(DATABASE).exists() {
        let what = if path.is_dir() { "a folder without adapter_config.json" } else { "no such file" };
        anyhow::bail!("{text}: {what}, and no such run in {}", globals.runs.display());
    }
    let run = Reader::open(&globals.runs)?.find(text)?;
    let mut spec = run.spec.clone();
    spec.model = given.model.clone().unwrap_or(spec.model);
    spec.alpha = given.alpha.unwrap_or(spec.alpha);
    let saved = Saved::of_run(&spec, &globals.runs.join(run.id.as_str()))?;
    Ok(Named { saved, run: Some(run) })
}
