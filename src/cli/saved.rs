//! A saved adapter as the command line names it: a run by id or name, or a file.

use super::Globals;
use crate::job::Saved;
use crate::record::RunSummary;
use crate::store::{DATABASE, Reader};
use std::path::Path;

pub struct Named {
    pub saved: Saved,
    /// The run that it belongs to, where it was named.
    pub run: Option<RunSummary>,
}

/// An existing file, else a run. `model` and `task` stand in for what a file names.
pub fn saved_of(text: &str, globals: &Globals, model: Option<&str>, task: Option<&str>) -> anyhow::Result<Named> {
    let path = Path::new(text);
    if path.is_file() {
        return Ok(Named { saved: Saved::open(path, model, task)?, run: None });
    }
    if path.components().count() > 1 || !globals.runs.join(DATABASE).exists() {
        anyhow::bail!("{text}: no such file, and no such run in {}", globals.runs.display());
    }
    let run = Reader::open(&globals.runs)?.find(text)?;
    let mut spec = run.spec.clone();
    if let Some(model) = model {
        spec.model = model.into();
    }
    let saved = Saved::of_run(&spec, &globals.runs.join(run.id.as_str()))?;
    Ok(Named { saved, run: Some(run) })
}
