//! `bench`: timings of a training step and of the terminal program, as JSON lines or a table.

use super::{Answer, Globals, Subcommand, code, print_members};
use crate::job;
use crate::model::shape;
use crate::spec::RunSpec;
use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::json;
use std::time::Instant;

pub struct Bench;

impl Subcommand for Bench {
    fn command(&self) -> Command {
        let number = |name: &'static str, default: &'static str, help: &'static str| {
            Arg::new(name)
                .long(name)
                .value_name("N")
                .default_value(default)
                .value_parser(value_parser!(u64).range(1..))
                .help(help)
        };
        let text = |name: &'static str, default: &'static str, help: &'static str| {
            Arg::new(name).long(name).value_name("ID").default_value(default).help(help)
        };
        let step = Command::new("step")
            .about("One training step on full rows: forward, backward, clip, AdamW")
            .arg(text("method", "symlora", "adapter method"))
            .arg(text("model", "mini-roberta", "mini-roberta or a Hugging Face folder"))
            .arg(
                Arg::new("model-shape")
                    .long("model-shape")
                    .value_name("NAME")
                    .value_parser(shape::NAMES)
                    .conflicts_with("model")
                    .help("a published model's sizes with random weights, instead of --model"),
            )
            .arg(text("device", "cpu", "device that trains"))
            .arg(text("precision", "f32", "what a GPU multiplies in: f32, tf32 or bf16"))
            .arg(number("batch", "32", "rows"))
            .arg(number("seq", "64", "tokens in each row"))
            .arg(number("steps", "30", "measured steps, after 5 for warming up"))
            .arg(
                Arg::new("threads")
                    .long("threads")
                    .default_value("0")
                    .value_parser(value_parser!(u64))
                    .help("0: all cores"),
            );
        let ui = Command::new("ui")
            .about("Time to the first frame, time from key to frame, and idle load, on generated runs")
            .arg(number("count", "1000", "runs in the store").long("runs"))
            .arg(number(
                "points",
                "10000",
                "recorded steps of each run, ten million in all at most; the newest run always has all of its own",
            ));
        Command::new("bench").about("Measure this machine").subcommand_required(true).subcommand(step).subcommand(ui)
    }

    fn run(&self, matches: &ArgMatches, globals: &Globals) -> anyhow::Result<Answer> {
        let figures = match matches.subcommand() {
            Some(("step", matches)) => step(matches)?,
            Some((_, matches)) => {
                let number = |name: &str| matches.get_one::<u64>(name).copied().unwrap_or_default();
                let (runs, points, json) = (number("count"), number("points"), globals.json);
                return Ok(Answer::MeasureScreens { runs, points, json });
            }
            None => return Ok(Answer::Code(code::USAGE)),
        };
        print_members(&figures, globals.json)?;
        Ok(Answer::Code(code::OK))
    }
}

fn step(matches: &ArgMatches) -> anyhow::Result<serde_json::Value> {
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let number = |name: &str| matches.get_one::<u64>(name).copied().unwrap_or_default() as usize;
    let spec = RunSpec {
        method: text("method"),
        model: text("model"),
        device: text("device"),
        precision: text("precision"),
        batch_size: number("batch"),
        max_length: number("seq"),
        threads: number("threads"),
        ..RunSpec::default()
    };
    spec.validate()?;
    let shape = matches.get_one::<String>("model-shape").map(String::as_str);
    let start = Instant::now();
    let mut times = job::time_steps(&spec, shape, number("steps"), &start)?;
    let first = times.first_ms;
    times.steps_ms.sort_by(f64::total_cmp);
    let at = |share: f64| times.steps_ms[((times.steps_ms.len() - 1) as f64 * share).round() as usize];
    Ok(json!({
        "method": spec.method, "device": spec.device, "batch": spec.batch_size, "seq": spec.max_length,
        "precision": spec.precision, "model": shape.unwrap_or(&spec.model),
        "samples_per_s": spec.batch_size as f64 / at(0.5) * 1e3, "median_ms": at(0.5), "p10_ms": at(0.1), "p90_ms": at(0.9), "first_step_ms": first,
    }))
}
