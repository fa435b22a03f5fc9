//! `figure1`: the paper's figure from the runs in the store.

use super::{Answer, Globals, Subcommand, code, print_json, size};
use crate::chart::{self, ChartOptions, Norm, Pick};
use crate::export;
use crate::spec::TARGETS;
use crate::store::Store;
use anyhow::Context;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::json;
use std::path::PathBuf;

/// Charts of the layer norms of many runs.
pub const CHARTS: [&str; 2] = ["figure1", "lambda"];
/// Name of no target in particular.
const MEAN: &str = "mean";

pub struct Figure1;

impl Subcommand for Figure1 {
    fn command(&self) -> Command {
        let out = Arg::new("out")
            .long("out")
            .value_name("FILE")
            .required(true)
            .value_parser(value_parser!(PathBuf))
            .help("file to write; its ending chooses png, svg, csv or json");
        let choice = |name: &'static str, values: &[&'static str], default: &'static str, help: &'static str| {
            let values: Vec<&'static str> = values.to_vec();
            Arg::new(name).long(name).value_name("NAME").default_value(default).value_parser(values).help(help)
        };
        let targets = [&[MEAN], &TARGETS[..]].concat();
        size::flags(
            Command::new("figure1")
                .about("Write Figure 1: norms per task and layer, SymLoRA above LoRA, one colour scale")
                .arg(out)
                .arg(choice("chart", &CHARTS, CHARTS[0], "the whole figure, or lambda alone: tasks by layers"))
                .arg(choice("target", &targets, MEAN, "adapted matrix; mean: of all that a run adapts"))
                .arg(choice(
                    "norm",
                    &["frobenius", "l1"],
                    "frobenius",
                    "norm of W0; l1: entrywise, as the paper prints it",
                ))
                .arg(choice(
                    "run",
                    &["best", "last", "mean"],
                    "best",
                    "run of each task and method: best at its best evaluation, last, or the mean of all",
                ))
                .arg(
                    Arg::new("absolute")
                        .long("absolute")
                        .action(ArgAction::SetTrue)
                        .help("|lambda| in place of lambda with its sign"),
                )
                .arg(
                    Arg::new("reversed")
                        .long("reversed")
                        .action(ArgAction::SetTrue)
                        .help("difference as adapter minus original"),
                ),
        )
    }

    fn run(&self, matches: &ArgMatches, globals: &Globals) -> anyhow::Result<Answer> {
        let path = matches.get_one::<PathBuf>("out").context("no --out")?;
        export::format_of(path)?;
        let size = size::of(matches)?;
        let store = Store::open(&globals.runs)?;
        let norms = store.reader()?.run_norms()?;
        let figure = matches
            .get_one::<String>("chart")
            .and_then(|id| chart::find(id))
            .context("no such chart")?
            .figure(&chart::Subject::Norms(&norms), &options(matches))?;
        export::write(&figure, &size, path)?;
        eprintln!("wrote {}: {}", path.display(), figure.caption);
        if globals.json {
            print_json(&json!({ "file": path, "caption": figure.caption }))?;
        }
        Ok(Answer::Code(code::OK))
    }
}

/// The choices that the screen of Figure 1 has keys for.
fn options(matches: &ArgMatches) -> ChartOptions {
    let chosen = |name: &str| matches.get_one::<String>(name).map_or("", String::as_str);
    ChartOptions {
        target: Some(chosen("target")).filter(|t| *t != MEAN).map(str::to_string),
        norm: if chosen("norm") == "l1" { Norm::EntrywiseL1 } else { Norm::Frobenius },
        pick: match chosen("run") {
            "last" => Pick::Last,
            "mean" => Pick::Mean,
            _ => Pick::Best,
        },
        reversed: matches.get_flag("reversed"),
        unsigned: matches.get_flag("absolute"),
        ..ChartOptions::default()
    }
}
