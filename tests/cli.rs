//! The command line as a user's script meets it: data on stdout, clear errors, distinct exit codes.

#[path = "cli/sql.rs"]
mod sql;

use assert_cmd::Command;
use eigenscope::engine::Engine;
use eigenscope::event::{Evaluation, LayerNorm, RunEvent, Status};
use eigenscope::job::{Job, JobError, execute};
use eigenscope::spec::RunSpec;
use eigenscope::store::Store;
use eigenscope::train::fit::Sink;
use eigenscope::train::{Outcome, Signal};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

fn eigenscope(runs: &Path) -> Command {
    let mut command = Command::cargo_bin("eigenscope").expect("the program");
    command.arg("--runs").arg(runs).env_remove("EIGENSCOPE_RUNS");
    command
}

fn json(runs: &Path, args: &[&str]) -> Value {
    let output = eigenscope(runs).args(args).arg("--json").assert().success().get_output().stdout.clone();
    serde_json::from_slice(&output).expect("JSON on stdout")
}

/// Exit code and stderr of a call that fails.
fn failure(runs: &Path, args: &[&str]) -> (i32, String) {
    let assert = eigenscope(runs).args(args).assert().failure();
    let output = assert.get_output();
    assert!(output.stdout.is_empty(), "an error printed data");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!text.contains("panicked"), "{text}");
    (output.status.code().expect("an exit code"), text)
}

fn refused(args: &[&str], code: i32, words: &[&str]) {
    let runs = tempfile::tempdir().expect("a folder");
    let (found, text) = failure(runs.path(), args);
    assert_eq!(found, code, "{args:?}: {text}");
    for word in words {
        assert!(text.contains(word), "{args:?}: {word:?} is not in {text}");
    }
    assert_eq!(json(runs.path(), &["runs", "list"]), Value::Array(Vec::new()), "{args:?}: nothing is queued");
}

const SHORT: &[&str] = &["train", "--task", "sst-2", "--train-rows", "32", "--epochs", "1", "--max-length", "16"];

#[test]
fn a_run_of_every_method_stands_in_table_1() {
    let runs = tempfile::tempdir().expect("a folder");
    let ids: Vec<&str> = eigenscope::adapter::ALL.iter().map(|m| m.id()).collect();
    let trained = json(runs.path(), &[SHORT, &["--method", &ids.join(","), "--batch-size", "16"]].concat());
    assert!(trained.as_array().expect("runs").iter().all(|run| run["status"] == "done"), "{trained}");
    let table = json(runs.path(), &["table1"]);
    let cells = |row: &Value| row["cells"].as_array().expect("cells").clone();
    let rows = table["rows"].as_array().expect("rows").iter();
    let row = rows.clone().find(|row| row["task"] == "sst-2").expect("SST-2");
    for (id, cell) in ids.iter().zip(cells(row)) {
        assert_eq!(cell["method"], *id);
        assert!(cell["ours"]["mean"].as_f64().is_some_and(|mean| mean > 0.0), "{id}: {cell}");
    }
    let plain = |args: &[&str]| eigenscope(runs.path()).args(args).assert().success().get_output().stdout.clone();
    let text = String::from_utf8(plain(&["table1"])).expect("text");
    for method in eigenscope::adapter::ALL {
        assert!(text.contains(method.label()), "{}: {text}", method.label());
    }
    // What draws spectra draws those of each method.
    for (i, method) in eigenscope::adapter::ALL.iter().enumerate().filter(|(_, m)| m.form().is_some()) {
        let out = runs.path().join(format!("{}.svg", method.id()));
        let (run, file) = (format!("r{:04}", i + 1), out.to_str().expect("a path"));
        plain(&["runs", "export", &run, "--chart", "spectrum", "--out", file]);
        let svg = std::fs::read_to_string(&out).expect("a picture");
        assert!(svg.contains(method.form().expect("a form").spectrum()), "{}", method.id());
    }
}

#[test]
fn a_short_run_goes_all_the_way() {
    let runs = tempfile::tempdir().expect("a folder");
    let trained = json(runs.path(), &[SHORT, &["--method", "symlora,lora", "--batch-size", "16"]].concat());
    let listed = json(runs.path(), &["runs", "list"]);
    let rows = listed.as_array().expect("an array");
    assert_eq!(rows.len(), 2);
    for row in rows {
        for key in [
            "id", "name", "status", "task", "method", "seed", "lr", "steps", "metric", "best", "last", "params",
            "seconds",
        ] {
            assert!(row.get(key).is_some(), "{key} is missing in {row}");
        }
        assert_eq!((&row["status"], &row["steps"], &row["metric"]), (&"done".into(), &2.into(), &"accuracy".into()));
    }
    // 6 layers, query and value, r = 8, n = 128, as the paper counts them.
    assert_eq!(trained[0]["params"], 12 * ((128 + 1) * 8 + 1));
    assert_eq!(trained[1]["params"], 12 * 2 * 128 * 8);

    let adapter = runs.path().join("r0001/adapter.safetensors");
    let adapter = adapter.to_str().expect("a path");
    let inspected = json(runs.path(), &["inspect", adapter, "--model", "mini-roberta"]);
    let layers = inspected["layers"].as_array().expect("layers");
    assert_eq!(layers.len(), 12);
    let first = &layers[0];
    let number = |key: &str| first[key].as_f64().expect("a number");
    assert!((number("difference") - (number("lambda") * number("w0_fro") - number("delta_fro"))).abs() < 1e-9);
    assert_eq!(first["spectrum"].as_array().map(Vec::len), Some(8));
    assert!(json(runs.path(), &["inspect", adapter])["layers"][0]["w0_fro"].is_null());
    // A run knows what it stands on.
    assert_eq!(json(runs.path(), &["inspect", "r0001"]), inspected);

    let dev = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/glue-sample/SST-2/dev.tsv");
    let scored =
        json(runs.path(), &["eval", "--model", "mini-roberta", "--adapter", adapter, "--task", "sst-2", "--data", dev]);
    assert_eq!(scored["score"], trained[0]["best"], "the saved adapter scores as the run did");
    assert_eq!(scored["logits"].as_array().map(Vec::len), Some(250));

    for ending in ["png", "svg", "csv", "json"] {
        let path = runs.path().join(format!("out/figure1.{ending}"));
        eigenscope(runs.path()).args(["figure1", "--out"]).arg(&path).assert().success();
        assert!(fs::metadata(&path).expect("a figure").len() > 200);
        let path = runs.path().join(format!("out/loss.{ending}"));
        eigenscope(runs.path()).args(["runs", "export", "r0002", "--out"]).arg(&path).assert().success();
        assert!(fs::metadata(&path).expect("a chart").len() > 100);
    }
    let both = runs.path().join("out/both.csv");
    eigenscope(runs.path()).args(["runs", "export", "r0001", "r0002", "--out"]).arg(&both).assert().success();
    let rows = fs::read_to_string(both).expect("rows");
    for series in ["r0001 raw,1,", "r0001 sst-2-symlora-s0,2,", "r0002 raw,1,", "r0002 sst-2-lora-s0,2,"] {
        assert!(rows.contains(series), "{series}: {rows}");
    }
    let wrong = runs.path().join("out/both.png");
    let wrong = wrong.to_str().expect("a path");
    let of_one = ["runs", "export", "r0001", "r0002", "--chart", "layers", "--out", wrong];
    let (code, said) = failure(runs.path(), &of_one);
    assert!(code == 2 && said.contains("chart layers is drawn from one run"), "{said}");
    let chart = runs.path().join("out/layers.csv");
    let written =
        json(runs.path(), &["runs", "export", "r0001", "--chart", "layers", "--out", chart.to_str().expect("a path")]);
    assert_eq!(written["file"], chart.to_str().expect("a path"));
    let spectrum = runs.path().join("out/spectrum.csv");
    eigenscope(runs.path())
        .args(["runs", "export", "r0001", "--chart", "spectrum", "--out"])
        .arg(&spectrum)
        .assert()
        .success();
    assert!(fs::read_to_string(&spectrum).expect("rows").contains("effective rank"));
    assert_eq!(json(runs.path(), &["runs", "delete", "r0001"])["deleted"], "r0001");
    assert!(!Path::new(adapter).exists());
    assert_eq!(failure(runs.path(), &["runs", "show", "r0001"]).0, 4);
}

#[test]
fn events_are_lines_of_json_while_runs_train() {
    let runs = tempfile::tempdir().expect("a folder");
    let args = [SHORT, &["--batch-size", "16", "--method", "symlora,lora", "--events"]].concat();
    let output = eigenscope(runs.path()).args(&args).assert().success().get_output().stdout.clone();
    let text = String::from_utf8(output).expect("UTF-8");
    let events: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).expect("an object a line")).collect();
    for id in ["r0001", "r0002"] {
        let of: Vec<&Value> = events.iter().filter(|e| e["run"] == id).collect();
        let kinds: Vec<&str> = of.iter().filter_map(|e| e["event"].as_str()).collect();
        let at = |kind: &str| kinds.iter().position(|k| *k == kind).unwrap_or_else(|| panic!("no {kind} in {text}"));
        assert!(at("started") < at("point") && at("started") < at("evaluated"), "{text}");
        assert_eq!(of[at("started")]["total_steps"], 2);
        let last = of.last().expect("events");
        assert_eq!((&last["event"], &last["status"]), (&"status".into(), &"done".into()));
        let evaluated = of[at("evaluated")];
        assert_eq!((&evaluated["step"], &evaluated["scores"][0][0]), (&2.into(), &"accuracy".into()));
        let points: Vec<u64> = of.iter().filter(|e| e["event"] == "point").filter_map(|e| e["step"].as_u64()).collect();
        assert_eq!(points.last(), Some(&2), "the last point is told");
        assert!(of[at("point")]["loss"].as_f64().is_some_and(|l| l > 0.0));
    }
    // With --json the summary follows as it is without events.
    let both =
        eigenscope(runs.path()).args(SHORT).args(["--events", "--json"]).assert().success().get_output().stdout.clone();
    let both = String::from_utf8(both).expect("UTF-8");
    let (lines, summary) = both.split_at(both.find("\n[").expect("a summary") + 1);
    assert!(lines.lines().count() > 3 && lines.lines().all(|l| l.starts_with("{\"event\":")), "{both}");
    let summary: Value = serde_json::from_str(summary).expect("JSON");
    assert_eq!(summary[0]["status"], "done");
    let output = eigenscope(runs.path()).args(["demo", "--events"]).assert().failure().get_output().clone();
    assert!(String::from_utf8_lossy(&output.stderr).contains("--headless"), "events are for runs without screens");
}

#[test]
fn the_settings_file_is_made_and_checked() {
    let folder = tempfile::tempdir().expect("a folder");
    let call = |args: &[&str]| {
        let mut command = eigenscope(folder.path());
        command.env("XDG_CONFIG_HOME", folder.path()).env("LC_ALL", "C.UTF-8").env("TERM", "xterm").args(args);
        let output = command.output().expect("ran");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let path = folder.path().join("eigenscope/config.toml");
    let (code, made, _) = call(&["config"]);
    assert_eq!(code, Some(0));
    assert!(made.starts_with(&format!("# {}\ntheme = \"dark\"", path.display())), "{made}");
    for line in ["stop = [\"x\"]", "screen-0 = [\"0\"]", "[keys-on.launch]"] {
        assert!(made.contains(line), "{line} is not in {made}");
    }
    assert!(call(&["config", "check"]).1.contains("does not exist"));
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(&path, &made).expect("written");
    assert_eq!(call(&["config", "check"]), (Some(0), format!("{}: sound\n", path.display()), String::new()));
    assert_eq!(call(&["config"]).1, made, "the file says what held without it");
    fs::write(&path, "theme = \"pink\"\n[keys]\nstop = [\"Z\"]\n").expect("written");
    let (code, _, told) = call(&["config", "check"]);
    assert_eq!(code, Some(3));
    assert!(told.contains(&format!("{}:1: theme = \"pink\", expected one of dark", path.display())), "{told}");
    assert!(call(&["config"]).1.contains("stop = [\"Z\"]"));
}

#[test]
fn wrong_settings_name_the_field() {
    refused(&["train", "--task", "cola2"], 3, &["task", "cola2", "sst-2"]);
    refused(&["train", "--method", "loar"], 3, &["method", "loar", "symlora"]);
    refused(&["train", "--lr", "-1"], 3, &["lr", "above 0"]);
    refused(&["train", "--rank", "300"], 3, &["128", "300"]);
    refused(&["train", "--targets", "query+gate"], 3, &["targets", "gate"]);
    refused(&["train", "--max-length", "512"], 3, &["max_length", "512", "128"]);
    refused(&["train", "--device", "cuda:0"], 3, &["device", "cuda:0", "cpu"]);
    refused(
        &["train", "--model", "roberta-base"],
        3,
        &["roberta-base", "config.json", "model.safetensors", "tokenizer.json"],
    );
    refused(&["train", "--data", "/no/such/folder"], 3, &["/no/such/folder", "train.tsv"]);
    refused(&["demo", "--headless", "--tasks", "sst2"], 3, &["sst2", "sst-2"]);
}

/// In training's place: trains and asks to stop after some batches.
fn stopped_early(
    job: &Job,
    _: &(dyn Fn() -> Signal + Sync),
    sink: &mut (dyn Sink + Send),
) -> Result<Outcome, JobError> {
    let read = AtomicU64::new(0);
    execute(job, &|| if read.fetch_add(1, Ordering::SeqCst) >= 3 { Signal::Stop } else { Signal::Go }, sink)
}

/// Two runs of eight steps that were stopped after three.
fn two_stopped_runs(runs: &Path) {
    let store = Store::open(runs).expect("a store");
    let spec =
        RunSpec { train_rows: 32, batch_size: 8, epochs: 2, max_length: 16, norms_every: 2, ..RunSpec::default() };
    let ids = store.handle().create(&[spec.clone(), RunSpec { seed: 1, ..spec }]).expect("queued");
    let engine = Engine::start(store.handle(), &["cpu".into()], stopped_early).expect("a worker");
    let reader = store.reader().expect("a reader");
    let stopped = |id| reader.summary(id).expect("read").expect("a run").status == Status::Stopped;
    let start = std::time::Instant::now();
    while !ids.iter().all(stopped) {
        assert!(start.elapsed().as_secs() < 60, "the runs did not stop");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    drop(engine);
}

#[test]
fn stopped_runs_go_on_from_their_checkpoints() {
    let runs = tempfile::tempdir().expect("a folder");
    two_stopped_runs(runs.path());
    assert_eq!(failure(runs.path(), &["runs", "resume", "r0001", "nobody"]).0, 4);
    let listed = json(runs.path(), &["runs", "list"]);
    assert!(listed.as_array().expect("runs").iter().all(|r| r["status"] == "stopped" && r["steps"] == 3), "{listed}");
    // By id, by name and twice: each is trained once.
    let ended = json(runs.path(), &["runs", "resume", "r0001", "sst-2-symlora-s1", "r0001"]);
    let ended: Vec<_> = ended.as_array().expect("runs").iter().map(|r| (&r["id"], &r["status"], &r["steps"])).collect();
    assert_eq!(ended, [(&"r0001".into(), &"done".into(), &8.into()), (&"r0002".into(), &"done".into(), &8.into())]);
    let log = &json(runs.path(), &["runs", "show", "r0001"])["log"];
    let lines: Vec<&str> = log.as_array().expect("lines").iter().filter_map(|l| l["text"].as_str()).collect();
    assert!(lines.iter().any(|l| l.contains("from step 3")), "{lines:?}");
    let (code, text) = failure(runs.path(), &["runs", "resume", "r0001"]);
    assert!(code == 4 && text.contains("r0001 is done: only stopped, interrupted and failed"), "{text}");
}

/// A finished run of CoLA in the store, with one layer's norms at its best evaluation and twice those at its end.
fn finished(store: &Store, method: &str, seed: u64, score: f64) {
    let spec = RunSpec { task: "cola".into(), method: method.into(), seed, ..RunSpec::default() };
    let id = store.handle().create(&[spec]).expect("queued").remove(0);
    let norms = |step, factor: f64| {
        let of = |target: &str, size: f64| LayerNorm {
            layer: 0,
            target: target.into(),
            lambda: 0.5,
            w0_fro: size * factor,
            w0_l1: 10.0 * size * factor,
            delta_fro: factor,
            spectrum: Vec::new(),
        };
        RunEvent::Norms { step, rows: vec![of("query", 8.0), of("value", 16.0)] }
    };
    let evaluated = |step, score| {
        let scores = vec![("matthews".to_string(), score)];
        RunEvent::Evaluated(Evaluation { step, epoch: 1.0, loss: 0.5, scores, rows: 1, seconds: 0.1 })
    };
    let done = RunEvent::Status { status: Status::Done, cause: None };
    for event in [norms(4, 1.0), evaluated(4, score), norms(8, 2.0), evaluated(8, 0.0), done] {
        store.handle().record(&id, event).expect("recorded");
    }
}

#[test]
fn table1_is_the_mean_over_seeds_beside_the_paper() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path()).expect("a store");
    finished(&store, "symlora", 0, 0.2);
    finished(&store, "symlora", 1, 0.2);
    drop(store);
    let table = json(folder.path(), &["table1"]);
    let cell = |task: &str, method: usize| {
        let rows = table["rows"].as_array().expect("rows");
        rows.iter().find(|r| r["task"] == task).expect("a row")["cells"][method].clone()
    };
    let best = json(folder.path(), &["runs", "list"])[0]["best"].clone();
    assert_eq!(cell("cola", 0)["ours"]["mean"], best);
    assert_eq!(cell("cola", 0)["ours"]["half_width"], 0.0);
    assert_eq!(cell("cola", 0)["ours"]["seeds"], serde_json::json!([0, 1]));
    assert_eq!(cell("cola", 0)["paper"], serde_json::json!({ "score": 0.63, "points": 2.9 }));
    assert!(cell("rte", 1)["ours"].is_null());
    let output = eigenscope(folder.path()).arg("table1").assert().success().get_output().stdout.clone();
    let text = String::from_utf8_lossy(&output).into_owned();
    let line = text.lines().find(|l| l.starts_with("CoLA")).expect("a line");
    assert!(line.contains("20.0 ±0.0 n=2") && text.contains("63 ±2.9") && text.contains("not GLUE scores"), "{text}");
    fn set<'a>(args: &[&'a str]) -> Vec<&'a str> {
        [&["table1", "set", "--task", "cola", "--method", "symlora"], args].concat()
    }
    let kept = json(folder.path(), &set(&["--test", "0.60"]));
    assert_eq!((&kept["rows"], &kept["model"]), (&1063.into(), &"mini-roberta".into()));
    let test = || {
        let table = json(folder.path(), &["table1"]);
        table["rows"][0]["cells"][0]["test"].clone()
    };
    assert_eq!(test()["score"], 0.6);
    json(folder.path(), &set(&["--test", "-0.1", "--rows", "7"]));
    assert_eq!(test(), serde_json::json!({ "score": -0.1, "rows": 7, "over_rows": null }), "the newer one counts");
    let tex = folder.path().join("t.tex");
    eigenscope(folder.path()).args(["table1", "--out", tex.to_str().expect("a path")]).assert().success();
    assert!(fs::read_to_string(&tex).expect("a table").contains("\\toprule"));
    eigenscope(folder.path()).args(set(&["--remove"])).assert().success();
    assert!(test().is_null());
    for (args, word) in [(&["--test", "60"][..], "0 to 1"), (&[], "--test SCORE")] {
        let (code, text) = failure(folder.path(), &set(args));
        assert!(code == 3 && text.contains(word), "{code} {text}");
    }
    let (code, text) = failure(folder.path(), &["table1", "--out", "t.doc"]);
    assert!(code == 3 && text.contains("txt, md, csv, tex, json"), "{code} {text}");
    let (code, text) = failure(folder.path(), &["table1", "--model", "none"]);
    assert!(code == 1 && text.contains("mini-roberta"), "{text}");
}

#[test]
fn figure1_takes_the_choices_of_its_screen() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path()).expect("a store");
    finished(&store, "symlora", 0, 0.2);
    drop(store);
    let path = folder.path().join("f.csv");
    let call = |args: &[&str]| {
        let written = json(folder.path(), &[&["figure1", "--out", path.to_str().expect("a path")], args].concat());
        let rows = fs::read_to_string(&path).expect("rows");
        let value = |panel: &str| -> f64 {
            let row = rows.lines().find(|l| l.contains(panel)).expect("a row");
            row.rsplit(',').next().expect("a value").parse().expect("a number")
        };
        let caption = written["caption"].as_str().expect("a caption").to_string();
        (["difference", "original", "adapter"].map(value), caption)
    };
    let (values, caption) = call(&[]);
    assert_eq!(values, [5.0, 6.0, 1.0], "the mean of query and value at the best evaluation");
    assert!(
        caption.starts_with("mean of the adapted") && caption.ends_with("at its best evaluation; 1 run"),
        "{caption}"
    );
    assert_eq!(call(&["--target", "query"]).0, [3.0, 4.0, 1.0]);
    assert_eq!(call(&["--target", "value", "--norm", "l1"]).0, [79.0, 80.0, 1.0]);
    assert_eq!(call(&["--target", "query", "--reversed"]).0, [-3.0, 4.0, 1.0]);
    assert_eq!(call(&["--target", "query", "--run", "last"]).0, [6.0, 8.0, 2.0]);
    assert_eq!(call(&["--run", "mean", "--target", "mean", "--norm", "frobenius"]).0, [10.0, 12.0, 2.0]);
    assert!(call(&["--absolute"]).0 == values, "lambda is positive here");
    let lambda = ["figure1", "--chart", "lambda", "--out", path.to_str().expect("a path")];
    eigenscope(folder.path()).args(lambda).assert().success();
    let rows = fs::read_to_string(&path).expect("rows");
    assert_eq!(rows.lines().nth(1), Some("SymLoRA: λ,,CoLA,1,0.5"), "{rows}");
    assert_eq!(failure(folder.path(), &["figure1", "--out", "f.csv", "--norm", "l2"]).0, 2);
    let (code, text) = failure(folder.path(), &["figure1", "--out", "f.csv", "--target", "key"]);
    assert!(code == 1 && text.contains("no run adapts this matrix"), "{text}");
}

#[test]
fn labels_are_given_and_found_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let runs = folder.path();
    {
        let store = Store::open(runs).expect("a store");
        let handle = store.handle();
        for id in handle.create(&vec![RunSpec::default(); 3]).expect("runs") {
            handle.ask(&id, eigenscope::event::Control::Stop).expect("stopped");
        }
    }
    let tagged = json(runs, &["runs", "tag", "r0001", "r0002", "--add", "base,old", "--remove", "none"]);
    assert_eq!(tagged[1]["tags"], serde_json::json!(["base", "old"]));
    json(runs, &["runs", "tag", "r0002", "--remove", "old"]);
    let noted = json(runs, &["runs", "note", "r0001", "--text", "why lr matters"]);
    assert_eq!(noted[0]["note"], "why lr matters");
    assert_eq!(json(runs, &["runs", "rename", "r0003", "--to", "mine"])[0]["name"], "mine");
    let listed = |filter: &str| -> Vec<String> {
        let rows = json(runs, &["runs", "list", "--filter", filter]);
        let rows = rows.as_array().expect("rows").iter();
        rows.map(|r| r["id"].as_str().expect("an id").to_string()).collect()
    };
    assert_eq!(listed("tag:base"), ["r0002", "r0001"]);
    assert_eq!(listed("tag:old note:LR | name:mine"), ["r0003", "r0001"]);
    assert_eq!(json(runs, &["runs", "archive", "mine"])[0]["archived"], true);
    assert_eq!(listed(""), ["r0002", "r0001"], "what is archived is not listed");
    assert_eq!(listed("is:archived"), ["r0003"]);
    json(runs, &["runs", "archive", "mine", "--undo"]);
    assert_eq!(listed("").len(), 3);
    for (args, code, word) in [
        (&["runs", "tag", "r0001", "--add", "a|b"][..], 3, "a|b"),
        (&["runs", "tag", "r0001"], 2, "--add"),
        (&["runs", "rename", "r0001", "--to", " "], 3, "name"),
        (&["runs", "note", "r0009", "--text", "x"], 4, "r0009"),
        (&["runs", "list", "--filter", "lr>=x"], 2, "no number"),
    ] {
        let (found, text) = failure(runs, args);
        assert!(found == code && text.contains(word), "{args:?}: {found} {text}");
    }
}

#[test]
fn usage_errors_have_their_own_code() {
    let runs = tempfile::tempdir().expect("a folder");
    assert_eq!(failure(runs.path(), &["train", "--no-such-flag"]).0, 2);
    assert_eq!(failure(runs.path(), &["no-such-command"]).0, 2);
    assert_eq!(failure(runs.path(), &["figure1", "--out", "f.gif"]).0, 2);
}

#[test]
fn a_picture_too_small_to_read_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    finished(&Store::open(folder.path()).expect("a store"), "symlora", 0, 0.2);
    let path = folder.path().join("f.png");
    let out = path.to_str().expect("a path");
    fn sized<'a>(out: &'a str, size: &[&'a str]) -> Vec<&'a str> {
        [&["figure1", "--out", out], size].concat()
    }
    for size in [&["--width", "899", "--height", "600"][..], &["--width", "900", "--height", "599"], &["--dpi", "701"]]
    {
        let (code, text) = failure(folder.path(), &sized(out, size));
        assert!(code == 2 && text.contains("expected at least 3 x 2 inches"), "{text}");
        assert!(!path.exists(), "{size:?} was written");
    }
    let (_, text) = failure(folder.path(), &sized(out, &["--width", "300"]));
    assert!(text.contains("found 300 x 1290 pixels at 300 dots per inch, which is 1.00 x 4.30 inches"), "{text}");
    eigenscope(folder.path()).args(sized(out, &["--width", "900", "--height", "600"])).assert().success();
}

#[test]
fn a_reader_that_goes_early_is_no_failure() {
    let runs = tempfile::tempdir().expect("a folder");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_eigenscope"))
        .args(["completions", "bash", "--runs", runs.path().to_str().expect("a path")])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("started");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ended");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_runs_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, b"").expect("a file");
    let (code, text) = failure(&file.join("runs"), &["runs", "list"]);
    assert_eq!(code, 4);
    assert!(text.contains("file/runs") && text.contains("--runs"), "{text}");
}

#[test]
fn wrong_specs_and_files_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let spec = folder.path().join("spec.toml");
    let train = |text: &str| {
        fs::write(&spec, text).expect("a spec");
        failure(&folder.path().join("runs"), &["train", spec.to_str().expect("a path")])
    };
    for (text, words) in [
        ("learning_rate = 1", ["learning_rate", "lr"]),
        ("rank = \"eight\"", ["rank", "whole number"]),
        ("lr = [1e-3, true]", ["lr", "boolean"]),
        ("lr = ", ["spec", "TOML"]),
    ] {
        let (code, found) = train(text);
        assert_eq!(code, 3, "{found}");
        assert!(words.iter().all(|w| found.contains(w)), "{text}: {found}");
    }
    let (_, text) = failure(folder.path(), &["inspect", spec.to_str().expect("a path")]);
    assert!(text.contains("spec.toml") && text.contains("safetensors"), "{text}");
}

#[test]
fn damaged_models_are_refused_before_anything_is_queued() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/mini-roberta");
    let model = folder.path().join("model");
    fs::create_dir(&model).expect("a folder");
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::copy(source.join(file), model.join(file)).expect("copied");
    }
    let path = model.to_str().expect("a path");
    let runs = folder.path().join("runs");
    let config = fs::read_to_string(model.join("config.json")).expect("a config");
    fs::write(model.join("config.json"), config.replace("\"roberta\"", "\"gpt2\"")).expect("written");
    let (code, text) = failure(&runs, &["train", "--model", path]);
    assert!(code == 3 && text.contains("gpt2") && text.contains("roberta, bert"), "{text}");
    assert!(text.contains(path), "the folder is named: {text}");
    fs::write(model.join("config.json"), config).expect("written");
    let weights = fs::read(model.join("model.safetensors")).expect("weights");
    fs::write(model.join("model.safetensors"), &weights[..weights.len() / 2]).expect("cut");
    // The weights are read by the worker: the run fails with the cause and stays listed.
    let (code, text) = failure(&runs, &["train", "--model", path, "--epochs", "1"]);
    assert!(code == 1 && text.contains("model.safetensors"), "{text}");
    let listed = json(&runs, &["runs", "list"]);
    assert_eq!(listed[0]["status"], "failed");
    assert!(listed[0]["cause"].as_str().is_some_and(|c| c.contains("model.safetensors")));
    fs::remove_file(model.join("tokenizer.json")).expect("removed");
    let (code, text) = failure(&runs, &["train", "--model", path]);
    assert!(code == 3 && text.contains("tokenizer.json"), "{text}");
}

#[test]
fn without_a_terminal_there_are_plain_lines() {
    let runs = tempfile::tempdir().expect("a folder");
    let output = eigenscope(runs.path()).assert().success();
    let text = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(text.contains("no terminal") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn doctor_and_completions_answer() {
    let runs = tempfile::tempdir().expect("a folder");
    let report = json(runs.path(), &["doctor"]);
    assert_eq!((&report["sound"], &report["devices"][0]), (&true.into(), &"cpu".into()));
    let script = eigenscope(runs.path()).args(["completions", "bash"]).assert().success().get_output().stdout.clone();
    assert!(String::from_utf8_lossy(&script).contains("eigenscope"));
}

#[test]
fn a_resumed_run_tells_its_events() {
    let runs = tempfile::tempdir().expect("a folder");
    two_stopped_runs(runs.path());
    let output = eigenscope(runs.path()).args(["runs", "resume", "r0001", "--events"]).assert().success();
    let text = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    let events: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).expect("an object a line")).collect();
    assert!(events.iter().all(|e| e["run"] == "r0001"), "{text}");
    assert_eq!(events.last().expect("events")["status"], "done");
    let points = events.iter().filter(|e| e["event"] == "point");
    let steps: Vec<u64> = points.filter_map(|e| e["step"].as_u64()).collect();
    assert!(steps.last() == Some(&8) && steps.iter().all(|s| *s >= 3), "{steps:?}");
    assert!(events.iter().any(|e| e["event"] == "evaluated"), "{text}");
}

#[test]
fn a_parallel_chart_takes_several_runs() {
    let runs = tempfile::tempdir().expect("a folder");
    let store = Store::open(runs.path()).expect("a store");
    finished(&store, "lora", 0, 0.5);
    finished(&store, "symlora", 1, 0.75);
    drop(store);
    let out = runs.path().join("p.csv");
    let file = out.to_str().expect("a path");
    json(runs.path(), &["runs", "export", "r0001", "r0002", "--chart", "parallel", "--out", file]);
    let csv = fs::read_to_string(&out).expect("written");
    assert!(csv.contains("method,symlora,1") && csv.contains("0.7500"), "{csv}");
    let (code, text) = failure(runs.path(), &["runs", "export", "r0001", "--chart", "parallel", "--out", file]);
    assert!(code == 2 && text.contains("two or more runs"), "{text}");
}
