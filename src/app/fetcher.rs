//! What the screens want from the hub, fetched one after the other on a thread of its own, and what the cache holds.

use super::port::lock;
use crate::cache::{self, Cache, DATA_PREFIX, Kind};
use crate::cli::explain;
use crate::hub::{self, Cached, Fetched, Hub, HubError, Progress, Settings, Wanted};
use crate::task::HubLayout;
use crate::view::{About, Arriving, FetchState, HubFetch, HubItem, HubView, Message, file_size};
use anyhow::Context;
use crossbeam::channel::{Receiver, Sender, unbounded};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How often it is told how far a file is.
const TELL: Duration = Duration::from_millis(100);
/// Ended ones that are remembered.
const KEPT: usize = 12;

/// The newest of what there is to show.
#[derive(Clone, Default)]
pub(super) struct Told(Arc<Mutex<Arc<HubView>>>);

impl Told {
    pub fn newest(&self) -> Arc<HubView> {
        lock(&self.0).clone()
    }

    fn change(&self, change: impl FnOnce(&mut HubView)) {
        change(Arc::make_mut(&mut lock(&self.0)));
    }

    fn set(&self, label: &str, state: FetchState) {
        self.change(|view| {
            let found = view.fetches.iter_mut().rev().find(|f| f.label == label);
            found.into_iter().for_each(|f| f.state = state.clone());
        });
    }
}

enum Order {
    Look,
    Fetch(Wanted, String, String),
}

/// The way to the thread. It is not waited for at the end, but what it fetches is stopped and kept.
#[derive(Clone)]
pub(super) struct Fetcher {
    orders: Sender<Order>,
    told: Told,
    current: Arc<Mutex<Option<Hub>>>,
}

impl Fetcher {
    pub fn start(say: impl Fn(Message) + Send + 'static) -> anyhow::Result<Self> {
        let connect = || Hub::new(Settings::from_environment(), Cache::from_environment());
        Self::start_with(connect, Cache::from_environment(), say)
    }

    /// The same with another hub and cache than the environment's.
    fn start_with(
        connect: impl Fn() -> Hub + Send + 'static,
        cache: Cache,
        say: impl Fn(Message) + Send + 'static,
    ) -> anyhow::Result<Self> {
        let (orders, asked) = unbounded();
        let fetcher = Self { orders, told: Told::default(), current: Arc::default() };
        let (told, current) = (fetcher.told.clone(), fetcher.current.clone());
        let work = move || Work { told, current, cache }.run(&asked, &connect, &say);
        std::thread::Builder::new().name("fetcher".into()).spawn(work).context("cannot start the fetcher thread")?;
        Ok(fetcher)
    }

    pub fn told(&self) -> Told {
        self.told.clone()
    }

    /// Looks anew at what the cache holds.
    pub fn look(&self) {
        let _ = self.orders.send(Order::Look);
    }

    /// Fetches what `text` names; what there is to say at once.
    pub fn ask(&self, text: &str) -> Result<String, HubError> {
        let (wanted, revision) = Wanted::parse(text)?;
        let label = wanted.label_at(&revision);
        let mut known = false;
        self.told.change(|view| {
            known = view.fetches.iter().any(|f| f.label == label && !f.state.has_ended());
            if !known {
                view.fetches.retain(|f| f.label != label);
                view.fetches.push(HubFetch { label: label.clone(), state: FetchState::Waiting });
                let ended = view.fetches.iter().filter(|f| f.state.has_ended()).count();
                for _ in KEPT..ended {
                    let oldest = view.fetches.iter().position(|f| f.state.has_ended());
                    oldest.into_iter().for_each(|i| drop(view.fetches.remove(i)));
                }
            }
        });
        if known {
            return Ok(format!("{label} is being fetched already"));
        }
        let _ = self.orders.send(Order::Fetch(wanted, revision, label.clone()));
        Ok(format!("{label} is being fetched; x on the screen of the hub (8) stops it"))
    }

    /// Stops what is fetched and what waits for it.
    pub fn stop(&self) -> bool {
        let mut any = false;
        self.told.change(|view| {
            for fetch in view.fetches.iter_mut().filter(|f| !f.state.has_ended()) {
                any = true;
                if fetch.state == FetchState::Waiting {
                    fetch.state = FetchState::Stopped;
                }
            }
        });
        if let Some(hub) = &*lock(&self.current) {
            hub.stop();
        }
        any
    }
}

struct Work {
    told: Told,
    current: Arc<Mutex<Option<Hub>>>,
    cache: Cache,
}

impl Work {
    fn run(&self, asked: &Receiver<Order>, connect: &dyn Fn() -> Hub, say: &dyn Fn(Message)) {
        for order in asked {
            let hub = connect();
            self.told.change(|view| view.hub = hub.describe());
            if let Order::Fetch(wanted, revision, label) = order {
                *lock(&self.current) = Some(hub.clone());
                let waits = self.told.newest().fetches.iter().any(|f| f.label == label && !f.state.has_ended());
                if waits {
                    let (state, message) = self.fetch(&hub, &wanted, &revision, &label);
                    self.told.set(&label, state);
                    say(Message { about: About::Fetch, ..message });
                }
                *lock(&self.current) = None;
            }
            let items = hub::list(&self.cache).iter().map(item).collect();
            self.told.change(|view| {
                view.cache = self.cache.root().display().to_string();
                view.items = items;
            });
        }
    }

    fn fetch(&self, hub: &Hub, wanted: &Wanted, revision: &str, label: &str) -> (FetchState, Message) {
        let mut pace = Pace::default();
        let result = hub.fetch(wanted, revision, &mut |progress| {
            if let Some(arriving) = pace.step(progress) {
                self.told.set(label, FetchState::Running(arriving));
            }
        });
        match result {
            Ok(fetched) => {
                let text = done(&fetched);
                (FetchState::Done(text.clone()), Message::notice(format!("{label}: {text}")))
            }
            Err(HubError::Stopped) => (FetchState::Stopped, Message::notice(format!("{label}: {}", HubError::Stopped))),
            Err(error) => {
                let text = explain(&error.into());
                (FetchState::Failed(text.clone()), Message::error(format!("{label}: {text}")))
            }
        }
    }
}

/// How fast a file comes, told now and then.
#[derive(Default)]
struct Pace {
    file: Option<String>,
    told: Option<Instant>,
    note: Option<String>,
    /// When and with how many bytes the measuring began.
    since: Option<(Instant, u64)>,
}

impl Pace {
    fn step(&mut self, p: &Progress) -> Option<Arriving> {
        let now = Instant::now();
        if self.file.as_ref() != Some(&p.file) {
            (self.file, self.since) = (Some(p.file.clone()), None);
        } else if self.note == p.note && self.told.is_some_and(|t| now - t < TELL) && p.size != Some(p.done) {
            return None;
        }
        self.note.clone_from(&p.note);
        self.told = Some(now);
        let (start, before) = *self.since.get_or_insert((now, p.done));
        let seconds = (now - start).as_secs_f64();
        let rate = (seconds > 0.5).then(|| p.done.saturating_sub(before) as f64 / seconds);
        let (file, note) = (p.file.clone(), p.note.clone());
        Some(Arriving { file, index: p.index, files: p.files, done: p.done, size: p.size, rate, note })
    }
}

fn done(fetched: &Fetched) -> String {
    let bytes = fetched.files.iter().map(|f| f.bytes).sum();
    let came = match fetched.downloaded() {
        0 => "all of it was here".to_string(),
        n if n == bytes => "fetched".to_string(),
        n => format!("{} fetched now", file_size(n)),
    };
    format!("{} at {}, {came}", file_size(bytes), &fetched.commit[..12])
}

fn item(cached: &Cached) -> HubItem {
    let is_data = cached.kind == Kind::Dataset;
    let field = match cached.kind {
        Kind::Model => Some(("model", cached.name())),
        Kind::Dataset if cached.id == HubLayout::ID => Some(("data", format!("{DATA_PREFIX}{}", cached.name()))),
        Kind::Dataset => None,
    };
    let mut parts: Vec<(String, u64)> = Vec::new();
    for (name, bytes) in &cached.files {
        let part = name.split_once('/').filter(|_| is_data).map_or(name.as_str(), |(folder, _)| folder);
        match parts.last_mut() {
            Some((last, sum)) if last == part => *sum += bytes,
            _ => parts.push((part.into(), *bytes)),
        }
    }
    // A commit that has no name is shown as short as everywhere.
    let short = if cached.revision == cached.commit { &cached.commit[..12] } else { &cached.revision };
    let name = cache::join(&cached.id, short);
    HubItem { is_data, name, commit: cached.commit.clone(), field, parts }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(fetcher: &Fetcher, what: impl Fn(&HubView) -> bool) -> Arc<HubView> {
        let start = Instant::now();
        loop {
            let view = fetcher.told().newest();
            if what(&view) {
                return view;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "{view:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A hub that takes connections and says nothing.
    fn silent(folder: &std::path::Path) -> (Fetcher, Arc<Mutex<Vec<Message>>>, std::net::TcpListener) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let cache = Cache::at(folder.join("hub"));
        let (of_hub, messages) = (cache.clone(), Arc::<Mutex<Vec<Message>>>::default());
        let hub = move || Hub::new(Settings { endpoint: endpoint.clone(), ..Settings::default() }, of_hub.clone());
        let said = messages.clone();
        let fetcher = Fetcher::start_with(hub, cache, move |m| lock(&said).push(m)).expect("a thread");
        (fetcher, messages, listener)
    }

    #[test]
    fn what_is_asked_twice_is_fetched_once_and_all_of_it_stops() {
        let folder = tempfile::tempdir().expect("a folder");
        let (fetcher, messages, _listener) = silent(folder.path());
        assert!(fetcher.ask("roberta-base").expect("a name").contains("is being fetched;"));
        assert!(fetcher.ask("glue cola").expect("a task").contains("is being fetched;"));
        assert!(fetcher.ask("roberta-base").expect("a name").contains("already"));
        assert!(fetcher.ask("../x").is_err());
        wait(&fetcher, |v| matches!(v.fetches[0].state, FetchState::Running(_)));
        assert!(fetcher.stop());
        let view = wait(&fetcher, |v| v.fetches.iter().all(|f| f.state == FetchState::Stopped));
        let labels: Vec<&str> = view.fetches.iter().map(|f| f.label.as_str()).collect();
        assert_eq!(labels, ["roberta-base", "glue cola"]);
        wait(&fetcher, |v| !v.cache.is_empty());
        assert!(lock(&messages).iter().any(|m| m.text.contains("stopped")));
        assert!(!fetcher.stop(), "nothing is left to stop");
    }

    #[test]
    fn the_cache_is_listed_with_what_takes_each() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = |repo: &str, file: &str| {
            let snapshot = folder.path().join("hub").join(repo).join("snapshots").join("a".repeat(40));
            let path = snapshot.join(file);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, "12345").expect("a file");
        };
        for file in ["config.json", "tokenizer.json", "model.safetensors"] {
            place("models--org--tiny", file);
        }
        place("models--org--half", "config.json");
        place("datasets--nyu-mll--glue", "cola/train-00000-of-00001.parquet");
        place("datasets--nyu-mll--glue", "cola/validation-00000-of-00001.parquet");
        let (fetcher, ..) = silent(folder.path());
        fetcher.look();
        let view = wait(&fetcher, |v| !v.items.is_empty());
        // No name of the commit is here: it is found by itself.
        let commit = "a".repeat(40);
        assert_eq!(view.items[0].field, Some(("model", format!("org/tiny@{commit}"))));
        assert_eq!(view.items[0].name, "org/tiny@aaaaaaaaaaaa");
        assert_eq!(view.items[1].field, Some(("data", format!("hub:nyu-mll/glue@{commit}"))));
        assert_eq!(view.items[1].parts, [("cola".to_string(), 10)]);
    }
}
