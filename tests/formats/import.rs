//! `runs import` of adapters: once each, the adapter before the log that lies below it, and no flag that does nothing.

use super::{eigenscope, fixture, output, peft, refused, refused_with, saved, text};
use eigenscope::job;
use eigenscope::model::EMBEDDED;
use serde_json::json;

#[test]
fn an_adapter_is_imported_once_wherever_it_lies() {
    let folder = tempfile::tempdir().expect("a folder");
    let runs = folder.path().join("runs");
    let moved = folder.path().join("moved.bin");
    std::fs::copy(fixture("adapters/loralib.bin"), &moved).expect("a copy");
    let file = fixture("adapters/loralib.bin");
    let first = ["runs", "import", text(&file), "--task", "mnli", "--alpha", "8"];
    let second = ["runs", "import", text(&moved), "--task", "mnli", "--alpha", "8"];
    assert_eq!(output(&runs, &first)[0]["id"], json!("r0001"));
    refused(&runs, &first, &["imported before, as r0001", "--again"]);
    refused(&runs, &second, &["imported before, as r0001"]);
    assert_eq!(output(&runs, &[&second[..], &["--again"]].concat())[0]["id"], json!("r0002"));
    // Of another scale it is another adapter.
    let other = ["runs", "import", text(&file), "--task", "mnli", "--alpha", "16"];
    assert_eq!(output(&runs, &other)[0]["id"], json!("r0003"));
    let left = std::fs::read_dir(&runs).expect("runs").flatten();
    assert!(!left.into_iter().any(|e| e.file_name().to_string_lossy().starts_with(".import")));
}

#[test]
fn a_trainers_folder_is_the_adapter_in_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (runs, dir) = (folder.path().join("store"), folder.path().join("output"));
    job::convert(&saved(folder.path(), "lora", EMBEDDED), None, peft(), &dir, None).expect("written");
    let logs = dir.join("runs/Nov26_host");
    std::fs::create_dir_all(&logs).expect("a folder");
    let event = "events.out.tfevents.1700000000.host.1.0";
    std::fs::copy(fixture("trackers/trainer").join(event), logs.join(event)).expect("a copy");
    let import = ["runs", "import", text(&dir), "--task", "sst-2", "--json"];
    let assert = eigenscope(&runs, &import).assert().success();
    let said = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    assert!(said.contains("the adapter is taken") && said.contains("TensorBoard"), "{said}");
    let found: serde_json::Value = serde_json::from_slice(&assert.get_output().stdout).expect("JSON");
    assert_eq!((&found[0]["method"], &found[0]["steps"]), (&json!("lora"), &json!(0)));
    // Its log by its own name.
    assert_eq!(output(&runs, &["runs", "import", text(&dir.join("runs"))])[0]["steps"], json!(40));
}

#[test]
fn flags_that_do_nothing_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let runs = folder.path();
    let (file, log, many) =
        (fixture("adapters/loralib.bin"), fixture("trackers/trainer"), fixture("trackers/trackio.db"));
    let adapter = ["runs", "import", text(&file), "--task", "mnli", "--alpha", "8"];
    refused_with(2, runs, &[&adapter[..], &["--method", "lora"]].concat(), &["--method is for a log"]);
    refused_with(2, runs, &[&adapter[..], &["--data", "x"]].concat(), &["--score"]);
    refused_with(2, runs, &["runs", "import", text(&log), "--score"], &["--score is for an adapter"]);
    refused_with(2, runs, &["runs", "import", text(&log), "--score", "--data", "x"], &["is for an adapter"]);
    refused_with(2, runs, &["runs", "import", text(&many), "--name", "one"], &["--name is for one run"]);
    assert_eq!(output(runs, &["runs", "list"]), json!([]));
}
