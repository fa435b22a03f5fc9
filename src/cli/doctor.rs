//! `doctor`: what this machine offers and whether the store is sound.

use super::{Answer, Globals, Subcommand, code, print_json};
use crate::engine::DEVICES;
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
        if globals.json {
            print_json(&json!({
                "version": env!("CARGO_PKG_VERSION"), "devices": DEVICES, "threads": threads,
                "sqlite": store::sqlite_version(), "runs": globals.runs, "integrity": integrity, "sound": sound,
            }))?;
        } else {
            println!("eigenscope {}", env!("CARGO_PKG_VERSION"));
            println!("devices    {} ({threads} threads)", DEVICES.join(", "));
            println!("sqlite     {}", store::sqlite_version());
            println!("runs       {}", globals.runs.display());
            println!("integrity  {integrity}");
        }
        Ok(Answer::Code(if sound { code::OK } else { code::STORE }))
    }
}
