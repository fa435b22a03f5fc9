//! `doctor`: what this machine offers and whether the store is sound.

use super::{Answer, Globals, Subcommand, code, print_json};
use crate::cuda;
use crate::job;
use crate::store::{self, Store};
use clap::{ArgMatches, Command};
use serde_json::json;

pub struct Doctor;

impl Subcommand for Doctor {
    fn command(&self) -> Command {
        Command::new("doctor").about("Devices, versions, and whether the runs folder and its database are sound")
    }

    fn run(&self, _: &ArgMatches, globals: &Globals) -> anyhow::Result<Answer> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let opened = Store::open(&globals.runs).and_then(|s| s.reader()?.integrity());
        let sound = opened.as_deref().is_ok_and(|report| report == "ok");
        let integrity = opened.unwrap_or_else(|e| e.to_string());
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
            outln!("sqlite     {}", store::sqlite_version());
            outln!("runs       {}", globals.runs.display());
            outln!("integrity  {integrity}");
        }
        Ok(Answer::Code(if sound { code::OK } else { code::STORE }))
    }
}
