//! `config`: where the settings file is, what holds now, and whether the file is sound; an example of a task's file.

use super::{Answer, Globals, Subcommand, code, print_json};
use crate::config::{SettingsFile, settings_path};
use crate::task::EXAMPLE;
use crate::ui::Settings;
use clap::{ArgMatches, Command};
use serde_json::json;

pub struct Config;

impl Subcommand for Config {
    fn command(&self) -> Command {
        Command::new("config")
            .about("The settings of the terminal program as a file that can be changed: theme, plain characters, keys")
            .subcommand(
                Command::new("task-example").about("A commented file of a task of your own, for --task FILE.toml"),
            )
            .subcommand(Command::new("check").about("Whether the settings file is sound; exit code 3 where it is not"))
    }

    fn run(&self, matches: &ArgMatches, globals: &Globals) -> anyhow::Result<Answer> {
        if matches.subcommand_name() == Some("task-example") {
            if globals.json {
                print_json(&json!({ "toml": EXAMPLE }))?;
            } else {
                outln!("{}", EXAMPLE.trim_end());
            }
            return Ok(Answer::Code(code::OK));
        }
        let path = settings_path();
        let (settings, problems) = Settings::of(&SettingsFile::read(&path));
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let sound = problems.is_empty();
        if matches.subcommand_name() == Some("check") {
            if globals.json {
                print_json(&json!({ "path": path, "exists": path.exists(), "sound": sound, "problems": problems }))?;
            } else {
                problems.iter().for_each(|p| eprintln!("{p}"));
                let state = match (sound, path.exists()) {
                    (true, true) => "sound",
                    (true, false) => "does not exist: all settings are the defaults",
                    (false, _) => "has faults; the rest of it holds",
                };
                outln!("{}: {state}", path.display());
            }
            return Ok(Answer::Code(if sound { code::OK } else { code::INPUT }));
        }
        problems.iter().for_each(|p| eprintln!("{p}"));
        if globals.json {
            print_json(&json!({ "path": path, "exists": path.exists(), "toml": settings.to_toml() }))?;
        } else {
            outln!("# {}", path.display());
            outln!("{}", settings.to_toml().trim_end());
        }
        Ok(Answer::Code(code::OK))
    }
}
