//! Tab-separated values as texts come in them: a header, then a row a line, a quote being a letter as any other. Files whose
//! fields stand in quotes are [`super::csv`]'s.

use super::DataError;
use super::format::{self, Each, Format, MAX_ROWS, Place, Value};
use super::lines::Lines;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

pub struct Tabs;

/// What a line must be.
const EXPECTED: &str = "tab-separated rows, one a line";

/// A file after its header.
struct Open<'a> {
    lines: Lines<'a, BufReader<File>>,
    header: Vec<String>,
}

fn open<'a>(path: &Path, name: &'a str) -> Result<Open<'a>, DataError> {
    let file = File::open(path).map_err(|source| DataError::Io { path: path.into(), source })?;
    let mut lines = Lines::new(name, BufReader::new(file), EXPECTED);
    while let Some(line) = lines.next_line()? {
        if !line.is_empty() {
            let header = line.split('\t').map(str::to_string).collect();
            return Ok(Open { lines, header });
        }
    }
    Err(DataError::Empty { file: name.into() })
}

impl Format for Tabs {
    fn id(&self) -> &'static str {
        "tsv"
    }

    fn endings(&self) -> &'static [&'static str] {
        &["tsv", "tab"]
    }

    fn columns(&self, path: &Path) -> Result<Vec<String>, DataError> {
        Ok(open(path, &path.display().to_string())?.header)
    }

    fn read(&self, path: &Path, columns: &[&str], each: Each) -> Result<(), DataError> {
        let name = path.display().to_string();
        let Open { mut lines, header } = open(path, &name)?;
        let places = format::places(path, &header, columns)?;
        let mut rows = 0;
        while let Some(line) = lines.next_line()? {
            if line.is_empty() {
                continue;
            }
            rows += 1;
            if rows > MAX_ROWS {
                return Err(lines.wrong(format!("more than {MAX_ROWS} rows"), "fewer: split the file"));
            }
            let cells: Vec<&str> = line.split('\t').collect();
            if cells.len() != header.len() {
                let expected = format!("{}, as the header has", header.len());
                return Err(lines.wrong(format!("{} values", cells.len()), expected));
            }
            each(Place::Line(lines.line), places.iter().map(|at| Value::Text(cells[*at].into())).collect())?;
        }
        Ok(())
    }
}
