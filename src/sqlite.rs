//! An SQLite file that is another's, opened so that neither it nor its folder is changed. Knows no tables.

use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};
use std::ffi::OsString;
use std::fmt::Write;
use std::fs::{self, File};
use std::io::Read;
use std::ops::{Deref, DerefMut};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// What every SQLite file begins with.
pub const MAGIC: &[u8] = b"SQLite format 3\0";
/// Where the header says that readers must know of a write-ahead log, and what it says then.
const READ_VERSION: usize = 19;
const WAL: u8 = 2;
/// How long a lock of another program is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes of a file and its log that are copied.
const LARGEST: u64 = 4 << 30;

/// A connection that only reads.
pub struct Untouched {
    connection: Connection,
    /// What the file was like, where it is read as one that does not change.
    still: Option<(PathBuf, State)>,
    /// Where it is a copy that is read. After the connection, which is closed first.
    _copy: Option<TempDir>,
}

/// Length and time of the last change.
type State = (u64, Option<SystemTime>);

impl Deref for Untouched {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Untouched {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

impl Untouched {
    /// Opens the file. SQLite would make files beside one with a write-ahead log even to read it. Where that log is not there,
    /// nobody has the file open, and it is read as one that does not change; where it is there without its index, as after a
    /// copy, both are copied to a folder of their own.
    pub fn open(path: &Path) -> rusqlite::Result<Self> {
        let mut header = [0; READ_VERSION + 1];
        let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
        if read.is_err() || header[READ_VERSION] != WAL {
            return Self::at(path, false, None);
        }
        let log = beside(path, "-wal");
        match (log.exists(), beside(path, "-shm").exists()) {
            (false, _) => Self::at(path, true, None),
            (true, true) => Self::at(path, false, None),
            (true, false) => {
                let folder = TempDir::new().map_err(refused)?;
                let copy = folder.path().join("copy.db");
                let bytes = |of: &Path| fs::metadata(of).map_or(0, |m| m.len());
                if bytes(path) + bytes(&log) > LARGEST {
                    return Err(refused(format!("with its log larger than {} GiB, and in use", LARGEST >> 30)));
                }
                fs::copy(path, &copy).and_then(|_| fs::copy(&log, beside(&copy, "-wal"))).map_err(refused)?;
                Self::at(&copy, false, Some(folder))
            }
        }
    }

    fn at(path: &Path, still: bool, copy: Option<TempDir>) -> rusqlite::Result<Self> {
        let mut name = String::from("file:");
        for byte in path.as_os_str().as_bytes() {
            match byte {
                b'/' | b'.' | b'-' | b'_' => name.push(*byte as char),
                b if b.is_ascii_alphanumeric() => name.push(*b as char),
                // Writing to a text cannot fail.
                b => drop(write!(name, "%{b:02x}")),
            }
        }
        name.push_str(if still { "?mode=ro&immutable=1" } else { "?mode=ro" });
        let still = still.then(|| (path.to_path_buf(), state(path)));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(name, flags)?;
        connection.busy_timeout(PATIENCE)?;
        // A crafted schema must not run functions of its choice.
        connection.pragma_update(None, "trusted_schema", false)?;
        Ok(Self { connection, still, _copy: copy })
    }

    /// Nobody has written to the file since it was opened, where that would make what was read of it wrong.
    pub fn held(&self) -> bool {
        self.still.as_ref().is_none_or(|(path, before)| state(path) == *before && !beside(path, "-wal").exists())
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

fn state(path: &Path) -> State {
    fs::metadata(path).map_or((0, None), |m| (m.len(), m.modified().ok()))
}

fn refused(what: impl ToString) -> rusqlite::Error {
    let error = ffi::Error { code: ErrorCode::CannotOpen, extended_code: ffi::SQLITE_CANTOPEN };
    rusqlite::Error::SqliteFailure(error, Some(what.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_it_lies_and_nothing_is_made_beside_it() {
        let place = tempfile::tempdir().expect("a folder");
        let path = place.path().join("a ?#%41.db");
        let live = Connection::open(&path).expect("a database");
        live.pragma_update(None, "journal_mode", "WAL").expect("a log");
        live.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1)").expect("a row in the log");
        let names = |of: &Path| {
            let mut names: Vec<_> = fs::read_dir(of).expect("a folder").flatten().map(|e| e.file_name()).collect();
            names.sort();
            names
        };
        let rows = |open: &Untouched| open.query_row("SELECT count(*) FROM t", [], |r| r.get::<_, i64>(0));
        // Copied while it was in use, without the index of its log.
        let copied = tempfile::tempdir().expect("a folder");
        let copy = copied.path().join("b.db");
        fs::copy(&path, &copy).expect("copied");
        fs::copy(beside(&path, "-wal"), beside(&copy, "-wal")).expect("copied");
        let open = Untouched::open(&copy).expect("opened");
        assert_eq!(rows(&open), Ok(1));
        let folder = open._copy.as_ref().map(|f| f.path().to_path_buf()).expect("a copy");
        drop(open);
        assert!(!folder.exists(), "the copy is gone");
        assert_eq!(names(copied.path()), ["b.db", "b.db-wal"]);
        drop(live);
        // At rest: a writer that comes later is noticed.
        let open = Untouched::open(&path).expect("opened");
        assert_eq!((rows(&open), open.held()), (Ok(1), true));
        assert_eq!(names(place.path()), ["a ?#%41.db"]);
        let live = Connection::open(&path).expect("a database");
        live.execute("INSERT INTO t VALUES (2)", []).expect("a row");
        assert!(!open.held(), "its log is there");
        drop(live);
        assert!(!open.held(), "it has another time");
    }
}
