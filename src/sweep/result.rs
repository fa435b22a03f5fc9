//! What a sweep has come to for one task and method.

use super::{Group, Stage};
use crate::event::{RunId, Status};
use crate::spec::RunSpec;
use crate::stats;
use serde::Serialize;

/// The best of a group with what its seeds say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    pub task: String,
    pub method: String,
    pub model: String,
    pub data: String,
    /// Runs of the grid: in all, done, and ended without a score.
    pub grid: usize,
    pub grid_done: usize,
    pub grid_failed: usize,
    /// The grid's best run, its validation score and its settings.
    pub run: Option<RunId>,
    pub score: Option<f64>,
    pub best: Option<RunSpec>,
    /// Finished runs of the best setting and their seeds.
    pub runs: Vec<RunId>,
    pub seeds: Vec<u64>,
    /// Mean over the seeds, and 1.96 s / sqrt(n), none for one seed.
    pub mean: Option<f64>,
    pub half_width: Option<f64>,
    /// Why there is no best.
    pub waits: Option<String>,
}

impl Group {
    /// What the group has come to; `seeds` are those asked for.
    pub fn outcome(&self, seeds: &[u64]) -> Outcome {
        let of = |status: Status| self.of_stage(Stage::Grid).filter(|m| m.status() == Some(status)).count();
        let best = self.best();
        let same = |spec: &RunSpec| best.is_some_and(|b| RunSpec { seed: b.spec.seed, ..spec.clone() } == b.spec);
        let wanted = |spec: &RunSpec| seeds.is_empty() || seeds.contains(&spec.seed);
        let of_best = self.members.iter().filter(|m| same(&m.spec) && wanted(&m.spec));
        let scored: Vec<(RunId, u64, f64)> = of_best
            .filter_map(|m| {
                let found = m.found.as_ref().filter(|f| f.status == Status::Done)?;
                Some((found.id.clone(), m.spec.seed, found.score?))
            })
            .collect();
        let scores: Vec<f64> = scored.iter().map(|s| s.2).collect();
        let over = stats::over_seeds(&scores);
        let finite = |v: f64| Some(v).filter(|v| v.is_finite());
        Outcome {
            task: self.task.clone(),
            method: self.method.clone(),
            model: self.model.clone(),
            data: self.data.clone(),
            grid: self.of_stage(Stage::Grid).count(),
            grid_done: of(Status::Done),
            grid_failed: of(Status::Failed) + of(Status::Cancelled),
            run: best.and_then(|b| b.found.as_ref()).map(|f| f.id.clone()),
            score: best.and_then(|b| b.found.as_ref()).and_then(|f| f.score),
            best: best.map(|b| b.spec.clone()),
            runs: scored.iter().map(|s| s.0.clone()).collect(),
            seeds: scored.iter().map(|s| s.1).collect(),
            mean: finite(over.centre),
            half_width: finite(over.half_width),
            waits: self.waits.clone(),
        }
    }
}
