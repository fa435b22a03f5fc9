//! `demo`: both methods on the embedded rows and model, in the terminal program's own engine but without its screens.

use super::{Answer, Globals, Subcommand, events, follow};
use crate::spec::preset;
use crate::store::Store;
use clap::{Arg, ArgAction, ArgMatches, Command};

pub struct Demo;

impl Subcommand for Demo {
    fn command(&self) -> Command {
        Command::new("demo")
            .about("Train SymLoRA and LoRA on the embedded GLUE sample: SST-2 for 10 epochs, the other tasks for 3")
            .arg(
                Arg::new("tasks")
                    .long("tasks")
                    .value_name("ID,...")
                    .value_delimiter(',')
                    .help("only these tasks [default: all eight]"),
            )
            .arg(
                Arg::new("headless")
                    .long("headless")
                    .action(ArgAction::SetTrue)
                    .help("print progress; without it the runs are queued and the terminal program opens"),
            )
            .arg(events::flag().requires("headless"))
    }

    fn run(&self, matches: &ArgMatches, globals: &Globals) -> anyhow::Result<Answer> {
        let tasks: Vec<&str> = match matches.get_many::<String>("tasks") {
            Some(given) => given.map(|t| t.trim()).collect(),
            None => preset::DEMO_TASKS.to_vec(),
        };
        for task in &tasks {
            crate::task::find(task)?;
        }
        let specs = preset::demo(&tasks);
        if matches.get_flag("headless") {
            return Ok(Answer::Code(follow::train(globals, &specs, matches.get_flag("events"))?));
        }
        Store::open(&globals.runs)?.handle().create(&specs)?;
        Ok(Answer::Terminal(globals.clone()))
    }
}
