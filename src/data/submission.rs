//! Predictions on GLUE's test rows as the zip that its website takes: which files and how they are written. Knows no models.

mod check;

pub use check::{Checked, Fault, check};

use crate::task::{self, Column, Glue, LabelKind, TestFile};
use crate::whole::Part;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// First line of every file.
pub const HEADER: &str = "index\tprediction";
/// What WNLI gets, as in most submissions: its larger class. No task here trains it.
pub const WNLI_LABEL: &str = "0";

/// A file that a submission can hold.
pub struct Sheet {
    pub file: TestFile,
    pub labels: LabelKind,
    /// Whose adapter predicts it; none for WNLI.
    pub task: Option<&'static dyn Glue>,
}

impl Sheet {
    /// Its name in the zip.
    pub fn entry(&self) -> String {
        format!("{}.tsv", self.file.name)
    }
}

/// Every file of a whole submission.
pub fn sheets() -> Vec<Sheet> {
    let of = |task: &'static dyn Glue| {
        task.test_files().into_iter().map(move |file| Sheet { file, labels: task.labels(), task: Some(task) })
    };
    let wnli = Sheet {
        file: TestFile {
            name: "WNLI",
            path: "WNLI/test.tsv".into(),
            id: "index",
            text: Column::Name("sentence1"),
            pair: Some(Column::Name("sentence2")),
            rows: 146,
            optional: true,
        },
        labels: LabelKind::Classes(&["0", "1"]),
        task: None,
    };
    task::ALL.iter().copied().flat_map(of).chain([wnli]).collect()
}

#[derive(Debug, Error)]
pub enum SubmissionError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{path}: {what}")]
    Zip { path: PathBuf, what: String },
    #[error("{path} is no sound submission:\n{}", lines(faults))]
    Unsound { path: PathBuf, faults: Vec<Fault> },
    #[error("a submission takes all of GLUE's tasks; --partial writes what there is. Missing:\n{}", lines(missing))]
    Incomplete { missing: Vec<String> },
    #[error("{task}: found {}, expected one adapter for each task", found.join(" and "))]
    Twice { task: &'static str, found: Vec<String> },
    #[error("{name} is of {task}, which is no task of GLUE: its website takes no predictions of it")]
    NotGlue { name: String, task: String },
}

fn lines(all: &[impl ToString]) -> String {
    all.iter().map(|one| format!("  {}", one.to_string())).collect::<Vec<_>>().join("\n")
}

/// Writes the predictions of some sheets, in the order of their rows, and checks what was written. The zip appears whole and
/// sound or not at all; `partial`: not every task need be there.
pub fn write(path: &Path, predictions: &[(Sheet, Vec<String>)], partial: bool) -> Result<Checked, SubmissionError> {
    let rows = |file: &TestFile| {
        predictions.iter().find(|(sheet, _)| sheet.file.name == file.name).map_or(file.rows, |(_, labels)| labels.len())
    };
    let io = |source| SubmissionError::Io { path: path.into(), source };
    let mut part = Part::beside(path).map_err(io)?;
    put(path, &mut part, predictions)?;
    let checked = check(part.path(), &rows, partial)?;
    if !checked.faults.is_empty() {
        return Err(SubmissionError::Unsound { path: path.into(), faults: checked.faults });
    }
    part.keep().map_err(io)?;
    Ok(checked)
}

/// Packs the predictions; `path` names the file in errors.
fn put(path: &Path, part: &mut Part, predictions: &[(Sheet, Vec<String>)]) -> Result<(), SubmissionError> {
    let io = |source| SubmissionError::Io { path: path.into(), source };
    let packed = |error: zip::result::ZipError| SubmissionError::Zip { path: path.into(), what: error.to_string() };
    let mut zip = ZipWriter::new(BufWriter::new(part));
    for (sheet, labels) in predictions {
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        zip.start_file(sheet.entry(), options).map_err(packed)?;
        let mut text = format!("{HEADER}\n");
        for (i, label) in labels.iter().enumerate() {
            text += &format!("{i}\t{label}\n");
        }
        zip.write_all(text.as_bytes()).map_err(io)?;
    }
    zip.finish().map_err(packed)?.flush().map_err(io)
}
