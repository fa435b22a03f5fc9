//! `merge`: an adapter written into its model, as a folder that transformers loads.

use super::saved::{self, ADAPTER, ADAPTER_HELP};
use super::{Answer, Globals, Subcommand, code, given, print_json, saved_of};
use crate::job;
use crate::view::file_size;
use anyhow::Context;
use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::json;
use std::path::PathBuf;

pub struct Merge;

impl Subcommand for Merge {
    fn command(&self) -> Command {
        saved::flags(
            Command::new("merge")
                .about("Write an adapter into its model: a folder that transformers loads as a sequence classifier")
                .arg(Arg::new("adapter").value_name(ADAPTER).required(true).help(ADAPTER_HELP))
                .arg(
                    Arg::new("out")
                        .long("out")
                        .value_name("DIR")
                        .required(true)
                        .value_parser(value_parser!(PathBuf))
                        .help("folder to make"),
                ),
        )
    }

    fn run(&self, matches: &ArgMatches, globals: &Globals) -> anyhow::Result<Answer> {
        let folder = matches.get_one::<PathBuf>("out").context("no --out")?;
        let name = matches.get_one::<String>("adapter").context("no adapter")?;
        let saved = saved_of(name, globals, &given(matches))?.saved;
        let bytes = job::merge(&saved, &saved.model()?, folder)?;
        eprintln!("wrote {} ({})", folder.display(), file_size(bytes));
        if globals.json {
            print_json(&json!({ "folder": folder, "bytes": bytes }))?;
        }
        Ok(Answer::Code(code::OK))
    }
}
