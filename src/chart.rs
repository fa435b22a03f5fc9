//! Charts: from what is remembered of runs to neutral figures. Knows neither terminal nor picture nor database.

mod ablation;
mod curve;
mod figure1;
mod lambda;
mod layers;
mod loss;
mod parallel;
mod rate;
mod ruler;
mod score;
pub mod spectrum;
mod symmetry;
pub mod table1;

pub use ruler::{Ruler, whole};

use crate::event::LayerNorm;
use crate::figure::{Axis, Figure, Range};
use crate::record::{RunDetail, RunNorms};
use std::sync::Arc;
use thiserror::Error;

/// What a chart is drawn from.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    Run(&'a RunDetail),
    /// Several runs, overlaid.
    Runs(&'a [&'a RunDetail]),
    /// The layer norms of many runs.
    Norms(&'a [Arc<RunNorms>]),
}

/// Horizontal axis of a run's curves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Horizontal {
    #[default]
    Step,
    Epoch,
    /// Seconds of training, without pauses.
    Time,
}

/// Norm of the original weights in Figure 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Norm {
    #[default]
    Frobenius,
    /// Sum of absolute values: the formula as the paper's caption prints it.
    EntrywiseL1,
}

/// Which runs of one task and method stand for it in Figure 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pick {
    /// The one that scored best, with the norms that it had when it did.
    #[default]
    Best,
    /// The newest, with its newest norms.
    Last,
    /// The mean over all of them, each with its newest norms.
    Mean,
}

/// Choices of the person who looks.
#[derive(Clone, Debug, PartialEq)]
pub struct ChartOptions {
    pub horizontal: Horizontal,
    pub log_x: bool,
    pub log_y: bool,
    /// Part of the horizontal axis that is shown, in its unit; none: all of it.
    pub window: Option<(f64, f64)>,
    /// Weight of the past in the smoothed line, 0 to below 1.
    pub smoothing: f64,
    /// One adapted matrix by name; none: the mean of all.
    pub target: Option<String>,
    pub norm: Norm,
    /// |lambda| in place of lambda with its sign.
    pub unsigned: bool,
    /// ||DeltaW|| - lambda ||W0|| instead of lambda ||W0|| - ||DeltaW||.
    pub reversed: bool,
    pub pick: Pick,
}

impl Default for ChartOptions {
    fn default() -> Self {
        Self {
            horizontal: Horizontal::Step,
            log_x: false,
            log_y: false,
            window: None,
            smoothing: 0.9,
            target: None,
            norm: Norm::Frobenius,
            unsigned: false,
            reversed: false,
            pick: Pick::Best,
        }
    }
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ChartError {
    #[error("chart {chart}: nothing to draw yet; {hint}")]
    Empty { chart: &'static str, hint: &'static str },
    #[error("chart {chart} is drawn from {expected}")]
    Subject { chart: &'static str, expected: &'static str },
}

/// A kind of figure.
pub trait Chart: Sync {
    fn id(&self) -> &'static str;
    fn title(&self) -> &'static str;
    fn figure(&self, subject: &Subject, options: &ChartOptions) -> Result<Figure, ChartError>;
}

/// Every chart.
pub static ALL: &[&dyn Chart] = &[
    &loss::Loss,
    &score::Score,
    &rate::Rate,
    &layers::Layers,
    &spectrum::Spectrum,
    &parallel::Parallel,
    &ablation::Deletion,
    &ablation::Rank,
    &symmetry::SymmetryChart,
    &figure1::Figure1,
    &lambda::Lambda,
];

pub fn find(id: &str) -> Option<&'static dyn Chart> {
    ALL.iter().copied().find(|c| c.id() == id)
}

/// The only run of a subject, or what the chart would need.
fn run_of<'a>(subject: &Subject<'a>, chart: &'static str) -> Result<&'a RunDetail, ChartError> {
    match subject {
        Subject::Run(run) | Subject::Runs([run]) => Ok(run),
        Subject::Runs(_) | Subject::Norms(_) => Err(ChartError::Subject { chart, expected: "one run" }),
    }
}

/// The runs of a subject, in their order.
fn runs_of<'a>(subject: &Subject<'a>, chart: &'static str) -> Result<Vec<&'a RunDetail>, ChartError> {
    match subject {
        Subject::Run(run) => Ok(vec![run]),
        Subject::Runs(runs) => Ok(runs.to_vec()),
        Subject::Norms(_) => Err(ChartError::Subject { chart, expected: "one run or several" }),
    }
}

/// Layers, ascending, and targets, in their order, of recorded norms.
fn matrices(norms: &[LayerNorm]) -> (Vec<u32>, Vec<&str>) {
    places(norms.iter().map(|n| (n.layer, n.target.as_str())))
}

fn places<'a>(of: impl Iterator<Item = (u32, &'a str)> + Clone) -> (Vec<u32>, Vec<&'a str>) {
    let mut layers: Vec<u32> = of.clone().map(|(layer, _)| layer).collect();
    layers.sort_unstable();
    layers.dedup();
    let mut targets: Vec<&str> = Vec::new();
    for (_, target) in of {
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    (layers, targets)
}

/// Axis of layers, counted from 1.
fn layer_axis(layers: &[u32]) -> Axis {
    names_axis("layer", layers.iter().map(|l| (l + 1).to_string()))
}

fn names_axis(label: &str, names: impl IntoIterator<Item = impl Into<String>>) -> Axis {
    Axis { label: label.into(), range: Range::Names(names.into_iter().map(Into::into).collect()) }
}

/// A run among others.
fn label(run: &RunDetail) -> String {
    format!("{} {}", run.summary.id, run.summary.name)
}

/// Name, model and data of the runs for a caption.
fn caption(runs: &[&RunDetail]) -> String {
    let about = |run: &RunDetail| {
        let spec = &run.summary.spec;
        let data = match spec.data.as_str() {
            "" if crate::spec::is_task_file(&spec.task) => "its own files",
            "" => "embedded sample",
            data => data,
        };
        format!("{} on {}, model {}, {data}", spec.method, run.summary.task_label(), spec.model)
    };
    match runs {
        [run] => format!("{}: {}", label(run), about(run)),
        _ => {
            let ids: Vec<&str> = runs.iter().map(|r| r.summary.id.as_str()).collect();
            let mut models: Vec<&str> = runs.iter().map(|r| r.summary.spec.model.as_str()).collect();
            models.sort_unstable();
            models.dedup();
            format!("{} runs: {}; model {}", runs.len(), ids.join(", "), models.join(", "))
        }
    }
}
