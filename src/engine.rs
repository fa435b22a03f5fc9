//! Runs in motion: worker threads, one or several a device, take queued runs from the store and train them. A worker's panic
//! or error fails its run only.

mod control;
mod worker;

pub use control::Signals;

use crate::event::{Control, RunId};
use crate::job::{Job, JobError};
use crate::store::StoreHandle;
use crate::train::fit::Sink;
use crate::train::{Outcome, Signal};
use crossbeam::channel::{Receiver, Sender, bounded};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// What carries a claimed run out, obeying the signal and telling the sink: [`crate::job::execute`] in the program.
pub type Execute = fn(&Job, &(dyn Fn() -> Signal + Sync), &mut (dyn Sink + Send)) -> Result<Outcome, JobError>;

/// The runs that may be taken, where they are told.
type Only = Option<Arc<Mutex<Vec<RunId>>>>;

/// The runs that this process trains now.
type Active = Arc<Mutex<HashMap<RunId, Arc<Signals>>>>;

/// Worker threads and what they train; dropping it stops and saves every run and joins.
pub struct Engine {
    store: StoreHandle,
    active: Active,
    closing: Arc<AtomicBool>,
    wake: Vec<Sender<()>>,
    /// The runs that may be taken; none: any.
    only: Only,
    /// Device and thread.
    workers: Vec<(String, JoinHandle<()>)>,
}

impl Engine {
    /// Starts a worker for each of `devices`, several where a device is named more than once, for all runs of the queue, each carried out by `execute`.
    pub fn start(store: StoreHandle, devices: &[String], execute: Execute) -> std::io::Result<Self> {
        Self::launch(store, devices, execute, None)
    }

    /// The same for the runs `only`.
    pub fn start_only(
        store: StoreHandle,
        devices: &[String],
        execute: Execute,
        only: &[RunId],
    ) -> std::io::Result<Self> {
        Self::launch(store, devices, execute, Some(only.to_vec()))
    }

    fn launch(
        store: StoreHandle,
        devices: &[String],
        execute: Execute,
        only: Option<Vec<RunId>>,
    ) -> std::io::Result<Self> {
        let only = only.map(|ids| Arc::new(Mutex::new(ids)));
        let active = Active::default();
        let closing = Arc::new(AtomicBool::new(false));
        let mut engine = Self { store, active, closing, wake: Vec::new(), only, workers: Vec::new() };
        for device in devices {
            let (wake, woken): (Sender<()>, Receiver<()>) = bounded(1);
            let worker = worker::Worker {
                device: device.clone(),
                execute,
                only: engine.only.clone(),
                store: engine.store.clone(),
                active: engine.active.clone(),
                closing: engine.closing.clone(),
                woken,
            };
            let name = format!("train-{device}");
            let thread = std::thread::Builder::new().name(name).spawn(move || worker.run())?;
            engine.workers.push((device.clone(), thread));
            engine.wake.push(wake);
        }
        Ok(engine)
    }

    /// Adds runs to those that an engine of certain runs takes.
    pub fn admit(&self, ids: &[RunId]) {
        if let Some(only) = &self.only {
            only.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(ids);
        }
        self.wake();
    }

    /// Tells idle workers that the queue may hold something.
    pub fn wake(&self) {
        for wake in &self.wake {
            // A full channel already holds a wake-up.
            let _ = wake.try_send(());
        }
    }

    /// Passes a request to the run, here or, through the store, in the process that owns it.
    pub fn control(&self, id: &RunId, control: Control) -> Result<(), crate::store::StoreError> {
        let own = self.active.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        match own {
            Some(signals) => {
                signals.set(control);
                Ok(())
            }
            None => self.store.ask(id, control),
        }
    }

    /// Ids of the runs that this process trains now.
    pub fn active(&self) -> Vec<RunId> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Devices whose worker has ended because nothing can be trained on them any more.
    pub fn lost(&self) -> Vec<&str> {
        let ended = self.workers.iter().filter(|(_, thread)| thread.is_finished());
        let mut lost: Vec<&str> = ended.map(|(device, _)| device.as_str()).collect();
        lost.dedup();
        lost
    }

    /// Stops and saves every run of this process and waits for it.
    pub fn close(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        for signals in self.active.lock().unwrap_or_else(PoisonError::into_inner).values() {
            signals.set(Control::Stop);
        }
        self.wake.clear();
        for (_, worker) in self.workers.drain(..) {
            if worker.join().is_err() {
                tracing::error!("a worker thread panicked outside a run");
            }
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}
