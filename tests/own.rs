//! Tasks of a person's own: the same rows in every format of file train to the same bits as GLUE's, and every way in which a file
//! can be wrong is told with its place.

#[path = "own/program.rs"]
mod program;

use eigenscope::adapter;
use eigenscope::data::{self, Example, Rows, Source, Split};
use eigenscope::event::{Level, RunEvent, RunFacts};
use eigenscope::job::{self, Job, execute};
use eigenscope::spec::RunSpec;
use eigenscope::task::{self, LabelKind, Task};
use eigenscope::train::fit::Sink;
use eigenscope::train::{Outcome, Signal, TrainError};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FORMATS: [&str; 5] = ["csv", "tsv", "quoted-tsv", "jsonl", "parquet"];

/// A label as a file has it.
fn written(task: &dyn Task, label: f64) -> String {
    match task.labels() {
        LabelKind::Classes(names) => names[label as usize].to_string(),
        LabelKind::Score { .. } => label.to_string(),
    }
}

/// The line of each row.
fn lines(rows: &Rows) -> Vec<u64> {
    let line = |i| rows.place(i).strip_prefix("line ").expect("a line").parse().expect("a number");
    (0..rows.examples.len()).map(line).collect()
}

/// Writes rows in a format; columns text, label and, where there is a second text, pair, beside one that nobody wants.
fn write(path: &Path, format: &str, task: &dyn Task, rows: &[Example]) {
    let paired = rows[0].pair.is_some();
    match format {
        "tsv" => {
            let line = |(i, row): (usize, &Example)| {
                let cells = [i.to_string(), written(task, row.label), row.text.clone()];
                format!("{}\n", cells.into_iter().chain(row.pair.clone()).collect::<Vec<_>>().join("\t"))
            };
            let names = if paired { "id\tlabel\ttext\tpair\n" } else { "id\tlabel\ttext\n" };
            let rows: String = rows.iter().enumerate().map(line).collect();
            fs::write(path, format!("{names}{rows}")).expect("written");
        }
        "csv" | "quoted-tsv" => {
            let delimiter = if format == "csv" { b',' } else { b'\t' };
            let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_path(path).expect("a file");
            let names = ["id", "label", "text", "pair"];
            writer.write_record(&names[..if paired { 4 } else { 3 }]).expect("written");
            for (i, row) in rows.iter().enumerate() {
                let mut cells = vec![i.to_string(), written(task, row.label), row.text.clone()];
                cells.extend(row.pair.clone());
                writer.write_record(&cells).expect("written");
            }
            writer.flush().expect("written");
        }
        "jsonl" => {
            let line = |row: &Example| {
                let label = match task.labels() {
                    LabelKind::Classes(_) => serde_json::json!(written(task, row.label)),
                    LabelKind::Score { .. } => serde_json::json!(row.label),
                };
                let mut line = serde_json::json!({ "text": row.text, "label": label, "more": [1, { "a": 2 }] });
                if let Some(pair) = &row.pair {
                    line["pair"] = serde_json::json!(pair);
                }
                format!("{line}\n")
            };
            fs::write(path, rows.iter().map(line).collect::<String>()).expect("written");
        }
        _ => {
            let pair = if paired { "required binary pair (UTF8);" } else { "" };
            let real = matches!(task.labels(), LabelKind::Score { .. });
            let label = if real { "required float label;" } else { "required binary label (UTF8);" };
            let schema = format!("message m {{ required binary text (UTF8); {label} {pair} }}");
            let schema = Arc::new(parse_message_type(&schema).expect("a schema"));
            let properties = Arc::new(WriterProperties::builder().build());
            let mut file =
                SerializedFileWriter::new(File::create(path).expect("a file"), schema, properties).expect("a writer");
            let mut group = file.next_row_group().expect("a group");
            let texts = |of: &dyn Fn(&Example) -> String| -> Vec<ByteArray> {
                rows.iter().map(|row| ByteArray::from(of(row).into_bytes())).collect()
            };
            let mut columns = vec![texts(&|row| row.text.clone()), texts(&|row| written(task, row.label))];
            if paired {
                columns.push(texts(&|row| row.pair.clone().expect("a pair")));
            }
            for values in columns {
                let mut column = group.next_column().expect("a column").expect("one more");
                match column.untyped() {
                    ColumnWriter::FloatColumnWriter(w) => {
                        let scores: Vec<f32> = rows.iter().map(|row| row.label as f32).collect();
                        w.write_batch(&scores, None, None)
                    }
                    ColumnWriter::ByteArrayColumnWriter(w) => w.write_batch(&values, None, None),
                    _ => panic!("the schema is another"),
                }
                .expect("written");
                column.close().expect("closed");
            }
            group.close().expect("closed");
            file.close().expect("closed");
        }
    }
}

/// The file of a task with the labels of another, its rows in `format`.
fn own(folder: &Path, format: &str, like: &dyn Task, train: &[Example], validation: &[Example]) -> PathBuf {
    write(&folder.join(format!("train.{format}")), format, like, train);
    write(&folder.join(format!("dev.{format}")), format, like, validation);
    let labels = match like.labels() {
        LabelKind::Classes(names) => format!("labels = {names:?}"),
        LabelKind::Score { low, high } => format!("score = {{ low = {low}, high = {high} }}"),
    };
    let pair = if train[0].pair.is_some() { "pair = \"pair\"\n" } else { "" };
    let text = format!(
        "name = \"Mine in {format}\"\ntext = \"text\"\n{pair}label = \"label\"\n{labels}\nmetric = {:?}\nformat = \"{format}\"\ntrain = \"train.{format}\"\nvalidation = \"dev.{format}\"\n",
        like.metric_ids()
    );
    let path = folder.join(format!("{format}.toml"));
    fs::write(&path, text).expect("written");
    path
}

/// What a run says.
#[derive(Default)]
struct Said {
    losses: Vec<u64>,
    evaluated: Vec<u64>,
    facts: RunFacts,
    warned: Vec<String>,
}

impl Sink for Said {
    fn send(&mut self, event: RunEvent) -> Result<(), TrainError> {
        match event {
            RunEvent::Point(point) => self.losses.push(point.loss.to_bits()),
            RunEvent::Evaluated(e) => self.evaluated.push(e.loss.to_bits()),
            RunEvent::Started(facts) => self.facts = facts,
            RunEvent::Log { level: Level::Warn, text } => self.warned.push(text),
            _ => {}
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), TrainError> {
        Ok(())
    }
}

fn spec(task: &str) -> RunSpec {
    RunSpec { task: task.into(), batch_size: 8, epochs: 1, max_length: 24, ..RunSpec::default() }
}

/// Trains one epoch.
fn trained(spec: &RunSpec) -> Said {
    let run = tempfile::tempdir().expect("a folder");
    let mut said = Said::default();
    let job = Job { spec, folder: &run.path().join("r1"), resume: false };
    assert!(matches!(execute(&job, &|| Signal::Go, &mut said).expect("trained"), Outcome::Done));
    said
}

/// The first rows of the embedded sample.
fn sample(id: &str) -> (&'static dyn Task, Vec<Example>, Vec<Example>) {
    let task = task::find(id).expect("a task");
    let load = |split, most| {
        let mut rows = data::load(task, &Source::Embedded, split).expect("rows");
        rows.truncate(most);
        rows
    };
    (task, load(Split::Train, 40), load(Split::Validation, 16))
}

#[test]
fn every_format_trains_to_the_same_bits_as_glues_own_files() {
    for id in ["sst-2", "mnli", "sts-b"] {
        let (glue, train, validation) = sample(id);
        let folder = tempfile::tempdir().expect("a folder");
        // GLUE's own files of these rows.
        let place = folder.path().join("glue").join(task::glue(id).expect("a task").folder());
        fs::create_dir_all(&place).expect("a folder");
        let from =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/glue-sample").join(place.file_name().expect("a name"));
        for (name, to, rows) in [("train.tsv", "train.tsv", 40), ("dev.tsv", "dev.tsv", 16)] {
            let text = fs::read_to_string(from.join(name)).expect("a file");
            fs::write(place.join(to), text.split_inclusive('\n').take(1 + rows).collect::<String>()).expect("written");
        }
        let data = folder.path().join("glue").to_str().expect("a path").to_string();
        let usual = trained(&RunSpec { data, ..spec(id) });
        assert_eq!((usual.losses.len(), usual.evaluated.len()), (5, 1));
        for format in FORMATS {
            let path = own(folder.path(), format, glue, &train, &validation);
            let mine = trained(&spec(path.to_str().expect("a path")));
            assert_eq!(mine.losses, usual.losses, "{id} in {format}");
            assert_eq!(mine.evaluated, usual.evaluated, "{id} in {format}");
            assert_eq!(mine.facts.environment["task"], format!("Mine in {format}"));
            assert_eq!(mine.facts.environment["train_sha256"].len(), 64);
            assert_eq!(mine.facts.metric, usual.facts.metric);
        }
    }
}

/// GLUE's files have quotes that no other closes.
#[test]
fn glues_own_files_are_rows_of_an_own_task_as_they_are() {
    for (id, text, pair, label) in [
        ("qnli", "question", "sentence", "label"),
        ("mrpc", "#1 String", "#2 String", "Quality"),
        ("sts-b", "sentence1", "sentence2", "score"),
    ] {
        let glue = task::glue(id).expect("a task");
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/glue-sample").join(glue.folder());
        let labels = match glue.labels() {
            LabelKind::Classes(names) => format!("labels = {names:?}"),
            LabelKind::Score { low, high } => format!("score = {{ low = {low}, high = {high} }}"),
        };
        let [train, dev] = ["train.tsv", "dev.tsv"].map(|name| place.join(name));
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("task.toml");
        let toml = format!(
            "text = {text:?}\npair = {pair:?}\nlabel = {label:?}\n{labels}\ntrain = {train:?}\nvalidation = {dev:?}\n"
        );
        fs::write(&path, toml).expect("written");
        let own = task::find(path.to_str().expect("a path")).expect("a task");
        for split in [Split::Train, Split::Validation] {
            let rows = |task: &dyn Task| data::load_rows(task, &Source::Embedded, split).expect("rows");
            let (mine, theirs) = (rows(own), rows(glue));
            assert_eq!(mine.examples, theirs.examples, "{id}");
            assert_eq!(lines(&mine), lines(&theirs), "{id}");
        }
    }
}

#[test]
fn a_label_is_the_same_in_every_format() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = |labels: &str, name: &str, text: &str| {
        fs::write(folder.path().join(name), text).expect("written");
        let path = folder.path().join("task.toml");
        let toml =
            format!("text = \"a\"\nlabel = \"b\"\nlabels = {labels}\ntrain = \"{name}\"\nvalidation = \"{name}\"");
        fs::write(&path, toml).expect("written");
        let task = task::find(path.to_str().expect("a path")).expect("a task");
        let rows = data::load(task, &Source::Embedded, Split::Train).map_err(|e| e.to_string())?;
        Ok::<_, String>(rows.iter().map(|row| row.label).collect::<Vec<f64>>())
    };
    for (name, text) in [
        ("n.csv", "a,b\nx,1\ny,1.0\nz,0.00\n"),
        ("n.tsv", "a\tb\nx\t1\ny\t1.0\nz\t0.00\n"),
        ("n.jsonl", "{\"a\":\"x\",\"b\":1}\n{\"a\":\"y\",\"b\":1.0}\n{\"a\":\"z\",\"b\":\"0.00\"}\n"),
    ] {
        assert_eq!(rows("[\"0\", \"1\"]", name, text), Ok(vec![1.0, 1.0, 0.0]), "{name}");
    }
    assert_eq!(rows("{ \"1.0\" = \"b\", \"0\" = \"a\" }", "m.jsonl", "{\"a\":\"x\",\"b\":1.0}"), Ok(vec![0.0]));
    assert_eq!(rows("[\"false\", \"true\"]", "t.csv", "a,b\nx,True\ny,FALSE\nz,true\n"), Ok(vec![1.0, 0.0, 1.0]));
    assert_eq!(rows("[\"False\", \"True\"]", "t.jsonl", "{\"a\":\"x\",\"b\":true}"), Ok(vec![1.0]));
    for (name, text) in [("w.csv", "a,b\nx,1.5\n"), ("v.csv", "a,b\nx,tRue\n")] {
        assert!(rows("[\"0\", \"1\"]", name, text).expect_err("no class").contains("expected one of 0, 1"), "{name}");
    }
}

#[test]
fn a_map_and_a_share_of_the_training_rows() {
    let (glue, train, _) = sample("sst-2");
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder.path().join("rows.jsonl"), "jsonl", glue, &train);
    let write = |share: &str| {
        let path = folder.path().join("task.toml");
        let text = format!(
            "text = \"text\"\nlabel = \"label\"\nlabels = {{ \"1\" = \"good\", \"0\" = \"bad\" }}\ntrain = \"rows.jsonl\"\n{share}\n"
        );
        fs::write(&path, text).expect("written");
        task::find(path.to_str().expect("a path")).expect("a task")
    };
    let task = write("validation = 0.25");
    assert_eq!((task.label(), task.labels()), ("task", LabelKind::Classes(&["good", "bad"])));
    let rows = |task: &dyn Task, split| data::load_rows(task, &Source::Embedded, split).expect("rows");
    let (kept, held) = (rows(task, Split::Train), rows(task, Split::Validation));
    assert_eq!((kept.examples.len(), held.examples.len()), (30, 10));
    let mut numbers = [lines(&kept), lines(&held)].concat();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=40).collect::<Vec<u64>>(), "every row once");
    for (example, number) in kept.examples.iter().zip(&lines(&kept)) {
        let theirs = &train[*number as usize - 1];
        assert_eq!((&example.text, example.label), (&theirs.text, 1.0 - theirs.label), "line {number}");
    }
    assert_eq!(rows(task, Split::Validation), held);
    assert_ne!(rows(write("validation = 0.25\nseed = 1"), Split::Validation), held);
}

#[test]
fn a_task_that_is_another_does_not_go_on_and_other_rows_are_told() {
    let (glue, train, validation) = sample("sst-2");
    let folder = tempfile::tempdir().expect("a folder");
    let path = own(folder.path(), "csv", glue, &train, &validation);
    let spec = RunSpec { epochs: 3, ..spec(path.to_str().expect("a path")) };
    let run = folder.path().join("runs/r1");
    let stopped = || {
        let _ = fs::remove_dir_all(&run);
        let mut said = Said::default();
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let signal = || match asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0..3 => Signal::Go,
            _ => Signal::Stop,
        };
        let job = Job { spec: &spec, folder: &run, resume: false };
        assert!(matches!(execute(&job, &signal, &mut said).expect("trained"), Outcome::Stopped));
    };
    let resumed = || {
        let mut said = Said::default();
        let job = Job { spec: &spec, folder: &run, resume: true };
        execute(&job, &|| Signal::Go, &mut said).map(|_| said).map_err(|e| e.to_string())
    };
    stopped();
    assert!(resumed().expect("it goes on").warned.iter().all(|w| !w.contains("not the same")));
    stopped();
    let text = fs::read_to_string(&path).expect("read");
    fs::write(&path, text.replace("Mine in csv", "Another name")).expect("written");
    assert_eq!(resumed().expect("a name decides nothing").facts.environment["task"], "Another name");
    stopped();
    write(&folder.path().join("train.csv"), "csv", glue, &train[1..]);
    let warned = resumed().expect("it goes on").warned;
    let told = "the training rows are not the same as when the run was stopped: what it recorded before is of others";
    assert!(warned.iter().any(|w| w == told), "{warned:?}");
    stopped();
    fs::write(&path, text.replace("[\"0\", \"1\"]", "[\"1\", \"0\"]")).expect("written");
    let error = resumed().err().expect("another task");
    assert!(error.contains("Mine in csv is another task than when the run began"), "{error}");
}

/// What a check says of a task whose training file holds `rows`.
fn refused(name: &str, rows: &[u8]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join(name), rows).expect("written");
    let path = folder.path().join("task.toml");
    let text =
        format!("text = \"text\"\nlabel = \"label\"\nlabels = [\"0\", \"1\"]\ntrain = \"{name}\"\nvalidation = 0.5\n");
    fs::write(&path, text).expect("written");
    let spec = spec(path.to_str().expect("a path"));
    let mut said = Said::default();
    let job = Job { spec: &spec, folder: &folder.path().join("r1"), resume: false };
    let error = execute(&job, &|| Signal::Go, &mut said).expect_err("refused").to_string();
    error.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn faults_of_rows_are_told_with_their_place() {
    assert_eq!(
        refused("a.csv", b"text,label\n\"two\nlines\",1\nx,maybe\n"),
        "a.csv, line 4, column \"label\": \"maybe\"; expected one of 0, 1"
    );
    assert_eq!(
        refused("a.csv", b"text,label\nx,1\n\"y,1\nz,0\n"),
        "a.csv, line 3: a quote that nothing closes; expected a quote at the end of the value"
    );
    assert_eq!(refused("a.csv", b"text,label\nx,1,2\n"), "a.csv, line 2: 3 values; expected 2, as the header has");
    assert_eq!(
        refused("a.csv", b"review,label\nx,1\n"),
        "a.csv: columns review, label; expected a column named \"text\""
    );
    assert_eq!(
        refused("a.csv", b"text,label,text\nx,1,y\n"),
        "a.csv: columns text, label, text; expected \"text\" once"
    );
    assert_eq!(
        refused("a.tsv", b"text\tlabel\nx\t1\ngo\xffd\t1\n"),
        "a.tsv, line 3: a byte that is not UTF-8 at byte 2; expected UTF-8"
    );
    assert_eq!(
        refused("a.tsv", b"\"text\"\t\"label\"\n\"x\"\t\"1\"\n"),
        "a.tsv: columns \"text\", \"label\"; expected a column named \"text\"; a .tsv with fields in quotes is of format = \"quoted-tsv\""
    );
    assert_eq!(refused("a.csv", b""), "a.csv: no rows; expected a header and rows");
    assert_eq!(refused("a.csv", b"text,label\n"), "a.csv: no rows; expected a header and rows");
    assert!(
        refused("a.txt", b"text,label\nx,1\n").contains("a.txt: its ending \"txt\" tells no format; expected format =")
    );
    assert_eq!(
        refused("a.jsonl", b"{\"text\": \"x\", \"label\": 1}\n{\"text\": {\"en\": \"y\"}, \"label\": 1}\n"),
        "a.jsonl, line 2, column \"text\": an object; expected text, a number, true or false: nested values are not read"
    );
    assert_eq!(
        refused("a.jsonl", b"{\"text\": \"x\", \"label\": 1}\n{\"text\": null, \"label\": 1}\n"),
        "a.jsonl, line 2, column \"text\": an empty cell; expected text"
    );
    // A quote that is never closed does not take the whole file into memory.
    let open = [b"text,label\n\"".as_slice(), &vec![b'x'; 8 << 20]].concat();
    let told = refused("a.csv", &open);
    assert!(told.starts_with("a.csv, line 2: a row of more than 1048576 bytes"), "{told}");
    let same = b"text,label\na,1\nb,1\nc,1\nd,1\n";
    assert_eq!(refused("a.csv", same), "task: all 2 training rows have the label 1: there is nothing to learn");
    assert_eq!(
        refused("a.csv", b"text,label\na,1\n"),
        "a.csv: one row; expected two or more to draw some for validation"
    );
}

#[test]
fn bom_crlf_and_quotes_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "\u{feff}text,label\r\n\"a \"\"quoted\"\", text\",1\r\n\r\nplain, 0 \r\n";
    fs::write(folder.path().join("a.csv"), text).expect("written");
    let path = folder.path().join("task.toml");
    fs::write(
        &path,
        "text = \"text\"\nlabel = \"label\"\nlabels = [\"0\", \"1\"]\ntrain = \"a.csv\"\nvalidation = \"a.csv\"",
    )
    .expect("written");
    let task = task::find(path.to_str().expect("a path")).expect("a task");
    let rows = data::load_rows(task, &Source::Embedded, Split::Train).expect("rows");
    assert_eq!(rows.examples[0], Example { text: "a \"quoted\", text".into(), pair: None, label: 1.0 });
    assert_eq!(rows.examples[1], Example { text: "plain".into(), pair: None, label: 0.0 });
    assert_eq!(lines(&rows), [2, 4]);
}

#[test]
fn a_check_before_launch_names_the_file_at_fault() {
    let (glue, train, validation) = sample("sst-2");
    let folder = tempfile::tempdir().expect("a folder");
    let path = own(folder.path(), "csv", glue, &train, &validation);
    let spec = spec(path.to_str().expect("a path"));
    let checked =
        |spec: &RunSpec| job::check(spec, folder.path()).map_err(|e| (e.field().map(str::to_string), e.to_string()));
    assert_eq!(checked(&spec), Ok(()));
    let (field, told) = checked(&RunSpec { data: "/some/glue".into(), ..spec.clone() }).expect_err("data");
    assert_eq!(field.as_deref(), Some("data"));
    assert_eq!(told, "data \"/some/glue\" beside Mine in csv, which names its own files; expected data to be empty");
    fs::remove_file(folder.path().join("dev.csv")).expect("removed");
    let (_, told) = checked(&spec).expect_err("no file");
    assert!(told.contains("dev.csv: No such file"), "{told}");
    let (field, told) = checked(&RunSpec { task: "nothing.toml".into(), ..spec }).expect_err("no task");
    assert_eq!(field.as_deref(), Some("task"));
    assert!(told.contains("nothing.toml: No such file") && told.contains("config task-example"), "{told}");
}

#[test]
fn a_spec_keeps_the_whole_path_and_names_runs_by_the_file() {
    let spec = RunSpec::from_toml("task = \"some/mine.toml\"").expect("a spec");
    assert!(Path::new(&spec.task).is_absolute() && spec.task.ends_with("some/mine.toml"), "{}", spec.task);
    assert_eq!(spec.display_name(), "mine-symlora-s0");
    assert_eq!(RunSpec::from_toml(&spec.to_toml()).expect("read back"), spec);
    assert!(adapter::find(&spec.method).is_ok());
}

proptest! {
    #[test]
    fn any_task_file_is_a_task_or_an_error(text in "[a-z=\\[\\]{}\",. 0-9\n]{0,120}") {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("task.toml");
        fs::write(&path, text).expect("written");
        let _ = task::find(path.to_str().expect("a path"));
    }

    #[test]
    fn any_bytes_are_rows_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0..FORMATS.len()) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(format!("a.{}", FORMATS[at]));
        fs::write(&path, [&b"text,label\tx\n"[..], &bytes].concat()).expect("written");
        let format = data::format::find(Some(FORMATS[at]), &path).expect("a format");
        let _ = format.columns(&path);
        let _ = format.read(&path, &["text"], &mut |_, _| Ok(()));
    }
}
