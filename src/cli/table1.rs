//! `table1`: the paper's table from the runs in the store, in several formats, and scores on test rows that a person enters.

use super::{Answer, Globals, Subcommand, code, print_json};
use crate::chart::table1::{FORMATS, Format, Source, Table1, test_rows};
use crate::record::{RunSummary, TestScore};
use crate::spec::{RunSpec, SpecError};
use crate::store::Store;
use crate::{adapter, task};
use anyhow::Context;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::path::PathBuf;

pub struct PrintTable1;

impl Subcommand for PrintTable1 {
    fn command(&self) -> Command {
        let model = |help: &'static str| Arg::new("model").long("model").value_name("ID").help(help);
        let names: Vec<&str> = FORMATS.iter().map(|(_, name, _)| *name).collect();
        let number = |name: &'static str, help: &'static str| Arg::new(name).long(name).value_name("NUMBER").help(help);
        let id = |name: &'static str| Arg::new(name).long(name).value_name("ID").required(true);
        Command::new("table1")
            .about("Print Table 1: tasks by methods, mean over seeds, both intervals, ties, the paper's numbers beside")
            .arg(model("runs of this model alone; else a real model on GLUE's files, else the one with most runs"))
            .arg(
                Arg::new("format")
                    .long("format")
                    .value_name("NAME")
                    .value_parser(names)
                    .help("how it is written [default: what the file's ending says, else terminal]"),
            )
            .arg(
                Arg::new("out")
                    .long("out")
                    .value_name("FILE")
                    .value_parser(value_parser!(PathBuf))
                    .help("file to write: txt, md, csv, tex (booktabs) or json"),
            )
            .args_conflicts_with_subcommands(true)
            .subcommand(
                Command::new("set")
                    .about("Keep a score on test rows, as GLUE's website told it")
                    .arg(id("task"))
                    .arg(id("method"))
                    .arg(number("test", "the score, 0 to 1").value_parser(value_parser!(f64)).allow_hyphen_values(true))
                    .arg(
                        number("rows", "rows of the test file [default: those of GLUE's]")
                            .value_parser(value_parser!(u64).range(1..)),
                    )
                    .arg(model("its model [default: that of the table]"))
                    .arg(
                        Arg::new("remove")
                            .long("remove")
                            .action(ArgAction::SetTrue)
                            .help("take the score away")
                            .conflicts_with("test"),
                    ),
            )
    }

    fn run(&self, matches: &ArgMatches, globals: &Globals) -> anyhow::Result<Answer> {
        let store = Store::open(&globals.runs)?;
        let reader = store.reader()?;
        let (mut runs, tests) = (reader.list()?, reader.test_scores()?);
        runs.retain(|r| !r.archived);
        if let Some(("set", matches)) = matches.subcommand() {
            set(&store, &runs, &tests, matches, globals.json)?;
            return Ok(Answer::Code(code::OK));
        }
        let mut table = Table1::of(&runs, &tests, None);
        if let Some(model) = matches.get_one::<String>("model") {
            let Some(source) = table.sources.iter().find(|s| s.model == *model) else {
                let names = table.sources.iter().map(|s| s.model.as_str()).collect::<Vec<_>>().join(", ");
                anyhow::bail!("model: found {model:?}, expected one with finished runs: {names}");
            };
            table = Table1::of(&runs, &tests, Some(&source.clone()));
        }
        let path = matches.get_one::<PathBuf>("out");
        let text = table.in_format(format(matches, globals.json)?).map_err(anyhow::Error::msg)?;
        match path {
            None => outln!("{}", text.trim_end()),
            Some(path) => {
                std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
                eprintln!("wrote {}", path.display());
            }
        }
        Ok(Answer::Code(code::OK))
    }
}

/// The format that is asked for by name, by the file's ending or by `--json`.
fn format(matches: &ArgMatches, json: bool) -> anyhow::Result<Format> {
    let by = |wanted: &dyn Fn(&(Format, &str, &str)) -> bool| FORMATS.iter().find(|f| wanted(f)).map(|f| f.0);
    if let Some(name) = matches.get_one::<String>("format") {
        return by(&|f| f.1 == name).context("no such format");
    }
    if let Some(path) = matches.get_one::<PathBuf>("out") {
        let ending = path.extension().map_or_else(String::new, |e| e.to_string_lossy().to_lowercase());
        let known = FORMATS.iter().map(|f| f.2).collect::<Vec<_>>().join(", ");
        let wrong =
            || SpecError::new("out", path.display(), format!("a file that ends in one of {known}, or --format"));
        return Ok(by(&|f| f.2 == ending).ok_or_else(wrong)?);
    }
    Ok(if json { Format::Json } else { Format::Terminal })
}

/// Keeps or takes away a score on test rows.
fn set(
    store: &Store,
    runs: &[RunSummary],
    tests: &[TestScore],
    matches: &ArgMatches,
    json: bool,
) -> anyhow::Result<()> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let task = task::find(&text("task").unwrap_or_default())?.id().to_string();
    let method = adapter::find(&text("method").unwrap_or_default())?.id().to_string();
    let sources = Table1::of(runs, tests, None).sources;
    let RunSpec { model, data, .. } = RunSpec::default();
    let source = match text("model") {
        None => sources.into_iter().next().unwrap_or(Source { model, data }),
        Some(model) => sources.into_iter().find(|s| s.model == model).unwrap_or(Source { model, data }),
    };
    let rows = matches.get_one::<u64>("rows").copied().or_else(|| test_rows(&task));
    let of = TestScore { task, method, model: source.model, data: source.data, score: 0.0, rows };
    let what = format!("{} on {} of {}", of.method, of.task, of.model);
    if matches.get_flag("remove") {
        let there = store.handle().remove_test_score(of)?;
        eprintln!("{what}: {}", if there { "its test score is taken away" } else { "there was no test score" });
        return Ok(());
    }
    let Some(score) = matches.get_one::<f64>("test").copied() else {
        return Err(SpecError::new("test", "nothing", "--test SCORE, or --remove").into());
    };
    if !(-1.0..=1.0).contains(&score) {
        return Err(SpecError::new("test", score, "a score from 0 to 1 (a correlation from -1), not points").into());
    }
    let kept = TestScore { score, ..of };
    store.handle().set_test_score(kept.clone())?;
    eprintln!("{what}: test score {score}");
    if json {
        print_json(&kept)?;
    }
    Ok(())
}
