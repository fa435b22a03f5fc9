//! Hidden states, logits, losses and gradients of whole models.

use crate::folder::{self, Subject, close, items, members, number, numbers, text, whole, wide};
use eigenscope::cpu::Cpu;
use eigenscope::model::encoder::position_ids;
use eigenscope::train::NamedTensor;
use eigenscope::train::autograd::Autograd;

/// Every number of forward.json and forward_*.safetensors.
fn forward<S: Subject>(tag: &str, limit: f64) {
    let reference = folder::json("forward.json");
    for (model, batches) in members(&reference["batches"]) {
        let checkpoint = folder::checkpoint(&format!("tiny-{model}"));
        let heads = folder::tensors(&format!("tiny-{model}/heads.safetensors"));
        let expected = folder::tensors(&format!("forward_{model}.safetensors"));
        let mut used = 0;
        for (task, outputs) in members(&reference["tasks"]) {
            let spec = folder::spec("lora", 1, 1.0);
            let mut backend = S::make(&checkpoint, &spec, whole(outputs), task == "reg");
            backend.load(&folder::under(&heads, &format!("{task}."))).expect("its head");
            for item in items(batches) {
                let name = text(&item["name"]);
                let what = format!("{model} {name} {task} {tag}");
                let batch = folder::batch(item, task);
                let positions: Vec<f64> =
                    position_ids(&checkpoint.config, &batch.ids, batch.width).into_iter().map(f64::from).collect();
                close(&format!("{what} position ids"), &positions, &numbers(&item["position_ids"]), 0.0);
                let result = &item["results"][task.as_str()][tag];
                let logits: Vec<f64> = backend.logits(&batch).expect("logits").concat();
                close(&format!("{what} logits"), &logits, &numbers(&result["logits"]), limit);
                let key = format!("{name}/{tag}/logits_{task}");
                close(&key, &logits, &wide(&expected[&key]), limit);
                used += 1;
                let loss = backend.loss(&batch, task == "reg");
                close(&format!("{what} loss"), &[loss], &[number(&result["loss"])], limit);
                // The head plays no part in the hidden states.
                let first = Some(task) == members(&reference["tasks"]).first().map(|(t, _)| *t);
                if let (true, Some(states)) = (first, backend.hidden_states(&batch)) {
                    for (i, hidden) in states.iter().enumerate() {
                        let own = format!("{name}/{tag}/hidden_{i}");
                        // Some models have hidden states in f64 only.
                        let key = if expected.contains_key(&own) { own } else { format!("{name}/f64/hidden_{i}") };
                        let values = expected.get(&key).unwrap_or_else(|| panic!("{model}: no {key}"));
                        close(&format!("{model} {key} in {tag}"), hidden, &wide(values), limit);
                        used += usize::from(key.contains(&format!("/{tag}/")));
                    }
                }
            }
        }
        let hidden = S::KEEPS_HIDDEN_STATES;
        let counts = |k: &&String| k.contains(&format!("/{tag}/")) && (hidden || !k.contains("/hidden_"));
        let written = expected.keys().filter(counts).count();
        assert_eq!(used, written, "{model} {tag}: tensors compared and tensors written");
    }
}

#[test]
fn forward_f64() {
    forward::<Autograd<f64>>("f64", 1e-11);
}

#[test]
fn forward_f32() {
    forward::<Autograd<f32>>("f32", 1e-5);
}

#[test]
fn forward_cpu() {
    forward::<Cpu>("f32", 1e-5);
}

/// Loss, logits and the gradient of every trainable tensor.
fn gradients<S: Subject>(double: bool, limit: f64, loss_limit: f64) {
    let forward = folder::json("forward.json");
    let info = folder::json("grads.json");
    let expected = folder::tensors("grads.safetensors");
    let mut used = 0;
    for (tag, item) in members(&info) {
        let parts: Vec<&str> = tag.split('/').collect();
        let [model, method, task] = parts[..] else { panic!("{tag}: not model/method/task") };
        let name = text(&item["batch"]).rsplit("/ ").next().expect("a batch name");
        let batch = items(&forward["batches"][model]).iter().find(|b| text(&b["name"]) == name);
        let batch = folder::batch(batch.unwrap_or_else(|| panic!("no batch {name}")), task);
        let spec = folder::spec(method, whole(&item["rank"]), number(&item["alpha"]));
        let outputs = whole(&forward["tasks"][task]);
        let checkpoint = folder::checkpoint(&format!("tiny-{model}"));
        let mut backend = S::make(&checkpoint, &spec, outputs, task == "reg");
        let values = folder::under(&expected, &format!("{tag}/value/"));
        assert_eq!(values.len(), backend.parameters().len(), "{tag}: number of trainable tensors");
        backend.load(&values).expect("values");
        let loss = backend.loss_and_gradients(&batch, 0).expect("gradients");
        let result = if double { item } else { &item["float32"] };
        close(&format!("{tag} loss"), &[loss], &[number(&result["loss"])], loss_limit);
        let logits = backend.logits(&batch).expect("logits").concat();
        close(&format!("{tag} logits"), &logits, &numbers(&result["logits"]), loss_limit);
        let found: Vec<NamedTensor> = backend.gradients().expect("gradients");
        for gradient in folder::under(&expected, &format!("{tag}/grad/")) {
            let own = folder::named(&found, &gradient.name);
            assert_eq!(own.shape, gradient.shape, "{tag} {}", gradient.name);
            close(&format!("{tag} {}", gradient.name), &wide(own), &wide(&gradient), limit);
            used += 1;
        }
    }
    assert_eq!(used, expected.keys().filter(|k| k.contains("/grad/")).count(), "gradients compared and written");
}

#[test]
fn gradients_f64() {
    gradients::<Autograd<f64>>(true, 1e-11, 1e-11);
}

#[test]
fn gradients_f32() {
    gradients::<Autograd<f32>>(false, 2e-5, 1e-5);
}

#[test]
fn gradients_cpu() {
    gradients::<Cpu>(false, 2e-5, 1e-5);
}
