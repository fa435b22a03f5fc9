//! `table1`: the paper's table from the runs in the store, as Markdown or JSON.

use super::{Answer, Globals, Subcommand, code, print_json};
use crate::chart::table1::Table1;
use crate::store::Store;
use clap::{Arg, ArgMatches, Command};

pub struct PrintTable1;

impl Subcommand for PrintTable1 {
    fn command(&self) -> Command {
        Command::new("table1")
            .about("Print Table 1: tasks by methods, mean over seeds with its interval, the paper's numbers beside")
            .arg(
                Arg::new("model")
                    .long("model")
                    .value_name("ID")
                    .help("runs of this model alone; else a real model on GLUE's files, else the one with most runs"),
            )
    }

    fn run(&self, matches: &ArgMatches, globals: &Globals) -> anyhow::Result<Answer> {
        let mut runs = Store::open(&globals.runs)?.reader()?.list()?;
        runs.retain(|r| !r.archived);
        let mut table = Table1::of(&runs, None);
        if let Some(model) = matches.get_one::<String>("model") {
            let names = || table.sources.iter().map(|s| s.model.as_str()).collect::<Vec<_>>().join(", ");
            let Some(source) = table.sources.iter().find(|s| s.model == *model) else {
                anyhow::bail!("model: found {model:?}, expected one with finished runs: {}", names());
            };
            table = Table1::of(&runs, Some(&source.clone()));
        }
        if globals.json {
            print_json(&table)?;
        } else {
            outln!("{}\n\n{}", table.markdown(), table.caption());
        }
        Ok(Answer::Code(code::OK))
    }
}
