//! Formats of files with named columns: one file and one line in [`ALL`] each. Knows no task.

use super::{DataError, csv, jsonl, parquet, tabs};
use std::path::Path;

/// Most rows of a file.
pub(super) const MAX_ROWS: u64 = 100_000_000;

/// What a cell holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    Whole(i64),
    /// A 32-bit number is the number that its shortest decimal names: 2.4 and not 2.4000000953674316.
    Real(f64),
    Truth(bool),
    /// The cell is empty.
    Null,
}

impl Value {
    /// In words, for an error message.
    pub fn describe(&self) -> String {
        match self {
            Value::Text(text) => format!("{:?}", super::tsv::shorten(text)),
            Value::Whole(n) => n.to_string(),
            Value::Real(x) => x.to_string(),
            Value::Truth(b) => b.to_string(),
            Value::Null => "an empty cell".into(),
        }
    }
}

/// Where a row stands in its file, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The first line of the row.
    Line(u64),
    Row(u64),
}

impl Place {
    /// An error about a cell of the row.
    pub fn wrong(self, file: &Path, column: &str, found: String, expected: impl Into<String>) -> DataError {
        let (file, column, expected) = (file.display().to_string(), column.into(), expected.into());
        match self {
            Place::Line(line) => DataError::Field { file, line, column, found, expected },
            Place::Row(row) => DataError::Cell { file, column, row, found, expected },
        }
    }
}

/// Takes the place of a row and the cells that were asked for, in that order.
pub type Each<'a> = &'a mut dyn FnMut(Place, Vec<Value>) -> Result<(), DataError>;

pub trait Format: Sync {
    fn id(&self) -> &'static str;
    /// What its files' names end with.
    fn endings(&self) -> &'static [&'static str];
    /// Names of the file's columns, for a check before anything is trained and for error messages.
    fn columns(&self, path: &Path) -> Result<Vec<String>, DataError>;
    /// Gives `each` every row's cells of `columns`, in the order of the file.
    fn read(&self, path: &Path, columns: &[&str], each: Each) -> Result<(), DataError>;
}

/// Every format.
pub static ALL: &[&dyn Format] = &[&csv::CSV, &tabs::Tabs, &csv::QUOTED_TSV, &jsonl::JsonLines, &parquet::Parquet];

/// The format with this id or, without one, by the ending of the file's name.
pub fn find(id: Option<&str>, path: &Path) -> Result<&'static dyn Format, DataError> {
    let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    let found = ALL.iter().copied().find(|f| match id {
        Some(id) => f.id() == id,
        None => f.endings().contains(&ending.as_str()),
    });
    found.ok_or_else(|| {
        let ids: Vec<&str> = ALL.iter().map(|f| f.id()).collect();
        let (file, ids) = (path.display().to_string(), ids.join(", "));
        let problem = match id {
            Some(id) => format!("format {id:?}; expected one of {ids}"),
            None => format!("its ending {ending:?} tells no format; expected format = one of {ids} in the task's file"),
        };
        DataError::File { file, problem }
    })
}

/// Positions of columns in a file's header, where each must stand once.
pub(super) fn places(path: &Path, header: &[String], columns: &[&str]) -> Result<Vec<usize>, DataError> {
    let place = |column: &&str| {
        let mut found = (0..header.len()).filter(|at| header[*at] == **column);
        let first = found.next().filter(|_| found.next().is_none());
        first.ok_or_else(|| lacks(path, header, column))
    };
    columns.iter().map(place).collect()
}

/// The error where a file lacks a column.
fn lacks(path: &Path, found: &[String], column: &str) -> DataError {
    let all = super::tsv::shorten(&found.join(", "));
    let quoted = found.iter().any(|name| name.starts_with('"'));
    let hint = if quoted { "; a .tsv with fields in quotes is of format = \"quoted-tsv\"" } else { "" };
    let problem = match found.iter().filter(|name| *name == column).count() {
        0 => format!("columns {all}; expected a column named {column:?}{hint}"),
        _ => format!("columns {all}; expected {column:?} once"),
    };
    DataError::File { file: path.display().to_string(), problem }
}

/// Whether all `columns` are among the file's, each once.
pub fn check(format: &dyn Format, path: &Path, columns: &[&str]) -> Result<(), DataError> {
    let found = format.columns(path)?;
    match columns.iter().find(|wanted| found.iter().filter(|name| name == *wanted).count() != 1) {
        None => Ok(()),
        Some(column) => Err(lacks(path, &found, column)),
    }
}
