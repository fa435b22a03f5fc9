//! `runs import`: what another program trained or recorded as runs that stand in every table and figure: an adapter, or the log
//! of a tracker.

use super::saved::{self, ADAPTER_HELP};
use super::{UsageError, explain, given, print_json, runs::Row};
use crate::event::RunId;
use crate::format;
use crate::job::{Given, Import};
use crate::record::Label;
use crate::spec::RunSpec;
use crate::store::{Store, StoreError};
use crate::tracker::{self, Source};
use crate::train::checkpoint::BEST_ADAPTER;
use crate::untrusted::brief;
use anyhow::Context;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::{Path, PathBuf};

/// Most names of series that are told.
const TOLD: usize = 20;
/// Most characters of a run's name that are.
const LONGEST: usize = 80;

pub fn command() -> Command {
    let path = Arg::new("path").value_name("FILE|FOLDER").required(true).value_parser(value_parser!(PathBuf));
    let adapter = ADAPTER_HELP.split_once(", ").map_or(ADAPTER_HELP, |(_, files)| files);
    let command = Command::new("import")
        .about("Keep what another program trained or recorded as finished runs, with the tag `imported`")
        .arg(path.help(format!("{adapter}; event files of TensorBoard or a folder of them; a Trackio database")))
        .arg(
            Arg::new("name")
                .long("name")
                .value_name("NAME")
                .help("name of the run, where there is one [default: that of the file, folder or run]"),
        )
        .arg(
            Arg::new("again")
                .long("again")
                .action(ArgAction::SetTrue)
                .help("keep a run once more that was imported before"),
        )
        .arg(
            Arg::new("score")
                .long("score")
                .action(ArgAction::SetTrue)
                .help("score an adapter on the validation rows of its task, for Table 1; needs its model"),
        )
        .arg(
            Arg::new("data")
                .long("data")
                .value_name("DIR")
                .requires("score")
                .help("folder with GLUE's files for --score [default: the embedded sample]"),
        )
        .arg(Arg::new("method").long("method").value_name("ID").help("adapter method of a log that does not say it"));
    saved::flags(command).after_help(
        "Examples:\n  eigenscope runs import lora_mnli.bin --task mnli --alpha 8 --model roberta-base\n  \
         eigenscope runs import output/runs                     # Hugging Face's Trainer, TensorBoard\n  \
         eigenscope runs import ~/.cache/huggingface/trackio/glue.db\n\
         Without a model that is here the norms of W0 are missing, and what is made of them.",
    )
}

pub fn carry_out(store: &Store, matches: &ArgMatches, json: bool) -> anyhow::Result<()> {
    let path = matches.get_one::<PathBuf>("path").context("no path")?;
    let name = matches.get_one::<String>("name").map(|name| Label::Name(name.clone()).checked()).transpose()?;
    let name = name.and_then(|label| if let Label::Name(name) = label { Some(name) } else { None });
    // A program that trains may keep its log below the folder of the adapter.
    let source = if path.is_dir() && format::is_adapter(path) { None } else { tracker::source(path) };
    let ids = match source {
        Some(source) => logs(store, source, path, name, matches)?,
        None => vec![adapter(store, path, name, matches)?],
    };
    let reader = store.reader()?;
    let mut runs = Vec::new();
    for id in ids {
        let run = reader.summary(&id)?.context("the run was deleted meanwhile")?;
        eprintln!("kept as {id} ({})", run.name);
        runs.push(run);
    }
    if json {
        print_json(&runs.iter().map(Row::of).collect::<Vec<_>>())?;
    }
    Ok(())
}

fn adapter(store: &Store, path: &Path, name: Option<String>, matches: &ArgMatches) -> anyhow::Result<RunId> {
    only(matches, &["method"], "a log that does not say its method; an adapter's tensors do")?;
    if let Some(source) = tracker::source(path) {
        let place = brief(&path.display().to_string(), LONGEST);
        eprintln!("{place}: the adapter is taken; for {}'s log beside it name its own folder", source.name());
    }
    let mut import = Import::open(path, &given(matches))?;
    if let Some(name) = name {
        import.run.spec.name = name;
    }
    if let Some(error) = &import.without_model {
        eprintln!("without the norms of W0: {}", explain(&anyhow::Error::msg(error.clone())));
    }
    if matches.get_flag("score") {
        let bar =
            ProgressBar::new(0).with_style(ProgressStyle::with_template("{bar:30} {pos}/{len} rows  {eta} left")?);
        let mut progress = |done: usize, total: usize| {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        };
        import.score(matches.get_one::<String>("data").map_or("", String::as_str), &mut progress)?;
        bar.finish_and_clear();
    }
    let handle = store.handle();
    // In the runs folder, so that it can be moved to the run in one step.
    let file = handle.dir().join(format!(".import-{}.safetensors", std::process::id()));
    let kept = import.write(&file).map_err(anyhow::Error::from);
    let kept = kept
        .and_then(|()| Ok(handle.import(import.run, Some((file.clone(), BEST_ADAPTER)), matches.get_flag("again"))?));
    // It is gone where it was moved.
    let _ = std::fs::remove_file(&file);
    kept
}

/// An error where one of `flags` was given: they are for something else.
fn only(matches: &ArgMatches, flags: &[&str], what: &str) -> anyhow::Result<()> {
    let given = |flag: &&&str| matches.value_source(flag) == Some(ValueSource::CommandLine);
    match flags.iter().find(given) {
        Some(flag) => Err(UsageError(format!("--{flag} is for {what}")).into()),
        None => Ok(()),
    }
}

/// Keeps every run of a log; those that were kept before are told and left out, and are an error where there is no other.
fn logs(
    store: &Store,
    source: &dyn Source,
    path: &Path,
    name: Option<String>,
    matches: &ArgMatches,
) -> anyhow::Result<Vec<RunId>> {
    only(matches, &["score", "data"], "an adapter; a log is kept with the scores that it has")?;
    let Given { model, task, alpha } = given(matches);
    let method = matches.get_one::<String>("method").cloned();
    let given = |spec: &mut RunSpec| {
        let texts = [(&model, &mut spec.model), (&task, &mut spec.task), (&method, &mut spec.method)];
        for (given, field) in texts {
            if let Some(given) = given {
                field.clone_from(given);
            }
        }
        spec.alpha = alpha.unwrap_or(spec.alpha);
    };
    let (mut runs, remarks) = source.read(path)?;
    remarks.iter().for_each(|remark| eprintln!("{remark}"));
    match (name, &mut runs[..]) {
        (Some(name), [run]) => run.name = name,
        (Some(_), runs) => {
            return Err(UsageError(format!("--name is for one run, and the log has {}", runs.len())).into());
        }
        (None, _) => {}
    }
    let (mut kept, mut before) = (Vec::new(), Vec::new());
    for run in runs {
        let name = run.name.clone();
        let taken = match run.take(&given) {
            Ok(taken) => taken,
            Err(series) => {
                eprintln!("{}: no series that is known{}", brief(&name, LONGEST), list(&series));
                continue;
            }
        };
        if !taken.left_out.is_empty() {
            eprintln!("{}: series not taken{}", brief(&name, LONGEST), list(&taken.left_out));
        }
        match store.handle().import(taken.run, None, matches.get_flag("again")) {
            Ok(id) => kept.push(id),
            Err(error @ StoreError::Again { .. }) => before.push(error),
            Err(error) => return Err(error.into()),
        }
    }
    let only = if kept.is_empty() { before.pop() } else { None };
    before.iter().for_each(|error| eprintln!("{error}"));
    match only {
        Some(error) => Err(error.into()),
        None if kept.is_empty() => Err(source.nothing(path).into()),
        None => Ok(kept),
    }
}

fn list(names: &[String]) -> String {
    let more = names.len().saturating_sub(TOLD);
    let told = names.iter().take(TOLD).cloned().collect::<Vec<_>>().join(", ");
    match (told.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!(": {told}"),
        (false, more) => format!(": {told} and {more} more"),
    }
}
