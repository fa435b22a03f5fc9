//! Published encoders by their sizes alone, with random weights: for timings without a download. Knows no file.

use super::weights::Weights;
use super::{Checkpoint, Config, ModelError};
use crate::random::{INITIAL, Stream, site_of};
use rayon::prelude::*;
use safetensors::{Dtype, tensor::TensorView};
use std::borrow::Cow;

/// The shapes that [`random`] knows.
pub const NAMES: [&str; 3] = ["roberta-base", "roberta-large", "bert-base"];

/// A model of the shape `name` with weights of U(-0.035, 0.035), standard deviation 0.02 as transformers starts them, and no
/// tokenizer; `None` for other names.
pub fn random(name: &str) -> Option<Result<Checkpoint, ModelError>> {
    let (family, vocabulary, n, layers, heads, positions, types, pad) = match name {
        "roberta-base" => ("roberta", 50_265, 768, 12, 12, 514, 1, 1),
        "roberta-large" => ("roberta", 50_265, 1024, 24, 16, 514, 1, 1),
        "bert-base" => ("bert", 30_522, 768, 12, 12, 512, 2, 0),
        _ => return None,
    };
    let config = serde_json::json!({
        "model_type": family, "vocab_size": vocabulary, "hidden_size": n, "num_hidden_layers": layers,
        "num_attention_heads": heads, "intermediate_size": 4 * n, "max_position_embeddings": positions,
        "type_vocab_size": types, "pad_token_id": pad, "layer_norm_eps": 1e-5,
    });
    Some(Config::parse(&config.to_string()).and_then(|config| with_random_weights(name, config)))
}

fn with_random_weights(name: &str, config: Config) -> Result<Checkpoint, ModelError> {
    let draw = |(name, shape): (String, Vec<usize>)| {
        let len = shape.iter().product();
        let bytes: Vec<u8> = if name.ends_with("LayerNorm.weight") {
            1f32.to_le_bytes().repeat(len)
        } else {
            let values = Stream::new(0, INITIAL, site_of(&name)).uniform(-0.035, 0.035, len);
            values.into_iter().flat_map(|v| (v as f32).to_le_bytes()).collect()
        };
        (name, shape, bytes)
    };
    let tensors: Vec<_> = config.encoder_shapes().into_par_iter().map(draw).collect();
    let wrong = |e: safetensors::SafeTensorError| ModelError::Weights { file: name.into(), problem: e.to_string() };
    let views: Vec<(&str, TensorView)> = tensors
        .iter()
        .map(|(name, shape, bytes)| Ok((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<Result<_, _>>()
        .map_err(wrong)?;
    let bytes = safetensors::serialize(views, None).map_err(wrong)?;
    let weights = Weights::parse(name.into(), Cow::Owned(bytes), Some(config.family))?;
    Ok(Checkpoint { config, weights, tokenizer: Vec::new() })
}
