//! The columns of the table of runs, one line each: what stands in a cell and how the column sorts.

use crate::event::Status;
use crate::record::RunSummary;
use crate::ui::text::{ago, duration, number};
use crate::untrusted::harmless;
use std::cmp::Ordering;

#[derive(Debug)]
pub struct Column {
    /// Its name in the state file.
    pub id: &'static str,
    pub title: &'static str,
    pub help: &'static str,
    /// Least width; a wider value makes the column wider.
    pub width: u16,
    /// Most width of a column of prose; 0: numbers, never cut and set to the right.
    pub most: u16,
    /// Shown until the person chooses.
    pub usual: bool,
    /// The cell of a run at a Unix time in seconds.
    pub text: fn(&RunSummary, f64) -> String,
    pub order: fn(&RunSummary, &RunSummary) -> Ordering,
}

impl PartialEq for Column {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

type Text = fn(&RunSummary, f64) -> String;
type Order = fn(&RunSummary, &RunSummary) -> Ordering;

const fn words(id: &'static str, help: &'static str, width: u16, most: u16, text: Text, order: Order) -> Column {
    Column { id, title: id, help, width, most, usual: true, text, order }
}

const fn figure(id: &'static str, help: &'static str, width: u16, text: Text, order: Order) -> Column {
    Column { id, title: id, help, width, most: 0, usual: true, text, order }
}

impl Column {
    const fn titled(self, title: &'static str) -> Self {
        Self { title, ..self }
    }

    const fn rare(self) -> Self {
        Self { usual: false, ..self }
    }

    pub fn find(id: &str) -> Option<&'static Column> {
        COLUMNS.iter().find(|c| c.id == id)
    }

    /// Set to the right.
    pub fn is_figure(&self) -> bool {
        self.most == 0
    }
}

/// The largest first; what is missing last.
fn largest(a: Option<f64>, b: Option<f64>) -> Ordering {
    b.unwrap_or(f64::NEG_INFINITY).total_cmp(&a.unwrap_or(f64::NEG_INFINITY))
}

/// The smallest first; what is missing last.
fn smallest(a: Option<f64>, b: Option<f64>) -> Ordering {
    a.unwrap_or(f64::INFINITY).total_cmp(&b.unwrap_or(f64::INFINITY))
}

/// Of what was imported a setting may not be known, nor, before a run starts, its adapter.
fn known(text: String, is: bool) -> String {
    if is { text } else { "–".into() }
}

fn rate(run: &RunSummary) -> String {
    known(format!("{:e}", run.spec.lr), run.spec.lr > 0.0)
}

fn seed(run: &RunSummary) -> String {
    run.seed().map_or("–".into(), |seed| seed.to_string())
}

fn parameters(run: &RunSummary) -> String {
    known(run.facts.adapter_parameters.to_string(), run.facts.adapter_parameters > 0)
}

/// What is under way first, then the queue in its order, then what ended, newest first.
fn by_status(a: &RunSummary, b: &RunSummary) -> Ordering {
    let rank = |r: &RunSummary| match r.status {
        Status::Running | Status::Paused => 0,
        Status::Queued => 1,
        _ => 2,
    };
    let in_turn = a.created.total_cmp(&b.created).then_with(|| a.id.cmp(&b.id));
    rank(a).cmp(&rank(b)).then_with(|| match rank(a) {
        0 => in_turn,
        1 => a.position.cmp(&b.position).then(in_turn),
        _ => in_turn.reverse(),
    })
}

/// Every column; those that are usual in their usual order.
pub static COLUMNS: &[Column] = &[
    words("status", "where the run stands", 13, 16, |r, _| status(r), by_status),
    words("name", "name, or task, method and seed", 18, 60, |r, _| harmless(&r.name), |a, b| a.name.cmp(&b.name)),
    words(
        "task",
        "task of GLUE, or its own name",
        6,
        20,
        |r, _| harmless(r.task_label()),
        |a, b| a.task_label().cmp(b.task_label()),
    ),
    words("method", "adapter method", 8, 20, |r, _| r.spec.method.clone(), |a, b| a.spec.method.cmp(&b.spec.method)),
    figure("best", "best score on the validation rows", 6, |r, _| number(r.best, 4), |a, b| largest(a.best, b.best)),
    figure("loss", "last training loss", 6, |r, _| number(r.loss, 4), |a, b| smallest(a.loss, b.loss)),
    figure("epoch", "epochs done, of all", 7, |r, _| epoch(r), |a, b| b.epoch.total_cmp(&a.epoch)),
    figure("time", "training time", 6, |r, _| duration(r.seconds), |a, b| b.seconds.total_cmp(&a.seconds)),
    figure("lr", "peak learning rate", 6, |r, _| rate(r), |a, b| b.spec.lr.total_cmp(&a.spec.lr)),
    figure("seed", "seed", 4, |r, _| seed(r), |a, b| a.spec.seed.cmp(&b.spec.seed)),
    words("tags", "tags (t edits)", 8, 30, |r, _| harmless(&r.tags.join(" ")), |a, b| b.tags.cmp(&a.tags)),
    figure("lambda", "mean λ over the matrices", 6, |r, _| number(lambda(r), 3), |a, b| largest(lambda(a), lambda(b)))
        .titled("λ̄"),
    figure(
        "params",
        "trained numbers of the adapter",
        7,
        |r, _| parameters(r),
        |a, b| b.facts.adapter_parameters.cmp(&a.facts.adapter_parameters),
    ),
    words("id", "id, the name of its folder", 5, 20, |r, _| r.id.to_string(), |a, b| b.id.cmp(&a.id)),
    words("note", "note (N edits)", 12, 60, |r, _| harmless(&r.note), |a, b| b.note.cmp(&a.note)),
    words(
        "model",
        "model that was adapted",
        12,
        40,
        |r, _| harmless(&r.spec.model),
        |a, b| a.spec.model.cmp(&b.spec.model),
    )
    .rare(),
    figure(
        "batch_size",
        "rows in a batch",
        5,
        |r, _| r.spec.batch_size.to_string(),
        |a, b| b.spec.batch_size.cmp(&a.spec.batch_size),
    )
    .titled("batch")
    .rare(),
    figure("rank", "rank r", 4, |r, _| r.spec.rank.to_string(), |a, b| b.spec.rank.cmp(&a.spec.rank)).rare(),
    figure(
        "alpha",
        "alpha: the update is scaled by alpha / r",
        5,
        |r, _| r.spec.effective_alpha().to_string(),
        |a, b| b.spec.effective_alpha().total_cmp(&a.spec.effective_alpha()),
    )
    .rare(),
    figure("epochs", "epochs in all", 6, |r, _| r.spec.epochs.to_string(), |a, b| b.spec.epochs.cmp(&a.spec.epochs))
        .rare(),
    figure("last", "score at the last evaluation", 6, |r, _| number(r.last, 4), |a, b| largest(a.last, b.last)).rare(),
    figure(
        "best_epoch",
        "epoch of the best score",
        6,
        |r, _| number(r.best_epoch, 1),
        |a, b| smallest(a.best_epoch, b.best_epoch),
    )
    .titled("best at")
    .rare(),
    figure("step", "optimizer steps done", 6, |r, _| r.step.to_string(), |a, b| b.step.cmp(&a.step)).rare(),
    figure(
        "speed",
        "training rows a second",
        6,
        |r, _| number(r.samples_per_second(), 0),
        |a, b| largest(a.samples_per_second(), b.samples_per_second()),
    )
    .titled("rows/s")
    .rare(),
    words(
        "device",
        "device that trains",
        6,
        12,
        |r, _| harmless(&r.spec.device),
        |a, b| a.spec.device.cmp(&b.spec.device),
    )
    .rare(),
    words(
        "precision",
        "what a GPU multiplies in",
        9,
        9,
        |r, _| r.spec.precision.clone(),
        |a, b| a.spec.precision.cmp(&b.spec.precision),
    )
    .rare(),
    words(
        "targets",
        "adapted matrices",
        11,
        30,
        |r, _| r.spec.targets.join("+"),
        |a, b| a.spec.targets.cmp(&b.spec.targets),
    )
    .rare(),
    figure("created", "when it was launched", 7, |r, now| ago(now - r.created), |a, b| b.created.total_cmp(&a.created))
        .rare(),
    figure(
        "ended",
        "when it ended",
        7,
        |r, now| r.ended.map_or("–".into(), |ended| ago(now - ended)),
        |a, b| largest(a.ended, b.ended),
    )
    .rare(),
];

/// Absent where the method has none.
fn lambda(run: &RunSummary) -> Option<f64> {
    let form = crate::adapter::find(&run.spec.method).ok().and_then(|method| method.form());
    run.lambda.filter(|_| form.is_none_or(|form| form.c.is_some()))
}

/// In a sign and a word or two.
pub(in crate::ui::screen) fn status(run: &RunSummary) -> String {
    let percent = || format!("{:.0}%", 100.0 * run.progress());
    match run.status {
        Status::Queued => "· queued".into(),
        Status::Running => format!("▶ {}", percent()),
        Status::Paused => format!("‖ {} paused", percent()),
        Status::Done => "✓ done".into(),
        Status::Stopped => format!("■ {} saved", percent()),
        Status::Cancelled => "✗ cancelled".into(),
        Status::Failed => "! failed".into(),
        Status::Interrupted => "↯ interrupted".into(),
    }
}

fn epoch(run: &RunSummary) -> String {
    // Of what was imported they may not be known.
    let unknown = run.status == Status::Done && run.facts.total_steps == 0 || run.spec.epochs == 0;
    if unknown { "–".into() } else { format!("{:.1}/{}", run.epoch, run.spec.epochs) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_told_of_training_elsewhere() {
        let mut run = RunSummary::example("r0001", crate::spec::RunSpec::default(), Status::Done, None);
        assert_eq!(epoch(&run), "–");
        run.facts.total_steps = 10;
        assert_eq!(epoch(&run), "1.0/10");
    }

    #[test]
    fn ids_are_distinct_and_found() {
        for (i, column) in COLUMNS.iter().enumerate() {
            assert!(COLUMNS[..i].iter().all(|c| c.id != column.id && c.title != column.title), "{}", column.id);
            assert!(Column::find(column.id) == Some(column));
        }
    }
}
