//! A report of some runs: one document with tables, figures, analyses, settings and environment, as Markdown with pictures
//! beside it and as HTML with everything inside. The same runs give the same bytes. Knows neither database nor terminal.

mod contents;
mod folder;
mod html;
mod markdown;

pub use folder::write;

use crate::export::{ExportError, Size};
use crate::figure::Figure;
use crate::record::{RunDetail, RunNorms, RunSummary, TestScore};
use std::path::PathBuf;
use std::sync::Arc;
use thiserror::Error;

/// The names that a report's folder holds beside pictures.
pub const MARKDOWN: &str = "report.md";
pub const HTML: &str = "report.html";

/// What is remembered of the runs of a report.
#[derive(Clone, Debug, Default)]
pub struct Material {
    /// Newest first.
    pub runs: Vec<RunSummary>,
    pub norms: Vec<Arc<RunNorms>>,
    pub tests: Vec<TestScore>,
    /// Those of [`Material::best`], with their curves.
    pub curves: Vec<RunDetail>,
    /// Those that were analysed, with their analyses; oldest first.
    pub analysed: Vec<RunDetail>,
    /// The filter that chose them; empty without one.
    pub filter: String,
}

/// A document that Markdown and HTML can show alike. Its texts are not escaped.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub title: String,
    pub blocks: Vec<Block>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    Section(String),
    Subsection(String),
    Text(String),
    Table(Table),
    Picture(Picture),
}

/// As many cells in every row as there are titles.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub titles: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Of its file; safe as a name and the only one of its document.
    pub stem: String,
    pub figure: Figure,
    pub size: Size,
}

impl Table {
    /// A column of numbers, which stand to the right.
    fn is_numeric(&self, column: usize) -> bool {
        let digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit() || "+-−".contains(c));
        // A colon is that of a time.
        let number = |text: &str| text == NONE || digit(text) && !text.contains(':');
        let mut cells = self.rows.iter().filter_map(|r| r.get(column));
        !self.rows.is_empty() && cells.all(|text| number(text))
    }
}

/// In place of what there is not.
const NONE: &str = "–";

#[derive(Debug, Error)]
pub enum ReportError {
    #[error("no run fits: a report takes runs that have begun; `eigenscope runs list` shows which there are")]
    Empty,
    #[error("{path} holds {found:?}, which is no part of a report: give a new or an empty folder, or that of a report")]
    Taken { path: PathBuf, found: String },
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Export(#[from] ExportError),
}
