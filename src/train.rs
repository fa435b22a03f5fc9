//! The training loop and what it asks of a device. Gives events to a sink; does not know where they go.

pub mod autograd;
pub mod checkpoint;
pub mod evaluate;
pub mod fit;
pub mod host;
pub mod loss;
pub mod norms;
pub mod optim;
pub mod pack;
pub mod parameters;
pub mod schedule;
pub mod trained;

use crate::adapter::AdapterError;
use crate::analysis::AnalysisError;
use crate::data::Batch;
use crate::event::{DeviceFigures, LayerNorm};
use crate::model::ModelError;

/// Which part of the model a trainable tensor belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Adapter,
    Head,
    Encoder,
}

/// A tensor of the state: its name as in adapter files, its shape, and whether weight decay applies (two dimensions only).
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub name: String,
    pub shape: Vec<usize>,
    pub part: Part,
    pub decay: bool,
    /// False for a tensor of an adapter that stays as it starts: its gradient is 0 and no update changes it.
    pub trains: bool,
}

/// Values of a tensor in the precision they were computed in.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    F32(Vec<f32>),
    F64(Vec<f64>),
}

/// A tensor on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Values,
}

/// Optimizer state: steps done; values, first and second moments of each parameter in the order of `Backend::parameters`.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub steps: u64,
    pub values: Vec<NamedTensor>,
    pub first: Vec<NamedTensor>,
    pub second: Vec<NamedTensor>,
}

/// What one step says of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// Mean loss of the batch before the update.
    pub loss: f64,
    /// L2 norm over all gradients before clipping.
    pub grad_norm: f64,
}

impl StepReport {
    pub fn is_finite(&self) -> bool {
        self.loss.is_finite() && self.grad_norm.is_finite()
    }
}

/// All that the loop knows of a device.
pub trait Backend {
    /// What it is called in a run's environment and log.
    fn name(&self) -> &'static str;
    fn parameters(&self) -> &[Parameter];
    /// Mean loss of the batch; keeps its gradients. Dropout masks are drawn for `step`.
    fn loss_and_gradients(&mut self, batch: &Batch, step: u64) -> Result<f64, BackendError>;
    /// Sets parameters by name; others keep their values, the optimizer its state. Unknown names are errors.
    fn load(&mut self, tensors: &[NamedTensor]) -> Result<(), BackendError>;
    /// Clips, applies one AdamW update at learning rate `lr` and returns the gradient norm before clipping.
    fn update(&mut self, lr: f64) -> Result<f64, BackendError>;
    /// Loss and gradients of the batch and, where the loss is finite, the update: one step of training.
    fn step(&mut self, batch: &Batch, step: u64, lr: f64) -> Result<StepReport, BackendError> {
        let loss = self.loss_and_gradients(batch, step)?;
        let grad_norm = if loss.is_finite() { self.update(lr)? } else { f64::NAN };
        Ok(StepReport { loss, grad_norm })
    }
    /// Logits [rows][outputs] without dropout.
    fn logits(&mut self, batch: &Batch) -> Result<Vec<Vec<f64>>, BackendError>;
    /// Gradients kept by `loss_and_gradients`, in the order of `parameters`.
    fn gradients(&self) -> Result<Vec<NamedTensor>, BackendError>;
    fn state(&self) -> Result<State, BackendError>;
    fn restore(&mut self, state: &State) -> Result<(), BackendError>;
    /// Norms of each adapted matrix now, ordered by layer and target.
    fn norms(&self) -> Result<Vec<LayerNorm>, BackendError>;
    /// What the device is doing now, where it tells.
    fn figures(&self) -> Option<DeviceFigures> {
        host::figures()
    }
}

/// What went wrong in a backend.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    #[error("{0}")]
    Candle(#[from] candle_core::Error),
    #[error("{tensor}: found shape {found:?}, expected {expected:?}")]
    Shape { tensor: String, found: Vec<usize>, expected: Vec<usize> },
    #[error("{0}: not in the saved state")]
    Missing(String),
    #[error("{0}: the model in training has no such tensor")]
    Unknown(String),
    #[error("{method} {lacks}: automatic differentiation trains it, on the CPU")]
    Method { method: &'static str, lacks: &'static str },
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    #[error(transparent)]
    Analysis(#[from] AnalysisError),
    #[error(transparent)]
    Device(Box<dyn std::error::Error + Send + Sync>),
    #[error("batch: found {found}, expected {expected}")]
    Batch { found: String, expected: String },
}

/// What the loop is to do now; read between two batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Go,
    Hold,
    Stop,
    Cancel,
}

/// How a run ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Stopped,
    Cancelled,
}

/// Why the loop ended with an error.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error(transparent)]
    Checkpoint(#[from] checkpoint::CheckpointError),
    #[error(
        "the loss is {loss} with gradient norm {grad_norm} at step {step} (learning rate {lr:.2e}): lower lr or max_grad_norm and start again"
    )]
    Diverged { step: u64, loss: f64, grad_norm: f64, lr: f64 },
    #[error("cannot write records: {0}")]
    Sink(String),
}
