//! Builds store, engine and screens and joins them; the only place that knows all.

mod desk;
mod port;

use crate::cli::Answer;
use crate::engine::{DEVICES, Engine};
use crate::store::Store;
use crate::ui;
use anyhow::Context;
use std::path::Path;
use std::sync::Arc;

pub use port::AppPort;

/// Parses `args` (the program's name first), runs the command and returns its exit code.
pub fn main(args: impl IntoIterator<Item = std::ffi::OsString>) -> anyhow::Result<u8> {
    match crate::cli::run(args)? {
        Answer::Code(code) => Ok(code),
        Answer::Terminal { runs } => terminal(&runs),
    }
}

/// The terminal program on a runs folder.
fn terminal(runs: &Path) -> anyhow::Result<u8> {
    let store = Store::open(runs)?;
    let engine = Arc::new(Engine::start(store.handle(), DEVICES).context("cannot start the worker threads")?);
    let port = AppPort::start(&store, engine.clone(), runs)?;
    let exit = ui::run(&port, ui::Choices::new(), &ui::Options::from_environment());
    drop(port);
    if !engine.active().is_empty() {
        eprintln!("saving {} active run(s); they resume with r in the table of runs", engine.active().len());
    }
    drop(engine);
    exit?;
    Ok(0)
}
