//! The CPU engine against automatic differentiation: random models, batches and methods, with dropout, and its own
//! repeatability.

#[path = "engine/case.rs"]
mod case;

use case::{Case, checkpoint, compare, methods, spec};
use eigenscope::cpu::Cpu;
use eigenscope::data::{Batch, Labels};
use eigenscope::model::{Checkpoint, ModelSource, family};
use eigenscope::random::Stream;
use eigenscope::spec::RunSpec;
use eigenscope::train::{Backend, NamedTensor};
use proptest::prelude::*;

/// Largest relative distance between the engine and the reference.
const LIMIT: f64 = 1e-5;

fn case() -> impl Strategy<Value = Case> {
    let model = (
        prop::sample::select(family::ALL.iter().map(|f| f.model_type()).collect::<Vec<_>>()),
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
        proptest::sample::select(methods(Cpu::trains)),
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
            wide: 2 * heads * size + 3,
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn loss_logits_and_gradients_are_those_of_autograd(case in case()) {
        let mut engine =
            Cpu::new(&checkpoint(&case), &spec(&case), case.outputs, case.regression).expect("a model");
        let (distance, of) = compare(&case, &mut engine, 0.01);
        prop_assert!(distance < LIMIT, "{of}: {distance:e}");
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
    for method in ["full", "symdora"] {
        let spec = RunSpec { method: method.into(), ..RunSpec::default() };
        let error = Cpu::new(&checkpoint, &spec, 2, false).err().expect("refused").to_string();
        assert!(error.contains(method), "{error}");
    }
    assert_eq!(methods(|m| !Cpu::trains(m)), ["full", "symdora"]);
}

#[test]
fn every_method_starts_as_the_pretrained_model() {
    let (checkpoint, batch) = embedded();
    let logits = |method: &str| {
        let spec = RunSpec { method: method.into(), ..RunSpec::default() };
        Cpu::new(&checkpoint, &spec, 2, false).expect("a model").logits(&batch).expect("logits").concat()
    };
    // With B = 0 LoRA adds nothing.
    let expected = logits("lora");
    for method in methods(Cpu::trains) {
        assert_eq!(logits(method), expected, "{method}");
    }
}

#[test]
fn a_row_without_tokens_is_refused_by_number() {
    let (checkpoint, mut batch) = embedded();
    batch.mask[3 * batch.width..4 * batch.width].fill(0);
    let mut engine = Cpu::new(&checkpoint, &RunSpec::default(), 2, false).expect("a model");
    let error = engine.logits(&batch).expect_err("refused").to_string();
    assert!(error.contains("row 3"), "{error}");
}
