//! What is remembered of runs, as readers hand it out. Pure data: knows neither the database nor the screens.

mod analysis;
mod history;
mod label;
mod survey;

pub use analysis::{Ablated, Analysis, AnalysisKind, Curve, Curves, Symmetry};
pub use history::{History, Imported, NORMS, Scalar};
pub use label::{Label, LabelError, split_tags};
pub use survey::{Lengths, RowsOf, Sample, SplitSurvey, Survey, Token};

use crate::event::{DeviceFigures, Evaluation, LayerNorm, Level, RunFacts, RunId, Status};
use crate::spec::{self, RunSpec};
use serde::Serialize;

/// One line of the table of runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunSummary {
    pub id: RunId,
    pub name: String,
    pub status: Status,
    pub spec: RunSpec,
    pub facts: RunFacts,
    /// Unix time in seconds.
    pub created: f64,
    pub started: Option<f64>,
    pub ended: Option<f64>,
    /// Why it failed, whole.
    pub cause: Option<String>,
    pub step: u64,
    pub epoch: f64,
    /// Training time without pauses, in seconds.
    pub seconds: f64,
    /// Last recorded training loss.
    pub loss: Option<f64>,
    /// Main metric at the last and at the best evaluation, and the best one's epoch.
    pub last: Option<f64>,
    pub best: Option<f64>,
    pub best_epoch: Option<f64>,
    /// Mean lambda over the adapted matrices at the last record; absent where the method has none.
    pub lambda: Option<f64>,
    /// Turn in the queue: of the queued runs the one with the lowest is taken first.
    pub position: u64,
    /// Sorted.
    pub tags: Vec<String>,
    /// One line; empty without one.
    pub note: String,
    /// Put away: shown only where it is asked for.
    pub archived: bool,
}

/// Member of the facts' environment that holds what a task of a person's own calls itself; the store asks for it by name.
pub const TASK_LABEL: &str = "task";

impl RunSummary {
    /// Its task as it is printed: GLUE's id, or what the task's own file calls it.
    pub fn task_label(&self) -> &str {
        let told = self.facts.environment.get(TASK_LABEL);
        told.map_or_else(|| spec::task_name(&self.spec.task), String::as_str)
    }

    /// Its seed; none where it was trained elsewhere and that is not known.
    pub fn seed(&self) -> Option<u64> {
        let environment = &self.facts.environment;
        let told = environment.get(Imported::TOLD).is_some_and(|told| told.split(' ').any(|name| name == "seed"));
        let known = self.spec.seed != 0 || told || !environment.contains_key(Imported::TAG);
        known.then_some(self.spec.seed)
    }

    /// Share of the steps done, 0 to 1.
    pub fn progress(&self) -> f64 {
        match self.facts.total_steps {
            0 => 0.0,
            n => (self.step as f64 / n as f64).clamp(0.0, 1.0),
        }
    }

    /// There is something to tell of it.
    pub fn has_begun(&self) -> bool {
        self.step > 0 || self.best.is_some() || self.status == Status::Done
    }

    /// Training rows a second over the whole run, pauses left out.
    pub fn samples_per_second(&self) -> Option<f64> {
        let rows = self.epoch * self.facts.train_rows as f64;
        (rows > 0.0 && self.seconds > 0.0).then(|| rows / self.seconds)
    }

    /// Seconds left at the pace so far.
    pub fn eta(&self) -> Option<f64> {
        let left = self.facts.total_steps.saturating_sub(self.step) as f64;
        (self.step > 0 && self.status.is_live()).then(|| self.seconds / self.step as f64 * left)
    }
}

/// A score on test rows whose labels are not public, as GLUE's website told it to a person.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TestScore {
    pub task: String,
    pub method: String,
    pub model: String,
    /// As in a spec: the folder of GLUE's files.
    pub data: String,
    /// 0 to 1, or -1 to 1 for a correlation.
    pub score: f64,
    /// Rows of the test file; none where that is not known.
    pub rows: Option<u64>,
}

#[cfg(test)]
impl RunSummary {
    /// A run for tests, of which nothing more is known than this.
    pub(crate) fn example(id: &str, spec: RunSpec, status: Status, best: Option<f64>) -> Self {
        Self {
            id: RunId(id.into()),
            name: spec.display_name(),
            status,
            spec,
            facts: RunFacts::default(),
            created: 0.0,
            started: None,
            ended: None,
            cause: None,
            step: 1,
            epoch: 1.0,
            seconds: 1.0,
            loss: None,
            last: best,
            best,
            best_epoch: None,
            lambda: None,
            position: 0,
            tags: Vec::new(),
            note: String::new(),
            archived: false,
        }
    }
}

/// A series of the training points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Series {
    Loss,
    Lr,
    GradNorm,
    SamplesPerSecond,
}

impl Series {
    pub const ALL: [Series; 4] = [Series::Loss, Series::Lr, Series::GradNorm, Series::SamplesPerSecond];
}

/// Neighbouring points of a series as one: no extreme is lost. A value that is not finite is counted in `gaps` only.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// First and last step in the bin.
    pub from: u64,
    pub to: u64,
    pub min: f64,
    pub max: f64,
    pub mean: f64,
    /// Finite points in the bin.
    pub count: u64,
    pub gaps: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LogLine {
    /// Unix time in seconds.
    pub time: f64,
    pub level: Level,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Artifact {
    pub kind: String,
    /// Relative to the run's folder.
    pub path: String,
    pub bytes: u64,
}

/// What the screen of one run shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunDetail {
    pub summary: RunSummary,
    /// Each series over the asked range of steps, at most about the asked number of bins.
    pub series: Vec<(Series, Vec<Bin>)>,
    /// Seconds of training at some of the steps, ascending and over the whole run: what lies between is interpolated.
    pub clock: Vec<(u64, f64)>,
    pub evaluations: Vec<Evaluation>,
    /// Steps at which layer norms were recorded, ascending.
    pub norm_steps: Vec<u64>,
    /// The recorded step that `norms` belongs to.
    pub norms_step: u64,
    pub norms: Vec<LayerNorm>,
    /// The newest lines, oldest first.
    pub log: Vec<LogLine>,
    pub artifacts: Vec<Artifact>,
    pub analyses: Vec<Analysis>,
    /// What the device was doing at the last record, and the most memory that was in use at any.
    pub device: Option<DeviceFigures>,
    pub peak_memory: Option<u64>,
}

/// The layer norms that stand for one run in Figure 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunNorms {
    pub id: RunId,
    pub task: String,
    /// See [`RunSummary::task_label`].
    pub label: String,
    pub method: String,
    pub seed: u64,
    pub best: Option<f64>,
    /// The newest record and its step.
    pub step: u64,
    pub norms: Vec<LayerNorm>,
    /// None where nothing was recorded between the start and the best evaluation.
    pub at_best: Option<AtBest>,
}

/// The layer norms that a run had when it scored best: the last record that is not after that evaluation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AtBest {
    /// Step of the evaluation.
    pub evaluated: u64,
    /// Step of the record.
    pub step: u64,
    pub norms: Vec<LayerNorm>,
}
