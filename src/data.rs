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
mod tokenize;
pub mod tokens;
mod tsv;

pub use batch::{Batch, Dataset, Labels, by_length};
pub use hub_glue::stem as hub_stem;
pub use source::{Source, Split, files, load, load_file, load_file_rows, load_rows, load_test};
pub use tokenize::{Encoded, Tokenizer};
pub use tsv::{parse, parse_test};

use std::path::PathBuf;
use thiserror::Error;

/// One labelled row. `label` is the class number, or the score of a regression task.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    pub text: String,
    pub pair: Option<String>,
    pub label: f64,
}

/// Labelled rows with their places in their files.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    pub examples: Vec<Example>,
    /// Of each example, counted from 1.
    pub numbers: Vec<u64>,
    /// They are lines, the header included; else rows.
    pub lines: bool,
}

impl Rows {
    fn of_lines() -> Self {
        Self { examples: Vec::new(), numbers: Vec::new(), lines: true }
    }

    fn push(&mut self, example: Example, number: u64) {
        self.examples.push(example);
        self.numbers.push(number);
    }

    fn push_at(&mut self, example: Example, place: format::Place) {
        let (number, lines) = match place {
            format::Place::Line(line) => (line, true),
            format::Place::Row(row) => (row, false),
        };
        self.lines = lines;
        self.push(example, number);
    }

    /// Those whose index `keeps` lets through.
    fn only(self, keeps: impl Fn(usize) -> bool) -> Self {
        let kept = self.examples.into_iter().zip(self.numbers).enumerate().filter(|(i, _)| keeps(*i));
        let (examples, numbers) = kept.map(|(_, row)| row).unzip();
        Self { examples, numbers, lines: self.lines }
    }

    /// Where an example stands: `line 12`, `row 11`.
    pub fn place(&self, index: usize) -> String {
        let number = self.numbers.get(index).copied().unwrap_or_default();
        if self.lines { format!("line {number}") } else { format!("row {number}") }
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
