//! `bench`: timings of a training step and of the terminal program, as JSON lines or a table.

use super::{Answer, Globals, Subcommand, code, print_members};
use crate::job;
use crate::model::shape;
use crate::spec::RunSpec;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::json;
use std::path::PathBuf;
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
        let common = |command: Command| {
            command
                .arg(text("method", "symlora", "adapter method"))
                .arg(text("model", "mini-roberta", "mini-roberta or a Hugging Face folder"))
                .arg(
                    Arg::new("model-shape")
                        .long("model-shape")
                        .value_name("NAME")
                        .value_parser(PossibleValuesParser::new(shape::names()))
                        .help("a published model's sizes with random weights, instead of --model"),
                )
                .arg(text("device", "cpu", "device that trains"))
                .arg(text("precision", "f32", "what a GPU multiplies in: f32, tf32 or bf16"))
                .arg(number("batch", "32", "rows"))
                .arg(
                    Arg::new("threads")
                        .long("threads")
                        .default_value("0")
                        .value_parser(value_parser!(u64))
                        .help("0: all cores"),
                )
        };
        let step = common(Command::new("step").about("One training step on full rows: forward, backward, clip, AdamW"))
            .arg(number("seq", "64", "tokens in each row"))
            .arg(number("steps", "30", "measured steps, after 5 for warming up"));
        let rows = common(Command::new("rows").about("Training steps on a task's own rows, in random order"))
            .arg(text("task", "cola", "GLUE task"))
            .arg(text("data", "", "folder with GLUE's files; empty: the embedded sample"))
            .arg(
                Arg::new("tokenizer")
                    .long("tokenizer")
                    .value_name("FILE")
                    .value_parser(value_parser!(PathBuf))
                    .help("tokenizer.json, where --model-shape has none"),
            )
            .arg(number("seq", "128", "longest row in tokens"))
            .arg(number("steps", "200", "measured batches, after as many for warming up"))
            .arg(number("adapters", "1", "runs of other seeds trained side by side"));
        let ui = Command::new("ui")
            .about("Time to the first frame, time from key to frame, and idle load, on generated runs")
            .arg(number("count", "1000", "runs in the store").long("runs"))
            .arg(number(
                "points",
                "10000",
                "recorded steps of each run, ten million in all at most; the newest run always has all of its own",
            ));
        Command::new("bench").about("Measure this machine").subcommand_required(true).subcommands([step, rows, ui])
    }

    fn run(&self, matches: &ArgMatches, globals: &Globals) -> anyhow::Result<Answer> {
        let figures = match matches.subcommand() {
            Some(("step", matches)) => step(matches)?,
            Some(("rows", matches)) => rows(matches)?,
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

fn number(matches: &ArgMatches, name: &str) -> usize {
    matches.get_one::<u64>(name).copied().unwrap_or_default() as usize
}

fn spec(matches: &ArgMatches) -> anyhow::Result<RunSpec> {
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let spec = RunSpec {
        method: text("method"),
        model: text("model"),
        device: text("device"),
        precision: text("precision"),
        batch_size: number(matches, "batch"),
        max_length: number(matches, "seq"),
        threads: number(matches, "threads"),
        ..RunSpec::default()
    };
    spec.validate()?;
    Ok(spec)
}

fn step(matches: &ArgMatches) -> anyhow::Result<serde_json::Value> {
    let start = Instant::now();
    let spec = spec(matches)?;
    let shape = matches.get_one::<String>("model-shape").map(String::as_str);
    let mut times = job::time_steps(&spec, shape, number(matches, "steps"), &start)?;
    times.steps_ms.sort_by(f64::total_cmp);
    let at = |share: f64| times.steps_ms[((times.steps_ms.len() - 1) as f64 * share).round() as usize];
    let rate = times.operations / at(0.5) * 1e3;
    Ok(json!({
        "method": spec.method, "model": shape.unwrap_or(&spec.model), "device": spec.device,
        "precision": spec.precision, "batch": spec.batch_size, "seq": spec.max_length,
        "median_ms": at(0.5), "p10_ms": at(0.1), "p90_ms": at(0.9), "first_step_ms": times.first_ms,
        "samples_per_s": spec.batch_size as f64 / at(0.5) * 1e3,
        "peak_mib": times.peak_bytes.map(|b| b >> 20), "predicted_mib": times.predicted_bytes.map(|b| b >> 20),
        "tflops": rate / 1e12, "fraction_of_limit": times.limit.map(|limit| rate / limit),
    }))
}

fn rows(matches: &ArgMatches) -> anyhow::Result<serde_json::Value> {
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let spec = RunSpec { task: text("task"), data: text("data"), ..spec(matches)? };
    let shape = matches.get_one::<String>("model-shape").map(String::as_str);
    let tokenizer = matches.get_one::<PathBuf>("tokenizer").map(PathBuf::as_path);
    let adapters = number(matches, "adapters");
    let times = job::time_rows(&spec, shape, tokenizer, number(matches, "steps"), adapters)?;
    Ok(json!({
        "method": spec.method, "model": shape.unwrap_or(&spec.model), "device": spec.device,
        "precision": spec.precision, "task": spec.task, "batch": spec.batch_size, "adapters": adapters,
        "ms_per_step": times.seconds / times.steps as f64 * 1e3, "samples_per_s": times.samples as f64 / times.seconds,
        "mean_tokens": times.mean_tokens, "mean_padded": times.mean_padded,
        "peak_mib": times.peak_bytes.map(|b| b >> 20), "predicted_mib": times.predicted_bytes.map(|b| b >> 20),
    }))
}
