//! A run that was trained elsewhere: kept as done, with one record of its norms and without a point.

use super::{StoreError, now, queue, write};
use crate::event::{Level, RunEvent, RunId};
use crate::record::{Imported, Label};
use rusqlite::{Transaction, params};
use std::path::Path;

/// Keeps the run and moves its adapter, the file `adapter`, to the run's folder under the name `to`.
pub(super) fn keep(t: &Transaction, dir: &Path, run: &Imported, adapter: &Path, to: &str) -> Result<RunId, StoreError> {
    // Nobody claims it: in other eyes it was never queued.
    let id = queue::create(t, &run.spec)?;
    let (seq, _) = queue::find(t, &id)?;
    let facts = serde_json::to_string(&run.facts).map_err(|e| StoreError::Write(e.to_string()))?;
    let time = now();
    t.execute(
        "UPDATE runs SET status = 'done', facts = ?2, started = ?3, ended = ?3 WHERE seq = ?1",
        params![seq, facts, time],
    )?;
    for label in [Label::Tags { add: run.tags.clone(), remove: Vec::new() }, Label::Note(run.note.clone())] {
        queue::label(t, &id, &label.checked()?)?;
    }
    write::norms(t, seq, 0, &run.norms)?;
    if let Some(evaluation) = &run.evaluation {
        write::evaluation(t, seq, evaluation)?;
    }
    let folder = dir.join(id.as_str());
    let io = |source| StoreError::Folder { path: folder.clone(), source };
    std::fs::create_dir_all(&folder).map_err(io)?;
    let bytes = std::fs::metadata(adapter).map_err(io)?.len();
    std::fs::rename(adapter, folder.join(to)).map_err(io)?;
    let kept = RunEvent::Artifact { kind: "adapter".into(), path: to.into(), bytes };
    let said = run.log.iter().map(|text| RunEvent::Log { level: Level::Info, text: text.clone() });
    said.chain([kept]).try_for_each(|event| write::apply(t, &id, &event))?;
    write::touch(t, seq)?;
    Ok(id)
}
