//! Rows of text to batches of token ids. Knows tasks and tokenizers, not models.

mod batch;
mod csv;
pub mod format;
mod hub_glue;
mod jsonl;
mod lines;
mod own;
pub mod parquet;
mod source;
pub mod submission;
pub mod survey;
mod tabs;
mod tokenize;
pub mod tokens;
mod tsv;

pub use batch::{Batch, Dataset, Labels, by_length};
pub use hub_glue::{stem as hub_stem, test_stem as hub_test_stem};
pub use source::{Source, Split, files, load, load_file, load_file_rows, load_rows, load_test, test_files};
pub use tokenize::{Encoded, Tokenizer};
pub use tsv::{parse, parse_test};

use std::path::{Path, PathBuf};
use thiserror::Error;

/// One labelled row. `label` is the class number, or the score of a regression task.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    pub text: String,
    pub pair: Option<String>,
    pub label: f64,
}

/// Labelled rows with their places in their files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    pub examples: Vec<Example>,
    /// Of each example: which of the files, and where in it.
    places: Vec<(u32, format::Place)>,
    /// Names of the files, in their order.
    files: Vec<String>,
}

impl Rows {
    /// None yet, those of the file with this name to come.
    fn of(file: impl Into<String>) -> Self {
        Self { files: vec![file.into()], ..Self::default() }
    }

    /// What is pushed from now on is of this file.
    fn begin(&mut self, file: impl Into<String>) {
        self.files.push(file.into());
    }

    fn push(&mut self, example: Example, place: format::Place) {
        self.examples.push(example);
        self.places.push((self.files.len().saturating_sub(1) as u32, place));
    }

    /// Those whose index `keeps` lets through.
    fn only(self, keeps: impl Fn(usize) -> bool) -> Self {
        let kept = self.examples.into_iter().zip(self.places).enumerate().filter(|(i, _)| keeps(*i));
        let (examples, places) = kept.map(|(_, row)| row).unzip();
        Self { examples, places, files: self.files }
    }

    /// Where an example stands: `line 12`, `row 11`; with the file's name where there are several.
    pub fn place(&self, index: usize) -> String {
        let Some((file, place)) = self.places.get(index) else { return String::new() };
        let within = match place {
            format::Place::Line(line) => format!("line {line}"),
            format::Place::Row(row) => format!("row {row}"),
        };
        match self.files.get(*file as usize).filter(|_| self.files.len() > 1) {
            None => within,
            Some(path) => {
                let name = Path::new(path).file_name().map_or(path.as_str().into(), |name| name.to_string_lossy());
                format!("{name} {within}")
            }
        }
    }
}

#[derive(Debug, Error)]
pub enum DataError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error(
        "{folder}: found none of {expected}; put the task's GLUE files there, or give hub:nyu-mll/glue for what `eigenscope fetch glue` fetched, or nothing for the embedded sample"
    )]
    Missing { folder: PathBuf, expected: String },
    #[error("{what} is not in the Hugging Face cache: `eigenscope fetch {fetch}` fetches it")]
    NotFetched { what: String, fetch: String },
    #[error("data {found:?}: expected hub:nyu-mll/glue, a folder, or nothing for the embedded sample")]
    NoHubData { found: String },
    /// `line` counts from 1, the header included.
    #[error("{file}, line {line}: {found}; expected {expected}")]
    Row { file: String, line: u64, found: String, expected: String },
    /// `row` counts from 1.
    #[error("{file}, column {column:?}, row {row}: {found}; expected {expected}")]
    Cell { file: String, column: String, row: u64, found: String, expected: String },
    /// `line` counts from 1, the header included.
    #[error("{file}, line {line}, column {column:?}: {found}; expected {expected}")]
    Field { file: String, line: u64, column: String, found: String, expected: String },
    #[error("{file}: {problem}")]
    File { file: String, problem: String },
    #[error("data {data:?} beside {task}, which names its own files; expected data to be empty")]
    Beside { task: String, data: PathBuf },
    #[error("{file}: no rows; expected a header and rows")]
    Empty { file: String },
    #[error("tokenizer.json: {0}")]
    Tokenizer(String),
}
