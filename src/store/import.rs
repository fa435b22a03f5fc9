//! A run that was trained elsewhere: kept as done, with what is known of it.

use super::{StoreError, now, pyramid, queue, write};
use crate::event::{Level, RunEvent, RunId};
use crate::record::{Imported, Label};
use rusqlite::{OptionalExtension, Transaction, params};
use std::path::{Path, PathBuf};

/// Keeps the run and moves its adapter to the run's folder under the name that is given with it.
pub(super) fn keep(
    t: &Transaction,
    dir: &Path,
    run: &Imported,
    adapter: Option<(PathBuf, &str)>,
    again: bool,
) -> Result<RunId, StoreError> {
    if let Some(id) = before(t, run)?.filter(|_| !again) {
        return Err(StoreError::Again { name: run.spec.display_name(), id });
    }
    // Nobody claims it: in other eyes it was never queued.
    let id = queue::create(t, &run.spec)?;
    let (seq, _) = queue::find(t, &id)?;
    let facts = serde_json::to_string(&run.facts).map_err(|e| StoreError::Write(e.to_string()))?;
    let (started, ended) = run.time.unwrap_or_else(|| (now(), now()));
    t.execute(
        "UPDATE runs SET status = 'done', facts = ?2, started = ?3, ended = ?4 WHERE seq = ?1",
        params![seq, facts, started, ended],
    )?;
    for label in [Label::Tags { add: run.tags.clone(), remove: Vec::new() }, Label::Note(run.note.clone())] {
        queue::label(t, &id, &label.checked()?)?;
    }
    points(t, seq, run)?;
    run.norms.iter().try_for_each(|(step, rows)| write::norms(t, seq, *step, rows))?;
    run.evaluations.iter().try_for_each(|e| write::evaluation(t, seq, e))?;
    run.device.iter().try_for_each(|(step, seconds, figures)| write::device(t, seq, *step, *seconds, figures))?;
    let said = run.log.iter().map(|text| RunEvent::Log { level: Level::Info, text: text.clone() });
    said.chain(adapter.map(|a| moved(dir, &id, a)).transpose()?).try_for_each(|event| write::apply(t, &id, &event))?;
    write::touch(t, seq)?;
    Ok(id)
}

/// Writes the points and how far the run came.
fn points(t: &Transaction, seq: i64, run: &Imported) -> Result<(), StoreError> {
    run.points.iter().try_for_each(|p| write::bare_point(t, seq, p))?;
    pyramid::rebuild(t, seq)?;
    let last = run.points.last();
    let evaluated = run.evaluations.last().map_or((0, 0.0), |e| (e.step, e.epoch));
    let (step, epoch) = last.map_or(evaluated, |p| (p.step.max(evaluated.0), p.epoch.max(evaluated.1)));
    t.execute(
        "UPDATE runs SET step = ?2, epoch = ?3, seconds = ?4, loss = ?5 WHERE seq = ?1",
        params![seq, step as i64, epoch, last.map_or(0.0, |p| p.seconds), last.map(|p| p.loss)],
    )?;
    Ok(())
}

/// The run that the same was kept as.
fn before(t: &Transaction, run: &Imported) -> Result<Option<RunId>, StoreError> {
    let Some(origin) = run.facts.environment.get(Imported::ORIGIN) else { return Ok(None) };
    let path = format!("$.environment.{}", Imported::ORIGIN);
    let mut query = t.prepare("SELECT id FROM runs WHERE facts ->> ?1 = ?2 ORDER BY seq DESC LIMIT 1")?;
    Ok(query.query_row([&path, origin], |r| Ok(RunId(r.get(0)?))).optional()?)
}

fn moved(dir: &Path, id: &RunId, (from, to): (PathBuf, &str)) -> Result<RunEvent, StoreError> {
    let folder = dir.join(id.as_str());
    let io = |source| StoreError::Folder { path: folder.clone(), source };
    std::fs::create_dir_all(&folder).map_err(io)?;
    let bytes = std::fs::metadata(&from).map_err(io)?.len();
    std::fs::rename(from, folder.join(to)).map_err(io)?;
    Ok(RunEvent::Artifact { kind: "adapter".into(), path: to.into(), bytes })
}
