//! One worker thread: takes the oldest queued run of its device, trains it, says how it ended, takes the next.

use super::{Active, Execute, Only, Signals};
use crate::event::{Level, RunEvent, RunId, Status};
use crate::job::Job;
use crate::store::{Claim, StoreHandle};
use crate::train::fit::Sink;
use crate::train::{Outcome, TrainError};
use crossbeam::channel::{Receiver, RecvTimeoutError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often an idle worker looks for runs that another process queued.
const IDLE_POLL: Duration = Duration::from_millis(500);
/// How often a busy worker looks for requests made through another process.
const REQUEST_POLL: Duration = Duration::from_millis(500);

pub(super) struct Worker {
    pub device: String,
    pub execute: Execute,
    /// The runs to take; none: any.
    pub only: Only,
    pub store: StoreHandle,
    pub active: Active,
    pub closing: Arc<AtomicBool>,
    pub woken: Receiver<()>,
}

/// Sends a run's events to the store's writer.
struct StoreSink<'a> {
    store: &'a StoreHandle,
    id: &'a RunId,
}

impl Sink for StoreSink<'_> {
    fn send(&mut self, event: RunEvent) -> Result<(), TrainError> {
        self.store.record(self.id, event).map_err(|e| TrainError::Sink(e.to_string()))
    }

    fn flush(&mut self) -> Result<(), TrainError> {
        self.store.flush().map_err(|e| TrainError::Sink(e.to_string()))
    }
}

impl Worker {
    pub fn run(self) {
        while !self.closing.load(Ordering::SeqCst) {
            let only = self.only.as_ref().map(|ids| ids.lock().unwrap_or_else(PoisonError::into_inner).clone());
            match self.store.claim(&self.device, only.as_deref()) {
                Ok(Some(claim)) => {
                    if self.train(&claim) {
                        continue;
                    }
                    // Every other run would fail at once: they stay queued for a program with a sound device.
                    tracing::error!("{} is lost: its worker ends", self.device);
                    return;
                }
                Ok(None) => {}
                Err(error) => tracing::error!("cannot take a queued run: {error}"),
            }
            if self.woken.recv_timeout(IDLE_POLL) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    }

    /// Trains a run and says how it ended; false where the device can train no other.
    fn train(&self, claim: &Claim) -> bool {
        let signals = Arc::new(Signals::default());
        self.active.lock().unwrap_or_else(PoisonError::into_inner).insert(claim.id.clone(), signals.clone());
        // A close that came between the claim and the insertion has not seen this run.
        if self.closing.load(Ordering::SeqCst) {
            signals.set(crate::event::Control::Stop);
        }
        let asked = Mutex::new(Instant::now());
        let signal = || {
            let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
            if asked.elapsed() >= REQUEST_POLL {
                *asked = Instant::now();
                if let Some(control) = self.store.take_request(&claim.id) {
                    signals.set(control);
                }
            }
            signals.get()
        };
        let folder = self.store.dir().join(claim.id.as_str());
        let job = Job { spec: &claim.spec, folder: &folder, resume: claim.resume };
        let mut sink = StoreSink { store: &self.store, id: &claim.id };
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.execute)(&job, &signal, &mut sink)));
        let lost = matches!(&outcome, Ok(Err(error)) if error.loses_device());
        let (status, cause) = match outcome {
            Ok(Ok(Outcome::Done)) => (Status::Done, None),
            Ok(Ok(Outcome::Stopped)) => (Status::Stopped, None),
            Ok(Ok(Outcome::Cancelled)) => (Status::Cancelled, None),
            Ok(Err(error)) => (Status::Failed, Some(chain(&error))),
            Err(panic) => (Status::Failed, Some(format!("the worker panicked: {}", panic_text(&*panic)))),
        };
        if let Some(text) = cause.clone() {
            let _ = sink.send(RunEvent::Log { level: Level::Error, text });
        }
        if let Err(error) = sink.send(RunEvent::Status { status, cause }).and_then(|()| sink.flush()) {
            tracing::error!("run {}: its end could not be written: {error}", claim.id);
        }
        self.active.lock().unwrap_or_else(PoisonError::into_inner).remove(&claim.id);
        !lost
    }
}

/// An error with its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}
