//! Whether a zip is what GLUE's website takes: every file, its header, every index once and in order, labels that exist.

use super::{HEADER, Sheet, SubmissionError, sheets};
use crate::data::tsv::shorten;
use crate::task::{LabelKind, TestFile};
use serde::Serialize;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use zip::ZipArchive;

/// Bytes of an unpacked file; the longest, QQP's, has 4 MB.
const LARGEST: u64 = 64 << 20;
/// Faults of one file that are told.
const TOLD: usize = 5;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    pub file: String,
    /// From 1, the header included; none where it is about the file as a whole.
    pub line: Option<usize>,
    pub found: String,
    pub expected: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        write!(f, ": found {}, expected {}", self.found, self.expected)
    }
}

/// What a check came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Names and predictions of the files that are there.
    pub files: Vec<(String, usize)>,
    /// Files that need not be there and are not.
    pub left_out: Vec<String>,
    /// None: the zip is sound.
    pub faults: Vec<Fault>,
}

/// Checks the zip at `path`; `rows` tells how many rows a test file has. `partial`: not every task need be there.
/// An error where the file cannot be read at all.
pub fn check(path: &Path, rows: &dyn Fn(&TestFile) -> usize, partial: bool) -> Result<Checked, SubmissionError> {
    let file = File::open(path).map_err(|source| SubmissionError::Io { path: path.into(), source })?;
    let mut checked = Checked::default();
    let mut archive = match ZipArchive::new(BufReader::new(file)) {
        Ok(archive) => archive,
        Err(error) => {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
            checked.faults.push(fault(&name, None, format!("no zip ({error})"), "a zip"));
            return Ok(checked);
        }
    };
    let sheets = sheets();
    let mut seen: Vec<String> = Vec::new();
    for i in 0..archive.len() {
        let name = archive.name_for_index(i).and_then(Result::ok).unwrap_or_default().to_string();
        let Some(sheet) = sheets.iter().find(|s| s.entry() == name) else {
            let all: Vec<String> = sheets.iter().map(Sheet::entry).collect();
            let expected = format!("nothing but {}, in no folder", all.join(", "));
            checked.faults.push(fault(&shorten(&name), None, "such an entry".into(), &expected));
            continue;
        };
        match text_of(&mut archive, i) {
            Ok(text) => {
                let (count, faults) = of_sheet(sheet, rows(&sheet.file), &text);
                checked.files.push((name.clone(), count));
                checked.faults.extend(faults);
            }
            Err(found) => checked.faults.push(fault(&name, None, found, "lines of UTF-8 text")),
        }
        seen.push(name);
    }
    for sheet in sheets.iter().filter(|s| !seen.contains(&s.entry())) {
        if sheet.file.optional || partial {
            checked.left_out.push(sheet.entry());
        } else {
            let expected = format!("{} predictions", rows(&sheet.file));
            checked.faults.push(fault(&sheet.entry(), None, "no such file in the zip".into(), &expected));
        }
    }
    if seen.is_empty() && partial {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        checked.faults.push(fault(&name, None, "no predictions".into(), "a file of one task at least"));
    }
    Ok(checked)
}

fn fault(file: &str, line: Option<usize>, found: String, expected: &str) -> Fault {
    Fault { file: file.into(), line, found, expected: expected.into() }
}

/// An entry unpacked, or what was found instead of text.
fn text_of(archive: &mut ZipArchive<BufReader<File>>, index: usize) -> Result<String, String> {
    let entry = archive.by_index(index).map_err(|e| format!("an entry that cannot be unpacked ({e})"))?;
    let mut bytes = Vec::new();
    entry.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|e| format!("damaged data ({e})"))?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("more than {LARGEST} bytes"));
    }
    String::from_utf8(bytes).map_err(|e| format!("no UTF-8 at byte {}", e.utf8_error().valid_up_to()))
}

/// Predictions in a file, and what is wrong with it.
fn of_sheet(sheet: &Sheet, rows: usize, text: &str) -> (usize, Vec<Fault>) {
    let entry = sheet.entry();
    let mut faults = Vec::new();
    let mut wrong = |line, found: String, expected: String| faults.push(fault(&entry, line, found, &expected));
    let mut lines: Vec<&str> = text.split('\n').collect();
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    let header = lines.first().copied().unwrap_or_default();
    if header != HEADER {
        wrong(Some(1), format!("{:?}", shorten(header)), format!("{HEADER:?}"));
    }
    // The index that comes next.
    let mut next = 0;
    for (i, line) in lines.iter().enumerate().skip(1) {
        let line_number = Some(i + 1);
        let Some((index, label)) = line.split_once('\t').filter(|(_, label)| !label.contains('\t')) else {
            wrong(line_number, format!("{:?}", shorten(line)), "an index, a tab and a prediction".into());
            continue;
        };
        match index.parse::<usize>() {
            Ok(n) if n == next => next += 1,
            Ok(n) if n < next => wrong(line_number, format!("index {n} again"), format!("index {next}")),
            Ok(n) => {
                wrong(line_number, format!("index {n}"), format!("index {next}"));
                next = n.saturating_add(1);
            }
            Err(_) => wrong(line_number, format!("index {:?}", shorten(index)), format!("index {next}")),
        }
        if let Some(expected) = not_a_label(sheet.labels, label) {
            wrong(line_number, format!("prediction {:?}", shorten(label)), expected);
        }
    }
    if next != rows {
        let last = next.checked_sub(1).map_or("no predictions".into(), |last| format!("{last} as the last index"));
        wrong(None, last, format!("{}: the test file has {rows} rows", rows.saturating_sub(1)));
    }
    let more = faults.len().saturating_sub(TOLD);
    if more > 0 {
        faults.truncate(TOLD);
        faults.push(fault(&entry, None, format!("{more} more faults"), "none"));
    }
    (lines.len().saturating_sub(1), faults)
}

/// What was expected in place of a label that does not exist.
fn not_a_label(labels: LabelKind, text: &str) -> Option<String> {
    match labels {
        LabelKind::Classes(names) => (!names.contains(&text)).then(|| format!("one of {}", names.join(", "))),
        LabelKind::Score { low, high } => {
            let fits = text.parse::<f64>().is_ok_and(|v| (low..=high).contains(&v));
            (!fits).then(|| format!("a number from {low} to {high}"))
        }
    }
}
