//! The methods that PEFT does not have, by PyTorch's numbers: the start, loss, logits, every gradient, norms and spectra, steps
//! of AdamW and what they lead to. `tests/fixtures/methods/make_reference.py` writes each method down as its formula.

use crate::folder::{self, Subject, close, items, members, near, number, numbers, text, whole, wide};
use eigenscope::adapter::{self, Method};
use eigenscope::analysis::{self, Matrix};
use eigenscope::cpu::Cpu;
use eigenscope::cuda::{self, Cuda};
use eigenscope::data::{Batch, Labels};
use eigenscope::event::LayerNorm;
use eigenscope::model::family;
use eigenscope::spec::RunSpec;
use eigenscope::train::NamedTensor;
use eigenscope::train::autograd::Autograd;
use serde_json::Value;

/// Methods that `tests/fixtures/parity` has, or that add nothing.
const ELSEWHERE: [&str; 3] = ["symlora", "lora", "full"];

/// A file of this folder.
fn own(name: &str) -> String {
    format!("{}/tests/fixtures/methods/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn reference() -> Value {
    folder::json(&own("reference.json"))
}

fn checkpoint() -> eigenscope::model::Checkpoint {
    let config = eigenscope::model::Config::parse(&String::from_utf8_lossy(&folder::bytes(&own("config.json"))));
    let config = config.expect("a config");
    let bytes = std::borrow::Cow::Owned(folder::bytes(&own("model.safetensors")));
    let weights = eigenscope::model::weights::Weights::parse("methods".into(), bytes, Some(config.family));
    eigenscope::model::Checkpoint { config, weights: weights.expect("weights"), tokenizer: Vec::new() }
}

fn spec(method: &str, settings: &Value) -> RunSpec {
    let mut spec = folder::spec(method, whole(&settings["rank"]), number(&settings["alpha"]));
    spec.targets = items(&settings["targets"]).iter().map(|t| text(t).to_string()).collect();
    spec.seed = whole(&settings["seed"]) as u64;
    spec.adam_eps = number(&settings["eps"]);
    spec.weight_decay = number(&settings["weight_decay"]);
    spec.max_grad_norm = number(&settings["max_grad_norm"]);
    spec
}

fn batch(item: &Value) -> Batch {
    let rows = items(&item["input_ids"]).len();
    let ids: Vec<u32> = numbers(&item["input_ids"]).iter().map(|v| *v as u32).collect();
    Batch {
        rows,
        width: ids.len() / rows,
        type_ids: vec![0; ids.len()],
        ids,
        mask: numbers(&item["attention_mask"]).iter().map(|v| *v as u8).collect(),
        labels: Labels::Classes(numbers(&item["labels"]).iter().map(|v| *v as u32).collect()),
    }
}

/// Largest distance over a tensor, relative to its largest value, is within `limit`.
fn alike(what: &str, found: &[f64], expected: &[f64], limit: f64) {
    let largest = expected.iter().map(|v| v.abs()).fold(0.0, f64::max);
    close(what, found, expected, limit * largest);
}

/// Every tensor of `expected` is there and alike; those of the head are read from float32.
fn all_alike(what: &str, found: &[NamedTensor], expected: &[NamedTensor], limit: f64) {
    for tensor in expected {
        let limit = if tensor.name.starts_with("classifier") { limit.max(2e-7) } else { limit };
        let own = folder::named(found, &tensor.name);
        assert_eq!(own.shape, tensor.shape, "{what} {}", tensor.name);
        alike(&format!("{what} {}", tensor.name), &wide(own), &wide(tensor), limit);
    }
}

fn norms_alike(what: &str, found: &[LayerNorm], expected: &Value, limit: f64) {
    for (path, expected) in members(expected) {
        let place = family::layer_and_target(&format!("{path}.")).expect("a place");
        let row = found.iter().find(|r| (r.layer, r.target.as_str()) == place).expect("a row");
        near(&format!("{what} {path} lambda"), row.lambda, number(&expected["lambda"]), limit);
        near(&format!("{what} {path} w0"), row.w0_fro, number(&expected["w0_fro"]), limit);
        near(&format!("{what} {path} delta"), row.delta_fro, number(&expected["delta_fro"]), limit);
        alike(&format!("{what} {path} spectrum"), &row.spectrum, &numbers(&expected["spectrum"]), limit);
    }
}

/// W written out has the norm and the sum that PyTorch's has.
fn merged_alike(what: &str, method: &dyn Method, spec: &RunSpec, values: &[NamedTensor], expected: &Value, limit: f64) {
    let form = method.form().expect("a form");
    let checkpoint = checkpoint();
    let n = checkpoint.config.hidden_size;
    for (path, expected) in members(expected) {
        let w0: Vec<f64> = checkpoint.weights.values(&format!("{path}.weight"), &[n, n]).expect("W0");
        let get = |suffix: &str| {
            let t = values.iter().find(|t| t.name == format!("{path}.{suffix}"))?;
            Matrix::new(&t.shape, wide(t)).ok()
        };
        let w = analysis::merged(&form, spec.scaling(), &w0, &get).expect("a matrix").values;
        near(&format!("{what} {path} merged"), analysis::frobenius(&w), number(&expected["merged_fro"]), limit);
        let size = analysis::entrywise_l1(&w);
        close(&format!("{what} {path} sum"), &[w.iter().sum()], &[number(&expected["merged_sum"])], limit * size);
    }
}

struct Limits {
    /// Logits of the start against those of the pre-trained model.
    start: f64,
    gradients: f64,
    values: f64,
}

fn methods<S: Subject>(trains: &dyn Fn(&dyn Method) -> bool, limits: &Limits) {
    let reference = reference();
    let (settings, batches) = (&reference["settings"], items(&reference["batches"]));
    let tensors = folder::tensors(&own("reference.safetensors"));
    let checkpoint = checkpoint();
    let outputs = whole(&settings["outputs"]);
    for (name, expected) in members(&reference["methods"]) {
        let method = adapter::find(name).expect("a method");
        if !trains(method) {
            continue;
        }
        let spec = spec(name, settings);
        let part = |part: &str| folder::under(&tensors, &format!("{name}/{part}/"));
        let mut backend = S::make(&checkpoint, &spec, outputs, false);
        // What a method takes from W0 it takes as PyTorch does.
        let init = part("init");
        let own = backend.state().expect("a state").values;
        for tensor in init.iter().filter(|t| !t.name.contains("symlora_Q") && !t.name.contains("lora_A")) {
            let what = format!("{name} start of {}", tensor.name);
            close(&what, &wide(folder::named(&own, &tensor.name)), &wide(tensor), limits.values.min(1e-6));
        }
        backend.load(&init).expect("the start");
        for (item, logits) in batches.iter().zip(items(&reference["pretrained"])) {
            let found = backend.logits(&batch(item)).expect("logits").concat();
            close(&format!("{name} start"), &found, &numbers(logits), limits.start);
        }

        let off = &expected["off_start"];
        backend.load(&part("value")).expect("values off the start");
        let loss = backend.loss_and_gradients(&batch(&batches[0]), whole(&settings["gradient_step"]) as u64);
        near(&format!("{name} loss"), loss.expect("a loss"), number(&off["loss"]), limits.values);
        let gradients = backend.gradients().expect("gradients");
        all_alike(&format!("{name} gradient"), &gradients, &part("grad"), limits.gradients);
        for fixed in backend.parameters().iter().filter(|p| !p.trains) {
            let gradient = wide(folder::named(&gradients, &fixed.name));
            assert!(gradient.iter().all(|g| *g == 0.0), "{name}: {} has a gradient", fixed.name);
        }
        let trained = backend.parameters().iter().filter(|p| p.trains).count();
        assert_eq!(part("grad").len(), trained, "{name}: gradients written and tensors trained");
        let logits = backend.logits(&batch(&batches[0])).expect("logits").concat();
        alike(&format!("{name} logits"), &logits, &numbers(&off["logits"]), limits.values);
        norms_alike(name, &backend.norms().expect("norms"), &off["norms"], limits.values);
        let values = backend.state().expect("a state").values;
        merged_alike(name, method, &spec, &values, &off["norms"], limits.values);

        let mut backend = S::make(&checkpoint, &spec, outputs, false);
        backend.load(&init).expect("the start");
        let rates = numbers(&settings["lr"]);
        let [losses, lengths] = ["loss", "grad_norm"].map(|key| numbers(&expected[key]));
        assert_eq!([losses.len(), lengths.len()], [rates.len(); 2], "{name}: steps");
        for (step, lr) in rates.iter().enumerate() {
            let what = format!("{name} step {step}");
            let batch = batch(&batches[step % batches.len()]);
            let loss = backend.loss_and_gradients(&batch, step as u64).expect("a step");
            let length = backend.update(*lr).expect("an update");
            near(&format!("{what} loss"), loss, losses[step], limits.values);
            near(&format!("{what} gradient norm"), length, lengths[step], limits.gradients);
        }
        let values = backend.state().expect("a state").values;
        all_alike(&format!("{name} final"), &values, &part("final"), limits.values);
        let fixed: Vec<&str> = backend.parameters().iter().filter(|p| !p.trains).map(|p| p.name.as_str()).collect();
        for tensor in init.iter().filter(|t| fixed.contains(&t.name.as_str())) {
            assert_eq!(wide(folder::named(&values, &tensor.name)), wide(tensor), "{name}: {} moved", tensor.name);
        }
        for (item, logits) in batches.iter().zip(items(&expected["logits"])) {
            let found = backend.logits(&batch(item)).expect("logits").concat();
            alike(&format!("{name} logits after the steps"), &found, &numbers(logits), limits.values);
        }
        norms_alike(
            &format!("{name} final"),
            &backend.norms().expect("norms"),
            &expected["norms"],
            2.0 * limits.values,
        );
    }
}

#[test]
fn every_method_has_reference_numbers() {
    let reference = reference();
    let written = members(&reference["methods"]).into_iter().map(|(name, _)| name.as_str());
    let mut found: Vec<&str> = written.chain(ELSEWHERE).collect();
    let mut all: Vec<&str> = adapter::ALL.iter().map(|m| m.id()).collect();
    found.sort_unstable();
    all.sort_unstable();
    assert_eq!(found, all);
}

#[test]
fn drawn_columns_are_the_references() {
    let reference = reference();
    let seed = whole(&reference["settings"]["seed"]) as u64;
    let rank = whole(&reference["settings"]["rank"]);
    let drawn = |step| eigenscope::random::nested_rank(seed, step, rank);
    let nested: Vec<_> =
        members(&reference["methods"]).into_iter().filter(|(name, _)| name.contains("nested")).collect();
    assert_eq!(nested.len(), 2);
    for (name, expected) in nested {
        let columns: Vec<usize> = numbers(&expected["columns"]).iter().map(|k| *k as usize).collect();
        assert_eq!(columns, (0..columns.len() as u64).map(drawn).collect::<Vec<_>>(), "{name}");
        assert!(columns.iter().any(|k| *k < rank), "{name}: some step leaves columns out");
        let step = whole(&reference["settings"]["gradient_step"]) as u64;
        assert_eq!(whole(&expected["off_start"]["columns"]), drawn(step), "{name}");
        assert!(drawn(step) < rank, "{name}: the gradients off the start leave columns out");
    }
}

#[test]
fn methods_f64() {
    methods::<Autograd<f64>>(&|_| true, &Limits { start: 1e-13, gradients: 1e-11, values: 1e-9 });
}

const F32: Limits = Limits { start: 1e-5, gradients: 1e-5, values: 1e-5 };

#[test]
fn methods_f32() {
    methods::<Autograd<f32>>(&|_| true, &F32);
}

#[test]
fn methods_cpu() {
    methods::<Cpu>(&|method| Cpu::trains(method), &F32);
}

#[test]
fn methods_cuda() {
    match cuda::cards() {
        Ok(cards) if !cards.is_empty() => {
            let limits = Limits { start: 1e-4, gradients: 1e-4, values: 1e-4 };
            methods::<Cuda>(&|method| cuda::lacking(method).is_none(), &limits);
        }
        other => eprintln!("methods_cuda: skipped, {}", other.err().map_or("no GPU".into(), |e| e.to_string())),
    }
}
