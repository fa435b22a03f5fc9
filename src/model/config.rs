//! What an encoder is: the `config.json` of a Hugging Face folder, checked. Knows no weights.

use super::ModelError;
use super::family::{self, Family, Positions};
use crate::adapter::AdapterError;
use crate::untrusted::brief;
use serde_json::Value;

/// Sizes and settings, named as in transformers' `BertConfig`.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub family: &'static dyn Family,
    pub vocab_size: usize,
    /// Width of the embeddings; where it is not `hidden_size`, a layer leads from one to the other.
    pub embedding_size: usize,
    pub hidden_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub intermediate_size: usize,
    pub max_position_embeddings: usize,
    /// 0: tokens have no types.
    pub type_vocab_size: usize,
    pub pad_token_id: u32,
    pub layer_norm_eps: f64,
    pub hidden_dropout_prob: f64,
    pub attention_probs_dropout_prob: f64,
    pub classifier_dropout: f64,
}

/// Fields that would make it another model than the one computed here, with the only value that is sound.
const REFUSED: [(&str, &str); 6] = [
    ("is_decoder", "false"),
    ("is_causal", "false"),
    ("is_encoder_decoder", "false"),
    ("add_cross_attention", "false"),
    ("position_embedding_type", "\"absolute\""),
    ("pruned_heads", "{}"),
];

/// transformers' names of the exact GELU.
const GELU: [&str; 2] = ["gelu", "gelu_python"];

impl Config {
    /// Reads `config.json`; what it lacks is as in transformers. Errors name the architecture or the field, what was found and
    /// what is expected.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        let json: Value = serde_json::from_str(text).map_err(|e| ModelError::Config {
            field: "text".into(),
            found: e.to_string(),
            expected: "JSON".into(),
        })?;
        let family = match json.get("model_type").and_then(Value::as_str) {
            Some(name) => family::find(name).ok_or_else(|| ModelError::Architecture {
                found: brief(name, MOST_SHOWN),
                supported: family::names(),
            })?,
            None => return Err(wrong(&json, "model_type", &format!("one of {}", family::names()))),
        };
        for (field, expected) in REFUSED {
            let found = json.get(field).filter(|v| !v.is_null()).map(Value::to_string);
            if found.is_some_and(|found| found != expected) {
                return Err(wrong(&json, field, expected));
            }
        }
        let act = family.field("hidden_act");
        if json.get(act).is_some_and(|v| !v.as_str().is_some_and(|v| GELU.contains(&v))) {
            return Err(wrong(&json, act, "\"gelu\" (the exact one)"));
        }
        let absent = family.defaults();
        let read = |field: &'static str, absent: u64| size(&json, family.field(field), absent);
        let layers = read("num_hidden_layers", absent.num_hidden_layers)?;
        if layers > 1_000 {
            return Err(wrong(&json, family.field("num_hidden_layers"), "at most 1000"));
        }
        let hidden_size = read("hidden_size", absent.hidden_size)?;
        let hidden_dropout_prob = share(&json, family.field("hidden_dropout_prob"), 0.1)?;
        let classifier_dropout = absent.classifier_dropout.unwrap_or(hidden_dropout_prob);
        let config = Config {
            family,
            vocab_size: read("vocab_size", absent.vocab_size)?,
            embedding_size: match absent.embedding_size {
                Some(absent) => read("embedding_size", absent)?,
                None => hidden_size,
            },
            hidden_size,
            num_hidden_layers: layers,
            num_attention_heads: read("num_attention_heads", absent.num_attention_heads)?,
            intermediate_size: read("intermediate_size", absent.intermediate_size)?,
            max_position_embeddings: read("max_position_embeddings", absent.max_position_embeddings)?,
            type_vocab_size: match absent.type_vocab_size {
                0 => 0,
                absent => read("type_vocab_size", absent)?,
            },
            pad_token_id: match json.get("pad_token_id") {
                None | Some(Value::Null) => absent.pad_token_id,
                Some(v) => v
                    .as_u64()
                    .and_then(|v| u32::try_from(v).ok())
                    .ok_or_else(|| wrong(&json, "pad_token_id", "a token id"))?,
            },
            layer_norm_eps: match json.get("layer_norm_eps") {
                None => 1e-12,
                Some(v) => v
                    .as_f64()
                    .filter(|e| *e > 0.0 && e.is_finite())
                    .ok_or_else(|| wrong(&json, "layer_norm_eps", "a number above 0"))?,
            },
            hidden_dropout_prob,
            attention_probs_dropout_prob: share(&json, family.field("attention_probs_dropout_prob"), 0.1)?,
            classifier_dropout: share(&json, family.field("classifier_dropout"), classifier_dropout)?,
        };
        if !config.hidden_size.is_multiple_of(config.num_attention_heads) {
            let expected = format!("a divisor of {} {}", family.field("hidden_size"), config.hidden_size);
            return Err(wrong(&json, family.field("num_attention_heads"), &expected));
        }
        if config.pad_token_id as usize >= config.vocab_size {
            return Err(wrong(&json, "pad_token_id", &format!("less than vocab_size {}", config.vocab_size)));
        }
        if config.max_tokens() == 0 {
            return Err(wrong(
                &json,
                "max_position_embeddings",
                "room for at least one token after the pad's position",
            ));
        }
        Ok(config)
    }

    /// Longest row in tokens: positions may begin after the pad's.
    pub fn max_tokens(&self) -> usize {
        match self.family.positions() {
            Positions::AfterPad => self.max_position_embeddings.saturating_sub(self.pad_token_id as usize + 1),
            Positions::FromZero => self.max_position_embeddings,
        }
    }

    /// The path of a module beside the layers, prefix included.
    pub fn path(&self, module: &str) -> String {
        format!("{}.{module}", self.family.prefix())
    }

    /// The path of a layer's module that BERT calls `bert`, prefix included.
    pub fn layer_path(&self, layer: usize, bert: &'static str) -> String {
        self.family.path(layer, bert)
    }

    /// The path of an adapter's target: the module whose `weight` is W0.
    pub fn module_path(&self, layer: usize, target: &str) -> Result<String, AdapterError> {
        self.family.module_path(layer, target)
    }

    /// The path of the layer between embeddings and encoder, where they differ in width.
    pub fn projection(&self) -> Option<String> {
        let differs = self.embedding_size != self.hidden_size;
        self.family.projection().filter(|_| differs).map(|module| self.path(module))
    }

    /// Name and shape of every encoder weight, `prefix.` included, in the order of the forward pass.
    pub fn encoder_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let (n, e, wide) = (self.hidden_size, self.embedding_size, self.intermediate_size);
        let embeddings = [
            ("word_embeddings.weight", vec![self.vocab_size, e]),
            ("position_embeddings.weight", vec![self.max_position_embeddings, e]),
            ("token_type_embeddings.weight", vec![self.type_vocab_size, e]),
            ("LayerNorm.weight", vec![e]),
            ("LayerNorm.bias", vec![e]),
        ];
        let there = embeddings.into_iter().filter(|(_, shape)| shape[0] > 0);
        let mut shapes: Vec<_> = there.map(|(name, shape)| (self.path(&format!("embeddings.{name}")), shape)).collect();
        if let Some(path) = self.projection() {
            shapes.push((format!("{path}.weight"), vec![n, e]));
            shapes.push((format!("{path}.bias"), vec![n]));
        }
        for layer in 0..self.num_hidden_layers {
            let modules = [
                ("attention.self.query", n, n),
                ("attention.self.key", n, n),
                ("attention.self.value", n, n),
                ("attention.output.dense", n, n),
                ("attention.output.LayerNorm", n, 0),
                ("intermediate.dense", wide, n),
                ("output.dense", n, wide),
                ("output.LayerNorm", n, 0),
            ];
            for (module, output, input) in modules {
                let path = self.layer_path(layer, module);
                let weight = if input == 0 { vec![output] } else { vec![output, input] };
                shapes.push((format!("{path}.weight"), weight));
                shapes.push((format!("{path}.bias"), vec![output]));
            }
        }
        shapes
    }

    /// Name and shape of the classification head's tensors for `outputs` logits: dense weight and bias, output weight and bias.
    pub fn head_shapes(&self, outputs: usize) -> Vec<(String, Vec<usize>)> {
        let (n, head) = (self.hidden_size, self.family.head());
        vec![
            (format!("{}.weight", head.dense), vec![n, n]),
            (format!("{}.bias", head.dense), vec![n]),
            (format!("{}.weight", head.out), vec![outputs, n]),
            (format!("{}.bias", head.out), vec![outputs]),
        ]
    }
}

/// Most characters of a value that an error shows.
const MOST_SHOWN: usize = 60;

fn wrong(json: &Value, field: &str, expected: &str) -> ModelError {
    let found = json.get(field).map_or_else(|| "nothing".to_string(), |v| brief(&v.to_string(), MOST_SHOWN));
    ModelError::Config { field: field.into(), found, expected: expected.into() }
}

fn size(json: &Value, field: &str, absent: u64) -> Result<usize, ModelError> {
    let Some(found) = json.get(field) else { return Ok(absent as usize) };
    // A cap far above every published encoder keeps products of sizes from overflowing.
    let sound = found.as_u64().filter(|v| (1..=16_000_000).contains(v));
    sound.map(|v| v as usize).ok_or_else(|| wrong(json, field, "a whole number from 1"))
}

fn share(json: &Value, field: &str, absent: f64) -> Result<f64, ModelError> {
    match json.get(field) {
        None | Some(Value::Null) => Ok(absent),
        Some(v) => v
            .as_f64()
            .filter(|p| (0.0..1.0).contains(p))
            .ok_or_else(|| wrong(json, field, "a number from 0 to below 1")),
    }
}
