//! `classify`: texts on stdin to labels, by one adapter or several on one loaded model.

use super::saved::{self, ADAPTER, ADAPTER_HELP};
use super::{Answer, Globals, Subcommand, code, given, saved_of};
use crate::job::Classifier;
use crate::untrusted::harmless;
use anyhow::Context;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::json;
use std::io::{BufRead, IsTerminal};

pub struct Classify;

impl Subcommand for Classify {
    fn command(&self) -> Command {
        let adapter = Arg::new("adapter")
            .long("adapter")
            .value_name(ADAPTER)
            .action(ArgAction::Append)
            .required(true)
            .help(format!("{ADAPTER_HELP}; given several times, each says what it thinks of every line"));
        let command = Command::new("classify")
            .about("Label texts from stdin, a line each, with adapters of one model; shows how long each took")
            .arg(adapter);
        saved::flags(command).after_help("A task of two texts takes both in a line, separated by a tab.")
    }

    fn run(&self, matches: &ArgMatches, globals: &Globals) -> anyhow::Result<Answer> {
        let named: Vec<&String> = matches.get_many::<String>("adapter").into_iter().flatten().collect();
        let given = given(matches);
        let opened = named.iter().map(|text| Ok(saved_of(text, globals, &given)?.saved));
        let mut classifier = Classifier::new(opened.collect::<anyhow::Result<_>>()?)?;
        let engines = classifier.engines();
        eprintln!("{} adapters in {engines} engine{}", named.len(), if engines == 1 { "" } else { "s" });
        if std::io::stdin().is_terminal() {
            eprintln!("type a line and enter; ctrl-d ends");
        }
        for (number, line) in std::io::stdin().lock().lines().enumerate() {
            let line = line.context("stdin")?;
            if line.trim().is_empty() {
                continue;
            }
            let (text, pair) = line.split_once('\t').map_or((line.as_str(), None), |(a, b)| (a, Some(b)));
            for (i, name) in named.iter().enumerate() {
                let two = classifier.adapters().nth(i).is_some_and(|a| a.task.layout().pair.is_some());
                if two != pair.is_some() {
                    let expected = if two { "two texts, separated by a tab" } else { "one text without a tab" };
                    anyhow::bail!("stdin, line {}: {name} expects {expected}", number + 1);
                }
                let found = classifier.classify(i, text, pair)?;
                let (switch, forward) = (1e3 * found.switch, 1e3 * found.forward);
                if globals.json {
                    let probabilities: serde_json::Map<_, _> =
                        found.probabilities.iter().map(|(name, p)| (name.clone(), json!(p))).collect();
                    outln!(
                        "{}",
                        json!({ "line": number + 1, "adapter": name, "label": found.label, "probabilities": probabilities,
                                "switch_ms": switch, "forward_ms": forward })
                    );
                    continue;
                }
                let best = found.probabilities.iter().map(|(_, p)| *p).fold(0.0, f64::max);
                let share =
                    if found.probabilities.is_empty() { String::new() } else { format!(" {:.1}%", 100.0 * best) };
                outln!("{name}\t{}{share}\tswitch {switch:.2} ms, forward {forward:.2} ms", harmless(&found.label));
            }
        }
        Ok(Answer::Code(code::OK))
    }
}
