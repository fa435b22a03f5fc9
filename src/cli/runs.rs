//! `runs`: past runs listed, shown, resumed, deleted, exported; what is said of them is in `label.rs`.

use super::{Answer, Globals, Subcommand, code, follow, print_json};
use super::{events, export, import, label};
use crate::record::RunSummary;
use crate::store::{Reader, Store};
use crate::ui::Filter;
use crate::view::file_size;
use anyhow::Context;
use clap::{Arg, ArgMatches, Command};
use serde::Serialize;
use serde_json::json;

pub struct Runs;

/// One run as `--json` gives it.
#[derive(Serialize)]
pub struct Row<'a> {
    id: &'a str,
    name: &'a str,
    status: &'static str,
    task: &'a str,
    method: &'a str,
    /// None where it is not known of an imported run.
    seed: Option<u64>,
    lr: f64,
    steps: u64,
    metric: &'a str,
    best: Option<f64>,
    last: Option<f64>,
    /// Adapter parameters as the paper counts them.
    params: u64,
    seconds: f64,
    tags: &'a [String],
    note: &'a str,
    archived: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
}

impl<'a> Row<'a> {
    pub fn of(run: &'a RunSummary) -> Self {
        Row {
            id: run.id.as_str(),
            name: &run.name,
            status: run.status.as_str(),
            task: &run.spec.task,
            method: &run.spec.method,
            seed: run.seed(),
            lr: run.spec.lr,
            steps: run.step,
            metric: &run.facts.metric,
            best: run.best,
            last: run.last,
            params: run.facts.adapter_parameters,
            seconds: run.seconds,
            tags: &run.tags,
            note: &run.note,
            archived: run.archived,
            cause: run.cause.as_deref(),
        }
    }
}

impl Subcommand for Runs {
    fn command(&self) -> Command {
        let run = || Arg::new("run").value_name("RUN").required(true).help("a run's id or its name");
        Command::new("runs")
            .about("List, show, resume, import, tag, rename, archive, delete and export past runs")
            .subcommand_required(true)
            .subcommand(
                Command::new("list")
                    .about("Runs, newest first; archived ones where the filter asks for them")
                    .arg(filter().default_value("")),
            )
            .subcommands(label::commands())
            .subcommand(Command::new("show").about("One run: settings, scores, files").arg(run()))
            .subcommand(
                Command::new("resume")
                    .about(
                        "Train stopped, interrupted or failed runs on from their checkpoints; ctrl-c stops and saves",
                    )
                    .arg(run().num_args(1..))
                    .arg(events::flag()),
            )
            .subcommand(import::command())
            .subcommand(Command::new("delete").about("Remove a run's records and files").arg(run()))
            .subcommand(export::command())
    }

    fn run(&self, matches: &ArgMatches, globals: &Globals) -> anyhow::Result<Answer> {
        let store = Store::open(&globals.runs)?;
        let reader = store.reader()?;
        let Some((name, matches)) = matches.subcommand() else { return Ok(Answer::Code(code::USAGE)) };
        if name == "resume" {
            let (runs, events) = (several(matches, &reader)?, matches.get_flag("events"));
            return Ok(Answer::Code(follow::resume(globals, &store, &runs, events)?));
        }
        if name == "import" {
            import::carry_out(&store, matches, globals.json)?;
            return Ok(Answer::Code(code::OK));
        }
        if name == "export" {
            export::carry_out(&reader, matches, globals.json)?;
            return Ok(Answer::Code(code::OK));
        }
        if let Some(label) = label::asked(name, matches)? {
            let runs = several(matches, &reader)?;
            label::carry_out(&store, &runs, label, globals.json)?;
            return Ok(Answer::Code(code::OK));
        }
        let wanted = matches.try_get_one::<String>("run").ok().flatten();
        let run = wanted.map(|text| reader.find(text)).transpose()?;
        match (name, run) {
            ("show", Some(run)) => show(&reader, &run, globals.json)?,
            ("delete", Some(run)) => {
                let bytes = store.handle().delete(&run.id)?;
                eprintln!("deleted {} ({}): {} freed", run.id, run.name, file_size(bytes));
                if globals.json {
                    print_json(&json!({ "deleted": run.id, "bytes": bytes }))?;
                }
            }
            _ => {
                let mut runs = reader.list()?;
                let any = !runs.is_empty();
                if let Some(filter) = matches.get_one::<Filter>("filter") {
                    runs.retain(|run| filter.holds(run, &[]));
                }
                list(&runs, any, globals.json)?;
            }
        }
        Ok(Answer::Code(code::OK))
    }
}

/// --filter.
pub fn filter() -> Arg {
    Arg::new("filter")
        .long("filter")
        .value_name("FILTER")
        .allow_hyphen_values(true)
        .value_parser(|text: &str| Filter::parse(text))
        .help("as in the terminal: \"task:cola tag:x lr>=1e-3 -status:failed | is:archived\"")
}

/// The runs that are named, each once.
pub fn several(matches: &ArgMatches, reader: &Reader) -> anyhow::Result<Vec<RunSummary>> {
    let mut runs: Vec<RunSummary> = Vec::new();
    for text in matches.get_many::<String>("run").into_iter().flatten() {
        let run = reader.find(text)?;
        if !runs.iter().any(|r| r.id == run.id) {
            runs.push(run);
        }
    }
    Ok(runs)
}

/// `any`: there are runs, also where none of them is wanted.
fn list(runs: &[RunSummary], any: bool, json: bool) -> anyhow::Result<()> {
    if json {
        return print_json(&runs.iter().map(Row::of).collect::<Vec<_>>());
    }
    if runs.is_empty() {
        match any {
            true => eprintln!("no run fits; `--filter is:archived` lists what was archived"),
            false => {
                eprintln!("no runs yet: `eigenscope demo --headless` or `eigenscope train --task sst-2` makes some");
            }
        }
        return Ok(());
    }
    let number = |v: Option<f64>| v.map_or("-".to_string(), |v| format!("{v:.4}"));
    outln!(
        "{:6} {:11} {:24} {:6} {:8} {:>8} {:>7} {:>8} {:>8}",
        "id",
        "status",
        "name",
        "task",
        "method",
        "lr",
        "steps",
        "best",
        "last"
    );
    for r in runs {
        outln!(
            "{:6} {:11} {:24} {:6} {:8} {:>8} {:>7} {:>8} {:>8}",
            r.id,
            r.status,
            r.name,
            crate::untrusted::harmless(r.task_label()),
            r.spec.method,
            if r.spec.lr > 0.0 { format!("{:e}", r.spec.lr) } else { "-".into() },
            r.step,
            number(r.best),
            number(r.last)
        );
    }
    Ok(())
}

fn show(reader: &Reader, run: &RunSummary, json: bool) -> anyhow::Result<()> {
    let detail = reader.detail(&run.id, None, None, 200, 1_000)?.context("the run was deleted meanwhile")?;
    if json {
        return print_json(&detail);
    }
    outln!("{} {} {}", run.id, run.name, run.status);
    if let Some(cause) = &run.cause {
        outln!("cause: {cause}");
    }
    let facts = &run.facts;
    let time = |t: f64| jiff::Timestamp::from_second(t as i64).map_or_else(|_| "-".into(), |t| t.to_string());
    outln!(
        "created {}  started {}  ended {}",
        time(run.created),
        run.started.map_or("-".into(), time),
        run.ended.map_or("-".into(), time)
    );
    outln!("steps {}/{}  seconds {:.1}", run.step, facts.total_steps, run.seconds);
    outln!(
        "adapter parameters {} ({} bytes)  head parameters {}",
        facts.adapter_parameters,
        facts.adapter_bytes,
        facts.head_parameters
    );
    if !run.tags.is_empty() {
        outln!("tags {}", run.tags.join(" "));
    }
    if !run.note.is_empty() {
        outln!("note {}", run.note);
    }
    if run.archived {
        outln!("archived");
    }
    outln!("\n{}", run.spec.to_toml());
    for e in &detail.evaluations {
        let scores: Vec<String> = e.scores.iter().map(|(id, v)| format!("{id} {v:.4}")).collect();
        outln!("epoch {:>5.1}  loss {:.4}  {}", e.epoch, e.loss, scores.join("  "));
    }
    for a in &detail.artifacts {
        outln!("{:10} {} ({} bytes)", a.kind, a.path, a.bytes);
    }
    Ok(())
}
