//! Reads the reference folder. A missing file, key or type is a failure with its name.

use eigenscope::cpu::Cpu;
use eigenscope::cuda::Cuda;
use eigenscope::data::{Batch, Labels};
use eigenscope::model::real::Real;
use eigenscope::model::weights::Weights;
use eigenscope::model::{Checkpoint, config::Config};
use eigenscope::spec::RunSpec;
use eigenscope::train::autograd::Autograd;
use eigenscope::train::{Backend, NamedTensor, Values, loss};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

pub fn path(name: &str) -> PathBuf {
    let fixture = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity");
    std::env::var_os("EIGENSCOPE_PARITY").map_or_else(fixture, PathBuf::from).join(name)
}

pub fn bytes(name: &str) -> Vec<u8> {
    let path = path(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

pub fn json(name: &str) -> Value {
    serde_json::from_slice(&bytes(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Every tensor of a file as f64, by name.
pub fn tensors(name: &str) -> BTreeMap<String, NamedTensor> {
    let weights = Weights::parse(name.into(), Cow::Owned(bytes(name)), None).unwrap_or_else(|e| panic!("{e}"));
    let names: Vec<String> = weights.names().map(String::from).collect();
    assert!(!names.is_empty(), "{name}: no tensors");
    let one = |name: String| {
        let shape = weights.shape(&name).expect("a listed name has a shape").to_vec();
        let values = Values::F64(weights.values(&name, &shape).unwrap_or_else(|e| panic!("{e}")));
        (name.clone(), NamedTensor { name, shape, values })
    };
    names.into_iter().map(one).collect()
}

/// The tensors under `prefix`, their names without it. None is a failure.
pub fn under(tensors: &BTreeMap<String, NamedTensor>, prefix: &str) -> Vec<NamedTensor> {
    let found: Vec<NamedTensor> = tensors
        .values()
        .filter_map(|t| t.name.strip_prefix(prefix).map(|name| NamedTensor { name: name.into(), ..t.clone() }))
        .collect();
    assert!(!found.is_empty(), "no tensors under {prefix}");
    found
}

pub fn wide(tensor: &NamedTensor) -> Vec<f64> {
    match &tensor.values {
        Values::F64(v) => v.clone(),
        Values::F32(v) => v.iter().map(|v| f64::from(*v)).collect(),
    }
}

pub fn checkpoint(model: &str) -> Checkpoint {
    let config = Config::parse(&String::from_utf8_lossy(&bytes(&format!("{model}/config.json"))));
    let config = config.unwrap_or_else(|e| panic!("{e}"));
    let file = format!("{model}/model.safetensors");
    let weights = Weights::parse(file.clone(), Cow::Owned(bytes(&file)), Some(config.family));
    Checkpoint {
        config,
        weights: weights.unwrap_or_else(|e| panic!("{e}")),
        tokenizer: bytes(&format!("{model}/tokenizer.json")),
    }
}

/// A backend under test.
pub trait Subject: Backend + Sized {
    const KEEPS_HIDDEN_STATES: bool;

    fn make(checkpoint: &Checkpoint, spec: &RunSpec, outputs: usize, regression: bool) -> Self;

    /// Hidden states after the embeddings and every layer, where the backend keeps them.
    fn hidden_states(&self, batch: &Batch) -> Option<Vec<Vec<f64>>>;

    /// Mean loss without dropout.
    fn loss(&mut self, batch: &Batch, regression: bool) -> f64 {
        let logits = self.logits(batch).expect("logits");
        let outputs = logits[0].len();
        loss::mean(&logits.concat(), outputs, &batch.labels, regression).expect("a loss").0
    }
}

impl<T: Real> Subject for Autograd<T> {
    const KEEPS_HIDDEN_STATES: bool = true;

    fn make(checkpoint: &Checkpoint, spec: &RunSpec, outputs: usize, regression: bool) -> Self {
        Autograd::new(checkpoint, spec, outputs, regression).expect("a model")
    }

    fn hidden_states(&self, batch: &Batch) -> Option<Vec<Vec<f64>>> {
        Some(Autograd::hidden_states(self, batch).expect("hidden states"))
    }
}

impl Subject for Cpu {
    const KEEPS_HIDDEN_STATES: bool = false;

    fn make(checkpoint: &Checkpoint, spec: &RunSpec, outputs: usize, regression: bool) -> Self {
        Cpu::new(checkpoint, spec, outputs, regression).expect("a model")
    }

    fn hidden_states(&self, _batch: &Batch) -> Option<Vec<Vec<f64>>> {
        None
    }
}

impl Subject for Cuda {
    const KEEPS_HIDDEN_STATES: bool = false;

    fn make(checkpoint: &Checkpoint, spec: &RunSpec, outputs: usize, regression: bool) -> Self {
        let spec = RunSpec { device: "cuda:0".into(), ..spec.clone() };
        Cuda::new(checkpoint, &spec, outputs, regression).expect("a model")
    }

    fn hidden_states(&self, _batch: &Batch) -> Option<Vec<Vec<f64>>> {
        None
    }
}

/// A spec without dropout.
pub fn spec(method: &str, rank: usize, alpha: f64) -> RunSpec {
    RunSpec { method: method.into(), rank, alpha, dropout: 0.0, ..RunSpec::default() }
}

/// Members of an object; empty is a failure.
pub fn members(value: &Value) -> Vec<(&String, &Value)> {
    let members: Vec<_> = value.as_object().unwrap_or_else(|| panic!("no object: {value}")).iter().collect();
    assert!(!members.is_empty(), "an empty object");
    members
}

pub fn items(value: &Value) -> &[Value] {
    let items = value.as_array().unwrap_or_else(|| panic!("no list: {value}"));
    assert!(!items.is_empty(), "an empty list");
    items
}

pub fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

pub fn whole(value: &Value) -> usize {
    value.as_u64().unwrap_or_else(|| panic!("no whole number: {value}")) as usize
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// All numbers of nested lists, in order.
pub fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        other => vec![number(other)],
    }
}

/// Labels of a task: `reg` has scores, the others classes.
pub fn labels(task: &str, values: &[Value]) -> Labels {
    match task {
        "reg" => Labels::Scores(values.iter().map(number).collect()),
        _ => Labels::Classes(values.iter().map(|v| whole(v) as u32).collect()),
    }
}

/// A batch of forward.json with the labels of a task.
pub fn batch(item: &Value, task: &str) -> Batch {
    let ids: Vec<u32> = numbers(&item["input_ids"]).iter().map(|v| *v as u32).collect();
    let rows = items(&item["input_ids"]).len();
    Batch {
        rows,
        width: ids.len() / rows,
        ids,
        type_ids: numbers(&item["token_type_ids"]).iter().map(|v| *v as u32).collect(),
        mask: numbers(&item["attention_mask"]).iter().map(|v| *v as u8).collect(),
        labels: labels(task, items(&item["labels"][task])),
    }
}

/// Largest distance is within `limit`, and both have as many numbers.
pub fn close(what: &str, found: &[f64], expected: &[f64], limit: f64) {
    assert_eq!(found.len(), expected.len(), "{what}: number of values");
    assert!(!expected.is_empty(), "{what}: nothing to compare");
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!(
            (a - b).abs() <= limit,
            "{what}[{i}]: found {a:e}, expected {b:e}, distance {:e} > {limit:e}",
            (a - b).abs()
        );
    }
}

/// Relative distance is within `limit`.
pub fn near(what: &str, found: f64, expected: f64, limit: f64) {
    let distance = (found - expected).abs() / expected.abs().max(f64::MIN_POSITIVE);
    assert!(
        found == expected || distance <= limit,
        "{what}: found {found:e}, expected {expected:e}, relative {distance:e}"
    );
}

pub fn named<'a>(tensors: &'a [NamedTensor], name: &str) -> &'a NamedTensor {
    tensors.iter().find(|t| t.name == name).unwrap_or_else(|| panic!("no tensor {name}"))
}
