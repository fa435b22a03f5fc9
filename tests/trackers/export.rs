//! All that was recorded of runs, as other programs' files: TensorBoard's own reader, our own, and a Parquet table by value.

use super::{eigenscope, finished, fixture, output, text};
use eigenscope::data::parquet::{Table, Value as Cell};
use eigenscope::record::History;
use eigenscope::store::Store;
use eigenscope::tracker;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The interpreter, where it has TensorBoard.
fn python() -> Option<String> {
    let name = std::env::var("EIGENSCOPE_PYTHON").unwrap_or_else(|_| "python3".into());
    let tried = Command::new(&name).args(["-c", "import tensorboard"]).output();
    tried.is_ok_and(|o| o.status.success()).then_some(name)
}

/// A run, exported as event files: what was recorded, the start of the run and its folder.
fn exported(runs: &Path) -> (History, f64, PathBuf) {
    let store = Store::open(runs).expect("a store");
    let id = finished(&store);
    let history = store.reader().expect("a reader").history(&id).expect("read").expect("a run");
    drop(store);
    let out = runs.join("events");
    let (told, _) = output(runs, &["runs", "export", "r0001", "--format", "tensorboard", "--out", text(&out)]);
    let file = PathBuf::from(told["files"][0].as_str().expect("a file"));
    let start = history.summary.started.expect("a start");
    assert!(file.starts_with(out.join("r0001-cola-symlora-s5")) && file.exists(), "{file:?}");
    (history, start, file.parent().expect("a folder").into())
}

/// Every number by tag: step and value.
fn expected(history: &History) -> BTreeMap<String, Vec<(u64, f64)>> {
    let mut all: BTreeMap<String, Vec<(u64, f64)>> = BTreeMap::new();
    all.insert("train/epoch".into(), history.points.iter().map(|p| (p.step, p.epoch)).collect());
    let told = history.scalars(|s| {
        let tag = s.matrix.map_or(s.series.to_string(), |(layer, target)| format!("{}/{layer:02}.{target}", s.series));
        all.entry(tag).or_default().push((s.step, s.value));
        Ok::<(), ()>(())
    });
    told.expect("told");
    all
}

#[test]
fn tensorboard_reads_what_is_written() {
    let Some(python) = python() else {
        // Past the harness, which keeps what passing tests print.
        let note =
            "tensorboard_reads_what_is_written: SKIPPED, no python with tensorboard; EIGENSCOPE_PYTHON names one\n";
        std::io::stderr().write_all(note.as_bytes()).expect("told");
        return;
    };
    let runs = tempfile::tempdir().expect("a folder");
    let (history, start, folder) = exported(runs.path());
    let read = Command::new(python).arg(fixture("read_events.py")).arg(&folder).output().expect("python");
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let found: Value = serde_json::from_slice(&read.stdout).expect("JSON");
    let found = &found[0];
    let expected = expected(&history);
    let tags: Vec<&String> = found["scalars"].as_object().expect("tags").keys().collect();
    assert_eq!(tags, expected.keys().collect::<Vec<_>>());
    for name in ["train/loss", "train/lr", "eval/matthews", "lambda/11.query", "delta_fro/00.query", "device/memory"] {
        assert!(expected.contains_key(name), "{name}");
    }
    for (tag, points) in &expected {
        let found = found["scalars"][tag].as_array().expect("numbers");
        assert_eq!(found.len(), points.len(), "{tag}");
        for (found, (step, value)) in found.iter().zip(points) {
            assert_eq!(found[0], *step, "{tag}");
            let single = f64::from(*value as f32);
            assert!(if value.is_nan() { found[2].is_null() } else { found[2] == single }, "{tag} {step}: {found}");
            let time = found[1].as_f64().expect("a time") - start;
            let at = history.points.iter().rev().find(|p| p.step <= *step).map_or(0.0, |p| p.seconds);
            assert!((time - at).abs() < 1e-6, "{tag} {step}: after {time} s, expected {at}");
        }
    }
    let of = &found["hparams"];
    assert_eq!((&of["task"], &of["lr"], &of["rank"]), (&json!("cola"), &json!(5e-3), &json!(8.0)));
    // SUCCESS.
    assert_eq!(found["status"], 1);
}

#[test]
fn event_files_come_back_by_value() {
    let runs = tempfile::tempdir().expect("a folder");
    let (history, start, folder) = exported(runs.path());
    let other = runs.path().join("other");
    let (found, said) = output(&other, &["runs", "import", text(&folder)]);
    assert_eq!((&found[0]["name"], &found[0]["status"]), (&json!("r0001-cola-symlora-s5"), &json!("done")));
    // What the device did is of another machine.
    assert!(said.contains("series not taken: device/memory, device/utilisation\n"), "{said}");
    let store = Store::open(&other).expect("a store");
    let id = eigenscope::event::RunId("r0001".into());
    let back = store.reader().expect("a reader").history(&id).expect("read").expect("a run");
    let single = |v: f64| (v as f32).to_string().parse::<f64>().expect("a number");
    assert_eq!(back.points.len(), history.points.len());
    for (found, put) in back.points.iter().zip(&history.points) {
        assert_eq!((found.step, found.epoch, found.lr), (put.step, put.epoch, single(put.lr)));
        assert_eq!((found.grad_norm, found.samples_per_second), (single(put.grad_norm), put.samples_per_second));
        assert!((found.seconds - put.seconds).abs() < 1e-6);
        assert!(found.loss == single(put.loss) || found.loss.is_nan() && put.step == 3, "{found:?}");
    }
    for (found, put) in back.evaluations.iter().zip(&history.evaluations) {
        let scores: Vec<(String, f64)> = put.scores.iter().map(|(id, v)| (id.clone(), single(*v))).collect();
        assert_eq!(
            (found.step, found.epoch, found.loss, &found.scores),
            (put.step, put.epoch, single(put.loss), &scores)
        );
    }
    assert_eq!((back.evaluations.len(), back.norms.len()), (2, 3));
    for ((step, rows), (put_step, put)) in back.norms.iter().zip(&history.norms) {
        assert_eq!(step, put_step);
        for (n, m) in rows.iter().zip(put) {
            assert_eq!((n.layer, &n.target, n.lambda, n.w0_fro), (m.layer, &m.target, single(m.lambda), m.w0_fro));
            assert_eq!((n.w0_l1, n.delta_fro), (m.w0_l1, single(m.delta_fro)));
        }
    }
    let (mut spec, put) = (back.summary.spec, history.summary.spec);
    spec.name.clear();
    assert_eq!(spec, put, "the settings come back");
    assert!((back.summary.started.expect("a start") - start).abs() < 1e-6);
    assert_eq!(back.summary.best, history.summary.best.map(single));
}

#[test]
fn an_export_is_replaced_whole_and_names_stay_in_its_folder() {
    let runs = tempfile::tempdir().expect("a folder");
    let (_, _, folder) = exported(runs.path());
    let out = runs.path().join("events");
    eigenscope(runs.path(), &["runs", "rename", "r0001", "--to", "../../up/λ x"]).assert().success();
    for _ in 0..2 {
        output(
            runs.path(),
            &["runs", "export", "--filter", "task:cola", "--format", "tensorboard", "--out", text(&out)],
        );
    }
    let names = |folder: &Path| {
        let entries = std::fs::read_dir(folder).expect("a folder").flatten();
        let mut names: Vec<String> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&out), ["r0001-..-..-up-λ-x", "r0001-cola-symlora-s5"]);
    assert_eq!(names(&folder).len(), 1);
    assert!(tracker::source(&out).is_some_and(|s| s.name() == "TensorBoard"));
}

#[test]
fn a_parquet_table_holds_every_number() {
    let runs = tempfile::tempdir().expect("a folder");
    let runs = runs.path();
    let store = Store::open(runs).expect("a store");
    let ids = [finished(&store), finished(&store)];
    let reader = store.reader().expect("a reader");
    let mut expected = Vec::new();
    for id in &ids {
        let history = reader.history(id).expect("read").expect("a run");
        let told = history.scalars(|s| {
            let text = |t: &str| Cell::Text(t.into());
            let matrix = s.matrix.map_or((Cell::Null, Cell::Null), |(l, t)| (Cell::Whole(l.into()), text(t)));
            expected.push(vec![
                text(id.as_str()),
                text("cola-symlora-s5"),
                text("cola"),
                text("symlora"),
                text("mini-roberta"),
                Cell::Whole(5),
                Cell::Real(5e-3),
                text(&s.series),
                matrix.0,
                matrix.1,
                Cell::Whole(s.step as i64),
                Cell::Real(s.epoch),
                Cell::Real(s.seconds),
                Cell::Real(s.value),
            ]);
            Ok::<(), ()>(())
        });
        told.expect("told");
    }
    drop(store);
    let out = runs.join("deep/metrics.parquet");
    let (told, _) = output(runs, &["runs", "export", "r0001", "r0002", "--format", "parquet", "--out", text(&out)]);
    assert_eq!(told, json!({ "files": [out] }));
    let table = Table::open(&out).expect("a table");
    let columns = [
        "run", "name", "task", "method", "model", "seed", "lr", "series", "layer", "target", "step", "epoch",
        "seconds", "value",
    ];
    assert_eq!(table.columns(), columns);
    let mut found = Vec::new();
    let read = table.read(&columns, &mut |_, cells| {
        found.push(cells.to_vec());
        Ok(())
    });
    read.expect("rows");
    assert_eq!((found.len(), table.rows()), (expected.len(), expected.len() as u64));
    for (found, expected) in found.iter().zip(&expected) {
        let bits = |cells: &[Cell]| -> Vec<String> {
            cells
                .iter()
                .map(|c| if let Cell::Real(x) = c { format!("{:x}", x.to_bits()) } else { format!("{c:?}") })
                .collect()
        };
        assert_eq!(bits(found), bits(expected));
    }
    assert!(!runs.join("deep/metrics.part").exists());
}
