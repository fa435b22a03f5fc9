//! Reports: what stands in them, that texts stay texts, that they hold everything and replace nothing but themselves.

use eigenscope::event::{Evaluation, LayerNorm, Point, RunEvent, RunFacts, RunId, Status};
use eigenscope::record::{Ablated, Analysis, Curve, Curves, Label};
use eigenscope::spec::RunSpec;
use eigenscope::store::Store;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What a name must not do to a document.
const NASTY: &str = "</td><script>alert(1)</script> | *bold* [l](http://x) & \"q\" `c`";

fn call(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eigenscope"));
    let out = command.args(args).args(["--runs", "runs"]).current_dir(folder).output().expect("ran");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

/// A finished run with a loss curve, two evaluations and norms.
fn finished(store: &Store, spec: RunSpec, best: f64) -> RunId {
    let id = store.handle().create(&[spec]).expect("queued").remove(0);
    let environment =
        [("version", "0.1.0"), ("device", "cpu"), ("backend", "cpu f32"), ("threads", "2"), ("os", "linux x86_64")];
    let facts = RunFacts {
        total_steps: 8,
        adapter_parameters: 12_396,
        metric: "matthews".into(),
        eval_rows: 1_043,
        environment: BTreeMap::from(environment.map(|(k, v)| (k.to_string(), v.to_string()))),
        ..RunFacts::default()
    };
    let point = |step: u64| Point {
        step,
        epoch: step as f64 / 4.0,
        seconds: step as f64,
        loss: 1.0 / step as f64,
        lr: 1e-3,
        grad_norm: 1.0,
        samples_per_second: 10.0,
    };
    let evaluated = |step: u64, score: f64| Evaluation {
        step,
        epoch: step as f64 / 4.0,
        loss: 0.5,
        scores: vec![("matthews".to_string(), score)],
        rows: 1_043,
        seconds: 0.1,
    };
    let norm = LayerNorm {
        layer: 0,
        target: "query".into(),
        lambda: 0.5,
        w0_fro: 8.0,
        w0_l1: 80.0,
        delta_fro: 1.0,
        spectrum: Vec::new(),
    };
    let mut events = vec![RunEvent::Started(facts)];
    events.extend((1..=8).map(point).map(RunEvent::Point));
    events.extend([
        RunEvent::Evaluated(evaluated(4, best)),
        RunEvent::Norms { step: 4, rows: vec![norm] },
        RunEvent::Evaluated(evaluated(8, 0.1)),
        RunEvent::Status { status: Status::Done, cause: None },
    ]);
    for event in events {
        store.handle().record(&id, event).expect("recorded");
    }
    store.handle().flush().expect("written");
    id
}

fn spec(method: &str, seed: u64) -> RunSpec {
    RunSpec { task: "cola".into(), method: method.into(), seed, ..RunSpec::default() }
}

/// A folder with runs: r0001 and r0002 of SymLoRA, r0003 of LoRA, r0004 archived, r0005 queued.
fn with_runs() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&folder.path().join("runs")).expect("a store");
    let first = finished(&store, RunSpec { name: NASTY.into(), ..spec("symlora", 0) }, 0.25);
    finished(&store, spec("symlora", 1), 0.75);
    let lora = finished(&store, RunSpec { lr: 1e-4, ..spec("lora", 0) }, 0.5);
    let old = finished(&store, spec("lora", 1), 0.9);
    let handle = store.handle();
    handle.create(&[spec("lora", 2)]).expect("queued");
    handle.label(&[old], Label::Archived(true)).expect("archived");
    handle.label(std::slice::from_ref(&first), Label::Note(NASTY.into())).expect("noted");
    handle.label(&[first], Label::Tags { add: vec!["<b>".into()], remove: Vec::new() }).expect("tagged");
    let point =
        |count, score| Ablated { count, what: String::new(), saved_bytes: 4 * count, score: Some(score), loss: None };
    let curve = Curve { order: "all layers".into(), points: vec![point(2, 0.5), point(1, 0.5), point(0, 0.1)] };
    let rank = Analysis::Rank(Curves { metric: "matthews".into(), rows: 10, curves: vec![curve] });
    handle.keep_analysis(&lora, rank).expect("kept");
    folder
}

/// The rows of the Markdown table under a heading, as cells.
fn table(text: &str, heading: &str) -> Vec<Vec<String>> {
    let under = text.split(&format!("{heading}\n")).nth(1).unwrap_or_else(|| panic!("no {heading} in {text}"));
    let lines = under.lines().skip_while(|l| !l.starts_with('|')).take_while(|l| l.starts_with('|'));
    let cells = |line: &str| {
        let line = line.trim_matches('|').replace("\\|", "¦");
        line.split('|').map(|c| c.trim().replace('¦', "|")).collect::<Vec<_>>()
    };
    lines.enumerate().filter(|(i, _)| *i != 1).map(|(_, l)| cells(l)).collect()
}

#[test]
fn a_report_says_what_is_stored() {
    let folder = with_runs();
    let (code, out, err) = call(folder.path(), &["report", "--out", "rep", "--json"]);
    assert_eq!(code, Some(0), "{err}");
    let told: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(told["runs"], 3);
    let read = |name: &str| fs::read_to_string(folder.path().join("rep").join(name)).expect("a file");
    let text = read("report.md");

    let scores = table(&text, "## Table 1");
    let place = |title: &str| scores[0].iter().position(|t| t == title).unwrap_or_else(|| panic!("no {title}: {text}"));
    let cola = scores.iter().find(|row| row[0] == "CoLA").expect("CoLA");
    // The mean of 0.25 and 0.75 with 1.96 s / sqrt(2) and 1.96 sqrt(0.25 / 1043); the archived run does not count.
    assert_eq!(cola[place("SymLoRA validation ± seeds")], "50.0 ±49.0 n=2");
    assert_eq!(cola[place("SymLoRA ± rows")], "3.0");
    assert_eq!(cola[place("LoRA validation ± seeds")], "50.0 n=1");
    assert_eq!(cola[place("SymLoRA paper ± rows")], "63 ±2.9");

    let best = table(&text, "### CoLA");
    let column = |rows: &[Vec<String>], title: &str| -> Vec<String> {
        let at = rows[0].iter().position(|t| t == title).unwrap_or_else(|| panic!("no {title}: {rows:?}"));
        rows[1..].iter().map(|r| r[at].clone()).collect()
    };
    assert_eq!(
        (column(&best, "run"), column(&best, "best")),
        (vec!["r0002".into(), "r0003".into()], vec!["0.7500".to_string(), "0.5000".into()])
    );
    let runs = table(&text, "## Runs");
    assert_eq!(column(&runs, "run"), ["r0001", "r0002", "r0003"]);
    assert_eq!(column(&runs, "last"), ["0.1000"; 3]);
    assert_eq!(column(&runs, "adapter parameters"), ["12396"; 3]);
    let common = table(&text, "### Of all runs");
    let own = table(&text, "### Of each run");
    assert_eq!(own[0], ["run", "method", "lr", "seed"]);
    assert_eq!(own[3], ["r0003", "lora", "0.0001", "0"]);
    assert!(
        common.iter().any(|r| r[..2] == ["rank", "8"]) && common.iter().any(|r| r[..2] == ["data", "embedded rows"])
    );
    assert!(!common.iter().any(|r| own[0].contains(&r[0])), "a setting stands in one of the tables");
    let ranks = table(&text, "### r0003 cola-lora-s0");
    assert_eq!(ranks[1..], [["all layers", "1"]]);
    let environment = table(&text, "## Environment");
    assert_eq!(column(&environment, "backend"), ["cpu f32"]);
    assert_eq!(column(&environment, "runs"), ["r0001 to r0003"]);
    assert!(column(&environment, "last end")[0].ends_with(" UTC"));

    // Every picture that is named is there, and no other file.
    let mut named: Vec<&str> = text
        .split("](")
        .skip(1)
        .filter_map(|t| t.split_once(')'))
        .map(|(name, _)| name)
        .filter(|n| n.ends_with(".png"))
        .collect();
    named.sort_unstable();
    assert_eq!(named, ["figure1.png", "lambda.png", "loss-cola.png", "rank-r0003.png", "score-cola.png"]);
    let mut files: Vec<String> = fs::read_dir(folder.path().join("rep"))
        .expect("a folder")
        .map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    files.retain(|f| f != "report.md" && f != "report.html");
    files.sort();
    assert_eq!(files, named);
    for name in named {
        assert!(fs::read(folder.path().join("rep").join(name)).expect("a picture").starts_with(b"\x89PNG"));
    }
    let html = read("report.html");
    assert_eq!(html.matches("<svg ").count(), 5);
    assert!(html.contains("<td class=\"n\">50.0 ±49.0 n=2</td>"));
}

#[test]
fn texts_stay_texts_and_nothing_comes_from_outside() {
    let folder = with_runs();
    // Its name stands in the legends where it is the best.
    let args = ["report", "--out", "rep", "--filter", "seed=0"];
    let (code, _, err) = call(folder.path(), &args);
    assert_eq!(code, Some(0), "{err}");
    let html = fs::read_to_string(folder.path().join("rep/report.html")).expect("a file");
    for wrong in ["<script", "<b>", "src=", "<link", "@import", "url(", "href=\"http", "<image"] {
        assert!(!html.contains(wrong), "{wrong} is in the HTML");
    }
    let name = "&lt;/td&gt;&lt;script&gt;alert(1)&lt;/script&gt; | *bold* [l](http://x) &amp; &quot;q&quot; `c`";
    // In two tables as name and note, and in the legends of two pictures.
    assert_eq!(html.matches(name).count(), 6, "{html}");
    assert_eq!(html.matches("&lt;b&gt;").count(), 2);
    assert!(html.contains("Chosen by the filter &quot;seed=0"), "the filter is told");
    for tag in ["td", "tr", "table", "figure", "svg", "h2", "h3", "p", "text", "div"] {
        let (open, close) = (
            html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count(),
            html.matches(&format!("</{tag}>")).count(),
        );
        assert_eq!(open, close, "{tag}");
    }
    let text = fs::read_to_string(folder.path().join("rep/report.md")).expect("a file");
    let cell = "\\</td\\>\\<script\\>alert(1)\\</script\\> \\| \\*bold\\* \\[l\\](http://x) \\& \"q\" \\`c\\`";
    assert_eq!(text.matches(cell).count(), 4, "{text}");
}

#[test]
fn the_same_runs_give_the_same_bytes_and_only_a_report_is_replaced() {
    let folder = with_runs();
    let report = |out: &str| call(folder.path(), &["report", "--out", out]);
    let bytes = |path: &str| fs::read(folder.path().join(path)).expect("a file");
    assert_eq!((report("a").0, report("b").0), (Some(0), Some(0)));
    for file in ["report.md", "report.html", "figure1.png"] {
        assert!(bytes(&format!("a/{file}")) == bytes(&format!("b/{file}")), "{file}");
    }
    // Replaced, also where it then has fewer pictures.
    let (code, _, err) = call(folder.path(), &["report", "--out", "a", "--filter", "method:symlora"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(!folder.path().join("a/rank-r0003.png").exists());
    assert!(String::from_utf8_lossy(&bytes("a/report.md")).contains("Report of 2 runs"));
    // A file that is no part of it stays, and so does the report.
    fs::write(folder.path().join("b/notes.txt"), "mine").expect("written");
    let (code, _, err) = report("b");
    assert!(code == Some(3) && err.contains("b holds \"notes.txt\""), "{err}");
    assert_eq!(bytes("b/notes.txt"), b"mine");
    fs::create_dir(folder.path().join("empty")).expect("made");
    assert_eq!(report("empty").0, Some(0));
    let (code, _, err) = report("runs");
    assert!(code == Some(3) && err.contains("no part of a report"), "{err}");
    let (code, _, err) = call(folder.path(), &["report", "--out", "c", "--filter", "task:rte"]);
    assert!(code == Some(3) && err.contains("no run fits"), "{err}");
    let left: Vec<String> = fs::read_dir(folder.path())
        .expect("a folder")
        .map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with('.') || name == "c")
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
