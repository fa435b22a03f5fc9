//! Candle's variables over the flat buffer, and the frozen weights beside them. Knows no forward pass.

use super::host;
use crate::adapter::Method;
use crate::model::head::Classifier;
use crate::model::linear::Adapter;
use crate::model::real::Real;
use crate::model::{Checkpoint, config::Config};
use crate::train::BackendError;
use crate::train::parameters::Parameters;
use candle_core::{Tensor, Var};
use std::collections::BTreeMap;

pub struct Variables {
    /// One for each parameter, in order.
    variables: Vec<Var>,
    index: BTreeMap<String, usize>,
    /// Which of them train.
    trains: Vec<bool>,
    frozen: BTreeMap<String, Tensor>,
    /// [rank] of 1 for each column that a step uses and 0 for the others, where the method is nested.
    columns: Option<Var>,
}

impl Variables {
    /// `nested` is the rank of a nested method.
    pub fn new<T: Real>(
        checkpoint: &Checkpoint,
        parameters: &Parameters<T>,
        nested: Option<usize>,
    ) -> Result<Self, BackendError> {
        let variable = |values: &[T], shape: &[usize]| Var::from_tensor(&host(values.to_vec(), shape)?);
        let variables = parameters.placed().map(|(p, range)| variable(&parameters.values[range], &p.shape));
        let variables = variables.collect::<Result<Vec<_>, _>>()?;
        let index: BTreeMap<_, _> = parameters.list.iter().enumerate().map(|(i, p)| (p.name.clone(), i)).collect();
        let mut frozen = BTreeMap::new();
        for (name, shape) in checkpoint.config.encoder_shapes() {
            if !index.contains_key(&name) {
                let values = host::<T>(checkpoint.weights.values(&name, &shape)?, &shape)?;
                frozen.insert(name, values);
            }
        }
        let columns = nested.map(|rank| variable(&vec![T::one(); rank], &[rank])).transpose()?;
        let trains = parameters.list.iter().map(|p| p.trains).collect();
        Ok(Self { variables, index, trains, frozen, columns })
    }

    /// The forward pass over these tensors.
    pub fn classifier<T: Real>(
        &self,
        config: &Config,
        outputs: usize,
        method: &dyn Method,
        scaling: f64,
        parameters: &Parameters<T>,
    ) -> Result<Classifier<T>, BackendError> {
        let get = |name: &str| self.tensor(name);
        let adapt = |layer: usize, target: &str| -> candle_core::Result<Option<Adapter>> {
            let path = parameters.targets.iter().find(|(l, t, _)| *l == layer && *t == target).map(|(_, _, path)| path);
            match (path, method.form()) {
                (Some(path), Some(form)) => {
                    let adapter = Adapter::new(form, scaling, &|s| self.tensor(&format!("{path}.{s}")))?;
                    Ok(Some(adapter.masked(self.columns.as_ref().map(|c| c.as_tensor().detach()))))
                }
                _ => Ok(None),
            }
        };
        Ok(Classifier::new(config, outputs, &get, &adapt)?)
    }

    /// The variable or the frozen tensor of this name; one that does not train gets no gradient.
    pub fn tensor(&self, name: &str) -> candle_core::Result<Tensor> {
        match (self.index.get(name), self.frozen.get(name)) {
            (Some(i), _) if self.trains[*i] => Ok(self.variables[*i].as_tensor().clone()),
            (Some(i), _) => Ok(self.variables[*i].as_tensor().detach()),
            (None, Some(tensor)) => Ok(tensor.clone()),
            (None, None) => candle_core::bail!("{name}: no such tensor"),
        }
    }

    /// One tensor for each parameter, in order.
    pub fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        self.variables.iter().map(Var::as_tensor)
    }

    /// Uses the first `count` columns of nested factors from now on.
    pub fn use_columns<T: Real>(&self, count: usize) -> Result<(), BackendError> {
        if let Some(columns) = &self.columns {
            let rank = columns.elem_count();
            let mask = (0..rank).map(|j| if j < count { T::one() } else { T::zero() }).collect();
            columns.set(&host(mask, &[rank])?)?;
        }
        Ok(())
    }

    /// Writes the flat buffer into the variables.
    pub fn set<T: Real>(&self, parameters: &Parameters<T>) -> Result<(), BackendError> {
        for (variable, (parameter, range)) in self.variables.iter().zip(parameters.placed()) {
            variable.set(&host(parameters.values[range].to_vec(), &parameter.shape)?)?;
        }
        Ok(())
    }
}
