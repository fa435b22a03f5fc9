//! An adapter that PEFT saved: its tensors under our names give PEFT's logits, and its merge PEFT's merged weights.

use crate::folder::{self, Subject, close, items, json, members, number, numbers, text, whole, wide};
use crate::training::batch;
use eigenscope::adapter::find;
use eigenscope::analysis::{self, Matrix};
use eigenscope::job::{Given, Saved};
use eigenscope::model::family::layer_and_target;
use eigenscope::train::NamedTensor;
use eigenscope::train::autograd::Autograd;

const ADAPTER: &str = "peft_export/adapter_model.safetensors";
const PREFIX: &str = "base_model.model.";

fn exported<S: Subject>() -> (S, Vec<f64>, usize) {
    let config = json("peft_export/adapter_config.json");
    let targets: Vec<String> = items(&config["target_modules"]).iter().map(|t| text(t).to_string()).collect();
    let (rank, alpha) = (whole(&config["r"]), number(&config["lora_alpha"]));
    let mut spec = folder::spec("lora", rank, alpha);
    spec.targets = targets;
    let tensors = folder::under(&folder::tensors(ADAPTER), PREFIX);
    let outputs = tensors.iter().find(|t| t.name == "classifier.out_proj.bias").expect("a head").shape[0];
    let checkpoint = folder::checkpoint(text(&config["base_model_name_or_path"]));
    let mut backend = S::make(&checkpoint, &spec, outputs, false);
    backend.load(&tensors).expect("PEFT's tensors");
    // Any task of classes will do: logits do not look at labels.
    let data = json("train_data.json");
    let lora = json("train_lora.json");
    let variants = members(&lora["variants"]);
    let task = variants.iter().map(|(_, v)| text(&v["task"])).find(|t| *t != "reg").expect("a task of classes");
    let mut logits = Vec::new();
    for rows in items(&data["eval_batches"]) {
        logits.extend(backend.logits(&batch(&data, "eval", task, rows)).expect("logits").concat());
    }
    (backend, logits, rank)
}

#[test]
fn an_exported_adapter_gives_pefts_logits() {
    let expected = json("peft_export/merged_logits.json");
    let (_, double, _) = exported::<Autograd<f64>>();
    for (name, limit) in [("unmerged_f64", 1e-9), ("merged_f64", 1e-9), ("unmerged_f32", 3e-5), ("merged_f32", 1e-4)] {
        close(&format!("f64 against {name}"), &double, &numbers(&expected[name]), limit);
    }
    let (_, single, _) = exported::<Autograd<f32>>();
    close("f32 against unmerged_f32", &single, &numbers(&expected["unmerged_f32"]), 3e-5);
}

/// The folder as a user opens it: names, alpha and matrices are read from its configuration.
#[test]
fn an_exported_folder_opens_as_an_adapter() {
    let model = folder::path("tiny-roberta").display().to_string();
    // Any task of two classes.
    let given = Given { model: Some(model.clone()), task: Some("sst-2".into()), alpha: None };
    let saved = Saved::open(&folder::path("peft_export"), &given).expect("an adapter");
    let config = json("peft_export/adapter_config.json");
    let spec = (saved.spec.method.as_str(), saved.spec.rank, saved.spec.effective_alpha());
    assert_eq!(spec, ("lora", whole(&config["r"]), number(&config["lora_alpha"])));
    assert_eq!(saved.spec.targets, ["query", "value"]);
    let mut backend = saved.backend(&saved.model().expect("a model")).expect("put on");
    let data = json("train_data.json");
    let logits = items(&data["eval_batches"]).iter().flat_map(|rows| {
        let logits = backend.logits(&batch(&data, "eval", "cls2", rows)).expect("logits");
        logits.concat()
    });
    let expected = json("peft_export/merged_logits.json");
    close("logits", &logits.collect::<Vec<_>>(), &numbers(&expected["unmerged_f64"]), 1e-5);
    // Without --model the folder names its own, which is not here.
    let named = Saved::open(&folder::path("peft_export"), &Given { model: None, ..given }).expect("an adapter");
    assert_eq!(named.spec.model, "tiny-roberta");
}

#[test]
fn an_exported_adapter_merges_into_pefts_weights() {
    let expected = folder::tensors("peft_export/merged_weights.safetensors");
    let (backend, _, rank) = exported::<Autograd<f64>>();
    let values: Vec<NamedTensor> = folder::under(&folder::tensors(ADAPTER), PREFIX);
    let form = find("lora").expect("LoRA").form().expect("a form");
    let alpha = number(&json("peft_export/adapter_config.json")["lora_alpha"]);
    let mut merged = 0;
    for (name, tensor) in &expected {
        if layer_and_target(name).is_none() {
            close(name, &wide(folder::named(&values, name)), &wide(tensor), 0.0);
            continue;
        }
        let path = name.trim_end_matches(".weight");
        let get = |suffix: &str| {
            let t = folder::named(&values, &format!("{path}.{suffix}"));
            Matrix::new(&t.shape, wide(t)).ok()
        };
        let delta = analysis::delta(&form, alpha / rank as f64, &get).expect("a delta").values;
        let own: Vec<f64> = backend.weight(name).expect("W0").iter().zip(&delta).map(|(w, d)| w + d).collect();
        // PEFT merged in float32.
        close(name, &own, &wide(tensor), 1e-6);
        merged += 1;
    }
    assert!(merged > 0, "no merged weight");
}
