//! Sweeps that were launched in the terminal: when a grid has ended, the seeds of its best follow. Looks at the store once a
//! second while there is one.

use crate::cli::advance;
use crate::engine::Engine;
use crate::event::Status;
use crate::store::{Reader, StoreHandle};
use crate::sweep::{Plan, Stage, Sweep};
use crate::view::Message;
use anyhow::Context;
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

const LOOK: Duration = Duration::from_secs(1);

pub(super) struct Sweeper {
    pub store: StoreHandle,
    pub engine: Arc<Engine>,
}

impl Sweeper {
    /// The thread ends when the sender is gone; what it has not launched then, `eigenscope sweep` launches.
    pub fn start(self, say: impl Fn(Message) + Send + 'static) -> anyhow::Result<(Sender<Sweep>, JoinHandle<()>)> {
        let (sender, asked) = unbounded();
        let work = move || self.run(&asked, &say);
        let thread = std::thread::Builder::new().name("sweeper".into()).spawn(work);
        Ok((sender, thread.context("cannot start the sweeper thread")?))
    }

    fn run(&self, asked: &Receiver<Sweep>, say: &dyn Fn(Message)) {
        let mut sweeps: Vec<Sweep> = Vec::new();
        loop {
            let new = match sweeps.is_empty() {
                true => asked.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => asked.recv_timeout(LOOK),
            };
            match new {
                Ok(sweep) => sweeps.push(sweep),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            sweeps.retain(|sweep| match self.look(sweep) {
                Ok(None) => true,
                Ok(Some(text)) => {
                    say(Message::notice(text));
                    false
                }
                Err(error) => {
                    say(Message::error(format!("sweep {}: {}", sweep.name, crate::cli::explain(&error))));
                    false
                }
            });
        }
    }

    /// Launches what can begin; what there is to say when nothing more will.
    fn look(&self, sweep: &Sweep) -> anyhow::Result<Option<String>> {
        let reader = Reader::open(self.store.dir())?;
        let before = sweep.plan(&reader.list()?);
        let plan = advance(sweep, before, &self.store, &reader)?;
        let waits = |s: Status| s.is_live() || s == Status::Queued;
        if plan.found().any(|f| waits(f.status)) {
            self.engine.wake();
            return Ok(None);
        }
        Ok(Some(end(sweep, &plan)))
    }
}

fn end(sweep: &Sweep, plan: &Plan) -> String {
    let ((grid, of_grid), (seeds, of_seeds)) = (plan.counts(Stage::Grid), plan.counts(Stage::Seeds));
    let counts = format!("grid {grid} of {of_grid}, seeds {seeds} of {of_seeds}");
    match plan.is_complete() {
        true => format!("sweep {} is done: {counts}; Table 1 (5) has its means", sweep.name),
        false => format!("sweep {} came to an end: {counts}; what failed or was stopped is left out", sweep.name),
    }
}
