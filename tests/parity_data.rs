//! Metrics, intervals and tokenizers against scikit-learn, SciPy and transformers: every number of the reference folder.

use eigenscope::data::Tokenizer;
use eigenscope::{metric, stats};
use serde_json::Value;
use std::path::PathBuf;

/// The reference folder: EIGENSCOPE_PARITY, else the one beside the tests.
fn folder() -> PathBuf {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity");
    std::env::var_os("EIGENSCOPE_PARITY").map_or(own, PathBuf::from)
}

fn json(name: &str) -> Value {
    let path = folder().join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A number; the text "NaN" is one too.
fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| if value == "NaN" { f64::NAN } else { panic!("no number: {value}") })
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(number).collect()
}

fn agree(case: &str, name: &str, found: f64, expected: f64) {
    let both_nan = found.is_nan() && expected.is_nan();
    let close = (found - expected).abs() <= 1e-12 * expected.abs().max(1.0);
    assert!(both_nan || close, "{case}: {name}: found {found}, expected {expected}");
}

#[test]
fn metrics_and_intervals() {
    let file = json("metrics.json");
    let cases = file["cases"].as_array().expect("cases");
    let mut compared = 0;
    for case in cases {
        let name = case["name"].as_str().expect("a name");
        let expected = case["expected"].as_object().expect("numbers");
        for (key, value) in expected {
            agree(name, key, found(case, key), number(value));
            compared += 1;
        }
    }
    assert!(compared > cases.len(), "too few numbers compared");
}

fn found(case: &Value, key: &str) -> f64 {
    let score = |id: &str| {
        let metric = metric::find(id).unwrap_or_else(|| panic!("no metric {id}"));
        metric.score(&numbers(&case["predictions"]), &numbers(&case["labels"]))
    };
    match case["kind"].as_str().expect("a kind") {
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

#[test]
fn tokenizers() {
    let file = json("tokenizer_cases.json");
    for (family, cases) in file.as_object().expect("families") {
        let path = folder().join(format!("tiny-{family}/tokenizer.json"));
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for case in cases.as_array().expect("cases") {
            let text = case["text"].as_str().expect("a text");
            let longest = case["max_length"].as_u64().expect("a length") as usize;
            let tokenizer = Tokenizer::from_bytes(&bytes, longest).expect("a sound tokenizer");
            let encoded = tokenizer.encode(text, case.get("pair").and_then(Value::as_str)).expect("ids");
            let wanted = |key: &str| -> Vec<u32> { numbers(&case[key]).iter().map(|v| *v as u32).collect() };
            assert_eq!(encoded.ids, wanted("ids"), "{family}: {text:?}");
            assert_eq!(encoded.type_ids, wanted("type_ids"), "{family}: {text:?}");
            let tokens: Vec<Value> =
                encoded.ids.iter().map(|id| Value::from(tokenizer.token(*id).expect("a token"))).collect();
            assert_eq!(Value::from(tokens), case["tokens"], "{family}: {text:?}");
        }
    }
}
