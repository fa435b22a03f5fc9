//! `sql`: views by value, everything but reading refused, every column told.

use super::{eigenscope, failure, finished, json};
use eigenscope::event::RunId;
use eigenscope::record::Label;
use eigenscope::store::Store;
use serde_json::Value;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

#[test]
fn sql_reads_and_changes_nothing() {
    let runs = tempfile::tempdir().expect("a folder");
    let store = Store::open(runs.path()).expect("a store");
    for (seed, score) in [(0, 0.5), (1, 0.75)] {
        finished(&store, "lora", seed, score);
    }
    drop(store);
    let best = "SELECT run, best, cause AS why FROM runs ORDER BY best DESC";
    let found = json(runs.path(), &["sql", best]);
    assert_eq!(
        found,
        serde_json::json!([{"run": "r0002", "best": 0.75, "why": null}, {"run": "r0001", "best": 0.5, "why": null}])
    );
    let printed = |args: &[&str]| {
        let output = eigenscope(runs.path()).arg("sql").args(args).assert().success().get_output().stdout.clone();
        String::from_utf8(output).expect("text")
    };
    assert_eq!(printed(&[best]), "run    best  why\nr0002  0.75  -\nr0001   0.5  -\n");
    assert_eq!(printed(&[best, "--csv"]), "run,best,why\nr0002,0.75,\nr0001,0.5,\n");
    assert_eq!(printed(&["SELECT 'a\nb\u{1b}' AS t, x'00ff' AS b"]), "t           b\na\\nb\\u{1b}  00ff\n");
    assert_eq!(printed(&["SELECT run FROM runs WHERE best > 9"]), "run\n");
    assert_eq!(printed(&["SELECT run FROM runs WHERE best > 9", "--csv"]), "run\n");
    // Settings need no JSON, the tables under the views can be asked too.
    let count = "SELECT task, method, count(*) AS n, max(best) AS best FROM runs GROUP BY 1, 2";
    assert_eq!(printed(&[count, "--csv"]), "task,method,n,best\ncola,lora,2,0.75\n");
    let joined =
        "SELECT s.value, n.difference FROM scores s JOIN norms n USING (run, step) WHERE n.target = 'query' AND main";
    assert_eq!(printed(&[joined, "--csv"]), "value,difference\n0.5,3\n0,6\n0.75,3\n0,6\n");
    assert_eq!(printed(&["SELECT count(*) AS n FROM main.runs", "--csv"]), "n\n2\n");
    assert_eq!(printed(&["SELECT name FROM pragma_table_info('tags')", "--csv"]), "name\nrun\ntag\n");
    let outside = runs.path().join("outside.db");
    let attach = format!("ATTACH '{}' AS other", outside.display());
    let vacuum = format!("VACUUM INTO '{}'", outside.display());
    for (query, word) in [
        ("DELETE FROM runs", "cannot modify runs"),
        ("DELETE FROM main.runs", "expected SELECT"),
        ("UPDATE main.runs SET best = 1 RETURNING id", "expected SELECT"),
        ("INSERT INTO main.tags VALUES (1, 'x') RETURNING tag", "expected SELECT"),
        ("DROP VIEW runs", "expected SELECT"),
        ("CREATE TEMP TABLE t (x)", "expected SELECT"),
        ("SELECT 1; DROP TABLE main.runs", "expected SELECT"),
        ("SELECT 1; SELECT 2", "several statements"),
        ("SELECT nobody FROM runs", "no such column: nobody"),
        ("SELEC", "syntax error"),
        ("", "SQL is empty"),
        ("BEGIN IMMEDIATE", "expected SELECT"),
        ("PRAGMA journal_mode = DELETE", "expected SELECT"),
        ("PRAGMA query_only = 0", "expected SELECT"),
        ("PRAGMA writable_schema = 1", "expected SELECT"),
        ("SELECT * FROM pragma_wal_checkpoint", "no such table"),
        ("SELECT load_extension('libm.so.6')", "not authorized to use function: load_extension"),
        ("SELECT writefile('x', 'y')", "no such function: writefile"),
        ("SELECT length(zeroblob(900000000))", "too big"),
        (&attach, "expected SELECT"),
        (&vacuum, "expected SELECT"),
    ] {
        let (code, text) = failure(runs.path(), &["sql", query]);
        assert!(code == 3 && text.contains(word), "{query}: {code} {text}");
        assert!(text.contains("views: runs, points, evaluations"), "the views are told: {text}");
    }
    assert_eq!(json(runs.path(), &["runs", "list"]).as_array().map(Vec::len), Some(2));
    assert!(!outside.exists());
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let (code, text) = failure(runs.path(), &["sql", endless, "--seconds", "1"]);
    assert!(code == 3 && text.contains("no answer within 1 s"), "{text}");
}

#[test]
fn json_keeps_every_column_in_its_place() {
    let runs = tempfile::tempdir().expect("a folder");
    drop(Store::open(runs.path()).expect("a store"));
    let query = "SELECT 2 AS z, 1.5 AS a, x'00ff' AS m, NULL AS b";
    let output = eigenscope(runs.path()).args(["sql", query, "--json"]).assert().success().get_output().stdout.clone();
    let text = String::from_utf8(output).expect("text");
    let bare: String = text.split_whitespace().collect();
    assert_eq!(bare, "[{\"z\":2,\"a\":1.5,\"m\":\"00ff\",\"b\":null}]");
    for rows in ["", " WHERE 0"] {
        let query = format!("SELECT a, b, a FROM (SELECT 1 AS a, 2 AS b){rows}");
        let (code, text) = failure(runs.path(), &["sql", &query, "--json"]);
        assert!(code == 3 && text.contains("two columns \"a\"") && text.contains("AS"), "{code} {text}");
        eigenscope(runs.path()).args(["sql", &query]).assert().success();
    }
}

/// Names and bytes of a folder's files.
fn contents(folder: &Path) -> Vec<(OsString, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let mut all: Vec<_> = entries.map(|e| (e.file_name(), fs::read(e.path()).expect("a file"))).collect();
    all.sort();
    all
}

#[test]
fn asking_leaves_the_folder_as_it_is() {
    let place = tempfile::tempdir().expect("a folder");
    let missing = place.path().join("typo");
    let (code, text) = failure(&missing, &["sql", "SELECT count(*) FROM runs"]);
    assert!(code == 4 && text.contains("typo/eigenscope.db: not found") && text.contains("--runs"), "{code} {text}");
    assert!(!missing.exists(), "nothing is made");
    let runs = place.path().join("runs");
    let store = Store::open(&runs).expect("a store");
    finished(&store, "lora", 0, 0.5);
    drop(store);
    fs::set_permissions(&runs, fs::Permissions::from_mode(0o555)).expect("read-only");
    let before = contents(&runs);
    assert_eq!(json(&runs, &["sql", "SELECT count(*) AS n FROM runs"])[0]["n"], 1);
    assert_eq!(contents(&runs), before);
    fs::set_permissions(&runs, fs::Permissions::from_mode(0o755)).expect("writable");
    // While another program has it open, its newest records are found.
    let store = Store::open(&runs).expect("a store");
    finished(&store, "lora", 1, 0.75);
    assert_eq!(json(&runs, &["sql", "SELECT count(*) AS n FROM runs"])[0]["n"], 2);
    drop(store);
    for (version, words) in [(7u32, ["older", "runs list"]), (99, ["newer", "--runs"])] {
        let path = runs.join("eigenscope.db");
        let mut bytes = fs::read(&path).expect("the database");
        // user_version is the big-endian word at byte 60 of a SQLite file.
        bytes[60..64].copy_from_slice(&version.to_be_bytes());
        fs::write(&path, &bytes).expect("written");
        let (code, text) = failure(&runs, &["sql", "SELECT count(*) FROM runs"]);
        assert!(code == 4 && words.iter().all(|w| text.contains(w)), "{code} {text}");
        assert_eq!(fs::read(&path).expect("the database"), bytes);
    }
}

/// Where there is a Python, its SQLite is another one, often an older.
#[test]
fn other_programs_find_the_views() {
    let runs = tempfile::tempdir().expect("a folder");
    let store = Store::open(runs.path()).expect("a store");
    finished(&store, "lora", 3, 0.5);
    let tags = ["b", "a"].map(str::to_string).to_vec();
    store.handle().label(&[RunId("r0001".into())], Label::Tags { add: tags, remove: Vec::new() }).expect("tagged");
    drop(store);
    let script = "import sqlite3, sys
c = sqlite3.connect(sys.argv[1])
views = [name for name, in c.execute('SELECT name FROM sqlite_master WHERE type = \"view\"')]
print(len(views), sum(len(c.execute(f'SELECT * FROM {view}').description) for view in views) > 60)
print(*c.execute('SELECT run, seed, tags, rank, alpha, typeof(lr) FROM view_runs').fetchone())";
    let asked =
        std::process::Command::new("python3").arg("-c").arg(script).arg(runs.path().join("eigenscope.db")).output();
    let Ok(answer) = asked else { return };
    let text = String::from_utf8_lossy(&answer.stderr);
    // Tables of this kind need 3.37, and a Python may come without SQLite.
    if text.contains("near \"STRICT\"") || text.contains("No module named") {
        return;
    }
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "7 True\nr0001 3 a b 8 8.0 real\n", "{text}");
}

#[test]
fn every_column_of_the_views_is_told() {
    let runs = tempfile::tempdir().expect("a folder");
    drop(Store::open(runs.path()).expect("a store"));
    let told = json(runs.path(), &["sql", "--schema"]);
    for view in told.as_array().expect("views") {
        let name = view["name"].as_str().expect("a name");
        // Under its short name and, for other programs, in the file.
        let file = rusqlite::Connection::open(runs.path().join("eigenscope.db")).expect("a database");
        let mut columns = file.prepare(&format!("SELECT name FROM pragma_table_info('view_{name}')")).expect("a view");
        let there: Vec<String> =
            columns.query_map([], |r| r.get(0)).expect("names").map(|n| n.expect("a name")).collect();
        let columns = view["columns"].as_array().expect("columns");
        let told: Vec<&str> = columns.iter().map(|c| c["name"].as_str().expect("a name")).collect();
        assert_eq!(there, told, "{name}");
        assert!(columns.iter().all(|c| c["about"].as_str().is_some_and(|a| !a.is_empty())));
        let asked = format!("SELECT {} FROM {name}", told.join(", "));
        assert_eq!(json(runs.path(), &["sql", &asked]), Value::Array(Vec::new()));
    }
    let output = eigenscope(runs.path()).arg("sql").assert().success().get_output().stdout.clone();
    let text = String::from_utf8(output).expect("text");
    assert!(text.contains("\n  grad_norm           real             L2 norm of the gradient"), "{text}");
}
