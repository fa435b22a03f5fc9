//! The memory of runs: one SQLite database in the runs folder, one writer thread, any number of readers. Knows neither
//! training nor screens.

mod analyses;
mod import;
mod norms;
mod pyramid;
mod query;
mod queue;
mod read;
mod schema;
mod seed;
mod test_scores;
mod views;
mod write;

pub use query::{Value, ask};
pub use queue::Claim;
pub use read::Reader;
pub use views::{Column, SqlView, VIEWS};

use crate::event::{Control, RunEvent, RunId};
use crate::record::{Analysis, Imported, Label, LabelError, TestScore};
use crate::spec::RunSpec;
use crossbeam::channel::{Sender, bounded};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use thiserror::Error;

/// The database's name in the runs folder.
pub const DATABASE: &str = "eigenscope.db";
/// Stores that this process has opened.
static OPENINGS: AtomicU64 = AtomicU64::new(0);
/// Events that may wait for the writer before a sender is held back.
const BACKLOG: usize = 4_096;

#[derive(Debug, Error)]
pub enum StoreError {
    #[error(
        "{path}: {source}; the runs folder must be a folder that you can write: choose one with --runs DIR or EIGENSCOPE_RUNS"
    )]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error(
        "{path}: made by a newer eigenscope (schema {found}, this program knows {known}); use that version or another --runs folder"
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error(
        "{path}: made by an older eigenscope (schema {found}, this program reads {known}); `eigenscope runs list` with the same \
         --runs folder brings it up to date"
    )]
    Older { path: PathBuf, found: i64, known: i64 },
    #[error("{path}: not found; expected the database of a runs folder: choose one with --runs DIR or EIGENSCOPE_RUNS")]
    Missing { path: PathBuf },
    #[error("{path}: written to while it was read, so the answer may be wrong; ask again")]
    Changed { path: PathBuf },
    #[error("run {id}: its record is damaged ({what})")]
    Damaged { id: String, what: String },
    #[error("run {found:?}: not found; {hint}")]
    NoRun { found: String, hint: String },
    #[error("run {id} is {status}: {expected}")]
    State { id: RunId, status: String, expected: String },
    #[error("{name} was imported before, as {id}; --again keeps it once more")]
    Again { name: String, id: RunId },
    #[error("sql: {what}; views: {views}; `eigenscope sql --schema` tells their columns")]
    Query { what: String, views: String },
    #[error(transparent)]
    Label(#[from] LabelError),
    #[error("the writer of the store has ended")]
    Closed,
    #[error("the writer could not save: {0}")]
    Write(String),
}

/// An open runs folder; dropping it writes what is left and joins the writer.
pub struct Store {
    handle: StoreHandle,
    writer: Option<JoinHandle<()>>,
}

/// What every holder of a handle shares with the writer.
pub(crate) struct Shared {
    dir: PathBuf,
    watermark: AtomicI64,
    last_error: Mutex<Option<String>>,
}

impl Shared {
    fn set_error(&self, error: Option<String>) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }
}

/// A way to the writer; cheap to clone, for any thread.
#[derive(Clone)]
pub struct StoreHandle {
    sender: Sender<write::Message>,
    shared: Arc<Shared>,
}

impl Store {
    /// Opens `dir`, making it and its database where they are missing; runs whose process died become interrupted.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let folder = |source| StoreError::Folder { path: dir.into(), source };
        std::fs::create_dir_all(dir).map_err(folder)?;
        // A name of its own for each opening: another one must not remove it first.
        let opening = OPENINGS.fetch_add(1, Ordering::SeqCst);
        let probe = dir.join(format!(".probe-{}-{opening}", std::process::id()));
        std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe)).map_err(folder)?;
        let mut connection = schema::open(&dir.join(DATABASE))?;
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        queue::mark_interrupted(&transaction, dir)?;
        transaction.commit()?;
        let version = schema::version(&connection)?;
        let shared =
            Arc::new(Shared { dir: dir.into(), watermark: AtomicI64::new(version), last_error: Mutex::default() });
        let (sender, receiver) = bounded(BACKLOG);
        let writer = write::Writer { connection, shared: shared.clone() };
        let writer = std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || writer.run(&receiver))
            .map_err(|source| StoreError::Folder { path: dir.into(), source })?;
        Ok(Self { handle: StoreHandle { sender, shared }, writer: Some(writer) })
    }

    pub fn handle(&self) -> StoreHandle {
        self.handle.clone()
    }

    /// A reader with a connection of its own.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        Reader::open(&self.handle.shared.dir)
    }

    /// Fills the store with generated finished runs, for measuring.
    pub fn bulk_seed(&self, runs: u64, points: u64) -> Result<(), StoreError> {
        self.handle.call(move |c| seed::fill(c, runs, points))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Handles may outlive the store, so the writer is told rather than left to see the channel close.
        let _ = self.handle.sender.send(write::Message::Close);
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the writer thread panicked");
        }
    }
}

impl StoreHandle {
    /// The runs folder.
    pub fn dir(&self) -> &Path {
        &self.shared.dir
    }

    /// Number of the last commit of this process.
    pub fn watermark(&self) -> i64 {
        self.shared.watermark.load(Ordering::SeqCst)
    }

    /// Why the writer cannot write now.
    pub fn last_error(&self) -> Option<String> {
        self.shared.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Hands an event to the writer; waits only while the backlog is full.
    pub fn record(&self, id: &RunId, event: RunEvent) -> Result<(), StoreError> {
        self.sender.send(write::Message::Event(id.clone(), event)).map_err(|_| StoreError::Closed)
    }

    /// Returns when all that was sent before is committed.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.call(|_| Ok(()))
    }

    /// Queues runs.
    pub fn create(&self, specs: &[RunSpec]) -> Result<Vec<RunId>, StoreError> {
        let specs = specs.to_vec();
        self.call(move |c| specs.iter().map(|s| queue::create(c, s)).collect())
    }

    /// Keeps a run that was trained elsewhere and moves its adapter, a file in the runs folder, to the run's own under the name
    /// that is given with it. One that was kept before is refused unless `again`.
    pub fn import(
        &self,
        run: Imported,
        adapter: Option<(PathBuf, &'static str)>,
        again: bool,
    ) -> Result<RunId, StoreError> {
        let dir = self.shared.dir.clone();
        self.call(move |c| import::keep(c, &dir, &run, adapter, again))
    }

    /// Takes the first queued run of `device`, of `only` where given; it is then this process's until the claim is dropped.
    pub fn claim(&self, device: &str, only: Option<&[RunId]>) -> Result<Option<Claim>, StoreError> {
        let (device, only, dir) = (device.to_string(), only.map(<[RunId]>::to_vec), self.shared.dir.clone());
        self.call(move |c| queue::claim(c, &dir, &device, only.as_deref()))
    }

    /// Queues a stopped, interrupted or failed run again.
    pub fn requeue(&self, id: &RunId) -> Result<(), StoreError> {
        let id = id.clone();
        self.call(move |c| queue::requeue(c, &id))
    }

    /// Moves a queued run by so many places of the queue, up where negative; gives its place, from 1, and the queue's length.
    pub fn shift(&self, id: &RunId, places: i64) -> Result<(usize, usize), StoreError> {
        let id = id.clone();
        self.call(move |c| queue::shift(c, &id, places))
    }

    /// Asks the process that owns a run; a queued run is ended at once by stop or cancel.
    pub fn ask(&self, id: &RunId, control: Control) -> Result<(), StoreError> {
        let id = id.clone();
        self.call(move |c| queue::ask(c, &id, control))
    }

    /// Runs of other processes that have died meanwhile become interrupted, soon; does not wait for it.
    pub fn look_for_dead(&self) {
        // A full backlog is looked through another time.
        let _ = self.sender.try_send(write::Message::LookForDead);
    }

    /// What was asked of an own run through another process, once.
    pub fn take_request(&self, id: &RunId) -> Option<Control> {
        let id = id.clone();
        self.call(move |c| queue::take_request(c, &id)).ok().flatten()
    }

    /// Changes what is said of runs: of all of them or, on an error, of none.
    pub fn label(&self, ids: &[RunId], label: Label) -> Result<(), StoreError> {
        let (ids, label) = (ids.to_vec(), label.checked()?);
        self.call(move |c| ids.iter().try_for_each(|id| queue::label(c, id, &label)))
    }

    /// Keeps a score on test rows in place of an earlier one of the same task, method, model and data.
    pub fn set_test_score(&self, score: TestScore) -> Result<(), StoreError> {
        self.call(move |c| test_scores::set(c, &score))
    }

    /// Takes that score away; whether there was one.
    pub fn remove_test_score(&self, of: TestScore) -> Result<bool, StoreError> {
        self.call(move |c| test_scores::remove(c, &of))
    }

    /// Keeps what an analysis of a run found, in place of an older one of its kind.
    pub fn keep_analysis(&self, id: &RunId, analysis: Analysis) -> Result<(), StoreError> {
        let id = id.clone();
        self.call(move |c| analyses::keep(c, &id, &analysis))
    }

    /// Removes a run that nobody trains: its records and its folder. Gives the bytes of the folder's files.
    pub fn delete(&self, id: &RunId) -> Result<u64, StoreError> {
        let (id, dir) = (id.clone(), self.shared.dir.clone());
        let bytes = self.call(move |c| queue::delete(c, &dir, &id))?;
        let _ = self.sender.send(write::Message::GiveBack);
        Ok(bytes)
    }

    /// Runs `work` in the writer's next transaction and waits for its commit.
    fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&rusqlite::Transaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = bounded(1);
        let job = Box::new(move |transaction: &rusqlite::Transaction| {
            let result = work(transaction);
            let keep = result.is_ok();
            let _ = answer.send(result);
            keep
        });
        let (done, committed) = bounded(1);
        self.sender.send(write::Message::Call(job, done)).map_err(|_| StoreError::Closed)?;
        let result = answered.recv().map_err(|_| StoreError::Closed)?;
        let commit = committed.recv().map_err(|_| StoreError::Closed)?;
        let value = result?;
        commit.map_err(StoreError::Write)?;
        Ok(value)
    }
}

/// Version of the SQLite library that is compiled in.
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}

/// Unix time in seconds.
pub(crate) fn now() -> f64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0.0, |d| d.as_secs_f64())
}
