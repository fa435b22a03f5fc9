//! Norms of trained and of random adapters, from the factors and from the matrices written out.

use crate::folder::{self, close, items, members, near, number, text, whole, wide};
use eigenscope::adapter;
use eigenscope::analysis::{self, Matrix};
use eigenscope::event::LayerNorm;
use eigenscope::model::family::layer_and_target;
use eigenscope::train::Backend;
use eigenscope::train::autograd::Autograd;

const LIMIT: f64 = 1e-12;

#[test]
fn norms_f64() {
    let info = folder::json("norms.json");
    for kind in ["trained", "random"] {
        for (method, case) in members(&info[kind]) {
            let source = text(&case["source"]);
            let (file, rest) = source.split_once(": ").unwrap_or_else(|| panic!("{source}: no file"));
            let prefix = rest.split(' ').next().unwrap_or(rest);
            let settings = folder::json(&format!("train_{method}.json"));
            let (rank, alpha) = (whole(&settings["rank"]), number(&settings["alpha"]));
            let checkpoint = folder::checkpoint(text(&settings["model"]));
            let values = folder::under(&folder::tensors(file), prefix);
            let outputs = values.iter().find(|t| t.name.ends_with("out_proj.bias")).expect("a head").shape[0];
            let spec = folder::spec(method, rank, alpha);
            let mut backend = Autograd::<f64>::new(&checkpoint, &spec, outputs, false).expect("a model");
            backend.load(&values).expect("values");
            let rows: Vec<LayerNorm> = backend.norms().expect("norms");
            let form = adapter::find(method).expect("a method").form().expect("a form");
            assert_eq!(rows.len(), items(&case["rows"]).len(), "{kind} {method}: rows");
            for expected in items(&case["rows"]) {
                let name = text(&expected["name"]);
                let (layer, target) = layer_and_target(name).expect("an attention weight");
                assert_eq!((u64::from(layer), target), (whole(&expected["layer"]) as u64, text(&expected["target"])));
                let row = rows.iter().find(|r| r.layer == layer && r.target == target);
                let row = row.unwrap_or_else(|| panic!("no row for {name}"));
                let path = name.trim_end_matches(".weight");
                let get = |suffix: &str| {
                    let t = folder::named(&values, &format!("{path}.{suffix}"));
                    Matrix::new(&t.shape, wide(t)).ok()
                };
                let delta = analysis::delta(&form, alpha / rank as f64, &get).expect("a delta").values;
                let w0 = backend.weight(name).expect("the frozen weight");
                let merged: Vec<f64> = w0.iter().zip(&delta).map(|(w, d)| row.lambda * w + d).collect();
                let l1 = analysis::entrywise_l1(&delta);
                let columns = [
                    ("lambda", row.lambda),
                    ("w0_fro", row.w0_fro),
                    ("lambda_w0_fro", row.original()),
                    ("abs_lambda_w0_fro", row.original().abs()),
                    ("w0_l1", row.w0_l1),
                    ("lambda_w0_l1", row.lambda * row.w0_l1),
                    ("abs_lambda_w0_l1", (row.lambda * row.w0_l1).abs()),
                    ("delta_fro", row.delta_fro),
                    ("delta_l1", l1),
                    ("diff_fro", row.difference()),
                    ("diff_abs_fro", row.original().abs() - row.delta_fro),
                    ("diff_l1", row.lambda * row.w0_l1 - l1),
                    ("diff_l1_minus_delta_fro", row.lambda * row.w0_l1 - row.delta_fro),
                    ("merged_fro", analysis::frobenius(&merged)),
                ];
                assert_eq!(columns.len() + 3, members(expected).len(), "{name}: columns");
                for (column, found) in columns {
                    let what = format!("{kind} {name} {column}");
                    if column.starts_with("diff") {
                        // Relative to what is subtracted: a difference near 0 has fewer digits.
                        let size =
                            if column.contains("l1") { (row.lambda * row.w0_l1).abs() } else { row.original().abs() };
                        close(
                            &what,
                            &[found],
                            &[number(&expected[column])],
                            LIMIT * (size + row.delta_fro.max(if column == "diff_l1" { l1 } else { 0.0 })),
                        );
                    } else {
                        near(&what, found, number(&expected[column]), LIMIT);
                    }
                }
                // The spectrum of a tied form is its diagonal; of an untied one its norm, scaled, is DeltaW's.
                match form.d {
                    Some(d) => assert_eq!(Some(row.spectrum.clone()), get(d).map(|m| m.values)),
                    None => {
                        let whole = alpha / rank as f64 * analysis::frobenius(&row.spectrum);
                        near(&format!("{name} spectrum"), whole, row.delta_fro, LIMIT);
                    }
                }
            }
        }
    }
}
