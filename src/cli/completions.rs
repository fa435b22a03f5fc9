//! `completions`: a shell's completion script on stdout.

use super::{Answer, Globals, Subcommand, code};
use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;

pub struct Completions;

impl Subcommand for Completions {
    fn command(&self) -> Command {
        let shell = Arg::new("shell").value_name("SHELL").required(true).value_parser(value_parser!(Shell));
        Command::new("completions")
            .about("Print a completion script for bash, zsh, fish, elvish or powershell")
            .arg(shell)
    }

    fn run(&self, matches: &ArgMatches, _: &Globals) -> anyhow::Result<Answer> {
        if let Some(shell) = matches.get_one::<Shell>("shell") {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut super::command(), "eigenscope", &mut script);
            outln!("{}", String::from_utf8_lossy(&script).trim_end());
        }
        Ok(Answer::Code(code::OK))
    }
}
