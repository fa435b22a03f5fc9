//! `runs export`: a chart of runs as a picture or its data, or all that was recorded of them as files that other programs read.

use super::runs::{filter, several};
use super::{print_json, size};
use crate::chart::{self, ChartOptions};
use crate::export;
use crate::record::{RunDetail, RunSummary};
use crate::store::Reader;
use crate::tracker::{self, Target};
use crate::ui::Filter;
use anyhow::Context;
use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::json;
use std::path::{Path, PathBuf};

pub fn command() -> Command {
    let charts: Vec<&str> = chart::ALL.iter().map(|c| c.id()).collect();
    let formats: Vec<&str> = tracker::TARGETS.iter().map(|t| t.id()).collect();
    let told: Vec<String> = tracker::TARGETS.iter().map(|t| format!("{}: {}", t.id(), t.help())).collect();
    let out = Arg::new("out").long("out").value_name("FILE|DIR").required(true).value_parser(value_parser!(PathBuf));
    let run = Arg::new("run").value_name("RUN").num_args(1..).required_unless_present("filter");
    let chart = Arg::new("chart").long("chart").value_name("CHART").default_value("loss").value_parser(charts);
    let format = Arg::new("format").long("format").value_name("FORMAT").value_parser(formats);
    size::flags(
        Command::new("export")
            .about("Write a chart of one run, or of several overlaid; or with --format all numbers of runs")
            .arg(run.help("a run's id or its name"))
            .arg(filter().conflicts_with("run"))
            .arg(chart)
            .arg(format.help(told.join("; ")))
            .arg(out.help("what to write; of a chart its ending chooses png, svg, csv or json")),
    )
}

pub fn carry_out(reader: &Reader, matches: &ArgMatches, json: bool) -> anyhow::Result<()> {
    let path = matches.get_one::<PathBuf>("out").context("no --out")?;
    let runs = match matches.get_one::<Filter>("filter") {
        Some(filter) => reader.list()?.into_iter().rev().filter(|run| filter.holds(run, &[])).collect(),
        None => several(matches, reader)?,
    };
    anyhow::ensure!(!runs.is_empty(), "no run fits the filter; `runs list --filter` tries it");
    match matches.get_one::<String>("format").and_then(|id| tracker::target(id)) {
        Some(target) => write_records(reader, &runs, target, path, json),
        None => write_chart(reader, &runs, matches, path, json),
    }
}

/// Writes all that was recorded of the runs.
fn write_records(
    reader: &Reader,
    runs: &[RunSummary],
    target: &dyn Target,
    path: &Path,
    json: bool,
) -> anyhow::Result<()> {
    let mut out = target.begin(path)?;
    for run in runs {
        out.add(&reader.history(&run.id)?.context("the run was deleted meanwhile")?)?;
    }
    let files = out.finish()?;
    files.iter().for_each(|file| eprintln!("wrote {}", file.display()));
    if json {
        print_json(&json!({ "files": files }))?;
    }
    Ok(())
}

/// Writes a chart of one run, or of several overlaid.
fn write_chart(
    reader: &Reader,
    runs: &[RunSummary],
    matches: &ArgMatches,
    path: &Path,
    json: bool,
) -> anyhow::Result<()> {
    let chart = matches.get_one::<String>("chart").and_then(|id| chart::find(id)).context("no such chart")?;
    export::format_of(path)?;
    let size = size::of(matches)?;
    let mut details = Vec::with_capacity(runs.len());
    for run in runs {
        details.push(reader.detail(&run.id, None, None, 2_000, 0)?.context("the run was deleted meanwhile")?);
    }
    let subjects: Vec<&RunDetail> = details.iter().collect();
    let figure = chart.figure(&chart::Subject::Runs(&subjects), &ChartOptions::default())?;
    export::write(&figure, &size, path)?;
    eprintln!("wrote {}", path.display());
    if json {
        print_json(&json!({ "file": path, "caption": figure.caption }))?;
    }
    Ok(())
}
