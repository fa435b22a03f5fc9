//! What an encoder is: the `config.json` of a Hugging Face folder, checked. Knows no weights.

use super::ModelError;
use serde_json::Value;

/// The two supported encoder families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Roberta,
    Bert,
}

impl Family {
    /// The first part of the tensor names.
    pub fn prefix(self) -> &'static str {
        match self {
            Family::Roberta => "roberta",
            Family::Bert => "bert",
        }
    }
}

/// Sizes and settings, named as in transformers' `RobertaConfig` and `BertConfig`.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub family: Family,
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub intermediate_size: usize,
    pub max_position_embeddings: usize,
    pub type_vocab_size: usize,
    pub pad_token_id: u32,
    pub layer_norm_eps: f64,
    pub hidden_dropout_prob: f64,
    pub attention_probs_dropout_prob: f64,
    pub classifier_dropout: f64,
}

impl Config {
    /// Reads `config.json`. Errors name the architecture or the field, what was found and what is expected.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        let json: Value = serde_json::from_str(text).map_err(|e| ModelError::Config {
            field: "text".into(),
            found: e.to_string(),
            expected: "JSON".into(),
        })?;
        let family = match json.get("model_type").and_then(Value::as_str) {
            Some("roberta") => Family::Roberta,
            Some("bert") => Family::Bert,
            Some(other) => return Err(ModelError::Architecture(other.into())),
            None => return Err(wrong(&json, "model_type", "\"roberta\" or \"bert\"")),
        };
        if let Some(act) = json.get("hidden_act")
            && act.as_str() != Some("gelu")
        {
            return Err(wrong(&json, "hidden_act", "\"gelu\" (the exact one)"));
        }
        if let Some(kind) = json.get("position_embedding_type")
            && kind.as_str() != Some("absolute")
        {
            return Err(wrong(&json, "position_embedding_type", "\"absolute\""));
        }
        let layers = size(&json, "num_hidden_layers")?;
        if layers > 1_000 {
            return Err(wrong(&json, "num_hidden_layers", "at most 1000"));
        }
        let hidden_dropout_prob = share(&json, "hidden_dropout_prob", 0.1)?;
        let config = Config {
            family,
            vocab_size: size(&json, "vocab_size")?,
            hidden_size: size(&json, "hidden_size")?,
            num_hidden_layers: layers,
            num_attention_heads: size(&json, "num_attention_heads")?,
            intermediate_size: size(&json, "intermediate_size")?,
            max_position_embeddings: size(&json, "max_position_embeddings")?,
            type_vocab_size: size(&json, "type_vocab_size")?,
            pad_token_id: match json.get("pad_token_id") {
                None | Some(Value::Null) => u32::from(family == Family::Roberta),
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
            attention_probs_dropout_prob: share(&json, "attention_probs_dropout_prob", 0.1)?,
            classifier_dropout: share(&json, "classifier_dropout", hidden_dropout_prob)?,
        };
        if !config.hidden_size.is_multiple_of(config.num_attention_heads) {
            let expected = format!("a divisor of hidden_size {}", config.hidden_size);
            return Err(wrong(&json, "num_attention_heads", &expected));
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

    /// Longest row in tokens: RoBERTa's positions begin after the pad's.
    pub fn max_tokens(&self) -> usize {
        match self.family {
            Family::Roberta => self.max_position_embeddings.saturating_sub(self.pad_token_id as usize + 1),
            Family::Bert => self.max_position_embeddings,
        }
    }

    /// Name and shape of every encoder weight, `prefix.` included, in the order of the forward pass.
    pub fn encoder_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let (n, wide, p) = (self.hidden_size, self.intermediate_size, self.family.prefix());
        let mut shapes: Vec<(String, Vec<usize>)> = vec![
            (format!("{p}.embeddings.word_embeddings.weight"), vec![self.vocab_size, n]),
            (format!("{p}.embeddings.position_embeddings.weight"), vec![self.max_position_embeddings, n]),
            (format!("{p}.embeddings.token_type_embeddings.weight"), vec![self.type_vocab_size, n]),
            (format!("{p}.embeddings.LayerNorm.weight"), vec![n]),
            (format!("{p}.embeddings.LayerNorm.bias"), vec![n]),
        ];
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
                let path = format!("{p}.encoder.layer.{layer}.{module}");
                let weight = if input == 0 { vec![output] } else { vec![output, input] };
                shapes.push((format!("{path}.weight"), weight));
                shapes.push((format!("{path}.bias"), vec![output]));
            }
        }
        shapes
    }

    /// Name and shape of the classification head's tensors for `outputs` logits.
    pub fn head_shapes(&self, outputs: usize) -> Vec<(String, Vec<usize>)> {
        let n = self.hidden_size;
        let (dense, out) = match self.family {
            Family::Roberta => ("classifier.dense", "classifier.out_proj"),
            Family::Bert => ("bert.pooler.dense", "classifier"),
        };
        vec![
            (format!("{dense}.weight"), vec![n, n]),
            (format!("{dense}.bias"), vec![n]),
            (format!("{out}.weight"), vec![outputs, n]),
            (format!("{out}.bias"), vec![outputs]),
        ]
    }
}

fn wrong(json: &Value, field: &str, expected: &str) -> ModelError {
    let found = json.get(field).map_or_else(|| "nothing".to_string(), Value::to_string);
    ModelError::Config { field: field.into(), found, expected: expected.into() }
}

fn size(json: &Value, field: &str) -> Result<usize, ModelError> {
    // A cap far above every published encoder keeps products of sizes from overflowing.
    json.get(field)
        .and_then(Value::as_u64)
        .filter(|v| (1..=16_000_000).contains(v))
        .map(|v| v as usize)
        .ok_or_else(|| wrong(json, field, "a whole number from 1"))
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
