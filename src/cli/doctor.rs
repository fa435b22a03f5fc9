//! `doctor`: what this machine offers and whether the store is sound.

use super::{Answer, Globals, Subcommand, code, print_json};
use crate::cuda;
use crate::data::tokens;
use crate::job;
use crate::store::{self, Store};
use crate::view::file_size;
use anyhow::Context;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::json;

pub struct Doctor;

impl Subcommand for Doctor {
    fn command(&self) -> Command {
        Command::new("doctor")
            .about("Devices, versions, what is cached, and whether the runs folder and its database are sound")
            .arg(
                Arg::new("clear-tokens")
                    .long("clear-tokens")
                    .action(ArgAction::SetTrue)
                    .help("take the tokenised rows away that are kept; they are made again when they are needed"),
            )
    }

    fn run(&self, matches: &ArgMatches, globals: &Globals) -> anyhow::Result<Answer> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let opened = Store::open(&globals.runs).and_then(|s| s.reader()?.integrity());
        let sound = opened.as_deref().is_ok_and(|report| report == "ok");
        let integrity = opened.unwrap_or_else(|e| e.to_string());
        let tokens = tokens::Store::usual();
        if matches.get_flag("clear-tokens") {
            let folder = tokens.folder().display().to_string();
            let kept = tokens.clear().with_context(|| format!("cannot clear {folder}"))?;
            eprintln!("took {} of tokenised rows away, {folder}", file_size(kept.bytes));
        }
        let kept = tokens.kept();
        let devices = job::devices();
        let cards = cuda::cards();
        if globals.json {
            let cards_json: Vec<_> = cards
                .iter()
                .flatten()
                .map(|c| json!({ "id": c.id, "name": c.name, "memory_mib": c.memory >> 20 }))
                .collect();
            let missing = cards.as_ref().err().map(ToString::to_string);
            print_json(&json!({
                "version": env!("CARGO_PKG_VERSION"), "devices": devices, "threads": threads,
                "gpus": cards_json, "gpu_missing": missing,
                "tokens": { "folder": tokens.folder(), "files": kept.files, "bytes": kept.bytes },
                "sqlite": store::sqlite_version(), "runs": globals.runs, "integrity": integrity, "sound": sound,
            }))?;
        } else {
            outln!("eigenscope {}", env!("CARGO_PKG_VERSION"));
            outln!("devices    {} ({threads} threads)", devices.join(", "));
            match &cards {
                Ok(cards) => {
                    for c in cards {
                        outln!("gpu        {} {} {} MiB", c.id, c.name, c.memory >> 20);
                    }
                }
                Err(error) => outln!("gpu        {error}"),
            }
            outln!("tokens     {} in {} files, {}", file_size(kept.bytes), kept.files, tokens.folder().display());
            outln!("sqlite     {}", store::sqlite_version());
            outln!("runs       {}", globals.runs.display());
            outln!("integrity  {integrity}");
        }
        Ok(Answer::Code(if sound { code::OK } else { code::STORE }))
    }
}
