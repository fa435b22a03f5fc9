//! The reference backend: candle's automatic differentiation on the CPU in f32 or f64, for every method. Knows no loop,
//! no files and no screens.

mod loss;
mod variables;

use super::norms::Frozen;
use super::trained::Trained;
use super::{Backend, BackendError, NamedTensor, Parameter, State};
use crate::adapter::{self, Method};
use crate::data::Batch;
use crate::event::LayerNorm;
use crate::model::Checkpoint;
use crate::model::encoder::{Dropout, position_ids};
use crate::model::head::Classifier;
use crate::model::real::Real;
use crate::random::nested_rank;
use crate::spec::RunSpec;
use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor};
use variables::Variables;

/// A classifier in training. All trainable values lie in one flat buffer, in the order of `Backend::parameters`: adapters
/// by layer and target (or, without a form, every encoder weight), then the head.
pub struct Autograd<T> {
    method: &'static dyn Method,
    scaling: f64,
    rank: usize,
    regression: bool,
    dropout: Dropout,
    trained: Trained<T>,
    variables: Variables,
    classifier: Classifier<T>,
    norms: Frozen,
}

impl<T: Real> Autograd<T> {
    /// A model for `outputs` logits (one for `regression`, with mean squared error; else mean cross-entropy), with what
    /// `spec` says of method, rank, alpha, targets, seed, dropout, clipping and AdamW.
    pub fn new(
        checkpoint: &Checkpoint,
        spec: &RunSpec,
        outputs: usize,
        regression: bool,
    ) -> Result<Self, BackendError> {
        let method = adapter::find(&spec.method)?;
        let config = &checkpoint.config;
        let trained = Trained::<T>::new(checkpoint, spec, method, outputs)?;
        let parameters = &trained.parameters;
        let nested = method.form().is_some_and(|f| f.nested).then_some(spec.rank);
        let variables = Variables::new(checkpoint, parameters, nested)?;
        let classifier = variables.classifier(config, outputs, method, spec.scaling(), parameters)?;
        let norms = Frozen::new(checkpoint, method, &parameters.targets)?;
        Ok(Self {
            method,
            scaling: spec.scaling(),
            rank: spec.rank,
            regression,
            dropout: Dropout::new(config, spec.dropout, spec.seed, 0),
            trained,
            variables,
            classifier,
            norms,
        })
    }

    /// Hidden states without dropout, each [rows][width][hidden] flat: after the embeddings, then after every layer.
    pub fn hidden_states(&self, batch: &Batch) -> Result<Vec<Vec<f64>>, BackendError> {
        let hidden = self.classifier.encoder().forward(batch, None)?;
        hidden.iter().map(|h| Ok(h.flatten_all()?.to_dtype(DType::F64)?.to_vec1()?)).collect()
    }

    /// Position ids of the batch, [rows][width] flat.
    pub fn position_ids(&self, batch: &Batch) -> Vec<u32> {
        position_ids(self.classifier.encoder().config(), &batch.ids, batch.width)
    }

    /// Mean loss of the batch without dropout and without gradients.
    pub fn loss(&self, batch: &Batch) -> Result<f64, BackendError> {
        let logits = self.classifier.forward(batch, None)?.detach();
        Ok(loss::mean::<T>(&logits, &batch.labels, self.regression)?.to_scalar::<T>()?.wide())
    }

    /// The mean loss of a training step as a scalar, and the gradient of all that it depends on.
    fn there_and_back(&self, batch: &Batch, dropout: &Dropout) -> Result<(Tensor, GradStore), BackendError> {
        let logits = self.classifier.forward(batch, Some(dropout))?;
        let loss = loss::mean::<T>(&logits, &batch.labels, self.regression)?;
        let store = loss.backward()?;
        Ok((loss, store))
    }

    /// The checkpoint's frozen weight or the trained one, f64 row by row; for tests and merging.
    pub fn weight(&self, name: &str) -> Result<Vec<f64>, BackendError> {
        let tensor = self.variables.tensor(name)?;
        Ok(tensor.flatten_all()?.to_dtype(DType::F64)?.to_vec1()?)
    }
}

impl<T: Real> Backend for Autograd<T> {
    fn name(&self) -> &'static str {
        if T::DTYPE == DType::F64 { "autograd f64" } else { "autograd f32" }
    }

    fn parameters(&self) -> &[Parameter] {
        &self.trained.parameters.list
    }

    fn loss_and_gradients(&mut self, batch: &Batch, step: u64) -> Result<f64, BackendError> {
        let dropout = Dropout { step, ..self.dropout };
        self.variables.use_columns::<T>(nested_rank(dropout.seed, step, self.rank))?;
        let passed = self.there_and_back(batch, &dropout);
        self.variables.use_columns::<T>(self.rank)?;
        let (loss, store) = passed?;
        let Trained { parameters, gradients, .. } = &mut self.trained;
        for (variable, (_, range)) in self.variables.tensors().zip(parameters.placed()) {
            let slot = &mut gradients[range];
            match store.get(variable) {
                Some(gradient) => slot.copy_from_slice(&gradient.flatten_all()?.to_vec1::<T>()?),
                None => slot.fill(T::zero()),
            }
        }
        Ok(loss.to_scalar::<T>()?.wide())
    }

    fn load(&mut self, tensors: &[NamedTensor]) -> Result<(), BackendError> {
        self.trained.parameters.load(tensors)?;
        self.variables.set(&self.trained.parameters)
    }

    fn update(&mut self, lr: f64) -> Result<f64, BackendError> {
        let norm = self.trained.update(lr);
        self.variables.set(&self.trained.parameters)?;
        Ok(norm)
    }

    fn logits(&mut self, batch: &Batch) -> Result<Vec<Vec<f64>>, BackendError> {
        let logits = self.classifier.forward(batch, None)?.detach();
        Ok(logits.to_dtype(DType::F64)?.to_vec2()?)
    }

    fn gradients(&self) -> Result<Vec<NamedTensor>, BackendError> {
        Ok(self.trained.gradients())
    }

    fn state(&self) -> Result<State, BackendError> {
        Ok(self.trained.state())
    }

    fn restore(&mut self, state: &State) -> Result<(), BackendError> {
        self.trained.restore(state)?;
        self.variables.set(&self.trained.parameters)
    }

    fn norms(&self) -> Result<Vec<LayerNorm>, BackendError> {
        self.norms.measure(&self.trained.parameters, self.method, self.scaling)
    }
}

/// A tensor of `values` on the host.
fn host<T: Real>(values: Vec<T>, shape: &[usize]) -> Result<Tensor, candle_core::Error> {
    Tensor::from_vec(values, shape, &Device::Cpu)
}
