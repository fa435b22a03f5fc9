//! All of a model that training changes: values, gradients and the optimizer's state, with what an update does to them.
//! Knows no forward pass.

use super::optim::{AdamW, clip};
use super::parameters::Parameters;
use super::{BackendError, NamedTensor, State};
use crate::adapter::Method;
use crate::model::Checkpoint;
use crate::model::real::Real;
use crate::spec::RunSpec;

pub struct Trained<T> {
    pub parameters: Parameters<T>,
    /// Of the last batch, in the order of the parameters' values.
    pub gradients: Vec<T>,
    optimizer: AdamW<T>,
    max_grad_norm: f64,
}

impl<T: Real> Trained<T> {
    /// First values for `outputs` logits, with the optimizer and clipping that `spec` asks for.
    pub fn new(
        checkpoint: &Checkpoint,
        spec: &RunSpec,
        method: &dyn Method,
        outputs: usize,
    ) -> Result<Self, BackendError> {
        let parameters = Parameters::new(checkpoint, spec, method, outputs)?;
        Ok(Self {
            gradients: vec![T::zero(); parameters.values.len()],
            optimizer: AdamW::new(parameters.values.len(), parameters.segments(), spec.adam_eps, spec.weight_decay),
            max_grad_norm: spec.max_grad_norm,
            parameters,
        })
    }

    /// Clips, takes one step at learning rate `lr` and returns the gradient norm before clipping.
    pub fn update(&mut self, lr: f64) -> f64 {
        let clipped = clip(&self.gradients, self.max_grad_norm);
        self.optimizer.update(&mut self.parameters.values, &self.gradients, clipped.factor, lr);
        clipped.norm
    }

    /// Gradients of the last batch by name.
    pub fn gradients(&self) -> Vec<NamedTensor> {
        self.parameters.named(&self.gradients)
    }

    pub fn state(&self) -> State {
        State {
            steps: self.optimizer.steps,
            values: self.parameters.named(&self.parameters.values),
            first: self.parameters.named(&self.optimizer.first),
            second: self.parameters.named(&self.optimizer.second),
        }
    }

    /// Takes over a saved state; nothing changes on error.
    pub fn restore(&mut self, state: &State) -> Result<(), BackendError> {
        let values = self.parameters.flat(&state.values)?;
        let first = self.parameters.flat(&state.first)?;
        let second = self.parameters.flat(&state.second)?;
        self.parameters.values = values;
        self.optimizer.first = first;
        self.optimizer.second = second;
        self.optimizer.steps = state.steps;
        Ok(())
    }
}
