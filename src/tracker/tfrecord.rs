//! TFRecord files: records of bytes, each with its length before it and a masked CRC-32C of the length and of the bytes. Knows
//! nothing of what a record says.

use super::TrackerError;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

/// Largest record in bytes: graphs and pictures may be large, numbers never are.
const LARGEST: u64 = 256 << 20;
/// Bytes before a record's own: its length and that one's checksum.
const HEAD: usize = 12;

fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Writes one record.
pub fn write(out: &mut impl Write, record: &[u8]) -> io::Result<()> {
    let length = (record.len() as u64).to_le_bytes();
    out.write_all(&length)?;
    out.write_all(&masked(&length).to_le_bytes())?;
    out.write_all(record)?;
    out.write_all(&masked(record).to_le_bytes())
}

/// Records of a file, one after the other.
pub struct Records {
    path: PathBuf,
    file: BufReader<File>,
    /// Bytes of the file when it was opened, and where the next record begins.
    size: u64,
    at: u64,
}

/// What comes next in a file.
pub enum Next {
    Record {
        /// Where it begins.
        at: u64,
        bytes: Vec<u8>,
    },
    End,
    /// The file ends within the record that begins there: its writer is still at it, or was cut off.
    Cut {
        at: u64,
    },
}

impl Records {
    pub fn open(path: &Path) -> Result<Self, TrackerError> {
        let file = File::open(path).map_err(TrackerError::io(path))?;
        let size = file.metadata().map_err(TrackerError::io(path))?.len();
        Ok(Self { path: path.into(), file: BufReader::new(file), size, at: 0 })
    }

    pub fn next(&mut self) -> Result<Next, TrackerError> {
        let (at, left) = (self.at, self.size - self.at);
        if left == 0 {
            return Ok(Next::End);
        }
        if left < HEAD as u64 {
            return Ok(Next::Cut { at });
        }
        let length: [u8; 8] = self.bytes(8)?.try_into().unwrap_or_default();
        let sum = &self.bytes(4)?;
        self.check(at, "length", &length, sum)?;
        let length = u64::from_le_bytes(length);
        if length > LARGEST {
            return Err(self.wrong(at, format!("a record of {length} bytes, expected at most {LARGEST}")));
        }
        if length + 4 > left - HEAD as u64 {
            return Ok(Next::Cut { at });
        }
        let bytes = self.bytes(length as usize)?;
        let sum = self.bytes(4)?;
        self.check(at, "data", &bytes, &sum)?;
        self.at = at + HEAD as u64 + length + 4;
        Ok(Next::Record { at, bytes })
    }

    /// An error of the record that begins at `at`.
    pub fn wrong(&self, at: u64, what: String) -> TrackerError {
        TrackerError::Record { path: self.path.clone(), at, what }
    }

    fn bytes(&mut self, count: usize) -> Result<Vec<u8>, TrackerError> {
        let mut bytes = vec![0; count];
        self.file.read_exact(&mut bytes).map_err(TrackerError::io(&self.path))?;
        Ok(bytes)
    }

    fn check(&self, at: u64, of: &str, bytes: &[u8], sum: &[u8]) -> Result<(), TrackerError> {
        let (found, expected) = (sum.try_into().map_or(0, u32::from_le_bytes), masked(bytes));
        if found == expected {
            return Ok(());
        }
        let what =
            format!("the checksum of the record's {of} is {found:08x}, expected {expected:08x}: the file is damaged");
        Err(self.wrong(at, what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(path: &Path) -> Result<(Vec<Vec<u8>>, Option<u64>), TrackerError> {
        let (mut records, mut found) = (Records::open(path)?, Vec::new());
        loop {
            match records.next()? {
                Next::Record { bytes, .. } => found.push(bytes),
                Next::End => return Ok((found, None)),
                Next::Cut { at } => return Ok((found, Some(at))),
            }
        }
    }

    #[test]
    fn records_are_checked_and_a_cut_one_is_left_out() {
        // As TensorFlow masks it.
        assert_eq!(masked(b"123456789"), 0xe306_9283u32.rotate_right(15).wrapping_add(0xa282_ead8));
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("records");
        let mut bytes = Vec::new();
        for record in [&b"first"[..], b"", b"third"] {
            write(&mut bytes, record).expect("written");
        }
        let put = |bytes: &[u8]| std::fs::write(&path, bytes).expect("a file");
        put(&bytes);
        let records = vec![b"first".to_vec(), Vec::new(), b"third".to_vec()];
        assert_eq!(all(&path).expect("read"), (records.clone(), None));
        let third = 21 + 16;
        for cut in third + 1..bytes.len() {
            put(&bytes[..cut]);
            assert_eq!(all(&path).expect("read"), (records[..2].to_vec(), Some(third as u64)), "cut at {cut}");
        }
        for (place, words) in [
            (third, "byte 37: the checksum of the record's length"),
            (third + 9, "byte 37: the checksum of the record's length"),
            (third + 13, "byte 37: the checksum of the record's data"),
            (bytes.len() - 1, "byte 37: the checksum of the record's data"),
        ] {
            let mut wrong = bytes.clone();
            wrong[place] ^= 1;
            put(&wrong);
            let error = all(&path).expect_err("damaged").to_string();
            assert!(error.contains(words) && error.contains("records,"), "{error}");
        }
        let mut huge = (LARGEST + 1).to_le_bytes().to_vec();
        let sum = masked(&huge).to_le_bytes();
        huge.extend(sum);
        put(&huge);
        assert!(all(&path).expect_err("too large").to_string().contains("expected at most"));
    }
}
