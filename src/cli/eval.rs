//! `eval`: the score of a saved adapter on a file of rows.

use super::{Answer, Globals, Subcommand, code, given, print_json, saved};
use crate::job::Saved;
use crate::spec::SpecError;
use crate::task::Origin;
use clap::{Arg, ArgMatches, Command, value_parser};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::path::PathBuf;

pub struct Eval;

impl Subcommand for Eval {
    fn command(&self) -> Command {
        let path = |name: &'static str, value: &'static str, help: &'static str| {
            Arg::new(name).long(name).value_name(value).value_parser(value_parser!(PathBuf)).required(true).help(help)
        };
        saved::flags(
            Command::new("eval")
                .about("Score a saved adapter on a file of its task's rows")
                .arg(path(
                    "adapter",
                    "FILE|FOLDER",
                    "adapter.safetensors of a run, a folder of PEFT, or a state dict of loralib",
                ))
                .arg(
                    path(
                        "data",
                        "FILE",
                        "labelled rows in the task's own layout [default: the test file that FILE.toml names]",
                    )
                    .required(false),
                ),
        )
    }

    fn run(&self, matches: &ArgMatches, globals: &Globals) -> anyhow::Result<Answer> {
        let path = |name: &str| matches.get_one::<PathBuf>(name).cloned();
        let bar =
            ProgressBar::new(0).with_style(ProgressStyle::with_template("{bar:30} {pos}/{len} rows  {eta} left")?);
        let mut progress = |done: usize, total: usize| {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        };
        let saved = Saved::open(&path("adapter").unwrap_or_default(), &given(matches))?;
        let test = match saved.task.origin() {
            Origin::Own(own) => own.test.clone(),
            Origin::Glue(_) => None,
        };
        let Some(data) = path("data").or(test) else {
            return Err(SpecError::new("data", "nothing", "--data FILE: the task's own file names no test file").into());
        };
        let model = saved.model()?;
        let rows = saved.rows(&model, Some(&data), 0)?;
        let scores = saved.evaluate(&mut *saved.backend(&model)?, &model, &rows, &mut progress)?;
        bar.finish_and_clear();
        let (metric, score) = scores.metrics.first().cloned().unwrap_or_default();
        if globals.json {
            let all: serde_json::Map<_, _> = scores.metrics.iter().map(|(id, v)| (id.clone(), json!(v))).collect();
            print_json(&json!({
                "metric": metric, "score": score, "scores": all, "loss": scores.loss,
                "rows": scores.logits.len(), "logits": scores.logits,
            }))?;
        } else {
            let all: Vec<String> = scores.metrics.iter().map(|(id, v)| format!("{id} {v:.4}")).collect();
            outln!("{}  loss {:.4}  ({} rows)", all.join("  "), scores.loss, scores.logits.len());
        }
        Ok(Answer::Code(code::OK))
    }
}
