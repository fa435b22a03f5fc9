//! `data`: the rows of a task before anything is trained on them: counts, labels, lengths, what is odd, some examples.

use super::{Answer, Globals, Subcommand, code, print_json};
use crate::job::{self, Look};
use crate::record::{Lengths, RowsOf, Sample, SplitSurvey};
use crate::spec::{Field, RunSpec};
use crate::untrusted::{brief, harmless};
use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::json;

pub struct Data;

/// The flags that are fields of a spec.
const FIELDS: [&str; 4] = ["task", "data", "model", "max_length"];
/// Columns of a bar.
const BAR: usize = 40;
/// Letters of an example.
const SHOWN: usize = 100;

impl Subcommand for Data {
    fn command(&self) -> Command {
        let flag = |name: &&'static str| {
            Field::find(name).map(|f| Arg::new(f.name).long(f.flag()).value_name("VALUE").help(f.help))
        };
        Command::new("data")
            .about("Look at a task's rows: counts, labels, lengths in tokens, duplicates, what stands in two splits")
            .args(FIELDS.iter().filter_map(flag))
            .arg(
                Arg::new("examples")
                    .long("examples")
                    .value_name("N")
                    .default_value("3")
                    .value_parser(value_parser!(u64).range(0..=1_000))
                    .help("rows of each split to print"),
            )
    }

    fn run(&self, matches: &ArgMatches, globals: &Globals) -> anyhow::Result<Answer> {
        let mut spec = RunSpec::default();
        for field in FIELDS.iter().filter_map(|name| Field::find(name)) {
            if let Some(text) = matches.get_one::<String>(field.name) {
                field.set(&mut spec, text)?;
            }
        }
        let examples = matches.get_one::<u64>("examples").map_or(0, |n| *n as usize);
        let threads = job::threads(spec.threads)?;
        let look = threads.install(|| -> Result<Look, job::JobError> {
            let mut look = Look::of(&RowsOf::spec(&spec))?;
            for split in 0..look.survey.splits.len() {
                look.measure(split, &|| true)?;
            }
            Ok(look)
        })?;
        let samples = |split: usize| {
            let rows = look.search(split, "");
            look.samples(split, &rows[..rows.len().min(examples)])
        };
        let samples = (0..look.survey.splits.len()).map(samples).collect::<Result<Vec<_>, _>>()?;
        if globals.json {
            print_json(&json!({
                "task": look.survey.task, "splits": look.survey.splits, "warnings": look.survey.warnings,
                "no_tokens": look.no_tokens, "examples": samples,
            }))?;
        } else {
            outln!("{}", harmless(&look.survey.task));
            for (split, samples) in look.survey.splits.iter().zip(&samples) {
                print(split, samples)?;
            }
            look.no_tokens.iter().for_each(|why| eprintln!("no lengths in tokens: {}", harmless(why)));
            for warning in &look.survey.warnings {
                outln!("warning: {}", harmless(warning));
            }
        }
        Ok(Answer::Code(code::OK))
    }
}

fn print(split: &SplitSurvey, samples: &[Sample]) -> anyhow::Result<()> {
    let from = if split.files.is_empty() { "embedded".into() } else { harmless(&split.files.join(", ")) };
    outln!("\n{}: {} rows, {from}", split.name, split.rows);
    let widest = split.labels.iter().map(|(name, _)| brief(name, 30).chars().count()).max().unwrap_or(0);
    let most = split.labels.iter().map(|(_, n)| *n).max().unwrap_or(0).max(1);
    for (name, rows) in &split.labels {
        let bar = "#".repeat((*rows as usize * BAR).div_ceil(most as usize));
        outln!("  {:widest$}  {rows:>8} {:>5.1}%  {bar}", brief(name, 30), split.percent(*rows));
    }
    split.mean.iter().try_for_each(|mean| -> anyhow::Result<()> {
        outln!("  mean {mean:.3}");
        Ok(())
    })?;
    if let Some(lengths) = &split.lengths {
        histogram(lengths, split.rows)?;
    }
    for sample in samples {
        let pair = sample.pair.as_ref().map_or(String::new(), |pair| format!(" | {}", brief(pair, SHOWN)));
        outln!("  {}: {} | {}{pair}", sample.place, brief(&sample.label, 30), brief(&sample.text, SHOWN));
    }
    Ok(())
}

fn histogram(lengths: &Lengths, rows: u64) -> anyhow::Result<()> {
    let of =
        if lengths.measured < rows { format!(" of {} evenly spaced rows", lengths.measured) } else { String::new() };
    outln!("  tokens{of}: mean {:.1}, longest {}; {}", lengths.mean, lengths.longest, lengths.cut_in_words());
    let most = lengths.bins.iter().map(|(_, n)| *n).max().unwrap_or(0).max(1);
    for (from, rows) in &lengths.bins {
        let last = from + lengths.width - 1;
        let mark = if (*from..=last).contains(&lengths.max_length) { " < max_length" } else { "" };
        let bar = "#".repeat((*rows as usize * BAR).div_ceil(most as usize));
        outln!("{}", format!("  {:>11}  {rows:>8}  {bar}{mark}", Lengths::range(*from, lengths.width)).trim_end());
    }
    Ok(())
}
