//! Adapters of other programs: read by value, written so that PEFT gives the same logits, refused with a reason, imported.

#[path = "tensors/archive.rs"]
mod archive;
#[path = "formats/convert.rs"]
mod convert;
#[path = "formats/faults.rs"]
mod faults;
#[path = "formats/import.rs"]
mod import;
#[path = "formats/python.rs"]
mod python;

use assert_cmd::Command;
use eigenscope::adapter;
use eigenscope::data::Dataset;
use eigenscope::format;
use eigenscope::job::{self, Given, Saved};
use eigenscope::model::{Checkpoint, EMBEDDED, ModelSource};
use eigenscope::random::Stream;
use eigenscope::spec::RunSpec;
use eigenscope::tensors::TensorFile;
use eigenscope::train::checkpoint::save_adapter;
use eigenscope::train::{NamedTensor, Values};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
}

fn float(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path")
}

/// An adapter of rank 4 whose every value counts, as a run writes it.
fn saved(folder: &Path, method: &str, model: &str) -> Saved {
    saved_of(folder, RunSpec { method: method.into(), model: model.into(), rank: 4, alpha: 6.0, ..RunSpec::default() })
}

fn saved_of(folder: &Path, spec: RunSpec) -> Saved {
    let spec = RunSpec { targets: vec!["query".into(), "value".into(), "output".into()], ..spec };
    let checkpoint = ModelSource::resolve(&spec.model).and_then(|m| m.load()).expect("a model");
    let task = eigenscope::task::find(&spec.task).expect("a task");
    let backend = job::backend(&spec, &checkpoint, task).expect("a backend");
    let shaken = |(i, t): (usize, &NamedTensor)| {
        let Values::F32(values) = &t.values else { panic!("f32") };
        let by = Stream::new(3, i as u64, 9).normal(0.1, values.len());
        let values = values.iter().zip(by).map(|(v, by)| v + by as f32).collect();
        NamedTensor { values: Values::F32(values), ..t.clone() }
    };
    let values: Vec<NamedTensor> = backend.state().expect("a state").values.iter().enumerate().map(shaken).collect();
    let path = folder.join(format!("{}.safetensors", spec.method));
    save_adapter(&path, &spec, backend.parameters(), &values).expect("saved");
    Saved::open(&path, &Given::default()).expect("opened")
}

/// A few rows, and their logits by an adapter.
fn logits(saved: &Saved, model: &Checkpoint) -> (Dataset, Vec<f64>) {
    let mut rows =
        eigenscope::data::load(saved.task, &eigenscope::data::Source::Embedded, eigenscope::data::Split::Validation)
            .expect("rows");
    rows.truncate(12);
    let rows = Dataset::new(saved.task, &saved.tokenizer(model).expect("a tokenizer"), &rows).expect("tokens");
    let batch = rows.batch(&(0..rows.len()).collect::<Vec<_>>(), model.config.pad_token_id);
    let found = saved.backend(model).expect("put on").logits(&batch).expect("logits").concat();
    (rows, found)
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn peft() -> &'static dyn format::Format {
    format::find("peft").expect("PEFT")
}

fn model_of(saved: &Saved) -> Checkpoint {
    saved.model().expect("a model")
}

/// What PEFT would see of every method, read back: the same logits on the model that was written, or a reason.
#[test]
fn every_linear_method_is_an_equal_lora() {
    let folder = tempfile::tempdir().expect("a folder");
    for method in adapter::ALL {
        let id = method.id();
        let own = saved(folder.path(), id, EMBEDDED);
        let model = model_of(&own);
        let (_, expected) = logits(&own, &model);
        let (to, base) = (folder.path().join(format!("{id}-peft")), folder.path().join(format!("{id}-base")));
        let convert = |to: &Path, base: Option<&Path>| job::convert(&own, Some(&model), peft(), to, base);
        let Some(form) = method.form().filter(|f| f.is_linear()) else {
            let error = convert(&to, Some(&base)).expect_err(id).to_string();
            assert!(error.contains(id) && error.contains("eigenscope merge"), "{error}");
            assert!(!to.exists() && !base.exists(), "{id}: something was written");
            continue;
        };
        let plain = folder.path().join(format!("{id}-plain"));
        match convert(&plain, None) {
            Ok(_) => assert!(form.c.is_none(), "{id}: lambda was lost"),
            Err(error) => {
                let error = error.to_string();
                assert!(form.c.is_some() && error.contains("lambda") && error.contains("--with-base DIR"), "{error}");
                assert!(!plain.exists());
            }
        }
        let done = convert(&to, Some(&base)).expect(id);
        assert_eq!(done.rank, if form.start.is_some() { 8 } else { 4 }, "{id}");
        assert!(convert(&to, None).expect_err("taken").to_string().contains("not empty"));
        // It names the model that was written, and its task; nothing has to be said.
        let back = Saved::open(&to, &Given::default()).expect("an adapter");
        assert_eq!((back.spec.method.as_str(), back.spec.rank, back.task.id()), ("lora", done.rank, "sst-2"));
        let (_, found) = logits(&back, &model_of(&back));
        assert!(distance(&found, &expected) < 1e-5, "{id}: {}", distance(&found, &expected));
        // Far from the model alone: the adapter does something.
        let given = Given { model: Some(base.display().to_string()), ..Given::default() };
        let none = Saved::open(&to, &Given { alpha: Some(1e-9), ..given }).expect("an adapter");
        assert!(distance(&logits(&none, &model_of(&none)).1, &expected) > 1e-2, "{id}");
    }
}

#[test]
fn a_converted_adapter_comes_home_unchanged() {
    let folder = tempfile::tempdir().expect("a folder");
    for id in ["symlora", "lora"] {
        let own = saved(folder.path(), id, EMBEDDED);
        let to = folder.path().join(format!("{id}-own"));
        job::convert(&own, None, format::find("eigenscope").expect("own"), &to, None).expect("written");
        let bytes = |path: &Path| std::fs::read(path).expect("a file");
        assert_eq!(bytes(&to.join("adapter.safetensors")), bytes(&own.path), "{id}");
    }
    let own = saved(folder.path(), "lora", EMBEDDED);
    let (peft_folder, home) = (folder.path().join("out"), folder.path().join("home"));
    job::convert(&own, None, peft(), &peft_folder, None).expect("written");
    let back = Saved::open(&peft_folder, &Given::default()).expect("an adapter");
    job::convert(&back, None, format::find("eigenscope").expect("own"), &home, None).expect("written");
    // What lies in the file is the same to the bit: PEFT's names alone are others.
    let tensors = |path: &Path| {
        let file = TensorFile::open(path).expect("a file");
        let values = |entry| file.values(entry, f32::to_bits, |_| 0).expect("values");
        file.entries().iter().map(|(name, entry)| (name.clone(), values(entry))).collect::<Vec<_>>()
    };
    assert_eq!(tensors(&home.join("adapter.safetensors")), tensors(&own.path));
    let error = job::convert(&own, None, format::find("loralib").expect("loralib"), &folder.path().join("x"), None);
    assert!(error.expect_err("read only").to_string().contains("--to takes peft, eigenscope"));
}

fn eigenscope(runs: &Path, args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("eigenscope").expect("the program");
    command.arg("--runs").arg(runs).args(args).env_remove("EIGENSCOPE_RUNS");
    command
}

fn output(runs: &Path, args: &[&str]) -> Value {
    let bytes = eigenscope(runs, args).arg("--json").assert().success().get_output().stdout.clone();
    serde_json::from_slice(&bytes).expect("JSON on stdout")
}

fn refused(runs: &Path, args: &[&str], words: &[&str]) {
    refused_with(3, runs, args, words);
}

fn refused_with(code: i32, runs: &Path, args: &[&str], words: &[&str]) {
    let assert = eigenscope(runs, args).assert().failure().code(code);
    let error = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    for word in words {
        assert!(error.contains(word), "{args:?}: {word:?} is not in {error}");
    }
    assert!(!error.contains("panicked"), "{error}");
}

fn norms_are(found: &Value, reference: &Value, spectra: bool) {
    let all = |v: &Value| v["layers"].as_array().expect("layers").clone();
    assert_eq!(all(found).len(), all(reference).len());
    assert_eq!((&found["format"], &found["method"]), (&json!("loralib"), &json!("lora")));
    for (found, expected) in all(found).iter().zip(all(reference)) {
        assert_eq!((&found["layer"], &found["target"]), (&expected["layer"], &expected["target"]));
        let off = (float(&found["delta_fro"]) - float(&expected["delta_fro"])).abs();
        assert!(off < 1e-5, "{found}: {off}");
        for (a, b) in found["spectrum"]
            .as_array()
            .into_iter()
            .flatten()
            .zip(expected["spectrum"].as_array().into_iter().flatten())
        {
            assert!(!spectra || (float(a) - float(b)).abs() < 1e-5, "{a} is not {b}");
        }
    }
}

#[test]
fn loralibs_state_dict_is_inspected() {
    let runs = tempfile::tempdir().expect("a folder");
    let file = fixture("adapters/loralib.bin");
    refused(runs.path(), &["inspect", text(&file)], &["loralib.bin", "alpha", "--alpha N"]);
    let found = output(runs.path(), &["inspect", text(&file), "--alpha", "8"]);
    norms_are(&found, &read_json(&fixture("adapters/loralib.json")), true);
}

/// LoRA's authors' own adapter.
#[test]
#[ignore = "needs LoRA's roberta_base_lora_mnli.bin: EIGENSCOPE_LORA_MNLI names it"]
fn the_authors_adapter_is_inspected() {
    let file = PathBuf::from(std::env::var_os("EIGENSCOPE_LORA_MNLI").expect("EIGENSCOPE_LORA_MNLI names the file"));
    let runs = tempfile::tempdir().expect("a folder");
    let found = output(runs.path(), &["inspect", text(&file), "--alpha", "8"]);
    norms_are(&found, &read_json(&fixture("adapters/roberta_base_lora_mnli.json")), true);
}

#[test]
fn an_imported_adapter_stands_where_runs_stand() {
    let runs = tempfile::tempdir().expect("a folder");
    let runs = runs.path();
    let file = fixture("adapters/loralib.bin");
    refused(runs, &["runs", "import", text(&file), "--alpha", "8"], &["task", "--task ID"]);
    refused(runs, &["runs", "import", text(&file), "--task", "mnli"], &["alpha", "--alpha N"]);
    let import = ["runs", "import", text(&file), "--task", "mnli", "--alpha", "8"];
    refused(runs, &[&import[..], &["--model", "no-such"]].concat(), &["no-such"]);
    assert_eq!(output(runs, &["runs", "list"]), json!([]));
    let run = output(runs, &import)[0].clone();
    let expected = json!({ "id": "r0001", "name": "loralib", "status": "done", "method": "lora", "task": "mnli",
        "tags": ["imported"], "params": 4 * 2 * 16 * 4, "note": "from loralib.bin (loralib)", "steps": 0, "best": null });
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&run[key], value, "{key}");
    }
    let detail = output(runs, &["runs", "show", "r0001"]);
    let norms = detail["norms"].as_array().expect("norms");
    assert_eq!(norms.len(), 4);
    let reference = read_json(&fixture("adapters/loralib.json"));
    assert!((float(&norms[0]["delta_fro"]) - float(&reference["layers"][0]["delta_fro"])).abs() < 1e-5);
    // Without its model there is no W0: missing, not 0.
    assert!(norms[0]["w0_fro"].is_null());
    let out = runs.join("figure.csv");
    eigenscope(runs, &["figure1", "--out", text(&out)]).assert().success();
    let figure = std::fs::read_to_string(&out).expect("a figure");
    assert!(figure.lines().filter(|l| l.contains("LoRA: adapter") && l.contains("MNLI")).count() == 2, "{figure}");
    assert!(!figure.contains("LoRA: original"), "{figure}");
    eigenscope(runs, &["runs", "export", "r0001", "--chart", "layers", "--out", text(&runs.join("l.svg"))])
        .assert()
        .success();
    eigenscope(runs, &["report", "--out", text(&runs.join("report"))]).assert().success();
    // The run's own file says all of itself.
    refused(runs, &["inspect", text(&runs.join("r0007"))], &["r0007", "a file or folder that is there, or a run in"]);
    let own = output(runs, &["inspect", text(&runs.join("r0001/adapter.safetensors"))]);
    assert_eq!((&own["format"], &own["alpha"]), (&json!("eigenscope"), &json!(8.0)));
    for named in ["r0001", "loralib", text(&runs.join("r0001"))] {
        assert_eq!(output(runs, &["inspect", named]), own, "{named}");
    }
    // What is given holds for a run too.
    let to = runs.join("peft");
    eigenscope(runs, &["convert", "r0001", "--task", "cola", "--to", "peft", "--out", text(&to)]).assert().success();
    assert_eq!(TensorFile::open(&to.join("adapter_model.safetensors")).expect("a file").metadata()["task"], "cola");
    assert!(
        !std::fs::read_dir(runs)
            .expect("runs")
            .flatten()
            .any(|e| e.file_name().to_string_lossy().starts_with(".import"))
    );
}

/// PEFT's folder, with its tensors as safetensors or as `.bin`, wherever an adapter is taken.
#[test]
fn pefts_folder_is_taken_everywhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let runs = folder.path().join("runs");
    let own = saved(folder.path(), "lora", EMBEDDED);
    let dir = folder.path().join("adapter");
    job::convert(&own, None, peft(), &dir, None).expect("written");
    let whole = TensorFile::open(&dir.join("adapter_model.safetensors")).expect("a file");
    let tensors: Vec<_> = whole
        .entries()
        .iter()
        .map(|(name, entry)| {
            let values = whole.values(entry, |v| v, |v| v as f32).expect("values");
            (name.clone(), entry.shape.clone(), values.iter().flat_map(|v| v.to_le_bytes()).collect())
        })
        .collect();
    std::fs::remove_file(dir.join("adapter_model.safetensors")).expect("removed");
    std::fs::write(dir.join("adapter_model.bin"), archive::state_dict(&tensors)).expect("written");
    // A state dict says nothing of its task.
    refused(&runs, &["merge", text(&dir), "--out", text(&folder.path().join("m"))], &["task", "--task ID"]);
    let dev = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/glue-sample/SST-2/dev.tsv");
    let eval = |adapter: &Path| output(&runs, &["eval", "--adapter", text(adapter), "--task", "sst-2", "--data", dev]);
    assert_eq!(eval(&dir), eval(&own.path));
    let merged = folder.path().join("merged");
    eigenscope(&runs, &["merge", text(&dir), "--task", "sst-2", "--out", text(&merged)]).assert().success();
    let classify = ["classify", "--adapter", text(&dir), "--adapter", text(&own.path), "--task", "sst-2", "--json"];
    let said = eigenscope(&runs, &classify).write_stdin("a fine film\n").assert().success();
    let lines: Vec<Value> = String::from_utf8_lossy(&said.get_output().stdout)
        .lines()
        .map(|l| serde_json::from_str(l).expect("JSON"))
        .collect();
    assert_eq!(lines[0]["probabilities"], lines[1]["probabilities"]);
    let symmetry = output(&runs, &["analyse", "symmetry", text(&dir), "--task", "sst-2"]);
    assert_eq!(symmetry, output(&runs, &["analyse", "symmetry", text(&own.path)]));
    let start = [
        "--task",
        "sst-2",
        "--method",
        "lora",
        "--rank",
        "4",
        "--alpha",
        "6",
        "--targets",
        "query+value+output",
        "--train-rows",
        "32",
        "--epochs",
        "1",
        "--init-adapter",
        text(&dir),
    ];
    let trained = output(&runs, &[&["train"], &start[..]].concat());
    assert_eq!(trained[0]["status"], "done");
    let first = output(&runs, &["sql", "SELECT delta_fro FROM norms WHERE step = 0 ORDER BY layer, target LIMIT 1"]);
    assert!(float(&first[0]["delta_fro"]) > 0.0, "{first}: it began with the adapter");
}

#[test]
fn what_a_foreign_adapter_does_beyond_lora_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let runs = folder.path().join("runs");
    let source = fixture("parity/peft_export");
    let dir = folder.path().join("peft");
    std::fs::create_dir(&dir).expect("a folder");
    let config = read_json(&source.join("adapter_config.json"));
    std::fs::copy(source.join("adapter_model.safetensors"), dir.join("adapter_model.safetensors")).expect("a copy");
    let write = |member: &str, value: Value| {
        let mut config = config.clone();
        config[member] = value;
        std::fs::write(dir.join("adapter_config.json"), config.to_string()).expect("written");
    };
    let inspect = ["inspect", text(&dir)];
    for (member, value, words) in [
        ("use_dora", json!(true), "DoRA"),
        ("bias", json!("lora_only"), "biases were trained"),
        ("alpha_pattern", json!({ "layer.0": 4 }), "different alphas"),
        ("r", json!(4), "of rank 8"),
        ("peft_type", json!("IA3"), "expected \"LORA\""),
    ] {
        write(member, value);
        refused(&runs, &inspect, &[member, words]);
    }
    write("use_rslora", json!(true));
    assert!((float(&output(&runs, &inspect)["alpha"]) - 16.0 * 8f64.sqrt()).abs() < 1e-12);
    std::fs::write(dir.join("adapter_config.json"), vec![b' '; 2 << 20]).expect("written");
    refused(&runs, &inspect, &["adapter_config.json", "at most 1048576"]);
    std::fs::remove_file(dir.join("adapter_config.json")).expect("removed");
    refused(&runs, &inspect, &["without adapter_config.json"]);

    let tensor =
        |name: &str, shape: &[usize]| (name.to_string(), shape.to_vec(), vec![0; 4 * shape.iter().product::<usize>()]);
    let path = "roberta.encoder.layer.0.attention.self.query";
    let a = tensor(&format!("{path}.lora_A"), &[2, 16]);
    let b = tensor(&format!("{path}.lora_B"), &[16, 2]);
    let file = folder.path().join("x.bin");
    for (other, words) in [
        (tensor("roberta.encoder.layer.0.output.dense.lora_A", &[2, 64]), "is not known here"),
        (tensor("roberta.encoder.layer.0.attention.self.query.bias", &[16]), "would be lost"),
        (tensor("roberta.encoder.layer.0.attention.self.value.lora_A", &[3, 16]), "found rank 3, others have 2"),
        (tensor("\u{1b}[2J\u{202e}evil", &[1]), "\\u{1b}[2J\\u{202e}evil"),
    ] {
        std::fs::write(&file, archive::state_dict(&[a.clone(), b.clone(), other])).expect("written");
        refused(&runs, &["inspect", text(&file), "--alpha", "1"], &["x.bin", words]);
    }
}
