//! Random models, batches and values, and how far an engine may be from automatic differentiation on them.

#[path = "measure.rs"]
mod measure;

use eigenscope::adapter::{ALL, Method};
use eigenscope::data::{Batch, Labels};
use eigenscope::model::Checkpoint;
use eigenscope::model::config::Config;
use eigenscope::model::family::Activation;
use eigenscope::model::weights::Weights;
use eigenscope::random::{INITIAL, Stream, site_of};
use eigenscope::spec::RunSpec;
use eigenscope::train::autograd::Autograd;
use eigenscope::train::{Backend, NamedTensor, Values};
use measure::{distance, norm, shaken, wide};
use std::borrow::Cow;

#[derive(Clone, Debug)]
pub struct Case {
    pub family: &'static str,
    pub heads: usize,
    pub size: usize,
    /// Width of the feed-forward.
    pub wide: usize,
    pub layers: usize,
    pub method: &'static str,
    pub rank: usize,
    pub targets: Vec<String>,
    pub outputs: usize,
    pub regression: bool,
    pub dropout: f64,
    pub lengths: Vec<usize>,
    pub left: bool,
    pub seed: u64,
}

/// The methods that an engine runs.
pub fn methods(trains: impl Fn(&dyn Method) -> bool) -> Vec<&'static str> {
    ALL.iter().filter(|m| trains(**m)).map(|m| m.id()).collect()
}

/// A model with random weights that are not small: every part of the gradient counts.
pub fn checkpoint(case: &Case) -> Checkpoint {
    let n = case.heads * case.size;
    let family = eigenscope::model::family::find(case.family).expect("a family");
    let mut config = serde_json::json!({ "model_type": case.family, "pad_token_id": 1, "layer_norm_eps": 1e-5 });
    let sizes = [
        ("vocab_size", 60),
        // Narrower or wider than the layers, or as wide, where the family lets it.
        ("embedding_size", [n, 8, n + 16][case.seed as usize % 3]),
        ("hidden_size", n),
        ("num_hidden_layers", case.layers),
        ("num_attention_heads", case.heads),
        ("intermediate_size", case.wide),
        ("max_position_embeddings", 3 + case.lengths.iter().max().unwrap_or(&0)),
        ("type_vocab_size", 2),
    ];
    for (field, size) in sizes {
        config[family.field(field)] = size.into();
    }
    let config = Config::parse(&config.to_string()).expect("a config");
    let tensors = config.encoder_shapes().into_iter().map(|(name, shape)| {
        let centre = if shape.len() == 1 && name.ends_with(".weight") { 1.0 } else { 0.0 };
        let std = if shape.len() == 2 && !name.contains("embeddings.") { 1.0 / (n as f64).sqrt() } else { 0.3 };
        let draw = Stream::new(case.seed, INITIAL, site_of(&name)).normal(std, shape.iter().product());
        let bytes: Vec<u8> = draw.iter().flat_map(|v| ((v + centre) as f32).to_le_bytes()).collect();
        (name, shape, bytes)
    });
    let tensors: Vec<_> = tensors.collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes);
        (name.clone(), view.expect("a tensor"))
    });
    let bytes = safetensors::serialize(views, None).expect("a file");
    let weights = Weights::parse("random".into(), Cow::Owned(bytes), Some(config.family)).expect("weights");
    Checkpoint { config, weights, tokenizer: Vec::new() }
}

pub fn batch(case: &Case) -> Batch {
    let (rows, width) = (case.lengths.len(), case.lengths.iter().copied().max().unwrap_or(1));
    let draw = Stream::new(case.seed, 1, 0).uniform(0.0, 1.0, 3 * rows * width);
    let padded = |row: usize, column: usize| {
        let missing = width - case.lengths[row];
        if case.left { column < missing } else { column >= width - missing }
    };
    let places: Vec<(usize, usize)> = (0..rows).flat_map(|r| (0..width).map(move |c| (r, c))).collect();
    let token = |i: usize, (r, c)| if padded(r, c) { 1 } else { 2 + (draw[i] * 58.0) as u32 };
    let labels = if case.regression {
        Labels::Scores((0..rows).map(|r| draw[rows * width + r] * 5.0).collect())
    } else {
        Labels::Classes((0..rows).map(|r| (draw[rows * width + r] * case.outputs as f64) as u32).collect())
    };
    Batch {
        rows,
        width,
        ids: places.iter().enumerate().map(|(i, p)| token(i, *p)).collect(),
        type_ids: (0..places.len()).map(|i| u32::from(draw[2 * rows * width + i] > 0.5)).collect(),
        mask: places.iter().map(|(r, c)| u8::from(!padded(*r, *c))).collect(),
        labels,
    }
}

pub fn spec(case: &Case) -> RunSpec {
    RunSpec {
        method: case.method.into(),
        rank: case.rank,
        alpha: 2.0 * case.rank as f64,
        targets: case.targets.clone(),
        dropout: case.dropout,
        seed: case.seed,
        ..RunSpec::default()
    }
}

/// The values with every unit of a head with ReLU well on or well off: one near 0 may be on in one precision and off in another,
/// and its gradient is there or not.
fn switched(mut values: Vec<NamedTensor>, config: &Config) -> Vec<NamedTensor> {
    let head = config.family.head();
    let bias = format!("{}.bias", head.dense);
    if head.activation == Activation::Relu
        && let Some(tensor) = values.iter_mut().find(|t| t.name == bias)
    {
        let far = |v: f64| v + if v < 0.0 { -4.0 } else { 4.0 };
        tensor.values = match &tensor.values {
            Values::F32(v) => Values::F32(v.iter().map(|v| far(f64::from(*v)) as f32).collect()),
            Values::F64(v) => Values::F64(v.iter().map(|v| far(*v)).collect()),
        };
    }
    values
}

/// Loss, logits and every gradient of `engine` on the case against automatic differentiation in f64: the largest relative
/// distance and what it is of. Both start from values off the start. A sum that cancels keeps the rounding of its terms, so a
/// tensor counts as at least `share` of the norm of all gradients.
pub fn compare(case: &Case, engine: &mut dyn Backend, share: f64) -> (f64, String) {
    let (checkpoint, batch, spec) = (checkpoint(case), batch(case), spec(case));
    let mut reference = Autograd::<f64>::new(&checkpoint, &spec, case.outputs, case.regression).expect("a model");
    let values = switched(shaken(&reference, case.seed), &checkpoint.config);
    reference.load(&values).expect("values");
    engine.load(&values).expect("values");
    let mut worst = (0.0, String::from("nothing"));
    let mut note = |distance: f64, what: &str| {
        // NaN is worst of all.
        let distance = if distance.is_nan() { f64::INFINITY } else { distance };
        if distance > worst.0 {
            worst = (distance, what.into());
        }
    };
    let logits = [&mut reference as &mut dyn Backend, engine].map(|b| b.logits(&batch).expect("logits").concat());
    // As below: a logit near 0 is a sum whose terms cancel.
    note(distance(&logits[1], &logits[0], 0.1), "logits");
    let loss =
        [&mut reference as &mut dyn Backend, engine].map(|b| b.loss_and_gradients(&batch, 7).expect("gradients"));
    note((loss[0] - loss[1]).abs() / loss[0].abs().max(1e-3), "loss");
    let (found, expected) = (engine.gradients().expect("gradients"), reference.gradients().expect("gradients"));
    let whole = norm(&expected.iter().map(|t| norm(&wide(t))).collect::<Vec<_>>());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found.name, expected.name);
        note(distance(&wide(found), &wide(expected), whole * share), &found.name);
    }
    worst
}
