//! Other programs' trackers: TensorBoard reads what is written, event files and Trackio's databases become runs by value, damaged
//! ones are refused with file and place, and a Parquet table holds every number.

#[path = "trackers/export.rs"]
mod export;
#[path = "trackers/import.rs"]
mod import;

use assert_cmd::Command;
use eigenscope::event::{DeviceFigures, Evaluation, LayerNorm, Point, RunEvent, RunFacts, RunId, Status};
use eigenscope::spec::RunSpec;
use eigenscope::store::Store;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/trackers").join(name)
}

fn eigenscope(runs: &Path, args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("eigenscope").expect("the program");
    command.arg("--runs").arg(runs).env_remove("EIGENSCOPE_RUNS").args(args);
    command
}

/// JSON on stdout, and what stderr says.
fn output(runs: &Path, args: &[&str]) -> (Value, String) {
    let assert = eigenscope(runs, args).arg("--json").assert().success();
    let output = assert.get_output();
    (serde_json::from_slice(&output.stdout).expect("JSON"), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// What a refused call says.
fn refused(runs: &Path, args: &[&str]) -> String {
    let assert = eigenscope(runs, args).assert().code(3);
    String::from_utf8_lossy(&assert.get_output().stderr).into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path")
}

/// A finished run of CoLA with a loss that is once not a number, two evaluations, norms and a record of the device.
fn finished(store: &Store) -> RunId {
    let spec = RunSpec { task: "cola".into(), seed: 5, targets: vec!["query".into()], ..RunSpec::default() };
    let id = store.handle().create(&[spec]).expect("queued").remove(0);
    let point = |step: u64| {
        RunEvent::Point(Point {
            step,
            epoch: step as f64 / 4.0,
            seconds: step as f64 / 8.0,
            loss: if step == 3 { f64::NAN } else { 1.0 / step as f64 },
            lr: 1e-3 / step as f64,
            grad_norm: 0.1 * step as f64,
            samples_per_second: 100.0,
        })
    };
    let norms = |step: u64| {
        let row = |layer: u32| LayerNorm {
            layer,
            target: "query".into(),
            lambda: 1.0 - 0.1 * step as f64,
            w0_fro: 8.0,
            w0_l1: 80.0,
            delta_fro: 0.3 * step as f64,
            spectrum: Vec::new(),
        };
        RunEvent::Norms { step, rows: vec![row(0), row(11)] }
    };
    let evaluated = |step: u64| {
        let scores = vec![("matthews".to_string(), 0.05 * step as f64), ("accuracy".to_string(), 0.7)];
        RunEvent::Evaluated(Evaluation { step, epoch: step as f64 / 4.0, loss: 0.6, scores, rows: 10, seconds: 0.5 })
    };
    let facts = RunFacts { total_steps: 8, epochs: 2, metric: "matthews".into(), layers: 12, ..RunFacts::default() };
    let figures = DeviceFigures {
        utilisation: Some(0.5),
        memory: 1 << 20,
        memory_total: 1 << 30,
        temperature: None,
        power: None,
    };
    let mut events = vec![RunEvent::Started(facts), norms(0)];
    events.extend((1..=8).map(point));
    events.extend([norms(4), evaluated(4), norms(8), evaluated(8)]);
    events.push(RunEvent::Device { step: 4, seconds: 0.5, figures });
    events.push(RunEvent::Status { status: Status::Done, cause: None });
    for event in events {
        store.handle().record(&id, event).expect("recorded");
    }
    store.handle().flush().expect("flushed");
    id
}
