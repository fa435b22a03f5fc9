//! Sweeps as a user's script meets them: a grid, the best, seeds of the best; killed in the middle and started again, only the
//! rest is trained. Runs that start from another run's adapter.

use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

fn eigenscope(runs: &Path) -> Command {
    let mut command = Command::cargo_bin("eigenscope").expect("the program");
    command.arg("--runs").arg(runs).env_remove("EIGENSCOPE_RUNS");
    command
}

fn json(runs: &Path, args: &[&str]) -> Value {
    let output = eigenscope(runs).args(args).arg("--json").assert().success().get_output().stdout.clone();
    serde_json::from_slice(&output).expect("JSON on stdout")
}

fn listed(runs: &Path) -> Vec<Value> {
    json(runs, &["runs", "list"]).as_array().expect("an array").clone()
}

fn failure(runs: &Path, args: &[&str]) -> (i32, String) {
    let assert = eigenscope(runs).args(args).assert().failure();
    let output = assert.get_output();
    (output.status.code().expect("an exit code"), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Rows and length that train in a moment.
const SHORT: &[&str] = &["--train-rows", "64", "--epochs", "2", "--max-length", "16", "--batch-size", "16"];

#[test]
fn a_sweep_that_is_killed_trains_the_rest_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let runs = folder.path().join("runs");
    let out = folder.path().join("out");
    fn ask<'a>(last: &[&'a str]) -> Vec<&'a str> {
        let grid = ["sweep", "--tasks", "sst-2", "--methods", "symlora,lora", "--lr", "1e-3,5e-3", "--seeds", "2"];
        let rows =
            ["--train-rows", "200", "--epochs", "15", "--max-length", "16", "--batch-size", "8", "--sweep", "base"];
        [&grid[..], &rows, last].concat()
    }
    let plan = json(&runs, &ask(&["--dry-run"]));
    assert_eq!((&plan["grid_runs"], &plan["seed_runs"]), (&4.into(), &2.into()), "{plan}");
    assert!(!runs.join("eigenscope.db").exists(), "a dry run changes nothing");
    assert_eq!(plan["groups"][0]["grid"]["to_launch"], 2);

    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_eigenscope"))
        .arg("--runs")
        .arg(&runs)
        .args(ask(&[]))
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("started");
    // The first run is done and the second has begun.
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < Duration::from_secs(240), "no run was done");
        assert!(child.try_wait().expect("asked").is_none(), "the sweep ended before it was killed");
        std::thread::sleep(Duration::from_millis(20));
        if runs.join("eigenscope.db").exists() {
            let of: Vec<Value> = listed(&runs);
            let is = |id: &str, status: &str| of.iter().any(|r| r["id"] == id && r["status"] == status);
            if is("r0001", "done") && of.iter().any(|r| r["id"] == "r0002" && r["steps"].as_u64() > Some(50)) {
                break;
            }
        }
    }
    // SIGKILL: nothing is saved on the way out.
    child.kill().expect("killed");
    child.wait().expect("gone");
    let before = json(&runs, &["runs", "show", "r0001"]);
    let cut = listed(&runs).into_iter().find(|r| r["id"] == "r0002").expect("a run");
    assert_eq!(cut["status"], "interrupted");

    let done = json(&runs, &ask(&["--out", out.to_str().expect("a path")]));
    assert_eq!((&done["complete"], &done["tag"]), (&true.into(), &"sweep:base".into()));
    let best = done["best"].as_array().expect("groups");
    assert_eq!(best.len(), 2);
    for group in best {
        assert_eq!(group["seeds"], serde_json::json!([0, 1]), "{group}");
        let score = group["score"].as_f64().expect("a score");
        assert!(group["mean"].is_number() && group["half_width"].is_number() && score > 0.4, "{group}");
    }
    let all = listed(&runs);
    // Four of the grid and a second seed of each method's best: what was done is not repeated, what was cut off went on.
    assert_eq!(all.len(), 6);
    assert!(all.iter().all(|r| r["status"] == "done" && r["tags"] == serde_json::json!(["sweep:base"])), "{all:?}");
    assert_eq!(json(&runs, &["runs", "show", "r0001"])["summary"]["ended"], before["summary"]["ended"]);
    let log = json(&runs, &["runs", "show", "r0002"])["log"].clone();
    let lines: Vec<&str> = log.as_array().expect("lines").iter().filter_map(|l| l["text"].as_str()).collect();
    assert!(lines.iter().any(|l| l.contains(" from step ") && !l.contains(" from step 0,")), "{lines:?}");
    for file in
        ["table1.md", "table1.tex", "table1.csv", "figure1.png", "figure1.svg", "lambda.png", "report/report.html"]
    {
        assert!(fs::metadata(out.join(file)).expect("written").len() > 200, "{file}");
    }
    // Once more: there is nothing left to do.
    let again = json(&runs, &ask(&[]));
    assert_eq!((again["best"].clone(), listed(&runs).len()), (done["best"].clone(), 6));
}

#[test]
fn a_run_starts_from_another_runs_adapter() {
    let folder = tempfile::tempdir().expect("a folder");
    let runs = folder.path();
    let train = |args: &[&'static str]| [&["train", "--method", "lora"], args, SHORT].concat();
    json(runs, &train(&["--task", "mnli", "--name", "source"]));
    // No learning to speak of: the norms at the end are those of the start.
    let still = ["--task", "rte", "--lr", "1e-12"];
    for start in ["r0001", "source", "best:mnli"] {
        let started = json(runs, &[&train(&still)[..], &["--init-adapter", start]].concat());
        let id = started[0]["id"].as_str().expect("an id").to_string();
        let shown = json(runs, &["runs", "show", &id]);
        assert_eq!(shown["summary"]["spec"]["init_adapter"], "r0001", "{start}");
        let text = shown["log"].to_string();
        assert!(text.contains("trained on mnli: the head starts anew"), "{text}");
        let delta = |file: &Path| {
            let inspected = json(runs, &["inspect", file.to_str().expect("a path")]);
            inspected["layers"][0]["delta_fro"].as_f64().expect("a norm")
        };
        let (of, from) =
            (delta(&runs.join(&id).join("adapter.safetensors")), delta(&runs.join("r0001/adapter.safetensors")));
        assert!(from > 1e-3 && (of - from).abs() < 1e-6, "{of} {from}");
    }
    // The same task takes the head too.
    let file = runs.join("r0001/adapter.safetensors");
    let args = train(&["--task", "mnli", "--lr", "1e-12"]);
    let same = json(runs, &[&args[..], &["--init-adapter", file.to_str().expect("a path")]].concat());
    let shown = json(runs, &["runs", "show", same[0]["id"].as_str().expect("an id")]);
    assert!(shown["log"].to_string().contains("its head too"), "{}", shown["log"]);
    assert_eq!(shown["summary"]["best"], json(runs, &["runs", "show", "r0001"])["summary"]["best"]);
    let count = listed(runs).len();
    for (args, word) in [
        (&["--init-adapter", "r0001", "--method", "symlora"][..], "method lora"),
        (&["--init-adapter", "r0001", "--rank", "4"], "rank 8"),
        (&["--init-adapter", "r0001", "--targets", "query"], "targets query,value"),
        (&["--init-adapter", "nobody"], "an adapter's file or folder, best:TASK, or a run"),
        (&["--init-adapter", "best:cola"], "there is none"),
    ] {
        let call = [&["train", "--task", "rte"], args].concat();
        let call: Vec<&str> =
            if args.contains(&"--method") { call } else { [&call[..], &["--method", "lora"]].concat() };
        let (code, text) = failure(runs, &call);
        assert!(code == 3 && text.contains(word) && text.contains("init_adapter"), "{args:?}: {code} {text}");
    }
    assert_eq!(listed(runs).len(), count, "nothing is queued");
}

#[test]
fn loralib_goes_on_from_mnli() {
    let folder = tempfile::tempdir().expect("a folder");
    let runs = folder.path();
    let ask = [
        &["sweep", "--preset", "loralib", "--model", "mini-roberta", "--tasks", "rte,mnli", "--methods", "lora"],
        SHORT,
    ]
    .concat();
    let done = json(runs, &ask);
    let of = |task: &str| {
        let all = done["best"].as_array().expect("groups");
        all.iter().find(|g| g["task"] == task).expect("a group").clone()
    };
    assert_eq!(of("rte")["best"]["init_adapter"], of("mnli")["run"], "{done}");
    assert_eq!(of("rte")["best"]["alpha"], 16.0);
    let (code, text) = failure(runs, &["sweep", "--preset", "paper", "--tasks", "rte"]);
    assert!(code == 3 && text.contains("roberta-base"), "{text}");
    let (code, text) = failure(runs, &["sweep", "--sweep", "a b"]);
    assert!(code == 3 && text.contains("tag"), "{text}");
}
