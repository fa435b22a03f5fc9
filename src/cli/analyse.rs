//! `analyse`: what a trained adapter can do without, and how symmetric its updates are.

use super::saved::{self, ADAPTER, ADAPTER_HELP};
use super::{Answer, Globals, Subcommand, code, given, print_json, saved_of};
use crate::job::{self, Effort};
use crate::record::{Analysis, AnalysisKind, Curves};
use crate::store::Store;
use anyhow::Context;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;

pub struct Analyse;

impl Subcommand for Analyse {
    fn command(&self) -> Command {
        let kind = |name: &'static str, about: &'static str| {
            let adapter = Arg::new("adapter").value_name(ADAPTER).required(true).help(ADAPTER_HELP);
            saved::flags(Command::new(name).about(about).arg(adapter))
        };
        let scored = |command: Command| {
            command
                .arg(
                    Arg::new("data")
                        .long("data")
                        .value_name("FILE.tsv")
                        .value_parser(value_parser!(PathBuf))
                        .help("labelled rows [default: the task's validation rows, from where the run has them]"),
                )
                .arg(
                    Arg::new("rows")
                        .long("rows")
                        .value_name("N")
                        .default_value("0")
                        .value_parser(value_parser!(u64))
                        .help("first N rows alone; 0: all"),
                )
                .arg(Arg::new("device").long("device").value_name("ID").default_value("cpu").help("cpu or cuda:0"))
        };
        let random = Arg::new("random")
            .long("random")
            .value_name("N")
            .default_value("3")
            .value_parser(value_parser!(u64).range(0..=100))
            .help("random orders, as a control");
        let whole = Arg::new("all-layers-only")
            .long("all-layers-only")
            .action(ArgAction::SetTrue)
            .help("cut all layers together, not each by itself too");
        Command::new("analyse")
            .about("What an adapter can do without: original matrices, directions; how symmetric its updates are")
            .subcommand_required(true)
            .subcommand(
                scored(kind(
                    "deletion",
                    "Set W0 of the adapted matrices to 0, one after the other, and score what is left",
                ))
                .arg(random),
            )
            .subcommand(
                scored(kind("rank", "Keep the k largest directions of each update and score them: the effective rank"))
                    .arg(whole),
            )
            .subcommand(kind("symmetry", "Norms of the symmetric and the antisymmetric part of each update"))
            .after_help("What is found of a run is kept with it: charts deletion, rank and symmetry of `runs export`.")
    }

    fn run(&self, matches: &ArgMatches, globals: &Globals) -> anyhow::Result<Answer> {
        let Some((kind, matches)) = matches.subcommand() else { return Ok(Answer::Code(code::USAGE)) };
        let kind = match kind {
            "deletion" => AnalysisKind::Deletion,
            "rank" => AnalysisKind::Rank,
            _ => AnalysisKind::Symmetry,
        };
        let name = matches.get_one::<String>("adapter").context("no adapter")?;
        let named = saved_of(name, globals, &given(matches))?;
        let mut saved = named.saved;
        let analysis = if kind == AnalysisKind::Symmetry {
            job::symmetry(&saved)?
        } else {
            let mut model = saved.model()?;
            saved.spec.device = matches.get_one::<String>("device").cloned().unwrap_or_default();
            let most = matches.get_one::<u64>("rows").map_or(0, |n| *n as usize);
            let rows = saved.rows(&model, matches.get_one::<PathBuf>("data").map(PathBuf::as_path), most)?;
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} evaluations  {eta} left")?;
            let bar = ProgressBar::new(0).with_style(style);
            let mut progress = |done: usize, total: usize| {
                bar.set_length(total as u64);
                bar.set_position(done as u64);
            };
            let number = |name: &str| matches.try_get_one::<u64>(name).ok().flatten().copied();
            let whole = matches.try_get_one::<bool>("all-layers-only").ok().flatten();
            let effort = Effort { random: number("random").unwrap_or(0) as usize, by_layer: whole != Some(&true) };
            let analysis = job::analyse(kind, &saved, &mut model, &rows, effort, &mut progress)?;
            bar.finish_and_clear();
            analysis
        };
        if let Some(run) = &named.run {
            Store::open(&globals.runs)?.handle().keep_analysis(&run.id, analysis.clone())?;
        }
        match globals.json {
            true => print_json(&analysis)?,
            false => print(&analysis)?,
        }
        if let Some(run) = &named.run {
            let kind = kind.id();
            eprintln!("kept with {}: eigenscope runs export {} --chart {kind} --out {kind}.png", run.id, run.id);
        }
        Ok(Answer::Code(code::OK))
    }
}

fn print(analysis: &Analysis) -> anyhow::Result<()> {
    match analysis {
        Analysis::Deletion(curves) => curves_of(curves, "removed", &|_| String::new()),
        Analysis::Rank(curves) => curves_of(curves, "kept", &|curve| {
            let of = curve.effective_rank().map_or("-".to_string(), |k| k.to_string());
            format!("  effective rank {of}")
        }),
        Analysis::Symmetry { matrices } => {
            outln!(
                "{:>5} {:8} {:>12} {:>14} {:>16}",
                "layer",
                "target",
                "symmetric",
                "antisymmetric",
                "symmetric share"
            );
            for m in matrices {
                let share = m.share().map_or("-".to_string(), |s| format!("{s:.4}"));
                outln!("{:>5} {:8} {:>12.5} {:>14.5} {share:>16}", m.layer + 1, m.target, m.symmetric, m.antisymmetric);
            }
            Ok(())
        }
    }
}

fn curves_of(curves: &Curves, count: &str, note: &dyn Fn(&crate::record::Curve) -> String) -> anyhow::Result<()> {
    outln!("{} on {} rows", curves.metric, curves.rows);
    for curve in &curves.curves {
        outln!("\n{}{}", curve.order, note(curve));
        outln!("{count:>8} {:>12} {:>8} {:>8}  last", "saved bytes", curves.metric, "loss");
        for p in &curve.points {
            let number = |v: Option<f64>| v.map_or("-".to_string(), |v| format!("{v:.4}"));
            outln!("{:>8} {:>12} {:>8} {:>8}  {}", p.count, p.saved_bytes, number(p.score), number(p.loss), p.what);
        }
    }
    Ok(())
}
