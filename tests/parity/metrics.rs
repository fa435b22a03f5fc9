//! Metrics and intervals against scikit-learn and SciPy.

use crate::folder::{items, json, members, text};
use eigenscope::{metric, stats};
use serde_json::Value;

/// A number; the text "NaN" is one too.
fn number(value: &Value) -> f64 {
    if value == "NaN" { f64::NAN } else { crate::folder::number(value) }
}

fn numbers(value: &Value) -> Vec<f64> {
    items(value).iter().map(number).collect()
}

/// Within 1e-12, relative; correlations absolute, SciPy itself rounds -1 to -0.9999999999999999.
fn agree(case: &str, key: &str, found: f64, expected: f64) {
    let scale = if key.contains("pearson") || key.contains("spearman") { 1.0 } else { expected.abs() };
    let close = found == expected || (found - expected).abs() <= 1e-12 * scale;
    let both_nan = found.is_nan() && expected.is_nan();
    assert!(both_nan || close, "{case}: {key}: found {found}, expected {expected}");
}

#[test]
fn metrics_and_intervals() {
    let file = json("metrics.json");
    for case in items(&file["cases"]) {
        for (key, value) in members(&case["expected"]) {
            agree(text(&case["name"]), key, found(case, key), number(value));
        }
    }
}

fn found(case: &Value, key: &str) -> f64 {
    let score = |id: &str| {
        let metric = metric::find(id).unwrap_or_else(|| panic!("no metric {id}"));
        metric.score(&numbers(&case["predictions"]), &numbers(&case["labels"]))
    };
    match text(&case["kind"]) {
        "classification" | "correlation" => match key {
            "accuracy_f1_mean" => (score("accuracy") + score("f1")) / 2.0,
            "pearson_spearman_mean" => (score("pearson") + score("spearman")) / 2.0,
            "f1_macro" => macro_f1(case),
            id => score(id),
        },
        "mean_over_seeds" => {
            let values = numbers(&case["values"]);
            let interval = stats::over_seeds(&values);
            match key {
                "n" => values.len() as f64,
                "mean" => interval.centre,
                "sample_std" => stats::sample_std(&values),
                "half_width" => interval.half_width,
                "low" => interval.low(),
                "high" => interval.high(),
                other => panic!("unknown number {other}"),
            }
        }
        "proportion" => {
            let n = case["n"].as_u64().expect("rows");
            let p = number(&case["successes"]) / n as f64;
            let interval = stats::proportion(p, n);
            // SciPy's quantile is exact and its bounds are cut to [0, 1].
            let exact = stats::wilson(p, n, 1.959_963_984_540_054);
            match key {
                "p" => p,
                "bernoulli_half_width" => interval.half_width,
                "bernoulli_low" => interval.low(),
                "bernoulli_high" => interval.high(),
                "wilson_low" => stats::wilson(p, n, stats::Z).0,
                "wilson_high" => stats::wilson(p, n, stats::Z).1,
                "wilson_low_scipy" => exact.0.clamp(0.0, 1.0),
                "wilson_high_scipy" => exact.1.clamp(0.0, 1.0),
                other => panic!("unknown number {other}"),
            }
        }
        other => panic!("unknown kind {other}"),
    }
}

/// Mean of the F1 of each class, each as class 1 against the rest.
fn macro_f1(case: &Value) -> f64 {
    let (predictions, labels) = (numbers(&case["predictions"]), numbers(&case["labels"]));
    let mut classes: Vec<i64> = predictions.iter().chain(&labels).map(|c| *c as i64).collect();
    classes.sort_unstable();
    classes.dedup();
    let f1 = metric::find("f1").expect("f1");
    let against =
        |class: i64, all: &[f64]| -> Vec<f64> { all.iter().map(|c| f64::from(u8::from(*c as i64 == class))).collect() };
    let scores: Vec<f64> = classes.iter().map(|&c| f1.score(&against(c, &predictions), &against(c, &labels))).collect();
    scores.iter().sum::<f64>() / scores.len() as f64
}
