//! The screens' window on the program: a reader thread folds what was committed, a desk thread carries out requests.

use super::analyst::Analyst;
use super::desk::Desk;
use super::devices::{self, Sampler};
use super::fetcher::{self, Fetcher};
use super::forecast::{Forecast, Told};
use super::surveyor::{self, Surveyor};
use super::sweeper::Sweeper;
use crate::config::State;
use crate::cuda;
use crate::engine::Engine;
use crate::event::RunId;
use crate::record::{RunDetail, Series};
use crate::spec::RunSpec;
use crate::store::{Reader, Store, StoreError, StoreHandle};
use crate::view::{AdapterSize, Delta, Device, DiskUse, Interest, Message, Port, Request, View};
use anyhow::Context;
use crossbeam::channel::{Receiver, Sender, bounded, unbounded};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often commits, also those of other processes, are looked for.
const TICK: Duration = Duration::from_millis(100);
/// How often the devices are asked what they are doing.
const LOOK: Duration = Duration::from_secs(1);
/// How often runs are looked for whose process, another one, has died.
const DEAD: Duration = Duration::from_secs(5);
/// Newest lines of a run's log that are brought.
const LOG_LINES: usize = 500;
/// Series of a comparison.
const COMPARED: &[Series] = &[Series::Loss];

/// What the reader thread and the screens share.
#[derive(Default)]
struct Shared {
    view: Mutex<Arc<View>>,
    interest: Mutex<Interest>,
    messages: Mutex<Vec<Message>>,
    device_line: Mutex<String>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The live [`Port`]; dropping it ends its threads.
pub struct AppPort {
    shared: Arc<Shared>,
    forecast: Forecast,
    fetcher: Fetcher,
    surveyor: Surveyor,
    wake: Option<Sender<()>>,
    requests: Option<Sender<Request>>,
    remembered: State,
    threads: Vec<JoinHandle<()>>,
}

impl AppPort {
    /// Reads the store once, so that the first frame is whole, then starts the threads. Remembers nothing of the screens.
    pub fn start(store: &Store, engine: Arc<Engine>, runs: &Path) -> anyhow::Result<Self> {
        Self::start_remembering(store, engine, runs, None)
    }

    /// The same with a file, where there is one, for how the screens are left.
    pub fn start_remembering(
        store: &Store,
        engine: Arc<Engine>,
        runs: &Path,
        state: Option<PathBuf>,
    ) -> anyhow::Result<Self> {
        let remembered = state.as_deref().map(State::load).unwrap_or_default();
        let shared = Arc::new(Shared::default());
        let cards = cuda::cards().unwrap_or_default();
        let forecast = Forecast::start(cards.clone()).context("cannot start the forecast thread")?;
        let saying = shared.clone();
        let fetcher = Fetcher::start(move |message| lock(&saying.messages).push(message))?;
        let surveyor = Surveyor::start().context("cannot start the surveyor thread")?;
        let mut follower = Follower {
            reader: store.reader()?,
            view: View::default(),
            seen: Interest::default(),
            norms_seen: 0,
            forecast: forecast.told(),
            hub: fetcher.told(),
            surveyor: surveyor.told(),
            devices: Arc::default(),
            sampler: Sampler::new(cards),
        };
        follower.sample(&shared);
        follower.follow(&shared).context("cannot read the store")?;

        let (wake, woken) = bounded(1);
        let handle = store.handle();
        let reading = shared.clone();
        let reader = std::thread::Builder::new()
            .name("reader".into())
            .spawn(move || follower.run(&reading, &woken, &handle))
            .context("cannot start the reader thread")?;

        let (requests, asked) = unbounded();
        let saying = shared.clone();
        let analyst = Analyst::start(runs.into(), store.handle(), move |message| lock(&saying.messages).push(message))?;
        let exports = runs.join(crate::config::EXPORTS);
        let saying = shared.clone();
        let sweeper = Sweeper { store: store.handle(), engine: engine.clone() };
        let (sweeps, sweeper) = sweeper.start(move |message| lock(&saying.messages).push(message))?;
        let desk = Desk { store: store.handle(), engine, analyst, sweeps, fetcher: fetcher.clone(), exports, state };
        let answering = shared.clone();
        let desk = std::thread::Builder::new()
            .name("desk".into())
            .spawn(move || {
                for request in asked {
                    let message = desk.carry_out(request);
                    lock(&answering.messages).extend(message);
                }
            })
            .context("cannot start the desk thread")?;
        let threads = vec![reader, desk, sweeper];
        Ok(Self {
            shared,
            forecast,
            fetcher,
            surveyor,
            wake: Some(wake),
            requests: Some(requests),
            remembered,
            threads,
        })
    }
}

impl Port for AppPort {
    fn view(&self) -> Arc<View> {
        lock(&self.shared.view).clone()
    }

    fn look(&self, interest: Interest) {
        let mut wanted = lock(&self.shared.interest);
        if *wanted != interest {
            if wanted.memory_of != interest.memory_of {
                self.forecast.ask(interest.memory_of.clone());
            }
            if interest.hub && !wanted.hub {
                self.fetcher.look();
            }
            if wanted.rows != interest.rows {
                self.surveyor.ask(interest.rows.clone());
            }
            *wanted = interest;
            if let Some(wake) = &self.wake {
                let _ = wake.try_send(());
            }
        }
    }

    fn ask(&self, request: Request) {
        if let Some(requests) = &self.requests {
            let _ = requests.send(request);
        }
    }

    fn messages(&self) -> Vec<Message> {
        std::mem::take(&mut lock(&self.shared.messages))
    }

    fn remembered(&self) -> State {
        self.remembered.clone()
    }

    fn device_line(&self) -> String {
        lock(&self.shared.device_line).clone()
    }
}

impl Drop for AppPort {
    fn drop(&mut self) {
        self.wake = None;
        self.requests = None;
        self.fetcher.stop();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the screens panicked");
            }
        }
    }
}

/// The reader thread's state.
struct Follower {
    reader: Reader,
    view: View,
    seen: Interest,
    /// Up to which commit the layer norms of all runs are known.
    norms_seen: i64,
    forecast: Told,
    hub: fetcher::Told,
    surveyor: surveyor::Told,
    sampler: Sampler,
    /// The newest of the sampler.
    devices: Arc<Vec<Device>>,
}

impl Follower {
    fn run(mut self, shared: &Shared, woken: &Receiver<()>, store: &StoreHandle) {
        let mut failing = false;
        let mut looked = Instant::now();
        let mut buried = Instant::now();
        loop {
            if buried.elapsed() >= DEAD && self.view.runs.iter().any(|r| r.status.is_live()) {
                buried = Instant::now();
                store.look_for_dead();
            }
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                self.sample(shared);
            }
            if woken.recv_timeout(TICK) == Err(crossbeam::channel::RecvTimeoutError::Disconnected) {
                return;
            }
            let trouble = self.follow(shared).err().map(|e| e.to_string()).or_else(|| store.last_error());
            // Said once, not ten times a second.
            if let Some(text) = &trouble
                && !failing
            {
                lock(&shared.messages).push(Message::error(text.clone()));
            }
            failing = trouble.is_some();
        }
    }

    fn sample(&mut self, shared: &Shared) {
        self.devices = Arc::new(self.sampler.sample());
        *lock(&shared.device_line) = devices::line(&self.devices);
    }

    /// Brings what is new since the last call, for what the screens look at now.
    fn follow(&mut self, shared: &Shared) -> Result<(), StoreError> {
        let interest = lock(&shared.interest).clone();
        let (watermark, runs, removed) = self.reader.changed_since(self.view.watermark)?;
        let looked_elsewhere = interest != self.seen;
        let memory = self.forecast.newest();
        let memory = (!Arc::ptr_eq(&memory, &self.view.memory)).then_some(memory);
        let fresh = interest.devices && !Arc::ptr_eq(&self.devices, &self.view.devices);
        let devices = fresh.then(|| self.devices.clone());
        let hub = interest.hub.then(|| self.hub.newest()).filter(|hub| !Arc::ptr_eq(hub, &self.view.hub));
        let rows = interest.rows.as_ref().and_then(|_| self.surveyor.newest());
        let rows = (rows.as_ref().map(Arc::as_ptr) != self.view.rows.as_ref().map(Arc::as_ptr)).then_some(rows);
        let still = memory.is_none() && devices.is_none() && hub.is_none() && rows.is_none();
        if watermark == self.view.watermark && !looked_elsewhere && still {
            return Ok(());
        }
        let tests = if watermark == self.view.watermark { None } else { Some(self.reader.test_scores()?) };
        let touched = |id: &RunId| runs.iter().any(|r| &r.id == id) || removed.contains(id);
        let open = match &interest.open {
            None if looked_elsewhere => Some(None),
            Some(id) if looked_elsewhere || touched(id) => {
                Some(self.reader.detail(id, interest.norms_step, interest.steps, interest.width.max(1), LOG_LINES)?)
            }
            _ => None,
        };
        let compare = self.compare(&interest, &touched)?;
        let figure1 = if interest.figure1 {
            let (seen, norms) = self.reader.changed_norms(self.norms_seen)?;
            self.norms_seen = seen;
            norms
        } else {
            Vec::new()
        };
        let sizes = (interest.sizes_of != self.seen.sizes_of).then(|| sizes(&interest.sizes_of));
        let disk = (interest.disk_of != self.seen.disk_of).then(|| DiskUse {
            bytes: interest.disk_of.iter().map(|id| self.reader.folder_bytes(id)).sum(),
            of: interest.disk_of.clone(),
        });
        self.view.fold(Delta {
            watermark,
            runs,
            removed,
            tests,
            open,
            compare,
            figure1,
            sizes,
            memory,
            devices,
            disk,
            hub,
            rows,
        });
        self.seen = interest;
        *lock(&shared.view) = Arc::new(self.view.clone());
        Ok(())
    }
}

impl Follower {
    /// The compared runs anew: those that were touched, all of them where the range or the width is another; none where
    /// nothing changed.
    fn compare(
        &self,
        interest: &Interest,
        touched: &dyn Fn(&RunId) -> bool,
    ) -> Result<Option<Vec<Arc<RunDetail>>>, StoreError> {
        let seen = &self.seen;
        let same_view = (interest.steps, interest.width) == (seen.steps, seen.width);
        if same_view && interest.compare == seen.compare && !interest.compare.iter().any(touched) {
            return Ok(None);
        }
        let known = |id: &RunId| {
            let found = self.view.compare.iter().find(|d| &d.summary.id == id);
            found.filter(|_| same_view && !touched(id)).cloned()
        };
        let mut all = Vec::with_capacity(interest.compare.len());
        for id in &interest.compare {
            let read = || self.reader.curves(id, COMPARED, interest.steps, interest.width.max(1));
            all.extend(match known(id) {
                Some(detail) => Some(detail),
                None => read()?.map(Arc::new),
            });
        }
        Ok(Some(all))
    }
}

/// Sizes of the adapters whose model is here and whose rank fits it; the others are told when they are launched.
fn sizes(specs: &[RunSpec]) -> Vec<AdapterSize> {
    let size = |spec: &RunSpec| {
        let (parameters, bytes) = crate::job::adapter_size(spec).ok()?;
        Some(AdapterSize { of: spec.clone(), parameters, bytes })
    };
    specs.iter().filter_map(size).collect()
}
