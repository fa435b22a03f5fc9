//! Published encoders by their sizes alone, with random weights: for timings without a download. Knows no file.

use super::weights::Weights;
use super::{Checkpoint, Config, ModelError, family};
use crate::random::{INITIAL, Stream, site_of};
use rayon::prelude::*;
use safetensors::{Dtype, tensor::TensorView};
use std::borrow::Cow;

/// The shapes that [`random`] knows: every published model of every family.
pub fn names() -> impl Iterator<Item = &'static str> {
    family::ALL.iter().flat_map(|f| f.published()).map(|(name, _)| *name)
}

/// A model of the shape `name` with weights of U(-0.035, 0.035), standard deviation 0.02 as transformers starts them, and no
/// tokenizer; `None` for other names.
pub fn random(name: &str) -> Option<Result<Checkpoint, ModelError>> {
    let (family, fields) = family::ALL.iter().find_map(|f| {
        let (_, fields) = f.published().iter().find(|(n, _)| *n == name)?;
        Some((f, fields))
    })?;
    let mut config = serde_json::json!({ "model_type": family.model_type(), "layer_norm_eps": 1e-5 });
    for (field, value) in *fields {
        config[family.field(field)] = (*value).into();
    }
    Some(Config::parse(&config.to_string()).and_then(|config| with_random_weights(name, config)))
}

fn with_random_weights(name: &str, config: Config) -> Result<Checkpoint, ModelError> {
    let draw = |(name, shape): (String, Vec<usize>)| {
        let len = shape.iter().product();
        let bytes: Vec<u8> = if shape.len() == 1 && name.ends_with(".weight") {
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
