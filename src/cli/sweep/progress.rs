//! How far a sweep is and how long it will take, in one line.

use crate::event::{RunId, Status};
use crate::sweep::{Found, Plan, Stage};
use std::collections::{HashMap, HashSet};
use std::time::Instant;

pub(super) struct Progress {
    name: String,
    begun: Instant,
    /// Runs that had ended before.
    before: HashSet<RunId>,
}

impl Progress {
    pub fn new(name: &str, plan: &Plan) -> Self {
        let before = plan.found().filter(|f| f.status == Status::Done).map(|f| f.id.clone()).collect();
        Self { name: name.into(), begun: Instant::now(), before }
    }

    /// `sweep base: grid 3 of 20, seeds 0 of 8, about 12 min left`.
    pub fn line(&self, plan: &Plan) -> String {
        let ((grid, of_grid), (seeds, of_seeds)) = (plan.counts(Stage::Grid), plan.counts(Stage::Seeds));
        let left = self
            .left(plan)
            .filter(|s| *s > 0.0)
            .map_or(String::new(), |seconds| format!(", about {} left", span(seconds)));
        format!("sweep {}: grid {grid} of {of_grid}, seeds {seeds} of {of_seeds}{left}", self.name)
    }

    /// Seconds left: what runs of the same task took, at the pace of this process. None before one has ended here.
    fn left(&self, plan: &Plan) -> Option<f64> {
        let done = |f: &&Found| f.status == Status::Done;
        let here = plan.found().filter(done).filter(|f| !self.before.contains(&f.id));
        let trained: f64 = here.map(|f| f.seconds).sum();
        let pace = self.begun.elapsed().as_secs_f64() / Some(trained).filter(|t| *t > 0.0)?;
        let mut by_task: HashMap<&str, (f64, usize)> = HashMap::new();
        for member in plan.members() {
            if let Some(found) = member.found.as_ref().filter(done) {
                for task in [member.spec.task.as_str(), ""] {
                    let sum = by_task.entry(task).or_default();
                    *sum = (sum.0 + found.seconds, sum.1 + 1);
                }
            }
        }
        let usual = |task: &str| by_task.get(task).or_else(|| by_task.get("")).map_or(0.0, |(sum, n)| sum / *n as f64);
        let waits = |s: Option<Status>| s.is_none_or(|s| s.is_live() || s == Status::Queued);
        let open = plan.members().filter(|m| waits(m.status()));
        let known: f64 =
            open.map(|m| (usual(&m.spec.task) - m.found.as_ref().map_or(0.0, |f| f.seconds)).max(0.0)).sum();
        let coming: f64 = plan.coming().map(|(task, runs)| usual(task) * runs as f64).sum();
        Some(pace * (known + coming))
    }
}

/// A span of time in its two largest units.
fn span(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round() as u64;
    match minutes {
        _ if seconds < 90.0 => format!("{seconds:.0} s"),
        0..=119 => format!("{minutes} min"),
        _ => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_their_largest_units() {
        assert_eq!([5.4, 89.0, 100.0, 7_140.0, 9_000.0].map(span), ["5 s", "89 s", "2 min", "119 min", "2 h 30 min"]);
    }
}
