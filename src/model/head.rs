//! The classification head, and encoder and head as one. Knows no loss and no optimizer.

use super::ModelError;
use super::config::Config;
use super::encoder::{Adapt, Dropout, Encoder, Get, site};
use super::family::Activation;
use super::ops;
use super::real::Real;
use super::weights::Weights;
use crate::adapter::Init;
use crate::data::Batch;
use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module};

/// Standard deviation of a new head's weights: transformers' `initializer_range`.
const INITIALIZER_RANGE: f64 = 0.02;

/// First values of the head's tensors in the order of `Config::head_shapes`: the checkpoint's where it has the whole head
/// for this number of outputs, else N(0, 0.02^2) weights and zero biases. A pre-trained dense layer is taken by itself.
pub fn initial_values(
    config: &Config,
    weights: &Weights,
    outputs: usize,
    seed: u64,
) -> std::result::Result<Vec<Vec<f64>>, ModelError> {
    let shapes = config.head_shapes(outputs);
    let has = |(name, shape): &(String, Vec<usize>)| weights.shape(name) == Some(shape);
    let dense = shapes[..2].iter().all(has);
    let out = shapes[2..].iter().all(has);
    let whole = if config.family.head().pretrained { [dense, out] } else { [dense && out; 2] };
    let values = shapes.iter().enumerate().map(|(i, (name, shape))| {
        let init = if shape.len() == 2 { Init::Normal { std: INITIALIZER_RANGE } } else { Init::Zeros };
        match whole[i / 2] {
            true => weights.values(name, shape),
            false => Ok(init.values(seed, name, shape.iter().product())),
        }
    });
    values.collect()
}

/// What a person should know of the head before it trains: a dense layer that belongs to the encoder, but is not there.
pub fn note(config: &Config, weights: &Weights) -> Option<String> {
    let head = config.family.head();
    let missing = config.head_shapes(1)[..2].iter().any(|(name, shape)| weights.shape(name) != Some(shape));
    (head.pretrained && missing)
        .then(|| format!("{}: no {}, which starts anew and is trained, as in transformers", weights.file(), head.dense))
}

/// Encoder and head: a batch to logits.
pub struct Classifier<T> {
    encoder: Encoder<T>,
    dense: Linear,
    out: Linear,
}

impl<T: Real> Classifier<T> {
    /// Takes every tensor by its Hugging Face name.
    pub fn new(config: &Config, outputs: usize, get: &Get, adapt: &Adapt) -> Result<Self> {
        let tensors = config.head_shapes(outputs).iter().map(|(name, _)| get(name)).collect::<Result<Vec<_>>>()?;
        let linear = |i: usize| Linear::new(tensors[i].clone(), Some(tensors[i + 1].clone()));
        Ok(Self { encoder: Encoder::new(config, get, adapt)?, dense: linear(0), out: linear(2) })
    }

    pub fn encoder(&self) -> &Encoder<T> {
        &self.encoder
    }

    /// Logits [rows, outputs]: dropout or not, dense, activation, dropout and linear on token 0.
    pub fn forward(&self, batch: &Batch, dropout: Option<&Dropout>) -> std::result::Result<Tensor, ModelError> {
        let hidden = self.encoder.forward(batch, dropout)?;
        let config = self.encoder.config();
        let last = &hidden[hidden.len() - 1];
        let mut x = last.narrow(1, 0, 1)?.reshape((batch.rows, config.hidden_size))?;
        let head = config.family.head();
        if let Some(d) = dropout.filter(|_| head.drops_input) {
            x = d.apply::<T>(x, d.classifier, site::head_input(config.num_hidden_layers))?;
        }
        x = self.dense.forward(&x)?;
        x = match head.activation {
            Activation::Tanh => x.tanh()?,
            Activation::Gelu => ops::gelu::<T>(&x)?,
            Activation::Relu => x.relu()?,
        };
        if let Some(d) = dropout {
            x = d.apply::<T>(x, d.classifier, site::head_output(config.num_hidden_layers))?;
        }
        Ok(self.out.forward(&x)?)
    }
}
