//! Analyses that the screens ask for, one after the other on a thread of their own.

use crate::event::RunId;
use crate::job::{self, Effort, JobError, Saved};
use crate::record::{AnalysisKind, RunSummary};
use crate::store::{Reader, StoreHandle};
use crate::view::Message;
use anyhow::Context;
use crossbeam::channel::{Sender, unbounded};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often a line tells how far an analysis is.
const TELL: Duration = Duration::from_secs(2);

/// Where analyses are asked for. Its thread is not waited for at the end: one evaluation of a large model can take minutes, and
/// what is not done is not kept.
pub(super) struct Analyst(Sender<(RunId, AnalysisKind)>);

impl Analyst {
    pub fn start(
        runs: PathBuf,
        store: StoreHandle,
        say: impl Fn(Message) + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let (sender, asked) = unbounded::<(RunId, AnalysisKind)>();
        let work = move || {
            for (id, kind) in asked {
                let done = analyse(&runs, &store, &id, kind, &say);
                say(match done {
                    Ok(()) => Message::notice(format!("{id}: {} is done", kind.id())),
                    Err(error) => Message::error(crate::cli::explain(&error)),
                });
            }
        };
        std::thread::Builder::new().name("analyst".into()).spawn(work).context("cannot start the analyst thread")?;
        Ok(Self(sender))
    }

    pub fn ask(&self, id: RunId, kind: AnalysisKind) {
        let _ = self.0.send((id, kind));
    }
}

fn analyse(
    runs: &Path,
    store: &StoreHandle,
    id: &RunId,
    kind: AnalysisKind,
    say: &(dyn Fn(Message) + Sync),
) -> anyhow::Result<()> {
    let run: RunSummary = Reader::open(runs)?.find(id.as_str())?;
    let saved = Saved::of_run(&run.spec, &runs.join(id.as_str()))?;
    let threads = job::threads(run.spec.threads)?;
    let found = threads.install(|| -> Result<_, JobError> {
        let mut model = saved.model()?;
        let rows = saved.rows(&model, None, 0)?;
        let mut told = Instant::now();
        let mut progress = |done: usize, total: usize| {
            if told.elapsed() >= TELL {
                told = Instant::now();
                say(Message::notice(format!("{id}: {}, {done} of {total} evaluations", kind.id())));
            }
        };
        job::analyse(kind, &saved, &mut model, &rows, Effort::default(), &mut progress)
    })?;
    Ok(store.keep_analysis(id, found)?)
}
