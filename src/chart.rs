//! Charts: from what is remembered of runs to neutral figures. Knows neither terminal nor picture nor database.

mod figure1;
mod layers;
mod loss;
mod rate;
mod score;

use crate::figure::Figure;
use crate::record::{RunDetail, RunNorms};
use thiserror::Error;

/// What a chart is drawn from.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    Run(&'a RunDetail),
    /// The layer norms of many runs.
    Norms(&'a [RunNorms]),
}

/// Horizontal axis of a run's curves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Horizontal {
    #[default]
    Step,
    Epoch,
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
    pub log_y: bool,
    /// Weight of the past in the smoothed line, 0 to below 1.
    pub smoothing: f64,
    /// One adapted matrix by name; none: the mean of all.
    pub target: Option<String>,
    pub norm: Norm,
    /// ||DeltaW|| - lambda ||W0|| instead of lambda ||W0|| - ||DeltaW||.
    pub reversed: bool,
    pub pick: Pick,
}

impl Default for ChartOptions {
    fn default() -> Self {
        Self {
            horizontal: Horizontal::Step,
            log_y: false,
            smoothing: 0.9,
            target: None,
            norm: Norm::Frobenius,
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
pub static ALL: &[&dyn Chart] = &[&loss::Loss, &score::Score, &rate::Rate, &layers::Layers, &figure1::Figure1];

pub fn find(id: &str) -> Option<&'static dyn Chart> {
    ALL.iter().copied().find(|c| c.id() == id)
}

/// The run of a subject, or what the chart would need.
fn run_of<'a>(subject: &Subject<'a>, chart: &'static str) -> Result<&'a RunDetail, ChartError> {
    match subject {
        Subject::Run(run) => Ok(run),
        Subject::Norms(_) => Err(ChartError::Subject { chart, expected: "one run" }),
    }
}

/// Steps to the chosen horizontal unit.
fn to_horizontal(run: &RunDetail, horizontal: Horizontal) -> impl Fn(u64) -> f64 {
    let facts = &run.summary.facts;
    let per_epoch = facts.total_steps as f64 / facts.epochs.max(1) as f64;
    move |step| match horizontal {
        Horizontal::Epoch if per_epoch > 0.0 => step as f64 / per_epoch,
        _ => step as f64,
    }
}

impl Horizontal {
    fn label(self) -> &'static str {
        match self {
            Horizontal::Step => "step",
            Horizontal::Epoch => "epoch",
        }
    }
}

/// Name, model and data of a run for a caption.
fn caption(run: &RunDetail) -> String {
    let spec = &run.summary.spec;
    let data = if spec.data.is_empty() { "embedded sample" } else { &spec.data };
    format!("{} {}: {} on {}, model {}, {data}", run.summary.id, run.summary.name, spec.method, spec.task, spec.model)
}
