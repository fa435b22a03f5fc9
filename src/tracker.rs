//! Other programs that track runs: their files are read as runs of this store, and what this store recorded is written as files
//! that they read. Everything passes through [`Foreign`] on the way in and [`History`] on the way out. Knows no store.

mod device;
mod event;
mod foreign;
mod parquet;
mod proto;
mod settings;
mod tensorboard;
mod tfrecord;
mod trackio;

pub use foreign::{Foreign, Sample, Taken};

use crate::record::History;
use std::io::Read;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A file that cannot be read or written so.
#[derive(Debug, Error)]
pub enum TrackerError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    /// Bytes from the file's start.
    #[error("{path}, byte {at}: {what}")]
    Record { path: PathBuf, at: u64, what: String },
    #[error("{path}: {what}")]
    Content { path: PathBuf, what: String },
}

impl TrackerError {
    fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.into(), source }
    }

    fn content(path: &Path, what: impl Into<String>) -> Self {
        Self::Content { path: path.into(), what: what.into() }
    }
}

/// Files of another program that hold runs.
pub trait Source: Sync {
    /// The other program's name.
    fn name(&self) -> &'static str;
    /// `path` is a file or folder of its kind.
    fn knows(&self, path: &Path) -> bool;
    /// Every run in it, with what could not be read of it in words.
    fn read(&self, path: &Path) -> Result<(Vec<Foreign>, Vec<String>), TrackerError>;

    /// The error of a file without a run that can be taken.
    fn nothing(&self, path: &Path) -> TrackerError {
        TrackerError::content(path, format!("no run of {} in it has a series that is known", self.name()))
    }
}

/// Every program whose runs are read.
pub static SOURCES: &[&dyn Source] = &[&tensorboard::TensorBoard, &trackio::Trackio];

/// The program that `path` is of.
pub fn source(path: &Path) -> Option<&'static dyn Source> {
    SOURCES.iter().copied().find(|s| s.knows(path))
}

/// A kind of files for whole runs.
pub trait Target: Sync {
    fn id(&self) -> &'static str;
    /// One sentence for the command line.
    fn help(&self) -> &'static str;
    /// Begins files at `path`.
    fn begin(&self, path: &Path) -> Result<Box<dyn Writer>, TrackerError>;
}

/// Files under way.
pub trait Writer {
    fn add(&mut self, run: &History) -> Result<(), TrackerError>;
    /// Ends them and names those that were written.
    fn finish(self: Box<Self>) -> Result<Vec<PathBuf>, TrackerError>;
}

/// Every kind of files for whole runs.
pub static TARGETS: &[&dyn Target] = &[&tensorboard::TensorBoard, &parquet::Parquet];

pub fn target(id: &str) -> Option<&'static dyn Target> {
    TARGETS.iter().copied().find(|t| t.id() == id)
}

/// The file of `path` begins with these bytes.
fn begins(path: &Path, with: &[u8]) -> bool {
    let mut found = vec![0; with.len()];
    std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut found)).is_ok() && found == with
}
