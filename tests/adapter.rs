//! Every adapter method by value: merged equals adapted, frozen weights stay, the start is the pre-trained model, dropout
//! is a function of seed and step.

use eigenscope::adapter::{self, ALL, AdapterError};
use eigenscope::analysis::{self, Matrix};
use eigenscope::data::{Batch, Labels};
use eigenscope::event::LayerNorm;
use eigenscope::model::{Checkpoint, ModelSource};
use eigenscope::random::Stream;
use eigenscope::spec::RunSpec;
use eigenscope::train::autograd::Autograd;
use eigenscope::train::{Backend, BackendError, NamedTensor, Part, Values};

fn checkpoint() -> Checkpoint {
    ModelSource::Embedded.load().expect("the embedded model")
}

/// Three rows of 9, 6 and 4 tokens.
fn batch() -> Batch {
    let (rows, width) = (3, 9);
    let mut ids = Vec::new();
    let mut mask = Vec::new();
    for (row, len) in [9, 6, 4].into_iter().enumerate() {
        ids.extend((0..width).map(|i| match i {
            0 => 0,
            i if i + 1 == len => 2,
            i if i < len => 100 + (997 * (row * width + i)) as u32 % 8_000,
            _ => 1,
        }));
        mask.extend((0..width).map(|i| u8::from(i < len)));
    }
    Batch { rows, width, type_ids: vec![0; ids.len()], ids, mask, labels: Labels::Classes(vec![0, 1, 1]) }
}

fn spec(method: &str) -> RunSpec {
    let targets = ["query", "key", "value", "output"].map(String::from).to_vec();
    RunSpec { method: method.into(), rank: 5, alpha: 15.0, targets, dropout: 0.0, ..RunSpec::default() }
}

fn backend(checkpoint: &Checkpoint, spec: &RunSpec) -> Autograd<f64> {
    Autograd::new(checkpoint, spec, 2, false).expect("a model in training")
}

fn values(t: &NamedTensor) -> Vec<f64> {
    match &t.values {
        Values::F64(v) => v.clone(),
        Values::F32(_) => panic!("{}: f64 expected", t.name),
    }
}

fn now(backend: &Autograd<f64>) -> Vec<NamedTensor> {
    backend.state().expect("a state").values
}

#[test]
fn merged_equals_adapted() {
    let checkpoint = checkpoint();
    for method in ALL {
        let Some(form) = method.form() else { continue };
        let spec = spec(method.id());
        let mut adapted = backend(&checkpoint, &spec);
        let random = |t: &NamedTensor| {
            let site = eigenscope::random::site_of(&t.name);
            let values = Stream::new(11, 0, site).normal(0.3, t.shape.iter().product());
            NamedTensor { values: Values::F64(values), ..t.clone() }
        };
        let tensors: Vec<NamedTensor> = now(&adapted).iter().map(random).collect();
        adapted.load(&tensors).expect("random values");
        let get = |name: &str| {
            let t = tensors.iter().find(|t| t.name == name)?;
            Matrix::new(&t.shape, values(t)).ok()
        };
        let mut merged = backend(&checkpoint, &RunSpec { method: "full".into(), ..spec.clone() });
        let mut weights: Vec<NamedTensor> =
            tensors.iter().filter(|t| t.name.starts_with("classifier")).cloned().collect();
        let n = checkpoint.config.hidden_size;
        for layer in 0..checkpoint.config.num_hidden_layers {
            for target in &spec.targets {
                let path = checkpoint.config.module_path(layer, target).expect("a path");
                let factor = |suffix: &str| get(&format!("{path}.{suffix}"));
                let delta = analysis::delta(&form, spec.scaling(), &factor).expect("a delta");
                let name = format!("{path}.weight");
                let w0 = adapted.weight(&name).expect("W0");
                assert!(analysis::frobenius(&delta.values) > 0.1, "{name}: the update is not zero");
                let w = analysis::merged(&form, spec.scaling(), &w0, &factor).expect("a matrix").values;
                weights.push(NamedTensor { name, shape: vec![n, n], values: Values::F64(w) });
            }
        }
        let plain = merged.logits(&batch()).expect("logits");
        merged.load(&weights).expect("merged weights");
        let (a, b) = (adapted.logits(&batch()).expect("logits"), merged.logits(&batch()).expect("logits"));
        for (a, b) in a.concat().iter().zip(b.concat()) {
            assert!((a - b).abs() < 1e-10, "{}: {a} {b}", method.id());
        }
        assert!(b.concat().iter().zip(plain.concat()).any(|(a, b)| (a - b).abs() > 1e-3), "{}: no effect", method.id());
    }
}

#[test]
fn the_start_is_the_pretrained_model() {
    let checkpoint = checkpoint();
    // With B = 0 LoRA adds nothing.
    let expected = backend(&checkpoint, &spec("lora")).logits(&batch()).expect("logits").concat();
    for method in ALL {
        let found = backend(&checkpoint, &spec(method.id())).logits(&batch()).expect("logits").concat();
        if method.id() == "full" {
            // Its weights are variables, whose products run in another order.
            found.iter().zip(&expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-12, "{a} {b}"));
        } else {
            assert_eq!(found, expected, "{}", method.id());
        }
        let rows = backend(&checkpoint, &spec(method.id())).norms().expect("norms");
        assert_eq!(rows.len(), 4 * checkpoint.config.num_hidden_layers);
        assert!(rows.iter().all(|r| r.delta_fro == 0.0 && r.lambda == 1.0 && r.w0_fro > 0.0), "{}", method.id());
    }
}

#[test]
fn steps_move_what_trains_and_nothing_else() {
    let checkpoint = checkpoint();
    for method in ALL {
        let mut backend = backend(&checkpoint, &RunSpec { dropout: 0.1, ..spec(method.id()) });
        let start = now(&backend);
        let before = backend.loss(&batch()).expect("a loss");
        for step in 0..4 {
            backend.loss_and_gradients(&batch(), step).expect("gradients");
            backend.update(1e-3).expect("an update");
        }
        assert!(backend.loss(&batch()).expect("a loss") < before, "{}: the loss falls", method.id());
        let moves: Vec<bool> = backend.parameters().iter().map(|p| p.trains).collect();
        for ((old, new), moves) in start.iter().zip(now(&backend)).zip(moves) {
            // Token types and positions that the batch lacks have decay only, which moves them too.
            let moved = values(old) != values(&new);
            assert_eq!(moved, moves, "{}: {} moves", method.id(), old.name);
        }
        let rows = backend.norms().expect("norms");
        assert!(rows.iter().all(|r| r.delta_fro > 0.0), "{}", method.id());
        let full = method.form().is_none();
        let within = |r: &LayerNorm| !r.spectrum.is_empty() && r.spectrum.iter().all(|v| v.is_finite());
        assert!(full || rows.iter().all(within), "{}: spectra", method.id());
        assert_eq!(backend.parameters().iter().any(|p| p.part == Part::Encoder), full);
        if full {
            continue;
        }
        for (name, shape) in checkpoint.config.encoder_shapes() {
            let w0: Vec<f64> = checkpoint.weights.values(&name, &shape).expect("W0");
            assert_eq!(backend.weight(&name).expect("a weight"), w0, "{}: {name} moved", method.id());
        }
    }
}

#[test]
fn dropout_is_a_function_of_seed_and_step() {
    let checkpoint = checkpoint();
    let loss = |seed: u64, step: u64| {
        let spec = RunSpec { dropout: 0.1, seed, ..spec("symlora") };
        let mut backend = backend(&checkpoint, &spec);
        // Another seed starts from another head, so one head is set for all.
        let head = now(&backend).into_iter().filter(|t| t.name.starts_with("classifier")).map(|t| {
            let values = Values::F64(
                Stream::new(1, 0, eigenscope::random::site_of(&t.name)).normal(0.1, t.shape.iter().product()),
            );
            NamedTensor { values, ..t }
        });
        backend.load(&head.collect::<Vec<_>>()).expect("a head");
        let twice = [(); 2].map(|()| backend.loss_and_gradients(&batch(), step).expect("a loss"));
        assert_eq!(twice[0], twice[1]);
        twice[0]
    };
    assert_eq!(loss(3, 7), loss(3, 7));
    assert_ne!(loss(3, 7), loss(3, 8));
    assert_ne!(loss(3, 7), loss(4, 7));
}

#[test]
fn a_restored_state_goes_on_bit_for_bit() {
    for method in ALL {
        goes_on(method.id());
    }
}

fn goes_on(method: &str) {
    let checkpoint = checkpoint();
    let spec = RunSpec { dropout: -1.0, ..spec(method) };
    let run = |backend: &mut Autograd<f32>, steps: std::ops::Range<u64>| {
        for step in steps {
            backend.loss_and_gradients(&batch(), step).expect("gradients");
            backend.update(1e-3).expect("an update");
        }
    };
    let make = || Autograd::<f32>::new(&checkpoint, &spec, 2, false).expect("a model");
    let mut whole = make();
    run(&mut whole, 0..6);
    let mut first = make();
    run(&mut first, 0..3);
    let mut second = make();
    second.restore(&first.state().expect("a state")).expect("restored");
    run(&mut second, 3..6);
    assert_eq!(second.state().expect("a state"), whole.state().expect("a state"), "{method}");
    let mut short = whole.state().expect("a state");
    let missing = short.first.remove(0).name;
    assert!(matches!(second.restore(&short), Err(BackendError::Missing(name)) if name == missing));
}

#[test]
fn counts_are_the_papers() {
    assert_eq!(adapter::find("lora").expect("lora").parameter_count(768, 8), 2 * 768 * 8);
    assert_eq!(adapter::find("symlora").expect("symlora").parameter_count(768, 8), (768 + 1) * 8 + 1);
    for method in ALL.iter().filter(|m| m.form().is_some()) {
        let parameters = method.parameters("W", 48, 48, 6).expect("parameters");
        let trained = parameters.iter().filter(|p| p.trains);
        let sum: usize = trained.map(|p| p.shape.iter().product::<usize>()).sum();
        assert_eq!(sum as u64, method.parameter_count(48, 6), "{}", method.id());
        assert!(parameters.iter().all(|p| p.decay == (p.trains && p.shape.len() == 2)), "{}", method.id());
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let unknown = adapter::find("dora").err().expect("an error").to_string();
    assert!(unknown.contains("dora") && ALL.iter().all(|m| unknown.contains(m.id())), "{unknown}");
    for method in ALL.iter().filter(|m| m.form().is_some()) {
        let error = method.parameters("layer 3 query", 16, 16, 17).expect_err("a rank above n").to_string();
        assert!(["layer 3 query", "17", "1 to 16"].iter().all(|s| error.contains(s)), "{error}");
        assert!(method.parameters("W", 16, 16, 0).is_err());
    }
    let error = adapter::find("symlora").expect("symlora").parameters("W", 16, 24, 4).expect_err("not square");
    assert!(matches!(error, AdapterError::NotSquare { output: 16, input: 24, .. }), "{error}");
    let large = RunSpec { rank: 500, ..spec("lora") };
    assert!(matches!(Autograd::<f32>::new(&checkpoint(), &large, 2, false), Err(BackendError::Adapter(_))));
    let scores = Batch { labels: Labels::Scores(vec![0.0; 3]), ..batch() };
    let error = backend(&checkpoint(), &spec("lora")).loss_and_gradients(&scores, 0).expect_err("scores for classes");
    assert!(error.to_string().contains("3 scores"), "{error}");
    let high = Batch { labels: Labels::Classes(vec![0, 1, 2]), ..batch() };
    let error = backend(&checkpoint(), &spec("lora")).loss_and_gradients(&high, 0).expect_err("a class of 2");
    assert!(error.to_string().contains("class 2"), "{error}");
}
