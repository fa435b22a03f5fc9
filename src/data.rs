//! Rows of text to batches of token ids. Knows tasks and tokenizers, not models.

mod batch;
mod hub_glue;
pub mod parquet;
mod source;
pub mod submission;
mod tokenize;
mod tsv;

pub use batch::{Batch, Dataset, Labels, by_length};
pub use hub_glue::stem as hub_stem;
pub use source::{Source, Split, load, load_file, load_test};
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
    #[error("{file}: {problem}")]
    Parquet { file: String, problem: String },
    #[error("{file}: no rows; expected a header and rows")]
    Empty { file: String },
    #[error("tokenizer.json: {0}")]
    Tokenizer(String),
}
