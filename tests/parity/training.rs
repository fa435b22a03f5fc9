//! The reference's training runs, step by step.

use crate::folder::{self, Subject, close, items, members, number, numbers, text, whole, wide};
use eigenscope::cpu::Cpu;
use eigenscope::cuda::{self, Cuda};
use eigenscope::data::Batch;
use eigenscope::train::NamedTensor;
use eigenscope::train::autograd::Autograd;
use eigenscope::train::optim;
use eigenscope::train::schedule::Schedule;
use serde_json::Value;

/// Rows of train_data.json, padded to the longest.
pub fn batch(data: &Value, split: &str, task: &str, rows: &Value) -> Batch {
    let all = items(&data[split]);
    let rows: Vec<&Value> = items(rows).iter().map(|i| &all[whole(i)]).collect();
    let ids: Vec<Vec<f64>> = rows.iter().map(|r| numbers(&r["input_ids"])).collect();
    let types: Vec<Vec<f64>> = rows.iter().map(|r| numbers(&r["token_type_ids"])).collect();
    let width = ids.iter().map(Vec::len).max().expect("a row");
    let pad = number(&data["pad_id"]);
    let at = |row: &Vec<f64>, i: usize, pad: f64| row.get(i).copied().unwrap_or(pad);
    let spread = |rows: &[Vec<f64>], pad: f64| -> Vec<u32> {
        rows.iter().flat_map(|r| (0..width).map(move |i| at(r, i, pad) as u32)).collect()
    };
    let labels: Vec<Value> = rows.iter().map(|r| r["labels"][task].clone()).collect();
    Batch {
        rows: rows.len(),
        width,
        ids: spread(&ids, pad),
        type_ids: spread(&types, 0.0),
        mask: ids.iter().flat_map(|r| (0..width).map(|i| u8::from(i < r.len()))).collect(),
        labels: folder::labels(task, &labels),
    }
}

struct Limits {
    loss: f64,
    regression_loss: f64,
    norm: f64,
    logits: f64,
    finals: f64,
}

fn compare(what: &str, found: &[NamedTensor], expected: &[NamedTensor], limit: f64) -> usize {
    assert_eq!(found.len(), expected.len(), "{what}: number of tensors");
    for tensor in expected {
        let own = folder::named(found, &tensor.name);
        close(&format!("{what} {}", tensor.name), &wide(own), &wide(tensor), limit);
    }
    expected.len()
}

fn training<S: Subject>(method: &str, double: bool, limits: &Limits) {
    let data = folder::json("train_data.json");
    let file = format!("train_{method}.json");
    let info = folder::json(&file);
    let expected = folder::tensors(&format!("train_{method}.safetensors"));
    let checkpoint = folder::checkpoint(text(&info["model"]));
    let tasks = folder::json("forward.json")["tasks"].clone();
    let peak = number(&info["optimizer"]["lr"]);
    assert_eq!(numbers(&info["optimizer"]["betas"]), [optim::BETAS.0, optim::BETAS.1], "{method}: the betas of AdamW");
    let largest = items(&data["batch_order"]).iter().map(|rows| items(rows).len()).max();
    assert_eq!(largest, Some(whole(&info["batch_size"])), "{method}: rows in a batch");
    let mut used = 0;
    for (name, variant) in members(&info["variants"]) {
        let task = text(&variant["task"]);
        let regression = task == "reg";
        let loss_limit = if regression { limits.regression_loss } else { limits.loss };
        let mut spec = folder::spec(text(&info["method"]), whole(&info["rank"]), number(&info["alpha"]));
        spec.lr = peak;
        spec.adam_eps = number(&variant["eps"]);
        spec.weight_decay = number(&info["optimizer"]["weight_decay"]);
        spec.max_grad_norm = number(&info["clip"]["max_norm"]);
        let mut backend = S::make(&checkpoint, &spec, whole(&tasks[task]), regression);
        backend.load(&folder::under(&expected, &format!("{task}/init/"))).expect("first values");
        let schedule = Schedule::new(peak, 0.06, whole(&info["steps"]) as u64);
        assert_eq!(schedule.warmup_steps(), whole(&variant["warmup_steps"]) as u64, "{name}: warm-up");
        let result = if double { &variant["float64"] } else { variant };
        let (losses, norms, rates) = (numbers(&result["loss"]), numbers(&result["grad_norm"]), numbers(&variant["lr"]));
        let order = items(&data["batch_order"]);
        assert_eq!([losses.len(), norms.len(), rates.len(), order.len()], [whole(&info["steps"]); 4], "{name}: steps");
        let mut clipped = 0;
        for (i, rows) in order.iter().enumerate() {
            let what = format!("{method} {name} step {i}");
            let lr = schedule.lr(i as u64);
            close(&format!("{what} lr"), &[lr], &[rates[i]], 1e-15);
            let loss = backend.loss_and_gradients(&batch(&data, "train", task, rows), i as u64).expect("a step");
            if i < 2 {
                at_rest(&what, &backend.gradients().expect("gradients"));
            }
            let norm = backend.update(lr).expect("an update");
            clipped += u64::from(norm > spec.max_grad_norm);
            close(&format!("{what} loss"), &[loss], &[losses[i]], loss_limit);
            // A norm that has all but vanished keeps the rounding of gradients that were large.
            let norm_limit = limits.norm * norms[i].max(NORM_FLOOR);
            close(&format!("{what} gradient norm"), &[norm], &[norms[i]], norm_limit);
            let step2 = format!("{name}/step2/");
            if i == 1 && expected.keys().any(|k| k.starts_with(&step2)) {
                let values = backend.state().expect("a state").values;
                // PyTorch wrote the tensors of its float32 run.
                used += compare(&format!("{what} {step2}"), &values, &folder::under(&expected, &step2), 1e-5);
            }
        }
        assert_eq!(clipped, whole(&variant["clipped_steps"]) as u64, "{name}: clipped steps");
        let values = backend.state().expect("a state").values;
        used += compare(name, &values, &folder::under(&expected, &format!("{name}/final/")), limits.finals);
        let mut logits = Vec::new();
        let mut batch_losses = Vec::new();
        for rows in items(&data["eval_batches"]) {
            let batch = batch(&data, "eval", task, rows);
            logits.extend(backend.logits(&batch).expect("logits").concat());
            batch_losses.push(backend.loss(&batch, regression));
        }
        close(&format!("{name} eval logits"), &logits, &numbers(&result["eval_logits"]), limits.logits);
        close(&format!("{name} eval losses"), &batch_losses, &numbers(&result["eval_batch_losses"]), limits.logits);
    }
    let written = expected.keys().filter(|k| !k.contains("/init/")).count();
    assert_eq!(used, written, "{method}: tensors compared and tensors written");
}

/// While L (or B) is 0 the gradient of Q (or A) is exactly 0: Adam would turn noise into whole steps.
fn at_rest(what: &str, gradients: &[NamedTensor]) {
    let resting: Vec<_> =
        gradients.iter().filter(|g| g.name.ends_with("symlora_Q") || g.name.ends_with("lora_A.weight")).collect();
    assert!(!resting.is_empty(), "{what}: no Q and no A");
    for gradient in resting {
        assert!(wide(gradient).iter().all(|g| *g == 0.0), "{what}: the gradient of {} is not 0", gradient.name);
    }
}

/// Gradient norms below this are compared as if they were this large.
const NORM_FLOOR: f64 = 0.02;
const F64: Limits = Limits { loss: 1e-9, regression_loss: 1e-9, norm: 1e-9, logits: 1e-9, finals: 1e-5 };
const F32: Limits = Limits { loss: 1e-5, regression_loss: 2e-5, norm: 1e-4, logits: 3e-5, finals: 1e-5 };

#[test]
fn lora_f64() {
    training::<Autograd<f64>>("lora", true, &F64);
}

#[test]
fn lora_f32() {
    training::<Autograd<f32>>("lora", false, &F32);
}

#[test]
fn symlora_f64() {
    training::<Autograd<f64>>("symlora", true, &F64);
}

#[test]
fn symlora_f32() {
    training::<Autograd<f32>>("symlora", false, &F32);
}

#[test]
fn lora_cpu() {
    training::<Cpu>("lora", false, &F32);
}

#[test]
fn symlora_cpu() {
    training::<Cpu>("symlora", false, &F32);
}

const CUDA: Limits = Limits { loss: 1e-4, regression_loss: 1e-4, norm: 1e-4, logits: 1e-4, finals: 1e-4 };

/// Whether there is a GPU; says so where there is none.
fn gpu(test: &str) -> bool {
    let cards = cuda::cards();
    let here = cards.as_ref().is_ok_and(|c| !c.is_empty());
    if !here {
        eprintln!("{test}: skipped, {}", cards.err().map_or("no GPU".into(), |e| e.to_string()));
    }
    here
}

#[test]
fn lora_cuda() {
    if gpu("lora_cuda") {
        training::<Cuda>("lora", false, &CUDA);
    }
}

#[test]
fn symlora_cuda() {
    if gpu("symlora_cuda") {
        training::<Cuda>("symlora", false, &CUDA);
    }
}
