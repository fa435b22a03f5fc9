//! Queues runs, trains them in this process and reports on stderr until all have ended.

use super::events::Events;
use super::{Globals, code, print_json, runs};
use crate::engine::Engine;
use crate::event::{Level, RunId, Status};
use crate::job;
use crate::record::RunSummary;
use crate::spec::RunSpec;
use crate::store::{Reader, Store, StoreError};
use crate::untrusted::harmless;
use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(100);
/// How often runs are looked for whose process, another one, has died.
const DEAD: Duration = Duration::from_secs(5);

/// How work ended.
pub enum End {
    /// Every run has ended; how, in the order of the runs.
    All(Vec<RunSummary>),
    /// Asked to end: what ran is saved, these runs go on where they stopped.
    Stopped(Vec<RunId>),
    /// What is left waits for a device that is lost.
    Lost,
}

/// Given how the runs stand whenever one has ended: more runs to train.
pub type More<'a> = &'a mut dyn FnMut(&[RunSummary]) -> anyhow::Result<Vec<RunId>>;

/// Checks and queues `specs`, trains them to their end, telling `events` where asked; with `--json` prints them as `runs list`
/// does.
pub fn train(globals: &Globals, specs: &[RunSpec], events: bool) -> anyhow::Result<u8> {
    let store = Store::open(&globals.runs)?;
    let known = if specs.iter().any(|s| !s.init_adapter.is_empty()) { store.reader()?.list()? } else { Vec::new() };
    let specs: Vec<RunSpec> = specs.iter().map(|s| job::started(s, &known)).collect::<Result<_, _>>()?;
    for spec in &specs {
        job::check(spec, store.handle().dir())?;
    }
    let ids = store.handle().create(&specs)?;
    work_and_tell(globals, &store, ids, events)
}

/// Queues the stopped, interrupted or failed `runs` again, all or none, and trains them to their end from their checkpoints, telling
/// `events` where asked.
pub fn resume(globals: &Globals, store: &Store, runs: &[RunSummary], events: bool) -> anyhow::Result<u8> {
    for run in runs {
        if !run.status.is_resumable() {
            let (id, status) = (run.id.clone(), run.status.to_string());
            let expected = "only stopped, interrupted and failed runs go on".into();
            return Err(StoreError::State { id, status, expected }.into());
        }
        let checked = job::check(&run.spec, store.handle().dir());
        checked.with_context(|| format!("run {} ({})", run.id, run.name))?;
    }
    let ids: Vec<RunId> = runs.iter().map(|r| r.id.clone()).collect();
    for id in &ids {
        store.handle().requeue(id)?;
    }
    work_and_tell(globals, store, ids, events)
}

/// Whether a run is queued for a device that is not lost.
fn waits(run: &RunSummary, lost: &[&str]) -> bool {
    run.status == Status::Queued && !lost.contains(&run.spec.device.as_str())
}

/// Trains the queued runs `ids`; with `--json` prints how they ended.
fn work_and_tell(globals: &Globals, store: &Store, ids: Vec<RunId>, events: bool) -> anyhow::Result<u8> {
    let end = work(globals, store, ids.clone(), events.then(Events::default), &mut |_| Ok(Vec::new()))?;
    if globals.json {
        let reader = store.reader()?;
        let ended: Vec<_> = ids.iter().filter_map(|id| reader.summary(id).ok().flatten()).collect();
        print_json(&ended.iter().map(runs::Row::of).collect::<Vec<_>>())?;
    }
    Ok(told(end, store))
}

/// The exit code of work that ended so, with a hint where something can go on.
fn told(end: End, store: &Store) -> u8 {
    match end {
        End::All(runs) if runs.iter().all(|r| r.status == Status::Done) => code::OK,
        End::All(_) | End::Lost => code::FAILED,
        End::Stopped(runs) => {
            let ids: Vec<&str> = runs.iter().map(RunId::as_str).collect();
            let how = match ids.is_empty() {
                true => String::new(),
                false => format!("; `eigenscope runs resume {}` goes on, or r in the terminal program", ids.join(" ")),
            };
            eprintln!("saved in {}{how}", store.handle().dir().display());
            code::STOPPED
        }
    }
}

/// Trains what is queued in the runs folder with plain progress, for when there is no terminal.
pub fn work_queue(globals: &Globals) -> anyhow::Result<u8> {
    let store = Store::open(&globals.runs)?;
    let mut queued: Vec<RunId> =
        store.reader()?.list()?.into_iter().filter(|r| r.status == Status::Queued).map(|r| r.id).collect();
    queued.reverse();
    if queued.is_empty() {
        eprintln!(
            "this is no terminal and no run is queued; see `eigenscope --help` for train, demo --headless and runs list"
        );
        return Ok(code::OK);
    }
    eprintln!("this is no terminal: training {} queued run(s)", queued.len());
    let end = work(globals, &store, queued, None, &mut |_| Ok(Vec::new()))?;
    Ok(told(end, &store))
}

/// Trains the queued runs `ids` of `store` in this process, and what `more` adds to them. SIGINT and SIGTERM stop and save.
pub fn work(
    globals: &Globals,
    store: &Store,
    mut ids: Vec<RunId>,
    mut events: Option<Events>,
    more: More,
) -> anyhow::Result<End> {
    let asked_to_end = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, asked_to_end.clone()).context("cannot listen for signals")?;
    }
    crate::config::start_log(store.handle().dir()).context("cannot write a log in the runs folder")?;
    let mut engine = Engine::start_only(store.handle(), &job::workers(globals.runs_per_gpu), job::execute, &ids)
        .context("cannot start the worker threads")?;
    let reader = store.reader()?;
    let mut progress = Progress::default();
    let (mut ended, mut over) = (HashMap::new(), 0);
    let mut buried = Instant::now();
    loop {
        let summaries = summaries(&reader, &ids, &mut ended)?;
        summaries.iter().for_each(|s| progress.show(s));
        summaries.iter().try_for_each(|s| progress.warn(s, &reader))?;
        if let Some(events) = &mut events {
            summaries.iter().try_for_each(|s| events.show(s, &reader))?;
        }
        if ended.len() > over {
            over = ended.len();
            let fresh = more(&summaries)?;
            if !fresh.is_empty() {
                engine.admit(&fresh);
                ids.extend(fresh);
                continue;
            }
        }
        if ended.len() >= summaries.len() {
            return Ok(End::All(summaries));
        }
        let lost = engine.lost();
        if summaries.iter().all(|s| !s.status.is_live() && !waits(s, &lost)) {
            eprintln!("{} is lost: what is queued for it needs another program", lost.join(", "));
            return Ok(End::Lost);
        }
        if buried.elapsed() >= DEAD {
            buried = Instant::now();
            store.handle().look_for_dead();
        }
        if asked_to_end.load(Ordering::SeqCst) {
            eprintln!("stopping: saving what is running");
            engine.close();
            let last = self::summaries(&reader, &ids, &mut ended)?;
            if let Some(events) = &mut events {
                last.iter().try_for_each(|s| events.show(s, &reader))?;
            }
            let stopped = last.into_iter().filter(|s| s.status == Status::Stopped);
            return Ok(End::Stopped(stopped.map(|s| s.id).collect()));
        }
        std::thread::sleep(TICK);
    }
}

/// How the runs stand, those that were deleted left out; what has `ended` is not asked for again.
fn summaries(
    reader: &Reader,
    ids: &[RunId],
    ended: &mut HashMap<RunId, RunSummary>,
) -> anyhow::Result<Vec<RunSummary>> {
    let mut all = Vec::with_capacity(ids.len());
    for id in ids {
        if let Some(run) = ended.get(id) {
            all.push(run.clone());
        } else if let Some(run) = reader.summary(id).context("cannot read the store")? {
            if !run.status.is_live() && run.status != Status::Queued {
                ended.insert(id.clone(), run.clone());
            }
            all.push(run);
        }
    }
    Ok(all)
}

/// A bar for the run at work on a terminal; a line for each epoch elsewhere.
#[derive(Default)]
struct Progress {
    bar: Option<(RunId, ProgressBar)>,
    said: HashMap<RunId, (Status, u64)>,
    /// Runs whose first warnings were told, and these: the runs of a grid have the same ones.
    begun: HashSet<RunId>,
    warned: HashSet<String>,
}

/// Lines of a run's log among which its first warnings are looked for.
const FIRST_LINES: usize = 50;

impl Progress {
    fn show(&mut self, run: &RunSummary) {
        let epoch = run.epoch as u64;
        let now = (run.status, epoch);
        let before = self.said.insert(run.id.clone(), now);
        if before != Some(now) && run.status != Status::Queued {
            self.say(&line(run), run);
        }
        if run.status == Status::Running
            && run.facts.total_steps > 0
            && std::io::IsTerminal::is_terminal(&std::io::stderr())
        {
            let fresh = self.bar.as_ref().is_none_or(|(id, _)| *id != run.id);
            if fresh {
                let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} steps  {msg}  {eta} left");
                let bar = ProgressBar::new(run.facts.total_steps).with_prefix(run.name.clone());
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                self.bar = Some((run.id.clone(), bar));
            }
            if let Some((_, bar)) = &self.bar {
                bar.set_position(run.step);
                bar.set_message(run.loss.map_or(String::new(), |l| format!("loss {l:.4}")));
            }
        }
    }

    /// Tells what a run that has begun warns of, such as odd rows.
    fn warn(&mut self, run: &RunSummary, reader: &Reader) -> anyhow::Result<()> {
        if run.step == 0 || !self.begun.insert(run.id.clone()) {
            return Ok(());
        }
        let detail = reader.detail(&run.id, None, None, 1, FIRST_LINES).context("cannot read the store")?;
        let lines = detail.into_iter().flat_map(|d| d.log).filter(|line| line.level == Level::Warn);
        for line in lines {
            if self.warned.insert(line.text.clone()) {
                let text = format!("{}: {}", run.name, line.text);
                self.say(&harmless(&text), run);
            }
        }
        Ok(())
    }

    fn say(&mut self, text: &str, run: &RunSummary) {
        match &self.bar {
            Some((id, bar)) if *id == run.id && run.status != Status::Running => {
                bar.finish_and_clear();
                self.bar = None;
                eprintln!("{text}");
            }
            Some((_, bar)) => bar.println(text),
            None => eprintln!("{text}"),
        }
    }
}

fn line(run: &RunSummary) -> String {
    let number = |v: Option<f64>| v.map_or("-".to_string(), |v| format!("{v:.4}"));
    let head = format!("{} {} {}", run.id, run.name, run.status);
    match (&run.cause, run.status) {
        (Some(cause), Status::Failed) => format!("{head}: {cause}"),
        _ => format!(
            "{head}  epoch {}/{}  loss {}  {} {} (best {})  {:.0} s",
            run.epoch as u64,
            run.facts.epochs,
            number(run.loss),
            run.facts.metric,
            number(run.last),
            number(run.best),
            run.seconds
        ),
    }
}
