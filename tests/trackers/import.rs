//! Runs of other programs in the store: by value, once each, and what is wrong with a file told with its place.

use super::{eigenscope, fixture, output, refused, text};
use eigenscope::event::RunId;
use eigenscope::record::History;
use eigenscope::store::Store;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

fn history(runs: &Path, id: &str) -> History {
    let store = Store::open(runs).expect("a store");
    store.reader().expect("a reader").history(&RunId(id.into())).expect("read").expect("a run")
}

/// The only file in a folder of fixtures.
fn events(folder: &str, name: &str) -> PathBuf {
    fixture(folder).join(name)
}

const TRAINER: &str = "events.out.tfevents.1700000000.host.1.0";

#[test]
fn a_trainers_event_files_become_a_run() {
    let runs = tempfile::tempdir().expect("a folder");
    let runs = runs.path();
    let (found, said) = output(runs, &["runs", "import", text(&fixture("trainer"))]);
    assert!(said.contains("trainer: series not taken: eval/samples_per_second, train/total_flos\n"), "{said}");
    let expected = json!({ "id": "r0001", "name": "trainer", "status": "done", "task": "cola", "seed": 7, "lr": 2e-4,
        "steps": 40, "metric": "matthews", "best": 0.375, "tags": ["imported"],
        "note": "from trainer (TensorBoard): model_type=roberta, optim=adamw_torch" });
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&found[0][key], value, "{key}");
    }
    let run = history(runs, "r0001");
    let points: Vec<_> = run.points.iter().map(|p| (p.step, p.epoch, p.seconds, p.lr, p.grad_norm)).collect();
    let expected = [(10, 0.5, 1.0, 2e-4), (20, 1.0, 2.0, 1.5e-4), (30, 1.5, 3.0, 1e-4), (40, 2.0, 4.0, 5e-5)];
    assert_eq!(points, expected.map(|(step, epoch, seconds, lr)| (step, epoch, seconds, lr, step as f64 / 8.0)));
    let losses: Vec<f64> = run.points.iter().map(|p| p.loss).collect();
    assert!(losses[2].is_nan() && (losses[0], losses[1], losses[3]) == (0.1, 0.05, 0.025), "{losses:?}");
    let told: Vec<_> = run.evaluations.iter().map(|e| (e.step, e.epoch, e.loss, e.seconds, e.scores.clone())).collect();
    let scores = |v: f64| vec![("matthews".to_string(), v), ("accuracy".to_string(), 0.5 + v)];
    assert_eq!(told, [(20, 1.0, 0.5, 1.5, scores(0.25)), (40, 2.0, 0.5, 1.5, scores(0.375))]);
    let spec = &run.summary.spec;
    assert_eq!((spec.model.as_str(), spec.batch_size, spec.epochs), ("roberta-base", 16, 2));
    assert_eq!((spec.method.as_str(), spec.weight_decay), ("unknown", 0.125), "from the folder of hyperparameters");
    assert_eq!(run.summary.started, Some(1_700_000_000.25));
    assert_eq!(run.summary.facts.environment["imported"], "TensorBoard");
}

#[test]
fn tensors_of_tensorflow_2_are_numbers_and_steps_count_from_1() {
    let runs = tempfile::tempdir().expect("a folder");
    let args = [
        "runs",
        "import",
        text(&fixture("tf2")).to_string().leak(),
        "--task",
        "rte",
        "--method",
        "lora",
        "--name",
        "mine",
    ];
    let (found, _) = output(runs.path(), &args);
    assert_eq!(
        (&found[0]["name"], &found[0]["task"], &found[0]["method"]),
        (&json!("mine"), &json!("rte"), &json!("lora"))
    );
    let run = history(runs.path(), "r0001");
    let points: Vec<_> = run.points.iter().map(|p| (p.step, p.epoch, p.loss, p.lr)).collect();
    let third = 0.33333334;
    assert_eq!(points, [(1, 0.0, 1.0, 0.1), (2, 1.0 / 3.0, 0.5, 0.1), (3, 2.0 / 3.0, third, 0.1), (4, 1.0, 0.25, 0.1)]);
    assert!(run.points.iter().all(|p| p.grad_norm.is_nan()));
    assert_eq!(run.evaluations.iter().map(|e| (e.step, e.loss)).collect::<Vec<_>>(), [(4, 0.75)]);
}

#[test]
fn a_run_is_imported_once_wherever_it_lies() {
    let runs = tempfile::tempdir().expect("a folder");
    let runs = runs.path();
    output(runs, &["runs", "import", text(&fixture("trainer"))]);
    let moved = runs.join("moved");
    fs::create_dir(&moved).expect("a folder");
    fs::copy(events("trainer", TRAINER), moved.join(TRAINER)).expect("copied");
    let said = refused(runs, &["runs", "import", text(&moved)]);
    assert!(said.contains("moved was imported before, as r0001; --again"), "{said}");
    let (found, _) = output(runs, &["runs", "import", text(&moved), "--again"]);
    assert_eq!(found[0]["id"], "r0002");
    // Both folders at once: the new one is taken, the known one told.
    fs::create_dir(moved.join("inner")).expect("a folder");
    let name = "events.out.tfevents.1700000000.host.2.v2";
    fs::copy(events("tf2", name), moved.join("inner").join(name)).expect("copied");
    let (found, said) = output(runs, &["runs", "import", text(&moved)]);
    assert_eq!((found.as_array().map(Vec::len), &found[0]["name"]), (Some(1), &json!("inner")));
    assert!(said.contains("moved was imported before, as r0002"), "{said}");
}

#[test]
fn a_file_under_way_is_taken_and_a_damaged_one_named() {
    let runs = tempfile::tempdir().expect("a folder");
    let runs = runs.path();
    let whole = fs::read(events("trainer", TRAINER)).expect("a file");
    let file = runs.join(TRAINER);
    let path = text(&file);
    fs::write(&file, &whole[..whole.len() - 3]).expect("written");
    let (found, said) = output(runs, &["runs", "import", path]);
    assert_eq!((&found[0]["steps"], found.as_array().map(Vec::len)), (&json!(40), Some(1)));
    assert!(said.contains("ends within the record at byte") && said.contains(TRAINER), "{said}");
    let mut wrong = whole.clone();
    wrong[700] ^= 4;
    fs::write(&file, &wrong).expect("written");
    let said = refused(runs, &["runs", "import", path, "--again"]);
    assert!(
        said.contains(TRAINER) && said.contains("byte ") && said.contains("the checksum of the record's"),
        "{said}"
    );
    fs::write(&file, &whole[..40]).expect("written");
    let said = refused(runs, &["runs", "import", path, "--again"]);
    assert!(said.contains("no run of TensorBoard in it has a series that is known"), "{said}");
    assert_eq!(output(runs, &["runs", "list"]).0.as_array().map(Vec::len), Some(1), "nothing half is kept");
}

/// Names and bytes of a folder's files.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let file = |e: fs::DirEntry| (e.file_name().to_string_lossy().into_owned(), fs::read(e.path()).expect("a file"));
    let mut all: Vec<_> = entries.map(file).collect();
    all.sort();
    all
}

#[test]
fn a_trackio_database_is_read_and_left_as_it_is() {
    let runs = tempfile::tempdir().expect("a folder");
    let runs = runs.path();
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("a ?#%41.db");
    fs::copy(fixture("trackio.db"), &file).expect("copied");
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o555)).expect("read-only");
    let before = contents(place.path());
    let (found, said) = output(runs, &["runs", "import", text(&file)]);
    assert_eq!(contents(place.path()), before, "nothing is written beside it");
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).expect("writable");
    assert!(said.contains("cola-lora: series not taken: gpu/heat\n"), "{said}");
    let names: Vec<&Value> = found.as_array().expect("runs").iter().map(|r| &r["name"]).collect();
    assert_eq!(names, ["cola-lora", "cola-other"]);
    let expected = json!({ "id": "r0001", "task": "cola", "method": "lora", "seed": 3, "lr": 2e-4, "steps": 5, "metric": "matthews",
        "tags": ["imported"], "note": "from a ?#%41.db (Trackio): optimizer=adamw" });
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&found[0][key], value, "{key}");
    }
    let run = history(runs, "r0001");
    let points: Vec<_> = run.points.iter().map(|p| (p.step, p.lr, p.grad_norm)).collect();
    let lr = |n: f64| 2e-4 * n / 5.0;
    assert_eq!(points, [5.0, 4.0, 3.0, 2.0, 1.0].map(|n| (6 - n as u64, lr(n), 0.5)));
    assert!(run.points[3].loss.is_nan() && run.points[4].loss == 0.2);
    assert_eq!(run.evaluations[0].scores, [("matthews".to_string(), 0.1 * 3.0)]);
    let spec = &run.summary.spec;
    assert_eq!((spec.model.as_str(), spec.batch_size, spec.rank, spec.epochs), ("roberta-base", 16, 4, 0));
    let said = refused(runs, &["runs", "import", text(&file)]);
    assert!(said.contains("cola-lora was imported before, as r0001") && said.contains("as r0002"), "{said}");
}

#[test]
fn what_trackio_has_not_yet_written_back_is_read_too() {
    let runs = tempfile::tempdir().expect("a folder");
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("glue.db");
    fs::copy(fixture("trackio.db"), &file).expect("copied");
    let live = rusqlite::Connection::open(&file).expect("a database");
    let put = "INSERT INTO metrics (run_id, timestamp, run_name, step, metrics)
        SELECT run_id, timestamp, run_name, 7, '{\"train/loss\": \"Infinity\"}' FROM metrics WHERE run_name = 'cola-lora' LIMIT 1";
    live.execute(put, []).expect("a row in the log");
    let (found, _) = output(runs.path(), &["runs", "import", text(&file)]);
    assert_eq!(found[0]["steps"], 8);
    assert_eq!(history(runs.path(), "r0001").points[5].loss, f64::INFINITY);
    live.execute("UPDATE metrics SET timestamp = 'late'", []).expect("changed");
    let said = refused(runs.path(), &["runs", "import", text(&file), "--again"]);
    assert!(said.contains("glue.db: row 1 of its runs: time \"late\", expected"), "{said}");
    // A database of before version 0.24 knows runs by name alone.
    let old = place.path().join("old.db");
    let made = rusqlite::Connection::open(&old).expect("a database");
    let rows =
        "CREATE TABLE metrics (id INTEGER PRIMARY KEY, timestamp TEXT, run_name TEXT, step INTEGER, metrics TEXT);
        INSERT INTO metrics VALUES (1, '2025-08-01T12:00:00', 'x', 3, '{\"loss\": 0.5}');
        INSERT INTO metrics VALUES (2, '2025-08-01T12:00:09+00:00', 'x', 4, '{\"loss\": 0.25}');";
    made.execute_batch(rows).expect("made");
    let (found, _) = output(runs.path(), &["runs", "import", text(&old)]);
    assert_eq!((&found[0]["name"], &found[0]["seconds"]), (&json!("x"), &json!(9.0)));
}

#[test]
fn a_copied_log_of_trackios_is_read_and_nothing_is_made_beside_it() {
    let runs = tempfile::tempdir().expect("a folder");
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("glue.db");
    fs::copy(fixture("trackio.db"), &file).expect("copied");
    let live = rusqlite::Connection::open(&file).expect("a database");
    let put = "INSERT INTO metrics (run_id, timestamp, run_name, step, metrics)
        SELECT run_id, timestamp, run_name, 7, '{\"train/loss\": 0.125}' FROM metrics WHERE run_name = 'cola-lora' LIMIT 1";
    live.execute(put, []).expect("a row in the log");
    // As after a copy while it was in use: the log without its index.
    let copied = tempfile::tempdir().expect("a folder");
    for name in ["glue.db", "glue.db-wal"] {
        fs::copy(place.path().join(name), copied.path().join(name)).expect("copied");
    }
    let before = contents(copied.path());
    let (found, _) = output(runs.path(), &["runs", "import", text(&copied.path().join("glue.db"))]);
    assert_eq!(found[0]["steps"], 8, "what stands in the log alone is there");
    let names = |of: &[(String, Vec<u8>)]| of.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let after = contents(copied.path());
    assert!(after == before, "{:?}", names(&after));
}

/// A database of Trackio's with these rows of metrics and of its system's, each with its seconds.
fn trackio(file: &Path, config: &str, rows: &[(&str, u32, u32, &str)], system: &[(&str, u32, &str)]) {
    let made = rusqlite::Connection::open(file).expect("a database");
    let tables = "CREATE TABLE metrics (id INTEGER PRIMARY KEY, run_id TEXT, timestamp TEXT, run_name TEXT, step INTEGER, metrics TEXT);
        CREATE TABLE system_metrics (id INTEGER PRIMARY KEY, run_id TEXT, timestamp TEXT, run_name TEXT, metrics TEXT);
        CREATE TABLE configs (run_id TEXT, config TEXT)";
    made.execute_batch(tables).expect("tables");
    let time = |seconds: u32| format!("2026-08-01T12:00:{seconds:02}+00:00");
    for (run, seconds, step, metrics) in rows {
        let put = "INSERT INTO metrics (run_id, timestamp, run_name, step, metrics) VALUES (?1, ?2, ?1, ?3, ?4)";
        made.execute(put, rusqlite::params![run, time(*seconds), step, metrics]).expect("a row");
        made.execute("INSERT OR IGNORE INTO configs VALUES (?1, ?2)", [run, config]).expect("a row");
    }
    for (run, seconds, metrics) in system {
        let put = "INSERT INTO system_metrics (run_id, timestamp, run_name, metrics) VALUES (?1, ?2, ?1, ?3)";
        made.execute(put, rusqlite::params![run, time(*seconds), metrics]).expect("a row");
    }
}

#[test]
fn what_trackio_says_of_the_gpu_is_kept() {
    let runs = tempfile::tempdir().expect("a folder");
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("gpu.db");
    let rows = [("a", 0, 1, r#"{"loss": 1}"#), ("a", 20, 2, r#"{"loss": 0.5}"#)];
    let gpu =
        r#"{"gpu/0/utilization": 50, "gpu/0/allocated_memory": 1.5, "gpu/0/total_memory": 80, "gpu/0/power": 300.5}"#;
    trackio(&file, "{}", &rows, &[("a", 10, gpu), ("a", 20, gpu), ("a", 21, r#"{"disk/read_iops": 3}"#)]);
    let (_, said) = output(runs.path(), &["runs", "import", text(&file)]);
    assert!(said.contains("1 of its records of the system say nothing of a GPU"), "{said}");
    let asked = "SELECT run, step, seconds, utilisation, memory, memory_total, temperature, power FROM device";
    let (found, _) = output(runs.path(), &["sql", asked]);
    let row = |step: u32, seconds: f64| {
        json!({ "run": "r0001", "step": step, "seconds": seconds, "utilisation": 0.5, "memory": 3u64 << 29,
            "memory_total": 80u64 << 30, "temperature": null, "power": 300.5 })
    };
    assert_eq!(found, json!([row(1, 10.0), row(2, 20.0)]));
}

#[test]
fn the_best_of_a_metric_that_falls_is_its_lowest() {
    let runs = tempfile::tempdir().expect("a folder");
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("falls.db");
    let of = |metric: &str, value: f64| format!(r#"{{"loss": 1, "epoch": {value}, "eval/{metric}": {value}}}"#);
    let said = [("a", "perplexity"), ("b", "tokens"), ("c", "rouge1")];
    let texts: Vec<_> = said.iter().flat_map(|(run, m)| [9.0, 3.0, 5.0].map(|v| (*run, of(m, v)))).collect();
    let rows: Vec<_> =
        texts.iter().enumerate().map(|(i, (run, row))| (*run, i as u32, 1 + i as u32 % 3, row.as_str())).collect();
    trackio(&file, "{}", &rows, &[]);
    output(runs.path(), &["runs", "import", text(&file)]);
    let (found, _) =
        output(runs.path(), &["sql", "SELECT metric, best, best_epoch AS at, last FROM runs ORDER BY run"]);
    let row = |metric: &str, best: Option<f64>| json!({ "metric": metric, "best": best, "at": best, "last": 5.0 });
    assert_eq!(found, json!([row("perplexity", Some(3.0)), row("tokens", None), row("rouge1", Some(9.0))]));
}

/// What nobody told must not stand in a mean.
#[test]
fn settings_that_are_not_known_are_empty_in_sql() {
    let runs = tempfile::tempdir().expect("a folder");
    let runs = runs.path();
    let place = tempfile::tempdir().expect("a folder");
    let row = r#"{"loss": 1, "eval/accuracy": 0.5}"#;
    let (silent, telling) = (place.path().join("silent.db"), place.path().join("telling.db"));
    trackio(&silent, "{}", &[("a", 0, 1, row)], &[]);
    trackio(
        &telling,
        r#"{"seed": 0, "weight_decay": 0.0, "lr": 0.001, "r": 8, "tags": "x"}"#,
        &[("b", 0, 1, row)],
        &[],
    );
    for file in [&silent, &telling] {
        output(runs, &["runs", "import", text(file)]);
    }
    let asked = "SELECT seed, lr, batch_size, epochs, rank, alpha, max_length, weight_decay, warmup_ratio, asked_rows,
        adapter_parameters, head_parameters, train_rows, eval_rows FROM runs ORDER BY run";
    let (found, _) = output(runs, &["sql", asked]);
    let values = |i: usize| found[i].as_object().expect("an object").iter().filter(|(_, v)| !v.is_null());
    assert_eq!(values(0).collect::<Vec<_>>(), []);
    let told: serde_json::Map<_, _> = values(1).map(|(name, v)| (name.clone(), v.clone())).collect();
    assert_eq!(Value::Object(told), json!({ "seed": 0, "lr": 0.001, "rank": 8, "weight_decay": 0.0 }));
    let (found, _) = output(runs, &["sql", "SELECT seed, rows, seconds FROM evaluations ORDER BY run"]);
    assert_eq!(found[0], json!({ "seed": null, "rows": null, "seconds": null }));
    let (found, _) = output(runs, &["sql", "SELECT avg(lr) AS lr, typeof(tags) AS tags, count(seed) AS n FROM runs"]);
    assert_eq!(found, json!([{ "lr": 0.001, "tags": "text", "n": 1 }]));
    let (listed, _) = output(runs, &["runs", "list"]);
    let seeds: Vec<&Value> = listed.as_array().expect("runs").iter().map(|r| &r["seed"]).collect();
    assert!(seeds.contains(&&Value::Null) && seeds.contains(&&json!(0)), "{seeds:?}");
}

#[test]
fn what_is_of_no_tracker_is_refused() {
    let runs = tempfile::tempdir().expect("a folder");
    let runs = runs.path();
    drop(Store::open(runs).expect("a store"));
    let said = refused(runs, &["runs", "import", text(&runs.join("eigenscope.db"))]);
    assert!(said.contains("without Trackio's table metrics"), "{said}");
    let broken = runs.join("broken.db");
    let mut bytes = fs::read(fixture("trackio.db")).expect("a file");
    bytes[100..].fill(7);
    fs::write(&broken, &bytes).expect("written");
    let said = refused(runs, &["runs", "import", text(&broken)]);
    assert!(said.contains("broken.db: cannot be read as a Trackio database"), "{said}");
    eigenscope(runs, &["runs", "import", text(&runs.join("nothing"))]).assert().failure();
}

/// Whatever a screen or command shows of runs, it shows of those that say almost nothing of themselves too.
#[test]
fn commands_take_imported_runs() {
    let runs = tempfile::tempdir().expect("a folder");
    let runs = runs.path();
    for from in ["trainer", "tf2", "trackio.db"] {
        output(runs, &["runs", "import", text(&fixture(from))]);
    }
    for args in [&["runs", "list"][..], &["runs", "show", "tf2"], &["table1"]] {
        eigenscope(runs, args).assert().success();
    }
    for chart in ["loss", "score", "rate"] {
        let out = runs.join(format!("{chart}.csv"));
        eigenscope(runs, &["runs", "export", "r0001", "r0003", "--chart", chart, "--out", text(&out)])
            .assert()
            .success();
    }
    eigenscope(runs, &["report", "--out", text(&runs.join("report"))]).assert().success();
}
