//! `report`: one self-contained document of runs, as Markdown and HTML.

use super::{Answer, Globals, Subcommand, code, print_json};
use crate::record::{RunSummary, Series};
use crate::report::{self, Document, Material};
use crate::store::{Reader, Store};
use crate::ui::Filter;
use anyhow::Context;
use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::json;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Bins of a curve: more than a page can show apart.
const WIDTH: usize = 600;

pub struct Report;

impl Subcommand for Report {
    fn command(&self) -> Command {
        Command::new("report")
            .about("Write one document of runs: tables, figures, curves, analyses, settings, environment")
            .arg(
                Arg::new("out")
                    .long("out")
                    .value_name("DIR")
                    .required(true)
                    .value_parser(value_parser!(PathBuf))
                    .help("folder of report.html, which holds everything, and report.md with its pictures"),
            )
            .arg(
                Arg::new("filter")
                    .long("filter")
                    .value_name("FILTER")
                    .default_value("")
                    .value_parser(|text: &str| Filter::parse(text))
                    .help("runs that it is about, as in the terminal [default: all that are not archived]"),
            )
    }

    fn run(&self, matches: &ArgMatches, globals: &Globals) -> anyhow::Result<Answer> {
        let folder = matches.get_one::<PathBuf>("out").context("no --out")?;
        let filter = matches.get_one::<Filter>("filter").context("no filter")?;
        let reader = Store::open(&globals.runs)?.reader()?;
        let mut runs = reader.list()?;
        runs.retain(|run| filter.holds(run, &[]));
        let (files, count) = write(&reader, runs, filter.to_string(), folder)?;
        eprintln!("wrote {}: {count} runs", folder.join(report::HTML).display());
        if globals.json {
            print_json(&json!({ "folder": folder, "runs": count, "files": files }))?;
        }
        Ok(Answer::Code(code::OK))
    }
}

/// Writes the report of `runs`, newest first; gives its files and how many of the runs it is about.
pub fn write(
    reader: &Reader,
    runs: Vec<RunSummary>,
    filter: String,
    folder: &Path,
) -> anyhow::Result<(Vec<PathBuf>, usize)> {
    let mut material = Material { filter, ..Material::of(runs) };
    let ids: HashSet<_> = material.runs.iter().map(|r| &r.id).collect();
    let norms = reader.run_norms()?.into_iter().filter(|n| ids.contains(&n.id)).collect();
    let best: Vec<_> = material.best().concat().iter().map(|r| r.id.clone()).collect();
    let (mut curves, mut analysed) = (Vec::new(), Vec::new());
    for id in &best {
        curves.extend(reader.curves(id, &[Series::Loss], None, WIDTH)?);
    }
    for run in material.runs.iter().rev() {
        let analyses = reader.analyses(&run.id)?;
        if let Some(mut detail) = if analyses.is_empty() { None } else { reader.curves(&run.id, &[], None, 1)? } {
            detail.analyses = analyses;
            analysed.push(detail);
        }
    }
    material = Material { norms, tests: reader.test_scores()?, curves, analysed, ..material };
    let count = material.runs.len();
    Ok((report::write(&Document::of(&material)?, folder)?, count))
}
