//! GLUE as the hub keeps it: Parquet files, a folder for each task, labels as numbers whose order is the hub's own. Knows no
//! network: the files are on this disk.

use super::format::{Place, Value};
use super::parquet::Table;
use super::{DataError, Example, Rows, Split};
use crate::task::{Column, Glue, HubLayout, LabelKind, TestFile};
use crate::untrusted;
use std::path::{Path, PathBuf};

/// Where the writer leaves the names of classes, as JSON.
const NOTE: &str = "huggingface";
/// The rows' numbers within their split, from 0.
const INDEX: &str = "idx";
/// GLUE's diagnostic sentences: a folder of their own, though MNLI's adapter predicts them.
const DIAGNOSTIC: &str = "ax/test";

/// What the names of a split's files begin with.
pub fn stem(task: &dyn Glue, split: Split) -> &'static str {
    if split == Split::Train { "train" } else { task.hub().validation }
}

/// Folder of a test file's Parquet files, and what their names begin with; `task` is whose adapter predicts it.
pub fn test_stem(file: &TestFile, task: Option<&dyn Glue>) -> String {
    let (folder, name) = file.path.split_once('/').unwrap_or(("", &file.path));
    let name = name.trim_end_matches(".tsv");
    match task {
        Some(task) if task.folder() == folder => format!("{}/{name}", task.hub().folder),
        Some(_) => DIAGNOSTIC.into(),
        None => format!("{}/{name}", folder.to_lowercase()),
    }
}

/// The Parquet files of a test file under `folder`, in order; none where there are none.
pub(super) fn test_files(file: &TestFile, task: Option<&dyn Glue>, folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let stem = test_stem(file, task);
    let (place, stem) = stem.split_once('/').unwrap_or((".", &stem));
    Ok(pieces(&folder.join(place), stem, folder)?.unwrap_or_default())
}

/// The files of one split under `folder`, in order; none where there are no Parquet files. They are named
/// `train-00000-of-00003.parquet` and lie in the task's folder or in `folder` itself.
pub(super) fn files(task: &dyn Glue, folder: &Path, split: Split) -> Result<Vec<PathBuf>, DataError> {
    for place in [folder.join(task.hub().folder), folder.to_path_buf()] {
        if let Some(found) = pieces(&place, stem(task, split), folder)? {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// The files `STEM-00000-of-00003.parquet` and so on of a place, all of them or none; `folder` is what an error names.
fn pieces(place: &Path, stem: &str, folder: &Path) -> Result<Option<Vec<PathBuf>>, DataError> {
    let mut found: Vec<(usize, usize, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let numbers = name.to_str().and_then(|name| numbers(name, stem));
        found.extend(numbers.map(|(at, of)| (at, of, entry.path())));
    }
    found.sort();
    let Some((_, of, _)) = found.first() else { return Ok(None) };
    let of = *of;
    let lacks = (0..of).find(|i| !found.iter().any(|(at, among, _)| (at, among) == (i, &of)));
    if let Some(at) = lacks {
        let expected = place.join(format!("{stem}-{at:05}-of-{of:05}.parquet")).display().to_string();
        return Err(DataError::Missing { folder: folder.into(), expected });
    }
    Ok(Some(found.into_iter().filter(|(_, among, _)| *among == of).map(|(.., path)| path).collect()))
}

/// The file's number and how many there are, where its name is one of a split's.
fn numbers(name: &str, stem: &str) -> Option<(usize, usize)> {
    let (at, of) = name.strip_prefix(stem)?.strip_prefix('-')?.strip_suffix(".parquet")?.split_once("-of-")?;
    Some((at.parse().ok()?, of.parse().ok()?))
}

/// All rows of files in the hub's layout, one file after the other.
pub(super) fn load(task: &dyn Glue, paths: &[PathBuf]) -> Result<Rows, DataError> {
    let mut rows = Rows::default();
    for path in paths {
        rows.begin(path.display().to_string());
        read(task, path, &mut rows)?;
    }
    let file = || paths.first().map(|p| p.display().to_string()).unwrap_or_default();
    if rows.examples.is_empty() { Err(DataError::Empty { file: file() }) } else { Ok(rows) }
}

/// All rows of a test file in the hub's layout; they have label 0, whatever the hub has in its place. Their numbers must be those
/// of the rows, from 0.
pub(super) fn load_test(
    file: &TestFile,
    task: Option<&dyn Glue>,
    paths: &[PathBuf],
) -> Result<Vec<Example>, DataError> {
    let named = |column: Column| match column {
        Column::Name(name) => name,
        Column::Index(_) => "sentence",
    };
    let (first, second) = match task.map(Glue::hub) {
        Some(layout) => (layout.text, layout.pair),
        None => (named(file.text), file.pair.map(named)),
    };
    let columns: Vec<&str> = [INDEX, first].into_iter().chain(second).collect();
    let mut rows: Vec<Example> = Vec::new();
    for path in paths {
        let table = Table::open(path)?;
        table.read(&columns, &mut |row, cells| {
            let text = |at: usize| match &cells[at] {
                Value::Text(text) => Ok(text.clone()),
                other => Err(table.wrong(columns[at], row, other.describe(), "text")),
            };
            if !matches!(&cells[0], Value::Whole(n) if usize::try_from(*n) == Ok(rows.len())) {
                let expected = format!("{}: GLUE's rows in their order", rows.len());
                return Err(table.wrong(INDEX, row, cells[0].describe(), expected));
            }
            rows.push(Example { text: text(1)?, pair: second.map(|_| text(2)).transpose()?, label: 0.0 });
            Ok(())
        })?;
    }
    let file = || paths.first().map(|p| p.display().to_string()).unwrap_or_default();
    if rows.is_empty() { Err(DataError::Empty { file: file() }) } else { Ok(rows) }
}

fn read(task: &dyn Glue, path: &Path, rows: &mut Rows) -> Result<(), DataError> {
    let (table, layout) = (Table::open(path)?, task.hub());
    let classes = classes(&table, task)?;
    let mut columns = vec![HubLayout::LABEL, layout.text];
    columns.extend(layout.pair);
    table.read(&columns, &mut |row, cells| {
        let text = |at: usize| match &cells[at] {
            Value::Text(text) => Ok(text.clone()),
            other => Err(table.wrong(columns[at], row, other.describe(), "text")),
        };
        let wrong = |expected: String| Err(table.wrong(columns[0], row, cells[0].describe(), expected));
        let label = match (task.labels(), &cells[0]) {
            (LabelKind::Classes(_), Value::Whole(n)) => match usize::try_from(*n).ok().and_then(|n| classes.get(n)) {
                Some(class) => *class as f64,
                None => return wrong(format!("a class from 0 to {}", classes.len().saturating_sub(1))),
            },
            (LabelKind::Classes(_), _) => return wrong("the number of a class".into()),
            (LabelKind::Score { low, high }, Value::Real(x)) if (low..=high).contains(x) => *x,
            (LabelKind::Score { low, high }, _) => return wrong(format!("a real number from {low} to {high}")),
        };
        rows.push(Example { text: text(1)?, pair: layout.pair.map(|_| text(2)).transpose()?, label }, Place::Row(row));
        Ok(())
    })
}

/// Our class of each of the file's numbers. Where the file itself says what its classes are called, that holds.
fn classes(table: &Table, task: &dyn Glue) -> Result<Vec<usize>, DataError> {
    let LabelKind::Classes(ours) = task.labels() else { return Ok(Vec::new()) };
    let known = task.hub().classes;
    let names = table.note(NOTE).and_then(named).unwrap_or_else(|| known.iter().map(|(n, _)| (*n).into()).collect());
    let class = |name: &String| {
        let our = known.iter().find(|(theirs, _)| theirs == name).map(|(_, our)| *our)?;
        ours.iter().position(|n| *n == our)
    };
    let classes: Option<Vec<usize>> = names.iter().map(class).collect();
    classes.ok_or_else(|| {
        let expected: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let found = format!("classes {}", untrusted::brief(&names.join(", "), 80));
        table.wrong(HubLayout::LABEL, 0, found, format!("{}: is this {}?", expected.join(", "), task.label()))
    })
}

/// Names of the classes in the note that the `datasets` library leaves.
fn named(note: &str) -> Option<Vec<String>> {
    let note: serde_json::Value = serde_json::from_str(note).ok()?;
    let names = note.pointer("/info/features/label/names")?.as_array()?;
    names.iter().map(|n| n.as_str().map(str::to_string)).collect()
}
