//! Builds store, engine and screens and joins them; the only place that knows all.

mod analyst;
mod desk;
mod devices;
mod fetcher;
mod forecast;
mod port;
mod surveyor;
mod sweeper;

use crate::cli::{Answer, Globals};
use crate::config;
use crate::engine::Engine;
use crate::store::Store;
use crate::train::host;
use crate::ui::{self, Choices, Colours, Settings, Ui};
use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGTERM};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

pub use port::AppPort;

/// Parses `args` (the program's name first), runs the command and returns its exit code.
pub fn main(args: impl IntoIterator<Item = std::ffi::OsString>) -> anyhow::Result<u8> {
    match crate::cli::run(args)? {
        Answer::Code(code) => Ok(code),
        Answer::Terminal(globals) => terminal(&globals),
        Answer::MeasureScreens { runs, points, json } => {
            crate::cli::print_members(&measure_screens(runs, points)?, json)?;
            Ok(crate::cli::code::OK)
        }
    }
}

/// The terminal program on a runs folder; where there is no terminal, plain progress of what is queued.
fn terminal(globals: &Globals) -> anyhow::Result<u8> {
    if !ui::is_terminal() {
        return crate::cli::work_queue(globals);
    }
    let runs = globals.runs.as_path();
    let store = Store::open(runs)?;
    config::start_log(runs).with_context(|| format!("cannot write a log in {}", runs.display()))?;
    let workers = crate::job::workers(globals.runs_per_gpu);
    let engine = Arc::new(
        Engine::start(store.handle(), &workers, crate::job::execute).context("cannot start the worker threads")?,
    );
    let port = AppPort::start_remembering(&store, engine.clone(), runs, config::state_file())?;
    // A closed terminal or a polite kill saves what runs, as quitting does.
    let asked_to_end = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGTERM] {
        signal_hook::flag::register(signal, asked_to_end.clone()).context("cannot listen for signals")?;
    }
    let (settings, problems) = Settings::of(&config::SettingsFile::read(&config::settings_path()));
    let screens = Ui::new(&port, &choices(crate::job::devices()), Colours::from_environment());
    let ended = ui::run(screens.set(settings, &problems), &asked_to_end);
    drop(port);
    let active = engine.active();
    if !active.is_empty() {
        // The terminal may be gone, and then so is stderr.
        let _ =
            writeln!(std::io::stderr(), "saving {} active run(s); r in the table of runs resumes them", active.len());
    }
    drop(engine);
    ended?;
    Ok(0)
}

fn choices(devices: Vec<String>) -> Choices {
    let methods = crate::adapter::ALL.iter().map(|m| m.id()).collect();
    Choices { tasks: crate::task::ids(), methods, devices }
}

/// Times of the screens on generated runs, without training anything.
fn measure_screens(runs: u64, points: u64) -> anyhow::Result<serde_json::Value> {
    let folder = std::env::temp_dir().join(format!("eigenscope-bench-{}", std::process::id()));
    let result = measure_screens_in(&folder, runs, points);
    std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    result
}

fn measure_screens_in(folder: &Path, runs: u64, points: u64) -> anyhow::Result<serde_json::Value> {
    eprintln!("generating {runs} runs of {points} points in {}", folder.display());
    Store::open(folder)?.bulk_seed(runs, points)?;
    let start = Instant::now();
    let store = Store::open(folder)?;
    let engine = Arc::new(Engine::start(store.handle(), &[], crate::job::execute).context("cannot start the engine")?);
    let port = AppPort::start(&store, engine, folder)?;
    let mut timings = ui::measure(&port, &choices(crate::job::devices()), start)?;
    timings.keys.sort();
    let p95 = timings.keys[timings.keys.len() * 95 / 100];
    // What the last keys asked for is still being read.
    std::thread::sleep(Duration::from_secs(1));
    let ms = |d: Duration| (d.as_secs_f64() * 1e5).round() / 1e2;
    Ok(serde_json::json!({
        "runs": runs, "points": points, "first_frame_ms": ms(timings.first_frame), "key_p95_ms": ms(p95),
        "idle_cpu": idle_share(Duration::from_secs(2)),
    }))
}

/// Share of one core that this process uses while nothing happens; null where the system does not tell.
fn idle_share(span: Duration) -> Option<f64> {
    let before = host::processor_seconds()?;
    std::thread::sleep(span);
    Some((host::processor_seconds()? - before) / span.as_secs_f64())
}
