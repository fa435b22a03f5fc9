//! The timings of the command line: every figure is there, is a number, and what cannot be timed is refused.

use assert_cmd::Command;
use serde_json::Value;

fn bench(args: &[&str]) -> Value {
    let runs = tempfile::tempdir().expect("a folder");
    let mut command = Command::cargo_bin("eigenscope").expect("the program");
    let output = command.arg("bench").args(args).args(["--json", "--runs"]).arg(runs.path()).output().expect("ran");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON on stdout")
}

fn positive(report: &Value, fields: &[&str]) {
    for field in fields {
        let value = report[*field].as_f64();
        assert!(value.is_some_and(|v| v > 0.0 && v.is_finite()), "{field}: {:?}", report[*field]);
    }
}

#[test]
fn a_step_is_timed_on_the_embedded_model() {
    let report = bench(&["step", "--method", "lora", "--batch", "2", "--seq", "8", "--steps", "3"]);
    positive(&report, &["median_ms", "p10_ms", "p90_ms", "first_step_ms", "samples_per_s", "tflops"]);
    assert!(report["p10_ms"].as_f64() <= report["median_ms"].as_f64());
    for figure in ["peak_mib", "predicted_mib", "fraction_of_limit"] {
        assert_eq!(report.get(figure), Some(&Value::Null), "a figure of a GPU: {report}");
    }
}

#[test]
fn a_step_is_timed_in_a_published_models_shape() {
    let report = bench(&["step", "--model-shape", "bert-base", "--batch", "1", "--seq", "4", "--steps", "1"]);
    assert_eq!(report["model"], "bert-base");
    positive(&report, &["median_ms", "tflops"]);
}

#[test]
fn rows_of_a_task_are_timed_by_several_runs_side_by_side() {
    let report = bench(&["rows", "--task", "rte", "--batch", "4", "--steps", "2", "--adapters", "2"]);
    positive(&report, &["ms_per_step", "samples_per_s", "mean_tokens", "mean_padded"]);
    assert!(report["mean_tokens"].as_f64() <= report["mean_padded"].as_f64(), "{report}");
    assert!(["peak_mib", "predicted_mib"].iter().all(|f| report.get(*f) == Some(&Value::Null)), "{report}");
    let rate = 2.0 * 4.0 * 1e3 / report["ms_per_step"].as_f64().expect("a time");
    let found = report["samples_per_s"].as_f64().expect("a rate");
    assert!((found / rate - 1.0).abs() < 1e-6, "rows of both runs count: {found} and {rate}");
}

#[test]
fn a_precision_that_the_cpu_has_not_is_refused() {
    let mut command = Command::cargo_bin("eigenscope").expect("the program");
    let output = command.args(["bench", "step", "--precision", "bf16"]).output().expect("ran");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(["precision", "bf16", "f32", "cpu"].iter().all(|word| text.contains(word)), "{text}");
}
