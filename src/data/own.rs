//! Rows of a task that names its own files.

use super::format::{self, Format, Value};
use super::{DataError, Example, Rows, Split, parquet};
use crate::random;
use crate::task::{Custom, Held, LabelKind, Task};
use std::path::{Path, PathBuf};

/// Checks that the task's files are there and have its columns, without reading their rows.
pub(super) fn check(task: &Custom) -> Result<(), DataError> {
    let held = if let Held::Files(files) = &task.validation { &files[..] } else { &[] };
    for path in task.train.iter().chain(held).chain(&task.test) {
        format::check(format_of(task, path)?, path, &task.columns())?;
    }
    Ok(())
}

/// The files that a split's rows come from.
pub(super) fn files(task: &Custom, split: Split) -> &[PathBuf] {
    match (&task.validation, split) {
        (Held::Files(files), Split::Validation) => files,
        _ => &task.train,
    }
}

/// All rows of one split.
pub(super) fn load(task: &Custom, split: Split) -> Result<Rows, DataError> {
    let rows = read(task, files(task, split))?;
    let Held::Share { share, seed } = task.validation else { return Ok(rows) };
    if rows.examples.len() < 2 {
        let file = task.train.first().map(|p| p.display().to_string()).unwrap_or_default();
        return Err(DataError::File {
            file,
            problem: "one row; expected two or more to draw some for validation".into(),
        });
    }
    let held = held(rows.examples.len(), share, seed);
    Ok(rows.only(|row| held[row] == (split == Split::Validation)))
}

/// Which of so many rows are drawn for validation: at least one, never all.
fn held(rows: usize, share: f64, seed: u64) -> Vec<bool> {
    let count = ((rows as f64 * share).round() as usize).clamp(1, rows - 1);
    let mut held = vec![false; rows];
    for row in random::permutation(seed, 0, rows).into_iter().take(count) {
        held[row] = true;
    }
    held
}

/// All rows of one file.
pub(super) fn load_file(task: &Custom, path: &Path) -> Result<Rows, DataError> {
    read(task, &[path.to_path_buf()])
}

fn format_of(task: &Custom, path: &Path) -> Result<&'static dyn Format, DataError> {
    format::find(task.format.as_deref(), path)
}

fn read(task: &Custom, paths: &[PathBuf]) -> Result<Rows, DataError> {
    let mut rows = Rows::default();
    for path in paths {
        rows.begin(path.display().to_string());
        let columns = task.columns();
        format_of(task, path)?.read(path, &columns, &mut |place, cells| {
            let mut cells = columns.iter().zip(cells);
            let mut next = || cells.next().unwrap_or((&"", Value::Null));
            let text = |(column, cell): (&&str, Value)| match cell {
                Value::Text(text) => Ok(text),
                other => Err(place.wrong(path, column, other.describe(), "text")),
            };
            let first = text(next())?;
            let (column, cell) = next();
            let label =
                label(task, &cell).ok_or_else(|| place.wrong(path, column, cell.describe(), task.expected()))?;
            let pair = task.layout().pair.map(|_| text(next())).transpose()?;
            rows.push(Example { text: first, pair, label }, place);
            Ok(())
        })?;
    }
    let file = || paths.first().map(|p| p.display().to_string()).unwrap_or_default();
    if rows.examples.is_empty() { Err(DataError::Empty { file: file() }) } else { Ok(rows) }
}

/// The class or score that a cell stands for: the same in every format of file.
fn label(task: &Custom, cell: &Value) -> Option<f64> {
    match task.labels() {
        LabelKind::Classes(_) => {
            let text = match cell {
                Value::Text(text) => text.trim().to_string(),
                Value::Whole(n) => n.to_string(),
                Value::Truth(truth) => truth.to_string(),
                Value::Real(x) => format!("{x:?}"),
                Value::Null => return None,
            };
            class(task, &text).map(|class| class as f64)
        }
        LabelKind::Score { low, high } => {
            let score = match cell {
                Value::Text(text) => text.trim().parse().ok()?,
                Value::Whole(n) => *n as f64,
                Value::Real(x) => *x,
                Value::Truth(_) | Value::Null => return None,
            };
            // As 32-bit numbers, so that every format of file trains to the same bits.
            Some(score).filter(|s| (low..=high).contains(s)).map(|s| parquet::shortest(s as f32))
        }
    }
}

/// The class that a text stands for. Tables with gaps keep whole numbers as real ones, so 1.0 is 1 where it is no class itself,
/// and pandas writes True where others write true.
fn class(task: &Custom, text: &str) -> Option<usize> {
    let whole = || text.split_once('.').filter(|(_, rest)| rest.bytes().all(|b| b == b'0')).map(|(whole, _)| whole);
    let truth = || {
        let cases = [["true", "True", "TRUE"], ["false", "False", "FALSE"]];
        cases.into_iter().find(|names| names.contains(&text))?.into_iter().find_map(|name| task.class(name))
    };
    task.class(text).or_else(|| task.class(whole()?)).or_else(truth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_drawn_by_its_seed_alone() {
        let drawn = held(1_000, 0.1, 3);
        assert_eq!(drawn.iter().filter(|d| **d).count(), 100);
        assert_eq!(drawn, held(1_000, 0.1, 3));
        assert_ne!(drawn, held(1_000, 0.1, 4));
        assert_eq!(held(2, 0.001, 0).iter().filter(|d| **d).count(), 1);
        assert_eq!(held(2, 0.999, 0).iter().filter(|d| **d).count(), 1);
    }
}
