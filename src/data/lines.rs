//! Lines of a text file with their numbers, checked for length and encoding; a BOM and CRLF are allowed. Holds one line at a time.

use super::DataError;
use std::io::{BufRead, Read};

/// Longest row in bytes; a longer one is a broken file.
pub(super) const MAX_ROW: u64 = 1 << 20;

pub(super) struct Lines<'a, R> {
    file: &'a str,
    input: R,
    /// Number of the last line, from 1; 0 before the first.
    pub line: u64,
    /// What the file has, for an error message.
    what: &'static str,
}

impl<'a, R: BufRead> Lines<'a, R> {
    /// `file` names it in errors.
    pub fn new(file: &'a str, input: R, what: &'static str) -> Self {
        Self { file, input, line: 0, what }
    }

    /// The next line without its end.
    pub fn next_line(&mut self) -> Result<Option<String>, DataError> {
        let mut bytes = Vec::new();
        let io = |source| DataError::Io { path: self.file.into(), source };
        self.input.by_ref().take(MAX_ROW + 1).read_until(b'\n', &mut bytes).map_err(io)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        self.line += 1;
        if bytes.len() as u64 > MAX_ROW {
            return Err(self.wrong(format!("a row of more than {MAX_ROW} bytes"), self.what));
        }
        while bytes.last().is_some_and(|b| *b == b'\n' || *b == b'\r') {
            bytes.pop();
        }
        let text = String::from_utf8(bytes).map_err(|e| {
            self.wrong(format!("a byte that is not UTF-8 at byte {}", e.utf8_error().valid_up_to()), "UTF-8")
        })?;
        Ok(Some(match text.strip_prefix('\u{feff}') {
            Some(bare) if self.line == 1 => bare.into(),
            _ => text,
        }))
    }

    /// An error about the last line.
    pub fn wrong(&self, found: String, expected: impl Into<String>) -> DataError {
        DataError::Row { file: self.file.into(), line: self.line, found, expected: expected.into() }
    }
}
