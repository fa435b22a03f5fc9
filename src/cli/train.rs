//! `train`: one run, or the grid of a spec with lists, from a TOML file and flags.

use super::{Answer, Globals, Subcommand, events, follow};
use crate::spec::{FIELDS, SpecError, SweepSpec};
use anyhow::Context;
use clap::{Arg, ArgMatches, Command, value_parser};
use std::path::PathBuf;

pub struct Train;

impl Subcommand for Train {
    fn command(&self) -> Command {
        let spec = Arg::new("spec").value_name("SPEC.toml").value_parser(value_parser!(PathBuf)).help(
            "TOML file of the fields below, with _ for -; a list in a field makes a grid. Flags override the file",
        );
        let flag = |f: &'static crate::spec::Field| {
            Arg::new(f.name).long(f.flag()).value_name("VALUE[,...]").allow_hyphen_values(true).help(f.help)
        };
        Command::new("train")
            .about("Train one run or a grid of runs and wait for them; ctrl-c stops and saves")
            .arg(spec)
            .arg(events::flag())
            .args(FIELDS.iter().map(flag))
    }

    fn run(&self, matches: &ArgMatches, globals: &Globals) -> anyhow::Result<Answer> {
        let mut sweep = match matches.get_one::<PathBuf>("spec") {
            None => SweepSpec::default(),
            Some(path) => {
                let unreadable = |e| SpecError::new(&path.display().to_string(), e, "a TOML file of fields");
                let text = std::fs::read_to_string(path).map_err(unreadable)?;
                SweepSpec::from_toml(&text).with_context(|| path.display().to_string())?
            }
        };
        for field in FIELDS {
            if let Some(value) = matches.get_one::<String>(field.name) {
                sweep.set(field.name, value.split(',').map(|v| v.trim().to_string()).collect())?;
            }
        }
        Ok(Answer::Code(follow::train(globals, &sweep.runs()?, matches.get_flag("events"))?))
    }
}
