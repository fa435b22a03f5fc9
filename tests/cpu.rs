//! The CPU engine against automatic differentiation: random models, batches and methods, with dropout, and its own
//! repeatability.

use eigenscope::adapter::ALL;
use eigenscope::cpu::Cpu;
use eigenscope::data::{Batch, Labels};
use eigenscope::model::config::Config;
use eigenscope::model::weights::Weights;
use eigenscope::model::{Checkpoint, ModelSource};
use eigenscope::random::{INITIAL, Stream, site_of};
use eigenscope::spec::RunSpec;
use eigenscope::train::autograd::Autograd;
use eigenscope::train::{Backend, NamedTensor, Values};
use proptest::prelude::*;
use std::borrow::Cow;

/// Largest relative distance between the engine and the reference.
const LIMIT: f64 = 1e-5;

#[derive(Clone, Debug)]
struct Case {
    family: &'static str,
    heads: usize,
    size: usize,
    layers: usize,
    method: &'static str,
    rank: usize,
    targets: Vec<String>,
    outputs: usize,
    regression: bool,
    dropout: f64,
    lengths: Vec<usize>,
    left: bool,
    seed: u64,
}

/// The methods that the engine runs: each with a linear form.
fn linear() -> Vec<&'static str> {
    ALL.iter().filter(|m| m.form().is_some()).map(|m| m.id()).collect()
}

fn case() -> impl Strategy<Value = Case> {
    let model = (
        prop_oneof![Just("roberta"), Just("bert")],
        prop_oneof![
            Just((2usize, 32usize)),
            Just((4, 16)),
            Just((3, 24)),
            Just((1, 64)),
            Just((5, 20)),
            Just((12, 64))
        ],
        1usize..4,
        any::<u64>(),
    );
    let run = (
        proptest::sample::select(linear()),
        1usize..9,
        proptest::sample::subsequence(vec!["query", "key", "value", "output"], 1..=4),
        0usize..6,
        prop_oneof![Just(0.0), Just(0.1), Just(0.4)],
    );
    (model, run, proptest::collection::vec(1usize..20, 1..9), any::<bool>()).prop_map(
        |((family, (heads, size), layers, seed), (method, rank, targets, outputs, dropout), lengths, left)| Case {
            family,
            heads,
            size,
            // The widest models are slow in the reference.
            layers: if heads * size > 500 { 1 } else { layers },
            method,
            rank,
            targets: targets.into_iter().map(String::from).collect(),
            outputs: outputs.max(1),
            regression: outputs == 0,
            dropout,
            lengths,
            left,
            seed,
        },
    )
}

/// A model with random weights that are not small: every part of the gradient counts.
fn checkpoint(case: &Case) -> Checkpoint {
    let n = case.heads * case.size;
    let config = serde_json::json!({
        "model_type": case.family, "vocab_size": 60, "hidden_size": n, "num_hidden_layers": case.layers,
        "num_attention_heads": case.heads, "intermediate_size": 2 * n + 3, "max_position_embeddings": 40,
        "type_vocab_size": 2, "pad_token_id": 1, "hidden_act": "gelu", "layer_norm_eps": 1e-5,
    });
    let config = Config::parse(&config.to_string()).expect("a config");
    let tensors = config.encoder_shapes().into_iter().map(|(name, shape)| {
        let centre = if name.ends_with("LayerNorm.weight") { 1.0 } else { 0.0 };
        let std = if shape.len() == 2 && !name.contains("embeddings") { 1.0 / (n as f64).sqrt() } else { 0.3 };
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

fn batch(case: &Case) -> Batch {
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

fn spec(case: &Case) -> RunSpec {
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

fn wide(tensor: &NamedTensor) -> Vec<f64> {
    match &tensor.values {
        Values::F32(v) => v.iter().map(|v| f64::from(*v)).collect(),
        Values::F64(v) => v.clone(),
    }
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// ||found - expected|| against ||expected||, or against `floor` where that is larger.
fn distance(found: &[f64], expected: &[f64], floor: f64) -> f64 {
    assert_eq!(found.len(), expected.len());
    let difference: Vec<f64> = found.iter().zip(expected).map(|(a, b)| a - b).collect();
    norm(&difference) / norm(expected).max(floor).max(1e-30)
}

/// Values off the start, as training makes them: no factor is 0 and no lambda is 1.
fn shaken(backend: &dyn Backend, seed: u64) -> Vec<NamedTensor> {
    let values = backend.state().expect("a state").values;
    let moved = values.into_iter().map(|t| {
        let std = if t.shape.len() == 2 { 0.5 / (t.shape[0].max(t.shape[1]) as f64).sqrt() } else { 0.2 };
        let by = Stream::new(seed, 2, site_of(&t.name)).normal(std, t.shape.iter().product());
        let values = wide(&t).iter().zip(by).map(|(v, by)| f64::from((v + by) as f32)).collect();
        NamedTensor { values: Values::F64(values), ..t }
    });
    moved.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn loss_logits_and_gradients_are_those_of_autograd(case in case()) {
        let (checkpoint, batch, spec) = (checkpoint(&case), batch(&case), spec(&case));
        let mut reference = Autograd::<f64>::new(&checkpoint, &spec, case.outputs, case.regression).expect("a model");
        let mut engine = Cpu::new(&checkpoint, &spec, case.outputs, case.regression).expect("a model");
        let values = shaken(&reference, case.seed);
        reference.load(&values).expect("values");
        engine.load(&values).expect("values");
        let logits = (engine.logits(&batch).expect("logits").concat(), reference.logits(&batch).expect("logits").concat());
        // As below: a logit near 0 is a sum whose terms cancel.
        prop_assert!(distance(&logits.0, &logits.1, 0.1) < LIMIT, "logits {:?}", logits);
        let loss = [&mut engine as &mut dyn Backend, &mut reference]
            .map(|b| b.loss_and_gradients(&batch, 7).expect("gradients"));
        prop_assert!((loss[0] - loss[1]).abs() <= LIMIT * loss[1].abs().max(1e-3), "loss {loss:?}");
        let (found, expected) = (engine.gradients().expect("gradients"), reference.gradients().expect("gradients"));
        let whole = norm(&expected.iter().map(|t| norm(&wide(t))).collect::<Vec<_>>());
        for (found, expected) in found.iter().zip(&expected) {
            prop_assert_eq!(&found.name, &expected.name);
            // A sum that cancels keeps the rounding of its terms: a tensor counts as at least a hundredth of the whole.
            let distance = distance(&wide(found), &wide(expected), whole / 100.0);
            prop_assert!(distance < LIMIT, "{}: {distance:e}", found.name);
        }
    }
}

fn embedded() -> (Checkpoint, Batch) {
    let checkpoint = ModelSource::Embedded.load().expect("the embedded model");
    let lengths: Vec<usize> = (0..32).map(|i| 5 + i * 7 % 40).collect();
    let width = 44;
    let ids = Stream::new(3, 0, 0).uniform(5.0, 8000.0, 32 * width);
    let kept = |i: usize| i % width < lengths[i / width];
    let batch = Batch {
        rows: 32,
        width,
        ids: ids.iter().enumerate().map(|(i, v)| if kept(i) { *v as u32 } else { 1 }).collect(),
        type_ids: vec![0; 32 * width],
        mask: (0..32 * width).map(|i| u8::from(kept(i))).collect(),
        labels: Labels::Classes((0..32).map(|i| i % 2).collect()),
    };
    (checkpoint, batch)
}

/// Losses of five steps as bits, and the values after them.
fn five_steps(threads: usize) -> (Vec<u64>, Vec<NamedTensor>) {
    let (checkpoint, batch) = embedded();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
    pool.install(|| {
        let mut engine = Cpu::new(&checkpoint, &RunSpec::default(), 2, false).expect("a model");
        let mut losses = Vec::new();
        for step in 0..5 {
            losses.push(engine.loss_and_gradients(&batch, step).expect("a step").to_bits());
            engine.update(1e-2).expect("an update");
        }
        (losses, engine.state().expect("a state").values)
    })
}

#[test]
fn steps_repeat_bit_for_bit_with_one_thread_count() {
    for threads in [1, 2, 3] {
        let first = five_steps(threads);
        assert_eq!(first, five_steps(threads), "{threads} threads");
        assert!(first.0.windows(2).any(|w| w[0] != w[1]), "the steps do something");
    }
}

#[test]
fn a_method_without_a_linear_form_is_refused_by_name() {
    let (checkpoint, _) = embedded();
    let spec = RunSpec { method: "full".into(), ..RunSpec::default() };
    let error = Cpu::new(&checkpoint, &spec, 2, false).err().expect("refused").to_string();
    assert!(error.contains("full"), "{error}");
}

#[test]
fn a_row_without_tokens_is_refused_by_number() {
    let (checkpoint, mut batch) = embedded();
    batch.mask[3 * batch.width..4 * batch.width].fill(0);
    let mut engine = Cpu::new(&checkpoint, &RunSpec::default(), 2, false).expect("a model");
    let error = engine.logits(&batch).expect_err("refused").to_string();
    assert!(error.contains("row 3"), "{error}");
}
