//! A task of a person's own through the whole program: trained, resumed, in the tables and figures, put to use, refused with the
//! reason.

use super::{own, sample};
use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// The program with a cache folder of its own.
fn program(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("eigenscope").expect("the program");
    command
        .arg("--runs")
        .arg(folder.join("runs"))
        .env_remove("EIGENSCOPE_RUNS")
        .env("XDG_CACHE_HOME", folder.join("cache"));
    command.current_dir(folder);
    command
}

fn json(folder: &Path, args: &[&str]) -> Value {
    let output = program(folder).args(args).arg("--json").assert().success().get_output().stdout.clone();
    serde_json::from_slice(&output).expect("JSON on stdout")
}

fn printed(folder: &Path, args: &[&str]) -> String {
    String::from_utf8(program(folder).args(args).assert().success().get_output().stdout.clone()).expect("text")
}

fn refused(folder: &Path, args: &[&str]) -> (i32, String) {
    let assert = program(folder).args(args).assert().failure();
    let output = assert.get_output();
    (output.status.code().expect("a code"), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A folder with `mine.toml` beside its rows.
fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let (like, train, validation) = sample("sst-2");
    let path = own(folder.path(), "jsonl", like, &train, &validation);
    let text = fs::read_to_string(&path).expect("read").replace("Mine in jsonl", "Film reviews");
    let mine = folder.path().join("mine.toml");
    fs::write(&mine, format!("{text}test = \"dev.jsonl\"\n")).expect("written");
    (folder, mine)
}

#[test]
fn a_task_goes_through_the_whole_program() {
    let (folder, mine) = folder();
    let here = folder.path();
    let short = ["--train-rows", "32", "--epochs", "1", "--max-length", "16", "--batch-size", "16"];
    let trained =
        json(here, &[&["train", "--task", "mine.toml,sst-2", "--method", "symlora,lora"][..], &short].concat());
    let runs = trained.as_array().expect("runs");
    assert_eq!(runs.len(), 4);
    assert!(runs.iter().all(|run| run["status"] == "done"), "{trained}");
    assert_eq!(runs[0]["name"], "mine-symlora-s0");
    // The path is whole: the run goes on and is looked at from any folder.
    assert_eq!(runs[0]["task"], mine.to_str().expect("a path"));
    let list = printed(here, &["runs", "list", "--filter", "task:mine"]);
    assert!(list.contains("Film reviews") && !list.contains("sst-2"), "{list}");
    assert_eq!(json(here, &["runs", "list", "--filter", "task:film"]).as_array().map(Vec::len), Some(2));
    let table = json(here, &["table1"]);
    let rows = table["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 9, "GLUE's eight and one more");
    assert_eq!((&rows[8]["label"], &rows[8]["metric"]), (&Value::from("Film reviews"), &Value::from("accuracy")));
    assert!(rows[8]["cells"][0]["ours"]["mean"].is_number(), "{table}");
    assert!(rows[2]["cells"][0]["ours"]["mean"].is_number(), "SST-2 in the same table");
    printed(here, &["figure1", "--out", "figure1.csv"]);
    let figure = fs::read_to_string(here.join("figure1.csv")).expect("written");
    assert!(figure.contains("Film reviews"), "{figure}");
    printed(here, &["figure1", "--chart", "lambda", "--out", "lambda.csv"]);
    assert!(fs::read_to_string(here.join("lambda.csv")).expect("written").contains("Film reviews"));
    printed(here, &["report", "--out", "report"]);
    assert!(fs::read_to_string(here.join("report/report.md")).expect("written").contains("Film reviews"));
    let sweep = ["sweep", "--task", "mine.toml", "--lr", "5e-3", "--seeds", "2", "--name", "s"];
    let swept = json(here, &[&sweep[..], &short].concat());
    assert!(swept.to_string().contains("mine.toml"), "{swept}");
    let scored = json(here, &["eval", "--adapter", "runs/r0001/adapter.safetensors"]);
    assert_eq!((&scored["metric"], &scored["rows"]), (&Value::from("accuracy"), &Value::from(16)));
    let labelled = program(here)
        .args(["classify", "--adapter", "r0001", "--json"])
        .write_stdin("a fine film\n")
        .assert()
        .success();
    let labelled: Value = serde_json::from_slice(&labelled.get_output().stdout).expect("JSON");
    assert!(["0", "1"].contains(&labelled["label"].as_str().expect("a label")), "{labelled}");
    let (code, told) = refused(here, &["submit", "--out", "s.zip", "--partial", "r0001"]);
    assert_eq!(code, 3);
    assert!(told.contains("r0001 is of Film reviews, which is no task of GLUE"), "{told}");
    // Where the file is gone, what needs it says so and the rest is shown.
    fs::remove_file(&mine).expect("removed");
    let (code, told) = refused(here, &["classify", "--adapter", "r0001"]);
    assert_eq!(code, 3);
    assert!(told.contains("mine.toml: No such file"), "{told}");
    assert_eq!(json(here, &["table1"])["rows"][8]["label"], "Film reviews");
}

#[test]
fn odd_rows_are_told_once_for_a_grid() {
    let (folder, _) = folder();
    let path = folder.path().join("dev.jsonl");
    let text = fs::read_to_string(&path).expect("read");
    let first = text.lines().next().expect("a row").to_string();
    fs::write(&path, format!("{text}{first}\n")).expect("written");
    let short = ["--train-rows", "16", "--epochs", "1", "--max-length", "16", "--batch-size", "16", "--seed", "0,1"];
    let told = program(folder.path()).args([&["train", "--task", "mine.toml"][..], &short].concat()).assert().success();
    let told = String::from_utf8_lossy(&told.get_output().stderr).into_owned();
    let warning = "validation: 1 of 17 rows (5.9%) repeats an earlier one, as line 1 and line 17: ";
    assert_eq!(told.matches(warning).count(), 1, "{told}");
}

#[test]
fn rows_are_looked_at() {
    let (folder, _) = folder();
    let found = json(folder.path(), &["data", "--task", "mine.toml", "--max-length", "24"]);
    let splits = found["splits"].as_array().expect("splits");
    let names: Vec<&str> = splits.iter().filter_map(|s| s["name"].as_str()).collect();
    assert_eq!(names, ["train", "validation", "test"]);
    assert_eq!((&splits[0]["rows"], &splits[0]["lengths"]["measured"]), (&Value::from(40), &Value::from(40)));
    assert_eq!(splits[1]["leaked"], 0);
    assert_eq!(found["examples"][0].as_array().map(Vec::len), Some(3));
    let text = printed(folder.path(), &["data", "--task", "mine.toml", "--examples", "1"]);
    assert!(text.starts_with("Film reviews\n\ntrain: 40 rows, ") && text.contains("  line 1: "), "{text}");
    assert!(text.contains("< max_length") || text.contains("no row is longer than 128 tokens"), "{text}");
    let (code, told) = refused(folder.path(), &["data", "--task", "none.toml"]);
    assert_eq!(code, 3);
    assert!(told.contains("none.toml: No such file") && told.contains("config task-example"), "{told}");
    assert_eq!(refused(folder.path(), &["data", "--task", "mnlo"]).0, 3);
}

#[test]
fn the_printed_example_is_a_task() {
    let folder = tempfile::tempdir().expect("a folder");
    let example = printed(folder.path(), &["config", "task-example"]);
    fs::write(folder.path().join("example.toml"), example).expect("written");
    let rows: String = (0..40).map(|i| format!("\"a film, number {i}\",{}\n", i % 2)).collect();
    fs::write(folder.path().join("train.csv"), format!("review,sentiment\n{rows}")).expect("written");
    let found = json(folder.path(), &["data", "--task", "example.toml"]);
    assert_eq!((&found["task"], &found["splits"][1]["rows"]), (&Value::from("Film reviews"), &Value::from(4)));
    assert_eq!(found["splits"][0]["labels"][1][0], "positive");
}

#[test]
fn tokenised_rows_are_kept_told_and_taken_away() {
    let (folder, _) = folder();
    let here = folder.path();
    let rows: String =
        (0..2_500).map(|i| format!("{{\"text\": \"a film, number {i}\", \"label\": \"{}\"}}\n", i % 2)).collect();
    fs::write(here.join("train.jsonl"), rows).expect("written");
    let train =
        ["train", "--task", "mine.toml", "--epochs", "1", "--max-length", "12", "--batch-size", "256", "--seed", "0,1"];
    let runs = json(here, &train);
    assert!(runs.as_array().expect("runs").iter().all(|run| run["status"] == "done"), "{runs}");
    let tokens = || json(here, &["doctor"])["tokens"].clone();
    let kept = tokens();
    assert_eq!(kept["files"], 2, "training rows and what is odd about them: {kept}");
    assert!(kept["folder"].as_str().is_some_and(|f| Path::new(f).starts_with(here.join("cache"))), "{kept}");
    let told = program(here).args(train).assert().success();
    let told = String::from_utf8_lossy(&told.get_output().stderr).into_owned();
    assert!(!told.contains("repeat"), "{told}");
    let first = runs[0]["best"].clone();
    let again = json(here, &train);
    assert_eq!(again[0]["best"], first, "read from the cache");
    assert!(printed(here, &["doctor"]).contains(" in 2 files, "));
    program(here).args(["doctor", "--clear-tokens"]).assert().success();
    assert_eq!(tokens()["files"], 0);
}
