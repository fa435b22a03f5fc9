//! A sweep's plan and what it came to, as text or JSON.

use crate::cli::print_json;
use crate::event::Status;
use crate::spec::task_name;
use crate::sweep::{Group, Member, Outcome, Plan, Stage, Sweep};
use crate::untrusted::harmless;
use serde_json::json;

/// Runs of a group's stage: in all, done, under way, to go on, to launch, without a score.
struct Counts {
    of: usize,
    done: usize,
    under_way: usize,
    to_go_on: usize,
    to_launch: usize,
    ended: usize,
}

impl Counts {
    fn of(group: &Group, stage: Stage) -> Self {
        let count = |wanted: &dyn Fn(Option<Status>) -> bool| {
            let of_stage = |m: &&Member| m.stage == stage;
            group.members.iter().filter(of_stage).filter(|m| wanted(m.status())).count()
        };
        let is = |s: Option<Status>, wanted: &[Status]| s.is_some_and(|s| wanted.contains(&s));
        Self {
            of: count(&|_| true),
            done: count(&|s| s == Some(Status::Done)),
            under_way: count(&|s| is(s, &[Status::Queued, Status::Running, Status::Paused])),
            to_go_on: count(&|s| is(s, &[Status::Stopped, Status::Interrupted])),
            to_launch: count(&|s| s.is_none()),
            ended: count(&|s| is(s, &[Status::Failed, Status::Cancelled])),
        }
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "runs": self.of, "done": self.done, "under_way": self.under_way, "to_go_on": self.to_go_on,
            "to_launch": self.to_launch, "failed": self.ended,
        })
    }

    fn text(&self) -> String {
        let parts = [
            (self.done, "done"),
            (self.under_way, "under way"),
            (self.to_go_on, "to go on"),
            (self.to_launch, "to launch"),
            (self.ended, "failed"),
        ];
        let told: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        if told.is_empty() { "-".into() } else { told.join(", ") }
    }
}

/// What is there and what would be trained.
pub(super) fn plan(sweep: &Sweep, plan: &Plan, as_json: bool) -> anyhow::Result<()> {
    let counts = |g: &Group| (Counts::of(g, Stage::Grid), Counts::of(g, Stage::Seeds));
    if as_json {
        let group = |g: &Group| {
            let (grid, seeds) = counts(g);
            json!({
                "task": g.task, "method": g.method, "model": g.model, "data": g.data, "waits": g.waits,
                "best": g.best().map(|m| &m.spec), "grid": grid.json(), "seeds": seeds.json(),
            })
        };
        let groups: Vec<_> = plan.groups.iter().map(group).collect();
        let (grid, seeds) = (plan.counts(Stage::Grid).1, plan.counts(Stage::Seeds).1);
        return print_json(&json!({
            "sweep": sweep.name, "tag": sweep.tag(), "seeds": sweep.seeds, "grid_runs": grid, "seed_runs": seeds,
            "groups": groups,
        }));
    }
    outln!("{:8} {:14} {:20} {:36} seeds of the best", "task", "method", "model", "grid");
    for g in &plan.groups {
        let (grid, seeds) = counts(g);
        let seeds = match (&g.best, &g.waits) {
            (_, Some(waits)) => format!("waits: {waits}"),
            (Some(_), _) => seeds.text(),
            (None, _) => format!("{} when the best is known", plan.beyond()),
        };
        outln!("{:8} {:14} {:20} {:36} {seeds}", harmless(task_name(&g.task)), g.method, g.model, grid.text());
    }
    let ((grid, of_grid), (seeds, of_seeds)) = (plan.counts(Stage::Grid), plan.counts(Stage::Seeds));
    outln!(
        "\n{} groups of task, method, model and data: {grid} of {of_grid} runs of the grid have ended, then {of_seeds} more \
         seeds of the best, of which {seeds} have; tag {}",
        plan.groups.len(),
        sweep.tag()
    );
    Ok(())
}

/// The best of each group with its seeds.
pub(super) fn outcomes(outcomes: &[Outcome]) -> anyhow::Result<()> {
    outln!(
        "{:8} {:14} {:6} {:>8} {:>6} {:>6} {:>8}  {}",
        "task",
        "method",
        "best",
        "lr",
        "batch",
        "score",
        "mean",
        "over seeds, ±1.96 s/√n"
    );
    let number = |v: Option<f64>| v.map_or("-".to_string(), |v| format!("{v:.4}"));
    for o in outcomes {
        let spec = o.best.as_ref();
        outln!(
            "{:8} {:14} {:6} {:>8} {:>6} {:>6} {:>8}  {}",
            harmless(task_name(&o.task)),
            o.method,
            o.run.as_ref().map_or("-", |id| id.as_str()),
            spec.map_or("-".into(), |s| format!("{:e}", s.lr)),
            spec.map_or("-".into(), |s| s.batch_size.to_string()),
            number(o.score),
            number(o.mean),
            match (&o.waits, o.half_width) {
                (Some(waits), _) => waits.clone(),
                (None, Some(half)) => format!("±{half:.4} n={}", o.seeds.len()),
                (None, None) => format!("n={}", o.seeds.len()),
            }
        );
    }
    Ok(())
}

/// What keeps a sweep from being complete.
pub(super) fn missing(plan: &Plan) -> String {
    let of = |wanted: &[Status]| plan.members().filter(|m| m.status().is_some_and(|s| wanted.contains(&s))).count();
    let without = plan.groups.iter().filter(|g| g.best.is_none()).count();
    let waits: Vec<&str> = plan.groups.iter().filter_map(|g| g.waits.as_deref()).collect();
    let parts = [
        (of(&[Status::Failed]), "failed (--retry trains them once more, `runs show` tells why)"),
        (of(&[Status::Stopped, Status::Interrupted]), "stopped (the same command goes on)"),
        (of(&[Status::Cancelled]), "cancelled"),
        (without, "without a best"),
    ];
    let told = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
    told.chain(waits.first().map(|w| format!("one waits: {w}"))).collect::<Vec<_>>().join(", ")
}
