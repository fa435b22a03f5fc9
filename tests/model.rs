//! Model folders that are not right: every error says what was found and what is expected.

use eigenscope::model::config::Config;
use eigenscope::model::weights::Weights;
use eigenscope::model::{ModelError, ModelSource};
use std::borrow::Cow;
use std::fs;
use std::path::PathBuf;

const CONFIG: &str = include_str!("../assets/mini-roberta/config.json");

fn parse(from: &str, to: &str) -> String {
    assert!(CONFIG.contains(from), "{from}");
    Config::parse(&CONFIG.replace(from, to)).expect_err("a wrong config").to_string()
}

fn says(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "{error:?} lacks {part:?}");
    }
}

#[test]
fn configs_are_checked() {
    assert_eq!(Config::parse(CONFIG).expect("the embedded config").max_tokens(), 128);
    says(&parse("\"model_type\": \"roberta\"", "\"model_type\": \"gpt2\""), &["gpt2", "roberta", "bert"]);
    says(&parse("\"hidden_size\": 128", "\"hidden_size\": \"big\""), &["hidden_size", "big"]);
    says(&parse("\"num_attention_heads\": 2", "\"num_attention_heads\": 3"), &["num_attention_heads", "3", "128"]);
    says(&parse("\"gelu\"", "\"gelu_new\""), &["hidden_act", "gelu_new"]);
    says(&parse("\"num_hidden_layers\": 6", "\"num_hidden_layers\": 100000"), &["num_hidden_layers"]);
    says(&parse("\"layer_norm_eps\": 1e-05", "\"layer_norm_eps\": 0"), &["layer_norm_eps"]);
    says(&Config::parse("{").expect_err("no JSON").to_string(), &["config.json", "JSON"]);
}

#[test]
fn a_name_without_files_says_what_to_put_where() {
    let error = ModelSource::resolve("no-such/roberta-base").expect_err("no folder").to_string();
    says(&error, &["no-such/roberta-base", "config.json", "model.safetensors", "tokenizer.json", "--model FOLDER"]);
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let assets = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("assets/mini-roberta");
    for file in eigenscope::model::FILES {
        fs::copy(assets.join(file), folder.path().join(file)).expect("a copy");
    }
    let path = folder.path().to_path_buf();
    (folder, path)
}

fn load(path: &std::path::Path) -> Result<(), ModelError> {
    ModelSource::resolve(&path.display().to_string())?.load().map(|_| ())
}

#[test]
fn a_folder_is_checked_file_by_file() {
    let (_keep, path) = folder();
    load(&path).expect("a whole folder");
    let weights = path.join("model.safetensors");
    let whole = fs::read(&weights).expect("weights");
    for length in [0, 5, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&weights, &whole[..length]).expect("written");
        says(&load(&path).expect_err("truncated").to_string(), &["model.safetensors", "truncated"]);
    }
    fs::write(&weights, [0xFF; 64]).expect("written");
    says(&load(&path).expect_err("no safetensors").to_string(), &["model.safetensors", "header"]);
    fs::write(&weights, &whole).expect("written");
    let config = path.join("config.json");
    fs::write(&config, CONFIG.replace("\"intermediate_size\": 512", "\"intermediate_size\": 256")).expect("written");
    says(
        &load(&path).expect_err("another shape").to_string(),
        &["intermediate.dense.weight", "[512, 128]", "[256, 128]"],
    );
    fs::write(&config, CONFIG.replace("\"num_hidden_layers\": 6", "\"num_hidden_layers\": 7")).expect("written");
    says(&load(&path).expect_err("a layer too few").to_string(), &["encoder.layer.6", "missing"]);
    fs::remove_file(&config).expect("removed");
    says(&load(&path).expect_err("no config").to_string(), &["config.json", "missing"]);
}

/// A file of one tensor.
fn file(name: &str, dtype: &str, bytes: &[u8], count: usize) -> Vec<u8> {
    let header =
        format!("{{\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":[{count}],\"data_offsets\":[0,{}]}}}}", bytes.len());
    let padded = format!("{header:width$}", width = header.len().div_ceil(8) * 8);
    [&(padded.len() as u64).to_le_bytes(), padded.as_bytes(), bytes].concat()
}

#[test]
fn types_and_names_are_read() {
    let bert = eigenscope::model::family::find("bert");
    let cases: [(&str, Vec<u8>); 4] = [
        ("F16", [0x3C00u16, 0xC100].iter().flat_map(|v| v.to_le_bytes()).collect()),
        ("BF16", [0x3F80u16, 0xC020].iter().flat_map(|v| v.to_le_bytes()).collect()),
        ("F32", [1.0f32, -2.5].iter().flat_map(|v| v.to_le_bytes()).collect()),
        ("F64", [1.0f64, -2.5].iter().flat_map(|v| v.to_le_bytes()).collect()),
    ];
    for (dtype, bytes) in cases {
        let bytes = file("embeddings.LayerNorm.gamma", dtype, &bytes, 2);
        let weights = Weights::parse("x".into(), Cow::Owned(bytes), bert).expect("weights");
        let values: Vec<f64> = weights.values("bert.embeddings.LayerNorm.weight", &[2]).expect("values");
        assert_eq!(values, [1.0, -2.5], "{dtype}");
    }
    let bytes = file("w", "I32", &[0; 8], 2);
    let weights = Weights::parse("x".into(), Cow::Owned(bytes), None).expect("weights");
    says(&weights.values::<f64>("w", &[2]).expect_err("integers").to_string(), &["x", "w", "I32"]);
    says(&weights.values::<f64>("v", &[2]).expect_err("no tensor").to_string(), &["x", "v", "missing"]);
}
