//! `sweep`: a grid, the best of it by validation for each task and method, then seeds of the best. What is in the runs folder
//! already is not trained again, so a sweep that was killed goes on where it stood.

mod progress;
mod show;

use super::follow::{self, End};
use super::{Answer, Globals, Subcommand, code, print_json, results};
use crate::event::{RunId, Status};
use crate::job;
use crate::record::{Label, RunSummary};
use crate::spec::{FIELDS, RunSpec, SpecError, preset};
use crate::store::{DATABASE, Reader, Store, StoreHandle};
use crate::sweep::{Asked, BEST, Plan, Sweep as Asks};
use anyhow::Context;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use progress::Progress;
use std::collections::HashSet;
use std::path::PathBuf;

pub struct Sweep;

impl Subcommand for Sweep {
    fn command(&self) -> Command {
        let spec = Arg::new("spec").value_name("SPEC.toml").value_parser(value_parser!(PathBuf)).help(
            "TOML file of the fields below, with _ for -, lists being dimensions of the grid, and a table [sweep] of name, \
             preset and seeds. Flags override the file",
        );
        let flag = |f: &'static crate::spec::Field| {
            let arg = Arg::new(f.name).long(f.flag()).value_name("VALUE[,...]").allow_hyphen_values(true).help(f.help);
            match f.name {
                "task" => arg.visible_alias("tasks").help("GLUE tasks [default: all eight]"),
                "method" => arg.visible_alias("methods").help("adapter methods [default: symlora,lora]"),
                _ => arg,
            }
        };
        let presets: Vec<&str> = preset::PRESETS.iter().map(|p| p.name).collect();
        let about = preset::PRESETS.iter().map(|p| format!("{}: {}", p.name, p.help)).collect::<Vec<_>>().join("; ");
        let switch =
            |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
        Command::new("sweep")
            .about(
                "Train a grid, then seeds of its best for each task and method; started again it trains only what is missing",
            )
            .after_help(
                "Without a preset and without --lr and --batch-size the grid is lr 1e-4,2e-4,5e-4,1e-3,2e-3 by batch 16,32.\n\
                 The demo's whole table and figure: eigenscope sweep --preset demo --seeds 3 --out results",
            )
            .arg(spec)
            .arg(Arg::new("preset").long("preset").value_name("NAME").value_parser(presets).help(about))
            .arg(Arg::new("seeds").long("seeds").value_name("N[,...]").help(
                "how many seeds of the best, from --seed on, or which ones [default: 1]",
            ))
            .arg(Arg::new("sweep").long("sweep").value_name("NAME").help(
                "its name: the runs get the tag sweep:NAME [default: the preset's or the file's name]",
            ))
            .arg(switch("retry", "train runs that failed once more"))
            .arg(switch("dry-run", "print what would be trained and train nothing"))
            .arg(Arg::new("out").long("out").value_name("DIR").value_parser(value_parser!(PathBuf)).help(
                "write Table 1, Figure 1 and the report of the sweep's runs to this folder at the end",
            ))
            .args(FIELDS.iter().map(flag))
    }

    fn run(&self, matches: &ArgMatches, globals: &Globals) -> anyhow::Result<Answer> {
        let sweep = asked(matches)?;
        let tag = sweep.tag();
        Label::Tags { add: vec![tag.clone()], remove: Vec::new() }.checked()?;
        for spec in &sweep.grid {
            // What a start of `best:TASK` comes to is checked when it is known.
            let open = spec.init_adapter.starts_with(BEST);
            let spec = if open { &RunSpec { init_adapter: String::new(), ..spec.clone() } } else { spec };
            job::check(spec, &globals.runs).with_context(|| spec.display_name())?;
        }
        if matches.get_flag("dry-run") {
            let here = globals.runs.join(DATABASE).is_file();
            let runs = if here { Store::open(&globals.runs)?.reader()?.list()? } else { Vec::new() };
            show::plan(&sweep, &sweep.plan(&runs), globals.json)?;
            return Ok(Answer::Code(code::OK));
        }
        let store = Store::open(&globals.runs)?;
        let end = train(&sweep, &store, globals)?;
        let plan = sweep.plan(&store.reader()?.list()?);
        let complete = plan.is_complete();
        let outcomes: Vec<_> = plan.groups.iter().map(|g| g.outcome(&sweep.seeds)).collect();
        if globals.json {
            print_json(
                &serde_json::json!({ "sweep": sweep.name, "tag": tag, "complete": complete, "best": outcomes }),
            )?;
        } else {
            show::outcomes(&outcomes)?;
        }
        if let End::Stopped(_) = end {
            eprintln!("saved in {}; the same command goes on", globals.runs.display());
            return Ok(Answer::Code(code::STOPPED));
        }
        if let Some(folder) = matches.get_one::<PathBuf>("out") {
            let of: HashSet<RunId> = plan.found().map(|f| f.id.clone()).collect();
            results::write(&store, &|run: &RunSummary| of.contains(&run.id), folder)?;
        }
        if !complete {
            eprintln!("not complete: {}", show::missing(&plan));
        }
        Ok(Answer::Code(if complete { code::OK } else { code::FAILED }))
    }
}

/// What the file and the flags ask for.
fn asked(matches: &ArgMatches) -> anyhow::Result<Asks> {
    let path = matches.get_one::<PathBuf>("spec");
    let mut asked = match path {
        None => Asked::default(),
        Some(path) => {
            let unreadable = |e| SpecError::new(&path.display().to_string(), e, "a TOML file of fields");
            let text = std::fs::read_to_string(path).map_err(unreadable)?;
            Asked::from_toml(&text).with_context(|| path.display().to_string())?
        }
    };
    for field in FIELDS {
        if let Some(value) = matches.get_one::<String>(field.name) {
            asked.fields.set(field.name, value.split(',').map(|v| v.trim().to_string()).collect())?;
        }
    }
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    asked.preset = text("preset").or(asked.preset);
    asked.seeds = text("seeds").or(asked.seeds);
    asked.name = text("sweep").or(asked.name);
    asked.retry = matches.get_flag("retry");
    let stem = path.and_then(|p| p.file_stem()).map(|s| s.to_string_lossy().replace([' ', ',', '|', '"'], "-"));
    Ok(asked.sweep(stem.as_deref().unwrap_or("grid"))?)
}

/// Queues what of a sweep is to be launched and tags what belongs to it; gives the plan as it then is.
pub fn advance(sweep: &Asks, plan: Plan, handle: &StoreHandle, reader: &Reader) -> anyhow::Result<Plan> {
    let specs = plan.launch();
    for spec in specs.iter().filter(|s| !s.init_adapter.is_empty()) {
        job::check(spec, handle.dir()).with_context(|| spec.display_name())?;
    }
    if !specs.is_empty() {
        handle.create(&specs)?;
    }
    let plan = sweep.plan(&reader.list()?);
    let untagged = plan.untagged();
    if !untagged.is_empty() {
        handle.label(&untagged, Label::Tags { add: vec![sweep.tag()], remove: Vec::new() })?;
    }
    Ok(plan)
}

/// Trains what is missing until nothing is left that can begin.
fn train(sweep: &Asks, store: &Store, globals: &Globals) -> anyhow::Result<End> {
    let handle = store.handle();
    let reader = store.reader()?;
    let plan = sweep.plan(&reader.list()?);
    for id in plan.resume() {
        handle.requeue(&id)?;
    }
    let plan = advance(sweep, plan, &handle, &reader)?;
    let waiting = |plan: &Plan| -> Vec<RunId> {
        let waits = |s: Status| s.is_live() || s == Status::Queued;
        plan.found().filter(|f| waits(f.status)).map(|f| f.id.clone()).collect()
    };
    let ids = waiting(&plan);
    let progress = Progress::new(&sweep.name, &plan);
    eprintln!("{}", progress.line(&plan));
    let mut known: HashSet<RunId> = ids.iter().cloned().collect();
    follow::work(globals, store, ids, None, &mut |_| {
        let plan = advance(sweep, sweep.plan(&reader.list()?), &handle, &reader)?;
        eprintln!("{}", progress.line(&plan));
        Ok(waiting(&plan).into_iter().filter(|id| known.insert(id.clone())).collect())
    })
}
