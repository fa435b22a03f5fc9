//! Submissions to GLUE's website: a whole one of generated test files through tiny runs, and every way in which a zip can be
//! wrong.

use eigenscope::data::submission::{self, Checked, HEADER, Sheet, sheets};
use eigenscope::data::{DataError, Source, load_test, parse_test, test_files};
use eigenscope::task::{self, LabelKind, TestFile};
use serde_json::Value;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;

/// Rows of a generated test file.
const ROWS: usize = 7;

fn call(folder: &Path, args: &str) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eigenscope"));
    let out = command.args(args.split(' ')).args(["--runs", "runs"]).current_dir(folder).output().expect("ran");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

/// Test files in GLUE's layouts, some with what its own have: a BOM, CRLF, columns in between.
fn write_test_files(folder: &Path) {
    let files = [
        ("CoLA/test.tsv", "index\tsentence", "Bill whistled past the {i} houses ."),
        ("SST-2/test.tsv", "index\tsentence", "\" a film of {i} stars"),
        (
            "MRPC/test.tsv",
            "\u{feff}index\t#1 ID\t#2 ID\t#1 String\t#2 String",
            "1\t2\tHe sold {i} cars .\tThe cars were {i} .",
        ),
        (
            "STS-B/test.tsv",
            "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2",
            "g\tf\ty\t0\tn\tn\tA dog of {i} .\tA cat of {i} .",
        ),
        ("QQP/test.tsv", "id\tquestion1\tquestion2", "What is {i} ?\tHow large is {i} ?"),
        (
            "MNLI/test_matched.tsv",
            "index\tpromptID\tsentence1\tsentence2",
            "9\tThe {i} men left .\tNobody left in {i} .",
        ),
        ("MNLI/test_mismatched.tsv", "index\tpromptID\tsentence1\tsentence2", "9\tIt rains on {i} .\tIt is wet ."),
        ("QNLI/test.tsv", "index\tquestion\tsentence", "Who has {i} ?\tAnn has {i} apples ."),
        ("RTE/test.tsv", "index\tsentence1\tsentence2", "Ann met {i} people .\tAnn met people ."),
        ("WNLI/test.tsv", "index\tsentence1\tsentence2", "The {i} fit in it .\tIt is large ."),
        ("diagnostic/diagnostic.tsv", "index\tsentence1\tsentence2", "The cat sat on {i} .\tThe cat did not ."),
    ];
    for (path, header, row) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        let rows: String = (0..ROWS).map(|i| format!("{i}\t{}\r\n", row.replace("{i}", &i.to_string()))).collect();
        std::fs::write(path, format!("{header}\r\n{rows}")).expect("written");
    }
}

#[test]
fn the_hubs_test_files_are_read_too() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/glue-parquet");
    let source = Source::Folder(folder.clone());
    let mut read = Vec::new();
    for sheet in sheets() {
        let found = test_files(&source, &sheet.file, sheet.task).expect("whole or none");
        if found.is_empty() {
            continue;
        }
        let rows = load_test(&sheet.file, sheet.task, &found).expect("rows");
        // Numbers go on from one file to the next, and the -1 that stands for a label is none.
        assert_eq!((rows.len(), rows[6].label), (7, 0.0), "{}", sheet.file.name);
        assert!(rows[6].text.ends_with(" 6") && rows[0].text.ends_with(" 0"), "{rows:?}");
        assert_eq!(rows[5].pair.is_some(), sheet.file.pair.is_some());
        // The second file alone does not begin at the first row.
        let error = load_test(&sheet.file, sheet.task, &found[1..]).expect_err("no beginning").to_string();
        assert!(error.contains("idx") && error.contains("expected 0: GLUE's rows in their order"), "{error}");
        read.push(sheet.file.name);
    }
    read.sort_unstable();
    assert_eq!(read, ["AX", "MNLI-m", "MNLI-mm", "SST-2"]);
}

#[test]
fn every_task_is_predicted_and_the_zip_is_sound() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |args: &str| call(folder.path(), args);
    std::fs::create_dir(folder.path().join("runs")).expect("made");
    let ids: Vec<&str> = task::ALL.iter().map(|t| t.id()).collect();
    let train = format!("train --task {} --train-rows 16 --epochs 1 --rank 2 --max-length 16", ids.join(","));
    let (code, _, err) = run(&train);
    assert_eq!(code, Some(0), "{err}");

    // The runs were trained on embedded rows, which have no test files.
    let (code, out, err) = run("submit --out s.zip");
    assert!(code == Some(3) && out.is_empty() && err.contains("CoLA.tsv: ") && err.contains("--data DIR"), "{err}");
    let glue = folder.path().join("glue");
    write_test_files(&glue);
    let (code, out, err) = run("submit --out s.zip --data glue --json");
    assert_eq!(code, Some(0), "{err}");
    let told: Value = serde_json::from_str(&out).expect("JSON");
    let files = told["files"].as_array().expect("files");
    assert_eq!((files.len(), told["missing"].as_array().map(Vec::len)), (11, Some(0)), "{told}");
    assert!(err.contains("7 rows, GLUE's own has 1063"), "{err}");

    let mut zip =
        zip::ZipArchive::new(std::fs::File::open(folder.path().join("s.zip")).expect("a zip")).expect("sound");
    let mut names: Vec<String> = zip.file_names().map(|n| n.expect("a name").to_string()).collect();
    names.sort();
    let expected = [
        "AX.tsv",
        "CoLA.tsv",
        "MNLI-m.tsv",
        "MNLI-mm.tsv",
        "MRPC.tsv",
        "QNLI.tsv",
        "QQP.tsv",
        "RTE.tsv",
        "SST-2.tsv",
        "STS-B.tsv",
        "WNLI.tsv",
    ];
    assert_eq!(names, expected);
    let mut text = |name: &str| {
        let mut text = String::new();
        zip.by_name(name).expect("a file").read_to_string(&mut text).expect("text");
        text
    };
    for name in names {
        let text = text(&name);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines[0], lines.len()), ("index\tprediction", ROWS + 1), "{name}");
        for (i, line) in lines[1..].iter().enumerate() {
            let (index, label) = line.split_once('\t').expect("two columns");
            assert_eq!(index, i.to_string());
            let classes: &[&str] = match name.as_str() {
                "QNLI.tsv" | "RTE.tsv" => &["entailment", "not_entailment"],
                "MNLI-m.tsv" | "MNLI-mm.tsv" | "AX.tsv" => &["entailment", "neutral", "contradiction"],
                "WNLI.tsv" => &["0"],
                "STS-B.tsv" => {
                    let (whole, decimals) = label.split_once('.').expect("decimals");
                    assert!(decimals.len() == 3 && whole.parse::<u8>().is_ok_and(|n| n <= 5), "{label}");
                    continue;
                }
                _ => &["0", "1"],
            };
            assert!(classes.contains(&label), "{name}: {label}");
        }
    }
    // What `classify` says of a row, the submission says.
    let mut classify = Command::new(env!("CARGO_BIN_EXE_eigenscope"))
        .args(["classify", "--json", "--runs", "runs", "--adapter", &run_of(&told, "QNLI.tsv")])
        .current_dir(folder.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("a process");
    let rows: String = (0..ROWS).map(|i| format!("Who has {i} ?\tAnn has {i} apples .\n")).collect();
    classify.stdin.take().expect("stdin").write_all(rows.as_bytes()).expect("written");
    let said = classify.wait_with_output().expect("an end").stdout;
    let said: Vec<String> = String::from_utf8_lossy(&said)
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).expect("JSON")["label"].as_str().expect("a label").to_string())
        .collect();
    let submitted: Vec<String> =
        text("QNLI.tsv").lines().skip(1).map(|l| l.split_once('\t').expect("two").1.to_string()).collect();
    assert_eq!(submitted, said);

    // The same bytes again; a check with and without the test files.
    let bytes = |name: &str| std::fs::read(folder.path().join(name)).expect("a zip");
    assert_eq!(run("submit --out again.zip --data glue").0, Some(0));
    assert_eq!(bytes("s.zip"), bytes("again.zip"));
    let (code, out, _) = run("submit check s.zip --data glue --json");
    let checked: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, &checked["sound"]), (Some(0), &Value::Bool(true)));
    let (code, _, err) = run("submit check s.zip");
    assert!(code == Some(3) && err.contains("CoLA.tsv: found 6 as the last index, expected 1062"), "{err}");

    // A task without a test file, or without a run, must be asked for.
    std::fs::remove_file(glue.join("RTE/test.tsv")).expect("removed");
    assert_eq!(run("runs archive r0001").0, Some(0));
    let (code, _, err) = run("submit --out part.zip --data glue");
    assert!(code == Some(3) && err.contains("RTE.tsv: no file glue/RTE/test.tsv"), "{err}");
    assert!(err.contains("CoLA.tsv: no finished run of CoLA") && err.contains("--partial"), "{err}");
    assert!(!folder.path().join("part.zip").exists());
    let (code, out, err) = run("submit --out part.zip --data glue --partial --json");
    let told: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, told["missing"].as_array().map(Vec::len)), (Some(0), Some(2)), "{err}");
    assert_eq!(run("submit check part.zip --data glue").0, Some(3));
    assert_eq!(run("submit check part.zip --data glue --partial").0, Some(0));
    // Named ones are taken, archived or not, but one a task.
    let (code, _, err) = run("submit --out named.zip --data glue --partial r0001");
    assert!(code == Some(0) && err.contains("CoLA.tsv: 7 rows, r0001"), "{err}");
    let (code, _, err) = run("submit --out named.zip --data glue r0001 runs/r0001/adapter.safetensors");
    assert!(code == Some(3) && err.contains("CoLA: found r0001 and runs/r0001/adapter.safetensors"), "{err}");
    let (code, _, err) = run("submit --out x.zip --data glue --method lora");
    assert!(code == Some(3) && err.contains("no finished run of SST-2"), "{err}");
}

fn run_of(told: &Value, entry: &str) -> String {
    let files = told["files"].as_array().expect("files");
    let file = files.iter().find(|f| f["file"] == entry).expect("the file");
    file["adapter"].as_str().expect("a run").to_string()
}

/// The first class, or a score, for every row of every file.
fn sound() -> Vec<(Sheet, Vec<String>)> {
    let label = |sheet: &Sheet| match sheet.labels {
        LabelKind::Classes(names) => names[0].to_string(),
        LabelKind::Score { .. } => "2.500".to_string(),
    };
    sheets().into_iter().map(|s| (vec![label(&s); s.file.rows], s)).map(|(labels, s)| (s, labels)).collect()
}

fn glues_rows(file: &TestFile) -> usize {
    file.rows
}

/// A zip of these files.
fn packed(path: &Path, files: &[(String, String)]) {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).expect("a file"));
    for (name, text) in files {
        zip.start_file(name.clone(), zip::write::SimpleFileOptions::default()).expect("an entry");
        zip.write_all(text.as_bytes()).expect("written");
    }
    zip.finish().expect("whole");
}

/// A file, what happens to its text, and what is then told.
type Case<'a> = (&'a str, &'a dyn Fn(&str) -> String, &'a [&'a str]);

#[test]
fn each_kind_of_damage_is_told_with_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s.zip");
    // Rows as GLUE published them.
    let checked = submission::write(&path, &sound(), false).expect("sound");
    let counts: Vec<(&str, usize)> =
        checked.files.iter().map(|(name, n)| (name.trim_end_matches(".tsv"), *n)).collect();
    let published = [
        ("CoLA", 1063),
        ("QNLI", 5463),
        ("SST-2", 1821),
        ("MNLI-m", 9796),
        ("MNLI-mm", 9847),
        ("AX", 1104),
        ("QQP", 390_965),
        ("RTE", 3000),
        ("MRPC", 1725),
        ("STS-B", 1379),
        ("WNLI", 146),
    ];
    assert_eq!(counts, published);
    assert_eq!(submission::check(&path, &glues_rows, false).expect("read"), checked);

    // Four rows a file from here on.
    let rows = |_: &TestFile| 4;
    let whole: Vec<(String, String)> = sound()
        .iter()
        .map(|(s, labels)| {
            (s.entry(), format!("{HEADER}\n{}", (0..4).map(|i| format!("{i}\t{}\n", labels[i])).collect::<String>()))
        })
        .collect();
    let check = |files: &[(String, String)], partial: bool| -> Checked {
        packed(&path, files);
        submission::check(&path, &rows, partial).expect("read")
    };
    assert!(check(&whole, false).faults.is_empty());
    let told = |entry: &str, change: &dyn Fn(&str) -> String| -> Vec<String> {
        let mut files = whole.clone();
        let file = files.iter_mut().find(|(name, _)| name == entry).expect("a file");
        file.1 = change(&file.1);
        check(&files, false).faults.iter().map(ToString::to_string).collect()
    };
    let cases: [Case; 12] = [
        ("CoLA.tsv", &|t| t.replace("2\t0\n", ""), &["CoLA.tsv, line 4: found index 3, expected index 2"]),
        (
            "CoLA.tsv",
            &|t| t.replace("2\t0\n", "1\t0\n"),
            &[
                "CoLA.tsv, line 4: found index 1 again, expected index 2",
                "CoLA.tsv, line 5: found index 3, expected index 2",
            ],
        ),
        (
            "RTE.tsv",
            &|t| t.replace(HEADER, "id\tlabel"),
            &["RTE.tsv, line 1: found \"id\\tlabel\", expected \"index\\tprediction\""],
        ),
        (
            "QNLI.tsv",
            &|t| t.replace("1\tentailment", "1\tneutral"),
            &["QNLI.tsv, line 3: found prediction \"neutral\", expected one of entailment, not_entailment"],
        ),
        (
            "AX.tsv",
            &|t| t.replace("1\tentailment", "1\tnot_entailment"),
            &[
                "AX.tsv, line 3: found prediction \"not_entailment\", expected one of entailment, neutral, contradiction",
            ],
        ),
        (
            "STS-B.tsv",
            &|t| t.replace("0\t2.500", "0\t5.001").replace("1\t2.500", "1\tNaN"),
            &[
                "STS-B.tsv, line 2: found prediction \"5.001\", expected a number from 0 to 5",
                "STS-B.tsv, line 3: found prediction \"NaN\", expected a number from 0 to 5",
            ],
        ),
        (
            "QQP.tsv",
            &|t| t.replace("3\t0\n", ""),
            &["QQP.tsv: found 2 as the last index, expected 3: the test file has 4 rows"],
        ),
        (
            "QQP.tsv",
            &|t| format!("{t}4\t0\n"),
            &["QQP.tsv: found 4 as the last index, expected 3: the test file has 4 rows"],
        ),
        (
            "WNLI.tsv",
            &|t| t.replace("2\t0", "2,0"),
            &[
                "WNLI.tsv, line 4: found \"2,0\", expected an index, a tab and a prediction",
                "WNLI.tsv, line 5: found index 3, expected index 2",
            ],
        ),
        (
            "MRPC.tsv",
            &|t| t.replace("0\t0\n", "zero\t0\n"),
            &[
                "MRPC.tsv, line 2: found index \"zero\", expected index 0",
                "MRPC.tsv, line 3: found index 1, expected index 0",
            ],
        ),
        (
            "SST-2.tsv",
            &|_| String::new(),
            &[
                "SST-2.tsv, line 1: found \"\", expected \"index\\tprediction\"",
                "SST-2.tsv: found no predictions, expected 3: the test file has 4 rows",
            ],
        ),
        (
            "SST-2.tsv",
            &|t| t.replace('\n', "\r\n"),
            &[
                "SST-2.tsv, line 1: found \"index\\tprediction\\r\", expected \"index\\tprediction\"",
                "SST-2.tsv, line 2: found prediction \"0\\r\", expected one of 0, 1",
                "SST-2.tsv, line 3: found prediction \"0\\r\", expected one of 0, 1",
                "SST-2.tsv, line 4: found prediction \"0\\r\", expected one of 0, 1",
                "SST-2.tsv, line 5: found prediction \"0\\r\", expected one of 0, 1",
            ],
        ),
    ];
    for (entry, change, expected) in cases {
        assert_eq!(told(entry, change), expected);
    }
    let many = told("CoLA.tsv", &|t| t.replace("\t0", "\t2"));
    assert_eq!(many.len(), 4);
    let more = told("CoLA.tsv", &|t| t.replace("\t0", "\t2") + "4\t2\n5\t2\n");
    assert_eq!(more.last().map(String::as_str), Some("CoLA.tsv: found 2 more faults, expected none"));

    // Files that lack, that are too many, and what is no zip.
    let without: Vec<_> = whole.iter().filter(|(n, _)| n != "RTE.tsv" && n != "AX.tsv").cloned().collect();
    let checked = check(&without, false);
    let faults: Vec<String> = checked.faults.iter().map(ToString::to_string).collect();
    assert_eq!(faults, ["RTE.tsv: found no such file in the zip, expected 4 predictions"]);
    assert_eq!(checked.left_out, ["AX.tsv"]);
    assert!(check(&without, true).faults.is_empty());
    let nested: Vec<_> = whole.iter().map(|(n, t)| (n.replace("CoLA", "glue/CoLA"), t.clone())).collect();
    let faults: Vec<String> = check(&nested, false).faults.iter().map(|f| f.file.clone()).collect();
    assert_eq!(faults, ["glue/CoLA.tsv", "CoLA.tsv"]);
    assert_eq!(check(&[], true).faults.len(), 1);
    std::fs::write(&path, "index\tprediction\n").expect("written");
    let fault = submission::check(&path, &rows, true).expect("read").faults[0].to_string();
    assert!(fault.starts_with("s.zip: found no zip (") && fault.ends_with("expected a zip"), "{fault}");
    // Bytes that were changed do not fit their checksum.
    packed(&path, &whole);
    let mut bytes = std::fs::read(&path).expect("a zip");
    let at = 60;
    bytes[at] ^= 0xff;
    std::fs::write(&path, bytes).expect("written");
    assert!(!submission::check(&path, &rows, false).expect("read").faults.is_empty());
    let missing = submission::check(&folder.path().join("none.zip"), &rows, false).expect_err("no file").to_string();
    assert!(missing.contains("none.zip"), "{missing}");
}

#[test]
fn what_is_unsound_is_not_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s.zip");
    let mut predictions = sound();
    predictions[0].1[5] = "2".into();
    let error = submission::write(&path, &predictions, false).expect_err("refused").to_string();
    assert!(error.contains("CoLA.tsv, line 7: found prediction \"2\", expected one of 0, 1"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[test]
fn test_files_must_be_whole_and_in_order() {
    let sheets = sheets();
    let qqp = &sheets.iter().find(|s| s.file.name == "QQP").expect("QQP").file;
    let read = |text: &str| parse_test(qqp, "file.tsv", text.as_bytes());
    let rows = read("id\tquestion1\tquestion2\n0\ta\tb\n1\tc\t\n").expect("sound");
    assert_eq!((rows[0].text.as_str(), rows[0].pair.as_deref(), rows[1].pair.as_deref()), ("a", Some("b"), Some("")));
    let row_error = |text: &str| match read(text) {
        Err(DataError::Row { line, found, expected, .. }) => format!("{line}: {found}; {expected}"),
        other => panic!("expected a row error, found {other:?}"),
    };
    let order = "id\tquestion1\tquestion2\n0\ta\tb\n2\tc\td\n";
    assert_eq!(row_error(order), "3: id \"2\"; 1: GLUE's rows in their order");
    assert_eq!(row_error("id\tquestion1\tquestion2\n0\ta\n"), "2: 2 tab-separated columns; at least 3");
    assert!(row_error("question1\tquestion2\n").contains("a column named \"id\""));
    assert!(matches!(read("id\tquestion1\tquestion2\n"), Err(DataError::Empty { .. })));
}

/// Real test files, where someone has them: EIGENSCOPE_GLUE names the folder of the tasks' folders.
#[test]
fn real_test_files_are_read() {
    let Some(folder) = std::env::var_os("EIGENSCOPE_GLUE") else {
        eprintln!("skipped: EIGENSCOPE_GLUE names no folder of GLUE files");
        return;
    };
    let mut read = 0;
    for sheet in sheets() {
        let path = Path::new(&folder).join(&sheet.file.path);
        if path.is_file() {
            let rows = load_test(&sheet.file, sheet.task, std::slice::from_ref(&path)).expect("rows");
            assert_eq!(rows.len(), sheet.file.rows, "{}", path.display());
            read += 1;
        }
    }
    eprintln!("{read} test files read");
}
