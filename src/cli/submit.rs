//! `submit`: predictions on GLUE's test rows as the zip that its website takes, and whether a zip is one.

mod plan;

use super::{Answer, Globals, Subcommand, code, print_json};
use crate::data::submission::{self, Sheet, SubmissionError};
use crate::data::{DataError, load_test, test_files};
use crate::task::{LabelKind, TestFile};
use crate::view::file_size;
use anyhow::Context;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use indicatif::{ProgressBar, ProgressStyle};
use plan::Plan;
use serde_json::json;
use std::collections::HashMap;
use std::path::PathBuf;

pub struct Submit;

impl Subcommand for Submit {
    fn command(&self) -> Command {
        let text = |name: &'static str, value: &'static str, help: &'static str| {
            Arg::new(name).long(name).value_name(value).help(help)
        };
        let path = || value_parser!(PathBuf);
        let partial = |help: &'static str| Arg::new("partial").long("partial").action(ArgAction::SetTrue).help(help);
        Command::new("submit")
            .about("Predict GLUE's test rows and write the zip that gluebenchmark.com takes")
            .args_conflicts_with_subcommands(true)
            .subcommand_negates_reqs(true)
            .arg(
                text("out", "FILE.zip", "zip to write, for example submission.zip").required(true).value_parser(path()),
            )
            .arg(
                text(
                    "data",
                    "DIR",
                    "folder of GLUE's files, test files among them, or hub:nyu-mll/glue [default: that of each run]",
                )
                .value_parser(path()),
            )
            .arg(
                Arg::new("adapter")
                    .value_name("RUN|FILE")
                    .num_args(0..)
                    .help("one for each task [default: the best finished run of each task, archived ones left out]"),
            )
            .arg(text("method", "ID", "method of the runs that are chosen by default").default_value("symlora"))
            .arg(text("model", "ID", "their model [default: as table1 chooses it]"))
            .arg(text("device", "ID", "cpu or cuda:0").default_value("cpu"))
            .arg(text("precision", "ID", "f32, tf32 or bf16: what a GPU multiplies in").default_value("f32"))
            .arg(partial("leave tasks without a run or a test file out"))
            .subcommand(
                Command::new("check")
                    .about("Whether a zip is what the website takes: its files, headers, indices and labels")
                    .arg(
                        Arg::new("zip").value_name("FILE.zip").required(true).value_parser(path()).help("zip to check"),
                    )
                    .arg(
                        text(
                            "data",
                            "DIR",
                            "folder of GLUE's files, which tell the rows [default: GLUE's own numbers]",
                        )
                        .value_parser(path()),
                    )
                    .arg(partial("not every task need be there")),
            )
            .after_help("WNLI, which is no task here, gets 0 for every row where its test file is there.")
    }

    fn run(&self, matches: &ArgMatches, globals: &Globals) -> anyhow::Result<Answer> {
        if let Some(("check", matches)) = matches.subcommand() {
            return check(matches, globals.json);
        }
        let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
        let path = matches.get_one::<PathBuf>("out").context("no --out")?;
        let partial = matches.get_flag("partial");
        let names: Vec<&String> = matches.get_many("adapter").into_iter().flatten().collect();
        let mut adapters = match names.is_empty() {
            true => plan::best(text("method").unwrap_or_default(), text("model"), globals)?,
            false => plan::named(&names, globals)?,
        };
        for adapter in &mut adapters {
            adapter.saved.spec.device = text("device").unwrap_or_default().into();
            adapter.saved.spec.precision = text("precision").unwrap_or_default().into();
        }
        let plan = Plan::of(adapters, matches.get_one::<PathBuf>("data").map(PathBuf::as_path))?;
        if plan.parts.is_empty() || !(plan.missing.is_empty() || partial) {
            return Err(SubmissionError::Incomplete { missing: plan.missing }.into());
        }
        plan.missing.iter().chain(&plan.left_out).for_each(|line| eprintln!("left out: {line}"));
        let labels = predict(&plan)?;
        let mut files = Vec::new();
        for (part, labels) in plan.parts.iter().zip(&labels) {
            let (file, by) = (&part.sheet.file, part.adapter(&plan.adapters));
            let entry = part.sheet.entry();
            let counts = counts(&part.sheet, labels);
            let shares: String = counts.iter().map(|(name, n)| format!(", {name} {n}")).collect();
            eprintln!("{entry}: {} rows, {}{shares}", labels.len(), by.unwrap_or("the larger class for each"));
            if labels.len() != file.rows {
                let path = part.path().display();
                eprintln!(
                    "{path}: {} rows, GLUE's own has {}, and its website takes no fewer",
                    labels.len(),
                    file.rows
                );
            }
            let counts: serde_json::Map<_, _> = counts.iter().map(|(name, n)| (name.to_string(), json!(n))).collect();
            files.push(
                json!({ "file": entry, "rows": labels.len(), "test": part.path(), "adapter": by, "counts": counts }),
            );
        }
        let predictions: Vec<_> = plan.parts.into_iter().map(|p| p.sheet).zip(labels).collect();
        submission::write(path, &predictions, partial)?;
        let bytes = std::fs::metadata(path).map_or(0, |m| m.len());
        eprintln!("wrote {} ({}), checked: {} files", path.display(), file_size(bytes), predictions.len());
        if globals.json {
            print_json(
                &json!({ "file": path, "bytes": bytes, "files": files, "missing": plan.missing, "left_out": plan.left_out }),
            )?;
        }
        Ok(Answer::Code(code::OK))
    }
}

fn predict(plan: &Plan) -> anyhow::Result<Vec<Vec<String>>> {
    let style = ProgressStyle::with_template("{msg:11} {bar:30} {pos}/{len} rows  {eta} left")?;
    let bar = ProgressBar::new(0).with_style(style);
    let mut progress = |entry: &str, done: usize, all: usize| {
        if bar.message() != entry {
            bar.reset();
            bar.set_message(entry.to_string());
        }
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let labels = plan.predict(&mut progress)?;
    bar.finish_and_clear();
    Ok(labels)
}

/// How often each class was predicted, in their order; of scores, nothing.
fn counts(sheet: &Sheet, labels: &[String]) -> Vec<(&'static str, usize)> {
    let LabelKind::Classes(names) = sheet.labels else { return Vec::new() };
    names.iter().map(|name| (*name, labels.iter().filter(|label| label == name).count())).collect()
}

fn check(matches: &ArgMatches, json: bool) -> anyhow::Result<Answer> {
    let path = matches.get_one::<PathBuf>("zip").context("no zip")?;
    let mut rows = HashMap::new();
    let source = matches.get_one::<PathBuf>("data").map(|data| plan::source(data)).transpose()?;
    for (sheet, source) in source.iter().flat_map(|source| submission::sheets().into_iter().map(move |s| (s, source))) {
        let found = match test_files(source, &sheet.file, sheet.task) {
            // A file that is not there leaves GLUE's own number.
            Err(DataError::NotFetched { .. }) => Vec::new(),
            found => found?,
        };
        if !found.is_empty() {
            rows.insert(sheet.file.name, load_test(&sheet.file, sheet.task, &found)?.len());
        }
    }
    let of = |file: &TestFile| rows.get(file.name).copied().unwrap_or(file.rows);
    let checked = submission::check(path, &of, matches.get_flag("partial"))?;
    if json {
        print_json(&json!({ "sound": checked.faults.is_empty(), "files": checked.files, "left_out": checked.left_out,
                            "faults": checked.faults }))?;
    } else {
        for (entry, count) in &checked.files {
            outln!("{entry:11} {count:>7} predictions");
        }
    }
    checked.left_out.iter().for_each(|entry| eprintln!("{entry}: not there"));
    checked.faults.iter().for_each(|fault| eprintln!("{fault}"));
    match checked.faults.len() {
        0 => eprintln!("{}: sound", path.display()),
        n => eprintln!("{}: {n} fault{}", path.display(), if n == 1 { "" } else { "s" }),
    }
    Ok(Answer::Code(if checked.faults.is_empty() { code::OK } else { code::INPUT }))
}
