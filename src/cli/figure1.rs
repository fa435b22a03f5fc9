//! `figure1`: the paper's figure from the runs in the store.

use super::{Answer, Globals, Subcommand, code, print_json, size};
use crate::chart::{self, ChartOptions};
use crate::export;
use crate::store::Store;
use anyhow::Context;
use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::json;
use std::path::PathBuf;

pub struct Figure1;

impl Subcommand for Figure1 {
    fn command(&self) -> Command {
        let out = Arg::new("out")
            .long("out")
            .value_name("FILE")
            .required(true)
            .value_parser(value_parser!(PathBuf))
            .help("file to write; its ending chooses png, svg, csv or json");
        size::flags(
            Command::new("figure1")
                .about("Write Figure 1: norms per task and layer, SymLoRA above LoRA, one colour scale")
                .arg(out),
        )
    }

    fn run(&self, matches: &ArgMatches, globals: &Globals) -> anyhow::Result<Answer> {
        let path = matches.get_one::<PathBuf>("out").context("no --out")?;
        export::format_of(path)?;
        let store = Store::open(&globals.runs)?;
        let norms = store.reader()?.run_norms()?;
        let figure = chart::find("figure1")
            .context("no such chart")?
            .figure(&chart::Subject::Norms(&norms), &ChartOptions::default())?;
        export::write(&figure, &size::of(matches), path)?;
        eprintln!("wrote {}: {}", path.display(), figure.caption);
        if globals.json {
            print_json(&json!({ "file": path, "caption": figure.caption }))?;
        }
        Ok(Answer::Code(code::OK))
    }
}
