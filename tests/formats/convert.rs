//! What is written for other programs says what it has: the revision of its model, its scale, which layers it leaves; and
//! nothing is written where an answer would be lost.

use super::{fixture, float, logits, model_of, output, peft, read_json, refused, saved, saved_of, text};
use eigenscope::format;
use eigenscope::job::{self, Given, Saved};
use eigenscope::model::EMBEDDED;
use eigenscope::spec::RunSpec;
use eigenscope::tensors::TensorFile;
use eigenscope::train::{NamedTensor, Values, checkpoint};
use serde_json::{Value, json};
use std::path::Path;

#[test]
fn an_adapter_and_its_model_are_written_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let own = saved(root, "symlora", EMBEDDED);
    let model = model_of(&own);
    std::fs::create_dir(root.join("there")).expect("a folder");
    #[cfg(unix)]
    std::os::unix::fs::symlink(root.join("there"), root.join("link")).expect("a link");
    #[cfg(not(unix))]
    std::fs::create_dir(root.join("link")).expect("a folder");
    for (to, base) in [("a", "a"), ("a", "a/base"), ("a/b/adapter", "a"), ("a", "new/../a/."), ("link/x", "there/x/y")]
    {
        if cfg!(not(unix)) && to.starts_with("link") {
            continue;
        }
        let error = job::convert(&own, Some(&model), peft(), &root.join(to), Some(&root.join(base)));
        let error = error.expect_err(base).to_string();
        assert!(error.contains("give two apart"), "{error}");
        assert!(
            !root.join("a").exists() && !root.join("new").exists() && !root.join("there/x").exists(),
            "{to} {base}"
        );
    }
    // A name that only begins alike is another folder.
    job::convert(&own, Some(&model), peft(), &root.join("a"), Some(&root.join("a-base"))).expect("written");
    let error = job::convert(&own, Some(&model), format::find("eigenscope").expect("own"), &root.join("o"), Some(root));
    assert!(error.expect_err("no base").to_string().contains("--to peft") && !root.join("o").exists());
}

#[test]
fn alpha_and_the_models_revision_are_written_as_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    for (method, rank, alpha) in [("lora", 49, 1), ("symlora-sign", 98, 2)] {
        let spec =
            RunSpec { method: method.into(), rank: 49, alpha: 1.0, model: EMBEDDED.into(), ..RunSpec::default() };
        let path = saved_of(folder.path(), spec).path;
        let own =
            Saved::open(&path, &Given { model: Some("org/model@v2".into()), ..Given::default() }).expect("opened");
        let to = folder.path().join(method);
        job::convert(&own, None, peft(), &to, None).expect("written");
        let config = read_json(&to.join("adapter_config.json"));
        for (member, expected) in [
            ("r", json!(rank)),
            ("lora_alpha", json!(alpha)),
            ("base_model_name_or_path", json!("org/model")),
            ("revision", json!("v2")),
        ] {
            assert_eq!(config[member], expected, "{method}: {member}");
        }
        assert_eq!(Saved::open(&to, &Given::default()).expect("opened").spec.model, "org/model@v2");
    }
}

/// PEFT's folder without the tensors of the first layer, and one whose B are 0 there.
pub fn without_the_first_layer(from: &Path, without: &Path, zeroed: &Path) {
    let file = TensorFile::open(&from.join("adapter_model.safetensors")).expect("a file");
    let first = |name: &str| name.contains(".layer.0.");
    let all: Vec<NamedTensor> = file
        .entries()
        .iter()
        .map(|(name, entry)| {
            let values = file.values(entry, |v| v, |v| v as f32).expect("values");
            let by = if first(name) && name.ends_with("lora_B.weight") { 0.0 } else { 1.0 };
            let values = Values::F32(values.into_iter().map(|v| v * by).collect());
            NamedTensor { name: name.clone(), shape: entry.shape.clone(), values }
        })
        .collect();
    for (to, whole) in [(without, false), (zeroed, true)] {
        std::fs::create_dir(to).expect("a folder");
        let mut config = read_json(&from.join("adapter_config.json"));
        if !whole {
            config["layers_to_transform"] = json!([1]);
        }
        std::fs::write(to.join("adapter_config.json"), config.to_string()).expect("written");
        let kept = all.iter().filter(|t| whole || !first(&t.name)).map(|t| (t.name.clone(), t));
        checkpoint::write(&to.join("adapter_model.safetensors"), kept, file.metadata().clone()).expect("written");
    }
}

#[test]
fn layers_without_factors_are_as_they_were() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let [from, without, zeroed, again, merged] = ["from", "without", "zeroed", "again", "merged"].map(|n| root.join(n));
    let own = saved(root, "lora", EMBEDDED);
    job::convert(&own, None, peft(), &from, None).expect("written");
    without_the_first_layer(&from, &without, &zeroed);
    let open = |path: &Path| Saved::open(path, &Given::default()).expect("an adapter");
    let (partial, zeroed) = (open(&without), open(&zeroed));
    let model = model_of(&own);
    let (_, expected) = logits(&zeroed, &model);
    assert_eq!(logits(&partial, &model).1, expected);
    assert_ne!(logits(&own, &model).1, expected);

    job::merge(&partial, &model, &merged).expect("merged");
    let weights = TensorFile::open(&merged.join("model.safetensors")).expect("a file");
    for (layer, changed) in [(0, false), (1, true)] {
        let name = format!("roberta.encoder.layer.{layer}.attention.self.query.weight");
        let w0 = model.weights.values::<f32>(&name, &[128, 128]).expect("W0");
        let w = weights.values(&weights.entries()[&name], |v| v, |v| v as f32).expect("W");
        assert_eq!(w != w0, changed, "{name}");
    }
    job::convert(&partial, None, peft(), &again, None).expect("written");
    let layers = read_json(&again.join("adapter_config.json"))["layers_to_transform"].clone();
    assert!(layers.as_array().is_some_and(|l| !l.is_empty() && l[0] == json!(1)), "{layers}");
    assert_eq!(read_json(&from.join("adapter_config.json"))["layers_to_transform"], Value::Null);
    assert_eq!(logits(&open(&again), &model).1, expected);
    let runs = root.join("runs");
    assert_eq!(output(&runs, &["runs", "import", text(&without)])[0]["method"], json!("lora"));

    // Of another family none of the factors would be used.
    let foreign = fixture("parity/tiny-bert").display().to_string();
    let out = root.join("m");
    let merge = ["merge", text(&without), "--model", &foreign, "--out", text(&out)];
    refused(&runs, &merge, &["roberta.encoder.layer.", "is of no matrix that", "tiny-bert"]);
    let dev = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/glue-sample/SST-2/dev.tsv");
    let eval = ["eval", "--adapter", text(&without), "--model", &foreign, "--data", dev];
    refused(&runs, &eval, &["is of no matrix that", "tiny-bert"]);
}

#[test]
fn a_converted_folder_is_taken_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let (runs, to) = (folder.path().join("runs"), folder.path().join("own"));
    let own = saved(folder.path(), "symlora", EMBEDDED);
    let convert = ["convert", text(&own.path), "--to", "eigenscope", "--out", text(&to)];
    assert!(float(&output(&runs, &convert)["bytes"]) > 0.0);
    assert_eq!(output(&runs, &["inspect", text(&to)]), output(&runs, &["inspect", text(&own.path)]));
    let dev = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/glue-sample/SST-2/dev.tsv");
    let eval = |path: &Path| output(&runs, &["eval", "--adapter", text(path), "--data", dev]);
    assert_eq!(eval(&to), eval(&own.path));
}
