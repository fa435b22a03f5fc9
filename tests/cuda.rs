//! The CUDA engine against automatic differentiation, against itself, and against PyTorch's training steps. Where there is no
//! GPU every test says that it was skipped.

#[path = "engine/case.rs"]
mod case;

use case::{Case, batch, checkpoint, compare, methods, spec};
use eigenscope::cuda::{self, Cuda};
use eigenscope::model::family;
use eigenscope::random::Stream;
use eigenscope::spec::RunSpec;
use eigenscope::train::{Backend, NamedTensor};

/// Precision, the largest relative distance from the reference that it may have, and the share of the whole gradient that a
/// tensor counts as at least.
const LIMITS: [(&str, f64, f64); 3] = [("f32", 1e-5, 0.01), ("tf32", 1e-3, 0.1), ("bf16", 2e-2, 0.1)];

/// Whether there is a GPU; says so where there is none.
fn here(test: &str) -> bool {
    match cuda::cards() {
        Ok(cards) if !cards.is_empty() => true,
        Ok(_) => {
            eprintln!("{test}: skipped, no GPU");
            false
        }
        Err(error) => {
            eprintln!("{test}: skipped, {error}");
            false
        }
    }
}

/// Case `number` of a fixed set: sizes, methods, lengths, outputs and dropout all vary.
fn case(number: u64) -> Case {
    let draw = Stream::new(number, 0, 77).uniform(0.0, 1.0, 40);
    let pick = |i: usize, n: usize| ((draw[i] * n as f64) as usize).min(n - 1);
    let shapes = [(2usize, 32usize), (4, 16), (3, 24), (1, 64), (2, 40), (12, 64), (16, 64), (4, 80), (5, 8)];
    let (heads, size) = shapes[number as usize % shapes.len()];
    let methods = methods(|m| cuda::lacking(m).is_none());
    let all = ["query", "key", "value", "output"];
    let mut targets: Vec<String> = (0..4).filter(|i| draw[20 + i] < 0.5).map(|i| all[i].to_string()).collect();
    if targets.is_empty() {
        targets = vec!["query".into(), "value".into()];
    }
    let longest = [20, 70, 150][pick(1, 3)];
    let rows = 1 + pick(2, 9);
    let outputs = pick(3, 6);
    Case {
        family: ["roberta", "bert"][pick(4, 2)],
        heads,
        size,
        wide: (2 * heads * size).next_multiple_of(8),
        layers: 1 + pick(5, 2),
        method: methods[pick(6, methods.len())],
        rank: 1 + pick(7, 12),
        targets,
        outputs: outputs.max(1),
        regression: outputs == 0,
        dropout: [0.0, 0.1, 0.4][pick(8, 3)],
        lengths: (0..rows).map(|r| 1 + pick(10 + r, longest)).collect(),
        left: draw[9] < 0.3,
        seed: number.wrapping_mul(0x9E37_79B9_7F4A_7C15),
    }
}

fn engine(case: &Case, precision: &str) -> Cuda {
    let spec = RunSpec { device: "cuda:0".into(), precision: precision.into(), ..spec(case) };
    Cuda::new(&checkpoint(case), &spec, case.outputs, case.regression).expect("a model")
}

#[test]
fn loss_logits_and_gradients_are_those_of_autograd() {
    if !here("loss_logits_and_gradients_are_those_of_autograd") {
        return;
    }
    let mut wrong = Vec::new();
    for (i, (precision, limit, share)) in LIMITS.into_iter().enumerate() {
        let mut worst: f64 = 0.0;
        // Every shape in every precision, each with other methods, lengths and outputs.
        for number in (0..9).map(|n| n + 9 * i as u64) {
            let case = case(number);
            let (distance, of) = compare(&case, &mut engine(&case, precision), share);
            worst = worst.max(distance);
            println!("{precision} case {number}: {distance:.2e} ({of})");
            if distance >= limit {
                wrong.push(format!("{precision} case {number}: {of}: {distance:e} for {case:?}"));
            }
        }
        println!("{precision}: largest distance {worst:e}, limit {limit:e}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Embeddings of another width than the layers, every activation of a head, and a model without token types.
#[test]
fn every_family_is_as_autograd() {
    if !here("every_family_is_as_autograd") {
        return;
    }
    for (precision, limit, share) in LIMITS {
        for family in family::ALL {
            // Three seeds give the embeddings three widths.
            for (seed, dropout) in [(3, 0.0), (4, 0.1), (5, 0.1)] {
                let case = Case { family: family.model_type(), dropout, seed, ..case(3) };
                let (distance, of) = compare(&case, &mut engine(&case, precision), share);
                println!("{precision} {family:?} {seed}: {distance:.2e} ({of})");
                assert!(distance < limit, "{precision} {family:?} {seed}: {of}: {distance:e} for {case:?}");
            }
        }
    }
}

/// Losses of some steps as bits, and the values after them.
fn steps(engine: &mut Cuda, case: &Case, steps: std::ops::Range<u64>) -> Vec<u64> {
    let batch = batch(case);
    steps.map(|s| engine.step(&batch, s, 1e-2).expect("a step").loss.to_bits()).collect()
}

#[test]
fn steps_repeat_and_resume_bit_for_bit() {
    if !here("steps_repeat_and_resume_bit_for_bit") {
        return;
    }
    for (precision, ..) in LIMITS {
        let case = Case { dropout: 0.1, ..case(5) };
        let values = |e: &Cuda| -> Vec<NamedTensor> { e.state().expect("a state").values };
        let mut first = engine(&case, precision);
        let losses = steps(&mut first, &case, 0..8);
        let mut second = engine(&case, precision);
        let before = steps(&mut second, &case, 0..4);
        let state = second.state().expect("a state");
        drop(second);
        let mut resumed = engine(&case, precision);
        resumed.restore(&state).expect("restored");
        let after = steps(&mut resumed, &case, 4..8);
        assert_eq!(losses, [before, after].concat(), "{precision}");
        assert_eq!(values(&first), values(&resumed), "{precision}");
        assert!(losses.windows(2).any(|w| w[0] != w[1]), "the steps do something");
    }
}

#[test]
fn a_device_that_is_not_here_is_refused_by_name() {
    let case = case(0);
    let spec = RunSpec { device: "cuda:99".into(), ..spec(&case) };
    let error = Cuda::new(&checkpoint(&case), &spec, case.outputs, case.regression).err().expect("refused").to_string();
    assert!(error.contains("cuda:99") || error.contains("driver") || error.contains("lib"), "{error}");
}

#[test]
fn what_the_kernels_do_not_know_is_refused_with_its_reason() {
    let known = methods(|m| cuda::lacking(m).is_none());
    assert_eq!(known, ["symlora", "lora", "symlora-nolambda", "symlora-rowlambda"]);
    for (method, reason) in [
        ("full", "linear form"),
        ("symlora-frozen", "stay as they start"),
        ("symlora-sign", "subtracts"),
        ("symlora-nested", "other columns"),
        ("lora-nested", "other columns"),
        ("symdora", "whole matrices"),
    ] {
        let case = Case { method, ..case(0) };
        let spec = RunSpec { device: "cuda:0".into(), ..spec(&case) };
        let made = Cuda::new(&checkpoint(&case), &spec, case.outputs, case.regression);
        let error = made.err().expect("refused").to_string();
        assert!(error.contains(method) && error.contains(reason), "{error}");
    }
}

#[test]
fn a_precision_that_is_none_is_refused_by_name() {
    let case = case(0);
    let spec = RunSpec { device: "cuda:0".into(), precision: "f16".into(), ..spec(&case) };
    let error = Cuda::new(&checkpoint(&case), &spec, case.outputs, case.regression).err().expect("refused").to_string();
    assert!(error.contains("precision") && error.contains("f16"), "{error}");
}

#[test]
fn sizes_that_the_kernels_cannot_take_are_refused_by_field() {
    let case = Case { wide: 129, ..case(0) };
    let spec = RunSpec { device: "cuda:0".into(), ..spec(&case) };
    let error = Cuda::new(&checkpoint(&case), &spec, case.outputs, case.regression).err().expect("refused").to_string();
    assert!(error.contains("intermediate_size") && error.contains("129"), "{error}");
    let config = |size: usize| {
        let text = format!("{{\"model_type\": \"electra\", \"embedding_size\": {size}}}");
        eigenscope::model::Config::parse(&text).expect("a config")
    };
    let spec = RunSpec { device: "cuda:0".into(), ..RunSpec::default() };
    let error = Cuda::check(&config(100), &spec).expect_err("no multiple of 8").to_string();
    assert!(error.contains("embedding_size") && error.contains("100"), "{error}");
    Cuda::check(&config(128), &spec).expect("electra-small");
}
