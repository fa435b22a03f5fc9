//! What runs come to while they train, one JSON object a line on stdout: for scripts and other programs.

use crate::event::{Evaluation, Point, RunId, Status};
use crate::record::RunSummary;
use crate::store::Reader;
use clap::{Arg, ArgAction};
use serde::Serialize;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Shortest time between two points of a run.
const POINTS: Duration = Duration::from_secs(1);

/// The flag `--events`.
pub fn flag() -> Arg {
    Arg::new("events").long("events").action(ArgAction::SetTrue).help(
        "print events while training, one JSON object a line on stdout: started, point (one a second at most), evaluated, status",
    )
}

/// One line.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Event<'a> {
    Started {
        run: &'a RunId,
        name: &'a str,
        total_steps: u64,
        epochs: u64,
        metric: &'a str,
        adapter_parameters: u64,
    },
    Point {
        run: &'a RunId,
        #[serde(flatten)]
        point: Point,
    },
    Evaluated {
        run: &'a RunId,
        #[serde(flatten)]
        evaluation: &'a Evaluation,
    },
    Status {
        run: &'a RunId,
        status: Status,
        #[serde(skip_serializing_if = "Option::is_none")]
        cause: Option<&'a str>,
    },
}

/// What was told of each run.
#[derive(Default)]
pub struct Events {
    told: HashMap<RunId, Told>,
}

#[derive(Default)]
struct Told {
    status: Option<Status>,
    started: bool,
    /// Last step of which a point was told, and when.
    point: Option<(u64, Instant)>,
    /// Last step of which an evaluation was told.
    evaluated: u64,
}

impl Events {
    /// Prints what is new of `run`: only what was committed.
    pub fn show(&mut self, run: &RunSummary, reader: &Reader) -> anyhow::Result<()> {
        let told = self.told.entry(run.id.clone()).or_default();
        let ended = !run.status.is_live() && run.status != Status::Queued;
        if ended && told.status == Some(run.status) {
            return Ok(());
        }
        if told.status != Some(run.status) && !ended {
            told.status = Some(run.status);
            print(&Event::Status { run: &run.id, status: run.status, cause: None })?;
        }
        if run.facts.total_steps > 0 && !told.started && run.status != Status::Queued {
            told.started = true;
            print(&Event::Started {
                run: &run.id,
                name: &run.name,
                total_steps: run.facts.total_steps,
                epochs: run.facts.epochs,
                metric: &run.facts.metric,
                adapter_parameters: run.facts.adapter_parameters,
            })?;
        }
        let due = told.point.is_none_or(|(step, when)| step != run.step && (ended || when.elapsed() >= POINTS));
        if due
            && run.step > 0
            && let Some(point) = reader.newest_point(&run.id)?
        {
            told.point = Some((point.step, Instant::now()));
            print(&Event::Point { run: &run.id, point })?;
        }
        if run.last.is_some() {
            let before = told.evaluated;
            for evaluation in reader.evaluations(&run.id)?.iter().filter(|e| e.step > before) {
                told.evaluated = evaluation.step;
                print(&Event::Evaluated { run: &run.id, evaluation })?;
            }
        }
        if told.status != Some(run.status) {
            told.status = Some(run.status);
            print(&Event::Status { run: &run.id, status: run.status, cause: run.cause.as_deref() })?;
        }
        Ok(())
    }
}

/// One line at once: who reads follows along. Numbers that are not finite are null.
fn print(event: &Event) -> anyhow::Result<()> {
    outln!("{}", serde_json::to_string(event)?);
    Ok(())
}
