//! The reference forward pass of an encoder of any family, as transformers computes it. Knows no head, no loss, no optimizer.

use super::ModelError;
use super::config::Config;
use super::family::Positions;
use super::linear::{Adapter, Linear};
use super::ops;
use super::real::Real;
use crate::data::Batch;
use crate::random::Stream;
use candle_core::{Device, Result, Tensor};
use candle_nn::{Embedding, Module};
use std::marker::PhantomData;
use std::sync::Arc;

/// Gives the tensor of a name, a variable where it trains.
pub type Get<'a> = dyn Fn(&str) -> Result<Tensor> + 'a;

/// Gives the adapter of a layer's target, `None` where it has none.
pub type Adapt<'a> = dyn Fn(usize, &str) -> Result<Option<Adapter>> + 'a;

/// The numbers of the places with dropout, the `site` of their masks. A mask's elements are counted row by row over the
/// tensor there, pads included.
pub mod site {
    /// Embeddings after their layer norm, [rows, width, embedding].
    pub const EMBEDDINGS: u32 = 0;

    /// Attention probabilities, [rows, heads, width, width].
    pub fn attention(layer: usize) -> u32 {
        3 * layer as u32 + 1
    }

    /// Output of the attention's dense layer before the residual, [rows, width, hidden].
    pub fn attention_output(layer: usize) -> u32 {
        3 * layer as u32 + 2
    }

    /// Output of the feed-forward's second dense layer before the residual, [rows, width, hidden].
    pub fn output(layer: usize) -> u32 {
        3 * layer as u32 + 3
    }

    /// The first token before the head where that drops it, [rows, hidden].
    pub fn head_input(layers: usize) -> u32 {
        3 * layers as u32 + 1
    }

    /// Before the head's last linear layer, [rows, hidden].
    pub fn head_output(layers: usize) -> u32 {
        3 * layers as u32 + 2
    }
}

/// Dropout of one training step: probabilities and what the masks are keyed by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    pub seed: u64,
    pub step: u64,
    pub hidden: f64,
    pub attention: f64,
    /// Of the attention's dense layer: as `hidden` in most families, 0 in those that do not drop there.
    pub attention_output: f64,
    pub classifier: f64,
}

impl Dropout {
    /// The model's own probabilities, or `everywhere` where that is not negative and the model drops at all.
    pub fn new(config: &Config, everywhere: f64, seed: u64, step: u64) -> Self {
        let pick = |own: f64| if everywhere < 0.0 { own } else { everywhere };
        let hidden = pick(config.hidden_dropout_prob);
        Self {
            seed,
            step,
            hidden,
            attention_output: if config.family.drops_attention_output() { hidden } else { 0.0 },
            attention: pick(config.attention_probs_dropout_prob),
            classifier: pick(config.classifier_dropout),
        }
    }

    pub(super) fn apply<T: Real>(&self, x: Tensor, p: f64, site: u32) -> Result<Tensor> {
        if p == 0.0 {
            return Ok(x);
        }
        let mask = Stream::new(self.seed, self.step, site).dropout_mask(p, x.elem_count());
        ops::times::<T>(&x, mask.into_iter().map(|m| T::of(f64::from(m))).collect())
    }
}

/// Position ids of token ids [rows, width]. After the pad's: pad_id plus the running count of non-pads, pad_id at pads, from the
/// ids and not from the mask (transformers' `create_position_ids_from_input_ids`). Else 0, 1, 2, ...
pub fn position_ids(config: &Config, ids: &[u32], width: usize) -> Vec<u32> {
    let (pad, rule) = (config.pad_token_id, config.family.positions());
    let mut positions = Vec::with_capacity(ids.len());
    for row in ids.chunks(width.max(1)) {
        let mut count = 0;
        positions.extend(row.iter().enumerate().map(|(i, id)| match rule {
            Positions::FromZero => i as u32,
            Positions::AfterPad if *id == pad => pad,
            Positions::AfterPad => {
                count += 1;
                pad + count
            }
        }));
    }
    positions
}

struct Norm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl Norm {
    fn forward<T: Real>(&self, x: &Tensor) -> Result<Tensor> {
        ops::layer_norm::<T>(x, &self.weight, &self.bias, self.eps)
    }
}

struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    attention_output: Linear,
    attention_norm: Norm,
    intermediate: Linear,
    output: Linear,
    norm: Norm,
}

/// An encoder over tensors that someone else holds: a variable that is set anew changes the next forward pass.
pub struct Encoder<T> {
    config: Config,
    word: Embedding,
    position: Embedding,
    token_type: Option<Embedding>,
    norm: Norm,
    projection: Option<Linear>,
    layers: Vec<Layer>,
    float: PhantomData<T>,
}

impl<T: Real> Encoder<T> {
    pub fn new(config: &Config, get: &Get, adapt: &Adapt) -> Result<Self> {
        let eps = config.layer_norm_eps;
        let at = |name: String| get(&name);
        let norm = |path: String| -> Result<Norm> {
            Ok(Norm { weight: at(format!("{path}.weight"))?, bias: at(format!("{path}.bias"))?, eps })
        };
        let linear = |path: String, adapter: Option<Adapter>| -> Result<Linear> {
            Ok(Linear::new(at(format!("{path}.weight"))?, at(format!("{path}.bias"))?, adapter))
        };
        let table = |name: &str| -> Result<Embedding> {
            let path = config.path(&format!("embeddings.{name}_embeddings.weight"));
            Ok(Embedding::new(at(path)?, config.embedding_size))
        };
        let layers = (0..config.num_hidden_layers)
            .map(|i| {
                let path = |module| config.layer_path(i, module);
                Ok(Layer {
                    query: linear(path("attention.self.query"), adapt(i, "query")?)?,
                    key: linear(path("attention.self.key"), adapt(i, "key")?)?,
                    value: linear(path("attention.self.value"), adapt(i, "value")?)?,
                    attention_output: linear(path("attention.output.dense"), adapt(i, "output")?)?,
                    attention_norm: norm(path("attention.output.LayerNorm"))?,
                    intermediate: linear(path("intermediate.dense"), None)?,
                    output: linear(path("output.dense"), None)?,
                    norm: norm(path("output.LayerNorm"))?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            config: config.clone(),
            word: table("word")?,
            position: table("position")?,
            token_type: (config.type_vocab_size > 0).then(|| table("token_type")).transpose()?,
            norm: norm(config.path("embeddings.LayerNorm"))?,
            projection: config.projection().map(|path| linear(path, None)).transpose()?,
            layers,
            float: PhantomData,
        })
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Hidden states, each [rows, width, hidden]: what the first layer reads, before its dropout where that comes last, then
    /// every layer's output.
    pub fn forward(&self, batch: &Batch, dropout: Option<&Dropout>) -> std::result::Result<Vec<Tensor>, ModelError> {
        check(&self.config, batch)?;
        let (rows, width, n) = (batch.rows, batch.width, self.config.hidden_size);
        let positions = position_ids(&self.config, &batch.ids, width);
        let look = |table: &Embedding, ids: &[u32]| table.forward(&Tensor::new(ids, &Device::Cpu)?);
        let mut sum = look(&self.word, &batch.ids)?;
        if let Some(table) = &self.token_type {
            sum = (sum + look(table, &batch.type_ids)?)?;
        }
        let mut x = self.norm.forward::<T>(&(sum + look(&self.position, &positions)?)?)?;
        let mut hidden = Vec::new();
        if self.projection.is_none() {
            hidden.push(x.reshape((rows, width, n))?);
        }
        if let Some(d) = dropout {
            x = d.apply::<T>(x, d.hidden, site::EMBEDDINGS)?;
        }
        if let Some(projection) = &self.projection {
            x = projection.forward::<T>(&x)?;
            hidden.push(x.reshape((rows, width, n))?);
        }
        let mask = Arc::new(batch.mask.clone());
        for (i, layer) in self.layers.iter().enumerate() {
            x = self.layer(layer, i, &x, (rows, width), &mask, dropout)?;
            hidden.push(x.reshape((rows, width, n))?);
        }
        Ok(hidden)
    }

    /// [rows * width, hidden] to the same.
    fn layer(
        &self,
        layer: &Layer,
        index: usize,
        x: &Tensor,
        (rows, width): (usize, usize),
        mask: &Arc<Vec<u8>>,
        dropout: Option<&Dropout>,
    ) -> Result<Tensor> {
        let heads = self.config.num_attention_heads;
        let size = self.config.hidden_size / heads;
        let split = |y: Tensor| y.reshape((rows, width, heads, size))?.transpose(1, 2)?.contiguous();
        let q = split(layer.query.forward::<T>(x)?)?;
        let k = split(layer.key.forward::<T>(x)?)?;
        let v = split(layer.value.forward::<T>(x)?)?;
        let scores = q.matmul(&k.t()?)?;
        let mut p = ops::masked_softmax::<T>(&scores, 1.0 / (size as f64).sqrt(), mask)?;
        if let Some(d) = dropout {
            p = d.apply::<T>(p, d.attention, site::attention(index))?;
        }
        let context = p.matmul(&v)?.transpose(1, 2)?.reshape((rows * width, heads * size))?;
        let mut y = layer.attention_output.forward::<T>(&context)?;
        if let Some(d) = dropout {
            y = d.apply::<T>(y, d.attention_output, site::attention_output(index))?;
        }
        let x = layer.attention_norm.forward::<T>(&(y + x)?)?;
        let mut y = layer.output.forward::<T>(&ops::gelu::<T>(&layer.intermediate.forward::<T>(&x)?)?)?;
        if let Some(d) = dropout {
            y = d.apply::<T>(y, d.hidden, site::output(index))?;
        }
        layer.norm.forward::<T>(&(y + x)?)
    }
}

/// The batch fits the model: its width, its token and token type ids.
pub fn check(config: &Config, batch: &Batch) -> std::result::Result<(), ModelError> {
    let allowed = config.max_tokens();
    if batch.width > allowed {
        return Err(ModelError::TooLong { found: batch.width, allowed });
    }
    let largest = |what, ids: &[u32], allowed: usize| match ids.iter().max() {
        Some(found) if *found as usize >= allowed => Err(ModelError::Id { what, found: *found, allowed }),
        _ => Ok(()),
    };
    largest("token id", &batch.ids, config.vocab_size)?;
    match config.type_vocab_size {
        0 => Ok(()),
        allowed => largest("token type id", &batch.type_ids, allowed),
    }
}
