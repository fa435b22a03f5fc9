//! Parquet files: GLUE in the hub's layout gives the same rows and the same training as GLUE's own files, and every way in which
//! a file can be wrong is told with file, column and row.

use eigenscope::data::parquet::{Table, Value};
use eigenscope::data::{self, DataError, Example, Source, Split};
use eigenscope::event::RunEvent;
use eigenscope::job::{Job, execute};
use eigenscope::spec::RunSpec;
use eigenscope::task::{self, Glue, LabelKind};
use eigenscope::train::fit::Sink;
use eigenscope::train::{Signal, TrainError};
use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Made by pyarrow: see `make_fixtures.py` there.
fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/glue-parquet")
}

/// A column of a file: its line in the schema and its values, of one kind.
enum Column {
    Text(&'static str, Vec<String>),
    Whole32(&'static str, Vec<i32>),
    Whole(&'static str, Vec<i64>),
    Real32(&'static str, Vec<f32>),
    Real(&'static str, Vec<f64>),
    Truth(&'static str, Vec<bool>),
    /// Empty where there is none.
    Maybe(&'static str, Vec<Option<i64>>),
}

/// Writes the columns, a row group for each.
fn write(path: &Path, groups: &[Vec<Column>]) {
    write_packed(path, groups, Compression::SNAPPY);
}

fn write_packed(path: &Path, groups: &[Vec<Column>], packed: Compression) {
    use Column::*;
    let line = |column: &Column| match column {
        Text(name, _) => format!("required binary {name} (UTF8);"),
        Whole32(name, _) => format!("required int32 {name};"),
        Whole(name, _) => format!("required int64 {name};"),
        Real32(name, _) => format!("required float {name};"),
        Real(name, _) => format!("required double {name};"),
        Truth(name, _) => format!("required boolean {name};"),
        Maybe(name, _) => format!("optional int64 {name};"),
    };
    let lines: String = groups[0].iter().map(line).collect();
    let schema = Arc::new(parse_message_type(&format!("message m {{ {lines} }}")).expect("a schema"));
    let properties = WriterProperties::builder().set_compression(packed).build();
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let mut file =
        SerializedFileWriter::new(File::create(path).expect("a file"), schema, Arc::new(properties)).expect("a writer");
    for group in groups {
        let mut rows = file.next_row_group().expect("a group");
        for column in group {
            let mut open = rows.next_column().expect("a column").expect("one more");
            match (open.untyped(), column) {
                (ColumnWriter::ByteArrayColumnWriter(w), Text(_, v)) => {
                    let v: Vec<ByteArray> = v.iter().map(|t| t.as_str().into()).collect();
                    w.write_batch(&v, None, None).map(drop)
                }
                (ColumnWriter::Int32ColumnWriter(w), Whole32(_, v)) => w.write_batch(v, None, None).map(drop),
                (ColumnWriter::Int64ColumnWriter(w), Whole(_, v)) => w.write_batch(v, None, None).map(drop),
                (ColumnWriter::FloatColumnWriter(w), Real32(_, v)) => w.write_batch(v, None, None).map(drop),
                (ColumnWriter::DoubleColumnWriter(w), Real(_, v)) => w.write_batch(v, None, None).map(drop),
                (ColumnWriter::BoolColumnWriter(w), Truth(_, v)) => w.write_batch(v, None, None).map(drop),
                (ColumnWriter::Int64ColumnWriter(w), Maybe(_, v)) => {
                    let levels: Vec<i16> = v.iter().map(|n| i16::from(n.is_some())).collect();
                    let there: Vec<i64> = v.iter().flatten().copied().collect();
                    w.write_batch(&there, Some(&levels), None).map(drop)
                }
                _ => panic!("the schema is another"),
            }
            .expect("written");
            open.close().expect("closed");
        }
        rows.close().expect("closed");
    }
    file.close().expect("closed");
}

/// The rows as the hub has them, in two row groups.
fn write_as_hub(task: &dyn Glue, path: &Path, examples: &[Example]) {
    let layout = task.hub();
    let class = |label: f64| {
        let LabelKind::Classes(ours) = task.labels() else { unreachable!("a regression task") };
        let place = layout.classes.iter().position(|(_, our)| *our == ours[label as usize]);
        place.expect("a class of the hub") as i64
    };
    let group = |examples: &[Example]| {
        let mut columns = vec![Column::Text(layout.text, examples.iter().map(|e| e.text.clone()).collect())];
        if let Some(name) = layout.pair {
            columns.push(Column::Text(name, examples.iter().map(|e| e.pair.clone().expect("a pair")).collect()));
        }
        columns.push(match task.labels() {
            LabelKind::Classes(_) => Column::Whole("label", examples.iter().map(|e| class(e.label)).collect()),
            LabelKind::Score { .. } => Column::Real32("label", examples.iter().map(|e| e.label as f32).collect()),
        });
        columns.push(Column::Whole32("idx", (0..examples.len() as i32).collect()));
        columns
    };
    let (first, rest) = examples.split_at(examples.len() / 3);
    write(path, &[group(first), group(rest)]);
}

#[test]
fn every_task_reads_the_same_from_the_hubs_files() {
    let folder = tempfile::tempdir().expect("a folder");
    for task in task::ALL {
        let place = folder.path().join(task.hub().folder);
        for (split, stem) in [(Split::Train, "train"), (Split::Validation, task.hub().validation)] {
            let ours = data::load(*task, &Source::Embedded, split).expect("embedded rows");
            let path = place.join(format!("{stem}-00000-of-00001.parquet"));
            write_as_hub(*task, &path, &ours);
            let source = Source::Folder(folder.path().into());
            let rows = data::load(*task, &source, split).expect("rows");
            assert!(rows == ours, "{}: {:?}", task.id(), rows.iter().zip(&ours).find(|(a, b)| a != b));
            assert!(data::load(*task, &Source::Folder(place.clone()), split).expect("rows") == ours);
            assert!(data::load_file(*task, &path).expect("rows") == ours);
        }
        Source::Folder(folder.path().into()).check(*task).expect("both are there");
        if let LabelKind::Classes(names) = task.labels() {
            let mut ours: Vec<&str> = task.hub().classes.iter().map(|(_, our)| *our).collect();
            ours.sort_by_key(|our| names.iter().position(|n| n == our));
            assert_eq!(ours, names, "{}: every class once", task.id());
        }
    }
}

#[test]
fn what_pyarrow_writes_gives_the_same_rows() {
    for id in ["sst-2", "sts-b"] {
        let task = task::find(id).expect("a task");
        for (split, most) in [(Split::Train, 24), (Split::Validation, 12)] {
            let mut ours = data::load(task, &Source::Embedded, split).expect("embedded rows");
            ours.truncate(most);
            assert_eq!(data::load(task, &Source::Folder(fixtures()), split).expect("rows"), ours, "{id}");
        }
    }
}

struct Losses(Vec<u64>);

impl Sink for Losses {
    fn send(&mut self, event: RunEvent) -> Result<(), TrainError> {
        if let RunEvent::Point(point) = event {
            self.0.push(point.loss.to_bits());
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), TrainError> {
        Ok(())
    }
}

#[test]
fn the_first_epoch_is_the_same_bit_for_bit() {
    let folder = tempfile::tempdir().expect("a folder");
    for id in ["sst-2", "sts-b"] {
        let task = task::glue(id).expect("a task");
        let tsv = folder.path().join(task.folder());
        std::fs::create_dir_all(&tsv).expect("a folder");
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/glue-sample").join(task.folder());
        for (name, rows) in [("train.tsv", 24), ("dev.tsv", 12)] {
            let text = std::fs::read_to_string(sample.join(name)).expect("a file");
            let lines: String = text.split_inclusive('\n').take(1 + rows).collect();
            std::fs::write(tsv.join(name), lines).expect("a file");
        }
        let losses = |data: &Path| {
            let data = data.to_str().expect("a path").to_string();
            let spec =
                RunSpec { task: id.into(), data, batch_size: 8, epochs: 1, max_length: 24, ..RunSpec::default() };
            let run = tempfile::tempdir().expect("a folder");
            let mut losses = Losses(Vec::new());
            let job = Job { spec: &spec, folder: &run.path().join("r1"), resume: false };
            execute(&job, &|| Signal::Go, &mut losses).expect("trained");
            losses.0
        };
        let of_tsv = losses(folder.path());
        assert_eq!(of_tsv.len(), 3, "{id}");
        assert_eq!(losses(&fixtures()), of_tsv, "{id}");
    }
}

fn cells(path: &Path, columns: &[&str]) -> Result<Vec<Vec<Value>>, String> {
    let mut rows = Vec::new();
    let table = Table::open(path).map_err(|e| e.to_string())?;
    let read = table.read(columns, &mut |row, cells| {
        assert_eq!(row, rows.len() as u64 + 1);
        rows.push(cells.to_vec());
        Ok(())
    });
    read.map(|()| rows).map_err(|e| e.to_string())
}

#[test]
fn every_kind_of_column_is_read_by_value() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("all.parquet");
    let n = 2_500;
    let group = vec![
        Column::Text("words", (0..n).map(|i| format!("word {i} é")).collect()),
        Column::Whole32("small", (0..n).map(|i| -i).collect()),
        Column::Real32("short", vec![2.4; n as usize]),
        Column::Real("long", (0..n).map(|i| f64::from(i) / 3.0).collect()),
        Column::Truth("truth", (0..n).map(|i| i % 3 == 0).collect()),
        Column::Maybe("maybe", (0..n).map(|i| (i % 2 == 1).then_some(1 << 40)).collect()),
    ];
    write(&path, std::slice::from_ref(&group));
    let table = Table::open(&path).expect("a table");
    assert_eq!((table.rows(), table.columns().join(" ").as_str()), (2_500, "words small short long truth maybe"));
    let rows = cells(&path, &["maybe", "words", "small", "short", "long", "truth"]).expect("rows");
    assert_eq!(rows.len(), 2_500);
    let expected = [
        Value::Whole(1 << 40),
        Value::Text("word 2049 é".into()),
        Value::Whole(-2049),
        Value::Real(2.4),
        Value::Real(683.0),
        Value::Truth(true),
    ];
    assert_eq!(rows[2_049], expected);
    for packed in
        [Compression::UNCOMPRESSED, Compression::GZIP(Default::default()), Compression::ZSTD(Default::default())]
    {
        write_packed(&path, std::slice::from_ref(&group), packed);
        let same = cells(&path, &["maybe", "words", "small", "short", "long", "truth"]).expect("rows");
        assert!(same == rows, "{packed:?}");
    }
    assert_eq!((&rows[2_048][0], &rows[2_048][5]), (&Value::Null, &Value::Truth(false)));
    let absent = cells(&path, &["sentence"]).expect_err("no such column");
    assert!(absent.contains("all.parquet: columns words, small, short"), "{absent}");
    assert!(absent.ends_with("expected a column named \"sentence\""), "{absent}");
}

fn refusal(label: Column, text: Column) -> (String, u64, String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("train-00000-of-00001.parquet");
    write(&path, &[vec![text, label]]);
    match data::load_file(task::find("sst-2").expect("a task"), &path) {
        Err(DataError::Cell { column, row, found, expected, file }) => {
            assert!(file.ends_with("train-00000-of-00001.parquet"));
            (column, row, found, expected)
        }
        other => panic!("expected a cell at fault, found {other:?}"),
    }
}

#[test]
fn a_wrong_cell_is_told_with_its_column_and_row() {
    let texts = || Column::Text("sentence", vec!["a".into(), "b".into()]);
    let (column, row, found, expected) = refusal(Column::Whole("label", vec![1, -1]), texts());
    assert_eq!((column.as_str(), row, found.as_str(), expected.as_str()), ("label", 2, "-1", "a class from 0 to 1"));
    let (.., row, found, expected) = refusal(Column::Real("label", vec![1.0, 0.0]), texts());
    assert_eq!((row, found.as_str(), expected.as_str()), (1, "1", "the number of a class"));
    let (.., row, found, _) = refusal(Column::Maybe("label", vec![Some(0), None]), texts());
    assert_eq!((row, found.as_str()), (2, "an empty cell"));
    let (column, row, found, expected) =
        refusal(Column::Whole("label", vec![1, 1]), Column::Whole("sentence", vec![7, 8]));
    assert_eq!((column.as_str(), row, found.as_str(), expected.as_str()), ("sentence", 1, "7", "text"));
    let (.., found, expected) =
        refusal(Column::Whole("label", vec![1]), Column::Text("sentence", vec!["x".repeat((1 << 20) + 1)]));
    assert_eq!((found.as_str(), expected.as_str()), ("a text of 1048577 bytes", "at most 1048576"));
}

#[test]
fn a_missing_piece_of_several_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let task = task::find("sst-2").expect("a task");
    let piece = |at: usize| folder.path().join(format!("sst2/train-{at:05}-of-00003.parquet"));
    let row = |text: &str| vec![Column::Text("sentence", vec![text.into()]), Column::Whole("label", vec![0])];
    write(&piece(0), &[row("first")]);
    write(&piece(2), &[row("third")]);
    let source = Source::Folder(folder.path().into());
    let error = data::load(task, &source, Split::Train).expect_err("one is missing").to_string();
    assert!(error.contains("sst2/train-00001-of-00003.parquet"), "{error}");
    write(&piece(1), &[row("second")]);
    let rows = data::load(task, &source, Split::Train).expect("rows");
    assert_eq!(rows.iter().map(|e| e.text.as_str()).collect::<Vec<_>>(), ["first", "second", "third"]);
    let absent = data::load(task, &source, Split::Validation).expect_err("no rows").to_string();
    assert!(absent.contains("SST-2/dev.tsv") && absent.contains("sst2/validation-00000-of-00001.parquet"), "{absent}");
}

#[test]
fn damaged_files_are_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    let task = task::find("sts-b").expect("a task");
    let sound = std::fs::read(fixtures().join("stsb/train-00000-of-00001.parquet")).expect("a file");
    let path = folder.path().join("damaged.parquet");
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).expect("a file");
        data::load_file(task, &path)
    };
    for bytes in [&b""[..], b"PAR1", b"no parquet at all", &sound[..sound.len() / 2]] {
        let error = read(bytes).expect_err("damaged").to_string();
        assert!(error.contains("damaged.parquet: "), "{error}");
    }
    let mut errors = 0;
    for at in (0..sound.len()).step_by(3) {
        for flip in [0x01, 0xff] {
            let mut bytes = sound.clone();
            bytes[at] ^= flip;
            errors += usize::from(read(&bytes).is_err());
        }
    }
    assert!(errors > sound.len() / 6, "{errors}");
}
