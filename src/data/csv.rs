//! Files of comma-separated and of tab-separated values with a header, fields in quotes where they need it, as pandas writes
//! them. Tab-separated files that know no quotes are [`super::tabs`]'s.

use super::DataError;
use super::format::{self, Each, Format, MAX_ROWS, Place, Value};
use super::lines::MAX_ROW;
use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;

/// Values between a delimiter.
pub struct Delimited {
    id: &'static str,
    endings: &'static [&'static str],
    delimiter: u8,
}

pub static CSV: Delimited = Delimited { id: "csv", endings: &["csv"], delimiter: b',' };
/// No ending tells it: most files of tabs have no quotes around fields, and a lone one would take rows together.
pub static QUOTED_TSV: Delimited = Delimited { id: "quoted-tsv", endings: &[], delimiter: b'\t' };

/// Bytes that the csv crate reads ahead.
const AHEAD: u64 = 1 << 16;

/// What is known of the bytes that were passed on.
#[derive(Default)]
struct Passed {
    /// How far they may go.
    limit: Cell<u64>,
    /// Places of the ends of lines that were not counted yet.
    ends: RefCell<VecDeque<u64>>,
    /// The last one that ends no line, and whether the file is over.
    last: Cell<u8>,
    over: Cell<bool>,
}

/// Reads no further than a row may reach: a quote that is never closed would otherwise take the rest of the file into memory.
struct Capped {
    file: File,
    at: u64,
    passed: Rc<Passed>,
}

impl Read for Capped {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.passed.limit.get() {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        let got = self.file.read(buffer)?;
        let bytes = &buffer[..got];
        let ends = bytes.iter().zip(self.at..).filter(|(b, _)| **b == b'\n');
        self.passed.ends.borrow_mut().extend(ends.map(|(_, at)| at));
        if let Some(last) = bytes.iter().rev().find(|b| !matches!(b, b'\n' | b'\r')) {
            self.passed.last.set(*last);
        }
        self.passed.over.set(got == 0);
        self.at += got as u64;
        Ok(got)
    }
}

struct Open<'a> {
    path: &'a Path,
    delimiter: u8,
    reader: Reader<Capped>,
    passed: Rc<Passed>,
    /// Ends of lines up to the last row that was read.
    lines: u64,
    header: Vec<String>,
}

impl Delimited {
    fn open<'a>(&self, path: &'a Path) -> Result<Open<'a>, DataError> {
        let file = File::open(path).map_err(|source| DataError::Io { path: path.into(), source })?;
        let passed = Rc::<Passed>::default();
        let capped = Capped { file, at: 0, passed: passed.clone() };
        let mut builder = ReaderBuilder::new();
        builder.delimiter(self.delimiter).flexible(true).has_headers(false).buffer_capacity(AHEAD as usize);
        let reader = builder.from_reader(capped);
        let mut open = Open { path, delimiter: self.delimiter, reader, passed, lines: 0, header: Vec::new() };
        let mut record = ByteRecord::new();
        if !open.next(&mut record)? {
            return Err(DataError::Empty { file: path.display().to_string() });
        }
        open.line(&record);
        let names = record.iter().enumerate().map(|(i, name)| match std::str::from_utf8(name) {
            Ok(name) => Ok(name.trim_start_matches('\u{feff}').to_string()),
            Err(e) => {
                let found = format!("a byte that is not UTF-8 at byte {} of name {}", e.valid_up_to(), i + 1);
                Err(open.wrong(1, found, "UTF-8"))
            }
        });
        open.header = names.collect::<Result<_, _>>()?;
        Ok(open)
    }
}

impl Open<'_> {
    fn wrong(&self, line: u64, found: String, expected: impl Into<String>) -> DataError {
        DataError::Row { file: self.path.display().to_string(), line, found, expected: expected.into() }
    }

    /// The line where the row begins that was just read. The crate's own number is off by empty lines and by CRLF.
    fn line(&mut self, record: &ByteRecord) -> u64 {
        let end = self.reader.position().byte();
        let mut last = None;
        let mut ends = self.passed.ends.borrow_mut();
        while let Some(at) = ends.pop_front_if(|at| *at < end) {
            self.lines += 1;
            last = Some(at);
        }
        // Of CRLF the second half comes with the next row; what the end of the file ends, no line's end does.
        let ended = u64::from(last == end.checked_sub(1) && !self.passed.over.get());
        let within = record.iter().flatten().filter(|b| **b == b'\n').count() as u64;
        (1 + self.lines).saturating_sub(ended + within).max(1)
    }

    /// Reads the next row; false at the end.
    fn next(&mut self, record: &mut ByteRecord) -> Result<bool, DataError> {
        self.passed.limit.set(self.reader.position().byte() + MAX_ROW + AHEAD);
        let line = self.lines + 1;
        let found = self.reader.read_byte_record(record).map_err(|error| match error.into_kind() {
            ErrorKind::Io(e) if e.kind() == io::ErrorKind::FileTooLarge => {
                let expected = "shorter rows: is a quote not closed?";
                self.wrong(line, format!("a row of more than {MAX_ROW} bytes"), expected)
            }
            ErrorKind::Io(source) => DataError::Io { path: self.path.into(), source },
            other => self.wrong(line, format!("{other:?}"), "rows of values"),
        })?;
        match found && self.is_open(record) {
            true => Err(self.wrong(line, "a quote that nothing closes".into(), "a quote at the end of the value")),
            false => Ok(found),
        }
    }

    /// The file ended within quotes: only there a value can hold what ends lines or values. All rows behind the quote would be
    /// one value.
    fn is_open(&self, record: &ByteRecord) -> bool {
        let within = |b: &u8| *b == self.delimiter || matches!(b, b'\n' | b'\r');
        let over = self.passed.over.get() && self.passed.last.get() != b'"';
        over && record.iter().next_back().is_some_and(|value| value.iter().any(within))
    }
}

impl Format for Delimited {
    fn id(&self) -> &'static str {
        self.id
    }

    fn endings(&self) -> &'static [&'static str] {
        self.endings
    }

    fn columns(&self, path: &Path) -> Result<Vec<String>, DataError> {
        Ok(self.open(path)?.header)
    }

    fn read(&self, path: &Path, columns: &[&str], each: Each) -> Result<(), DataError> {
        let mut open = self.open(path)?;
        let places = format::places(path, &open.header, columns)?;
        let mut record = ByteRecord::new();
        let mut rows = 0;
        while open.next(&mut record)? {
            let line = open.line(&record);
            if record.len() != open.header.len() {
                let found = format!("{} values", record.len());
                return Err(open.wrong(line, found, format!("{}, as the header has", open.header.len())));
            }
            rows += 1;
            if rows > MAX_ROWS {
                return Err(open.wrong(line, format!("more than {MAX_ROWS} rows"), "fewer: split the file"));
            }
            let cell = |(column, at): (&&str, &usize)| {
                let bytes = record.get(*at).unwrap_or_default();
                let text = std::str::from_utf8(bytes).map_err(|e| {
                    let found = format!("a byte that is not UTF-8 at byte {} of the value", e.valid_up_to());
                    Place::Line(line).wrong(path, column, found, "UTF-8")
                })?;
                Ok(Value::Text(text.into()))
            };
            let cells = columns.iter().zip(&places).map(cell).collect::<Result<_, DataError>>()?;
            each(Place::Line(line), cells)?;
        }
        Ok(())
    }
}
