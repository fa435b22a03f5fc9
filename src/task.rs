//! Tasks, GLUE's and a person's own: where a row's texts and label stand, what the labels are, how they are scored. Knows no rows
//! and no models.

mod cola;
mod custom;
mod mnli;
mod mrpc;
mod qnli;
mod qqp;
mod rte;
mod sst2;
mod stsb;

pub use custom::{Custom, EXAMPLE, Held, parse};

use crate::metric::{self, Metric};
use crate::spec;
use std::path::PathBuf;
use thiserror::Error;

/// Where a column of a file is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    Name(&'static str),
    /// Position from 0, in files without a header.
    Index(usize),
}

impl Column {
    /// Its name, in files with a header.
    pub fn name(self) -> Option<&'static str> {
        if let Column::Name(name) = self { Some(name) } else { None }
    }
}

/// Columns of a labelled file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub text: Column,
    pub pair: Option<Column>,
    pub label: Column,
}

impl Layout {
    /// Files of this layout begin with a line of column names.
    pub fn has_header(&self) -> bool {
        matches!(self.label, Column::Name(_))
    }
}

/// Where a task's rows stand in the hub's copy of GLUE, `nyu-mll/glue`: Parquet files, a folder for each task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubLayout {
    /// Name of its folder there.
    pub folder: &'static str,
    pub text: &'static str,
    pub pair: Option<&'static str>,
    /// What the names of its validation files begin with.
    pub validation: &'static str,
    /// Each class in the order of the hub's numbers: what the hub calls it, and what [`LabelKind::Classes`] does. Empty where
    /// labels are real numbers.
    pub classes: &'static [(&'static str, &'static str)],
}

impl HubLayout {
    /// What a row's label is called there.
    pub const LABEL: &'static str = "label";
    /// Id of the hub's copy.
    pub const ID: &'static str = "nyu-mll/glue";
}

/// A file of test rows, which come without labels, and what predictions on them are called on GLUE's website.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestFile {
    /// Of the predictions' file, without `.tsv`.
    pub name: &'static str,
    /// Under the folder of a GLUE download.
    pub path: String,
    /// Column of the rows' numbers, which count from 0.
    pub id: &'static str,
    pub text: Column,
    pub pair: Option<Column>,
    /// In GLUE's own file.
    pub rows: usize,
    /// The website takes a submission without it.
    pub optional: bool,
}

/// What a label can be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LabelKind {
    /// Names in the order of the outputs; class i is the i-th.
    Classes(&'static [&'static str]),
    /// A real number.
    Score { low: f64, high: f64 },
}

/// Where a task's rows are.
#[derive(Clone, Copy)]
pub enum Origin<'a> {
    /// In a copy of GLUE.
    Glue(&'a dyn Glue),
    /// In files of its own.
    Own(&'a Custom),
}

/// A classification or regression task.
pub trait Task: Sync {
    /// What a spec calls it: a word, or the path of its file.
    fn id(&self) -> &'static str;
    /// As papers print it.
    fn label(&self) -> &'static str;
    fn layout(&self) -> Layout;
    fn labels(&self) -> LabelKind;
    /// Ids of its metrics, the main one first.
    fn metric_ids(&self) -> &'static [&'static str];
    fn origin(&self) -> Origin<'_>;

    fn metrics(&self) -> Vec<&'static dyn Metric> {
        self.metric_ids().iter().filter_map(|id| metric::find(id)).collect()
    }

    /// Number of the model's outputs.
    fn outputs(&self) -> usize {
        match self.labels() {
            LabelKind::Classes(names) => names.len(),
            LabelKind::Score { .. } => 1,
        }
    }
}

/// A task of GLUE: how its copies call it.
pub trait Glue: Task {
    /// Name of its folder in a GLUE download.
    fn folder(&self) -> &'static str;
    fn hub(&self) -> HubLayout;

    /// Names that its validation file goes by, the preferred first.
    fn validation_files(&self) -> &'static [&'static str] {
        &["dev.tsv"]
    }

    /// Rows of GLUE's test file.
    fn test_rows(&self) -> usize;

    /// Its files of test rows: one, with the same columns as the labelled ones.
    fn test_files(&self) -> Vec<TestFile> {
        let Layout { text, pair, .. } = self.layout();
        let path = format!("{}/test.tsv", self.folder());
        vec![TestFile { name: self.label(), path, id: "index", text, pair, rows: self.test_rows(), optional: false }]
    }
}

/// GLUE's tasks, in the order of the paper's Table 1 and Figure 1.
pub static ALL: &[&dyn Glue] =
    &[&cola::Cola, &qnli::Qnli, &sst2::Sst2, &mnli::Mnli, &qqp::Qqp, &rte::Rte, &mrpc::Mrpc, &stsb::StsB];

/// Why there is no such task.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TaskError {
    #[error("task: found {found:?}, expected one of {}, or the path of a task's file, FILE.toml", ids().join(", "))]
    Unknown { found: String },
    #[error("{path}: {problem}; `eigenscope config task-example` prints a task's file")]
    Unreadable { path: PathBuf, problem: String },
    /// `line` counts from 1; 0: the file as a whole.
    #[error("{}{}: {found}; expected {expected}", path.display(), if *line > 0 { format!(", line {line}") } else { String::new() })]
    File { path: PathBuf, line: usize, found: String, expected: String },
}

/// Ids of GLUE's tasks.
pub fn ids() -> Vec<&'static str> {
    ALL.iter().map(|t| t.id()).collect()
}

/// The task of GLUE with this id, else the one in the file with this path: that is read.
pub fn find(id: &str) -> Result<&'static dyn Task, TaskError> {
    if spec::is_task_file(id) {
        return Ok(custom::find(id)?);
    }
    glue(id).map(|task| task as &dyn Task).ok_or_else(|| TaskError::Unknown { found: id.into() })
}

/// The task of GLUE with this id.
pub fn glue(id: &str) -> Option<&'static dyn Glue> {
    ALL.iter().copied().find(|t| t.id() == id)
}

/// Ids and labels of GLUE's tasks and then of the others among `runs`' ids and labels, each once, in the order of their labels.
pub fn with_own<'a>(runs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<(&'a str, &'a str)> {
    let mut own: Vec<(&str, &str)> = Vec::new();
    for (id, label) in runs {
        if glue(id).is_none() && !own.iter().any(|(known, _)| *known == id) {
            own.push((id, label));
        }
    }
    own.sort_by_key(|(id, label)| (*label, *id));
    ALL.iter().map(|t| (t.id(), t.label())).chain(own).collect()
}
