//! GLUE's TSV files, labelled or not: tabs, no quoting (quotes are unbalanced), BOM and CRLF allowed. Streams; never holds more than one raw row.

use super::format::Place;
use super::lines::Lines;
use super::{DataError, Example, Rows};
use crate::task::{Column, LabelKind, Layout, Task, TestFile};
use std::io::BufRead;

/// What a line must be.
const EXPECTED: &str = "tab-separated rows, one a line";

/// Reads all labelled rows of `task` from `input`; `file` names it in errors.
pub fn parse(task: &dyn Task, file: &str, input: impl BufRead) -> Result<Vec<Example>, DataError> {
    Ok(rows(task, file, input)?.examples)
}

/// The same with the rows' lines.
pub(super) fn rows(task: &dyn Task, file: &str, input: impl BufRead) -> Result<Rows, DataError> {
    let mut lines = Lines::new(file, input, EXPECTED);
    let layout = task.layout();
    let places = if layout.has_header() {
        let header = lines.next_line()?.ok_or_else(|| DataError::Empty { file: file.into() })?;
        Places::from_header(&layout, file, &header)?
    } else {
        Places::from_indices(&layout)
    };
    let mut rows = Rows::of(file);
    while let Some(text) = lines.next_line()? {
        if !text.is_empty() {
            rows.push(places.row(task, file, lines.line, &fields(&text))?, Place::Line(lines.line));
        }
    }
    if rows.examples.is_empty() { Err(DataError::Empty { file: file.into() }) } else { Ok(rows) }
}

/// Reads all rows of a test file; they have label 0. Their numbers must be those of the rows, from 0.
pub fn parse_test(test: &TestFile, file: &str, input: impl BufRead) -> Result<Vec<Example>, DataError> {
    let mut lines = Lines::new(file, input, EXPECTED);
    let header = lines.next_line()?.ok_or_else(|| DataError::Empty { file: file.into() })?;
    let names = fields(&header);
    let place = |column| place(column, file, &names);
    let (id, text) = (place(Column::Name(test.id))?, place(test.text)?);
    let pair = test.pair.map(place).transpose()?;
    let needed = 1 + id.max(text).max(pair.unwrap_or(0));
    let mut rows = Vec::new();
    while let Some(line) = lines.next_line()? {
        if line.is_empty() {
            continue;
        }
        let fields = fields(&line);
        let wrong = |found: String, expected: String| Err(lines.wrong(found, expected));
        if fields.len() < needed {
            return wrong(format!("{} tab-separated columns", fields.len()), format!("at least {needed}"));
        }
        if fields[id].trim() != rows.len().to_string() {
            let expected = format!("{}: GLUE's rows in their order", rows.len());
            return wrong(format!("{} {:?}", test.id, shorten(fields[id])), expected);
        }
        rows.push(Example { text: fields[text].into(), pair: pair.map(|i| fields[i].into()), label: 0.0 });
    }
    if rows.is_empty() { Err(DataError::Empty { file: file.into() }) } else { Ok(rows) }
}

fn fields(line: &str) -> Vec<&str> {
    line.split('\t').collect()
}

/// Positions of the needed columns in a row.
struct Places {
    text: usize,
    pair: Option<usize>,
    label: usize,
    /// Columns that a row must have.
    needed: usize,
}

impl Places {
    fn new(text: usize, pair: Option<usize>, label: usize) -> Self {
        Self { text, pair, label, needed: 1 + text.max(label).max(pair.unwrap_or(0)) }
    }

    fn from_indices(layout: &Layout) -> Self {
        let index = |c: Column| if let Column::Index(i) = c { i } else { 0 };
        Self::new(index(layout.text), layout.pair.map(index), index(layout.label))
    }

    fn from_header(layout: &Layout, file: &str, header: &str) -> Result<Self, DataError> {
        let names = fields(header);
        let place = |column| place(column, file, &names);
        Ok(Self::new(place(layout.text)?, layout.pair.map(place).transpose()?, place(layout.label)?))
    }

    fn row(&self, task: &dyn Task, file: &str, line: u64, fields: &[&str]) -> Result<Example, DataError> {
        let wrong = |found: String, expected: String| DataError::Row { file: file.into(), line, found, expected };
        if fields.len() < self.needed {
            let expected = format!("at least {} for {}", self.needed, task.label());
            return Err(wrong(format!("{} tab-separated columns", fields.len()), expected));
        }
        let text = fields[self.label].trim();
        let label = match task.labels() {
            LabelKind::Classes(names) => {
                names.iter().position(|n| *n == text).map(|i| i as f64).ok_or_else(|| {
                    wrong(format!("label {:?}", shorten(text)), format!("one of {}", names.join(", ")))
                })?
            }
            LabelKind::Score { low, high } => {
                // The hub keeps scores as 32-bit numbers: read as such, both copies of GLUE train to the same bits.
                let score = text.parse::<f64>().ok().filter(|v| (low..=high).contains(v));
                score.map(|v| super::parquet::shortest(v as f32)).ok_or_else(|| {
                    wrong(format!("score {:?}", shorten(text)), format!("a number from {low} to {high}"))
                })?
            }
        };
        Ok(Example { text: fields[self.text].into(), pair: self.pair.map(|i| fields[i].into()), label })
    }
}

/// Position of a column in a file with these columns.
fn place(column: Column, file: &str, names: &[&str]) -> Result<usize, DataError> {
    match column {
        Column::Index(i) => Ok(i),
        Column::Name(name) => names.iter().position(|n| *n == name).ok_or_else(|| DataError::Row {
            file: file.into(),
            line: 1,
            found: format!("columns {}", shorten(&names.join(", "))),
            expected: format!("a column named {name:?}"),
        }),
    }
}

/// At most 80 characters of a text, for an error message.
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}
