//! The queue and who owns which run: all changes of a run that its worker does not make itself.

use super::{StoreError, now, schema, write};
use crate::event::{Control, RunId, Status};
use crate::record::Label;
use crate::spec::RunSpec;
use rusqlite::{OptionalExtension, Transaction, params};
use std::fs::{File, TryLockError};
use std::path::Path;

/// A run that this process now owns. The lock file stays locked while the claim lives: a run whose lock can be taken has no owner.
#[derive(Debug)]
pub struct Claim {
    pub id: RunId,
    pub spec: RunSpec,
    /// It ran before: go on from its checkpoint.
    pub resume: bool,
    _lock: File,
}

/// Lock file in a run's folder.
const LOCK: &str = "lock";

/// Exclusive lock of a run, or none where another process holds it.
fn lock(dir: &Path, id: &str) -> Result<Option<File>, StoreError> {
    let folder = dir.join(id);
    let io = |source| StoreError::Folder { path: folder.clone(), source };
    std::fs::create_dir_all(&folder).map_err(io)?;
    let file = File::options().create(true).truncate(false).write(true).open(folder.join(LOCK)).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

/// Runs said to be live whose owner is gone become interrupted.
pub(super) fn mark_interrupted(transaction: &Transaction, dir: &Path) -> Result<(), StoreError> {
    let live: Vec<(i64, String)> = transaction
        .prepare("SELECT seq, id FROM runs WHERE status IN ('running', 'paused')")?
        .query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (run, id) in live {
        if lock(dir, &id)?.is_some() {
            transaction.execute(
                "UPDATE runs SET status = 'interrupted', request = NULL, cause = ?2, ended = ?3 WHERE seq = ?1",
                params![run, "its process ended without a word", now()],
            )?;
            write::touch(transaction, run)?;
        }
    }
    Ok(())
}

pub(super) fn create(t: &Transaction, spec: &RunSpec) -> Result<RunId, StoreError> {
    let json = serde_json::to_string(spec).map_err(|e| StoreError::Write(e.to_string()))?;
    let version = schema::next_version(t)?;
    t.prepare_cached(
        "INSERT INTO runs (id, name, status, device, spec, created, version) VALUES ('new', ?1, 'queued', ?2, ?3, ?4, ?5)",
    )?
    .execute(params![spec.display_name(), spec.device, json, now(), version])?;
    let seq = t.last_insert_rowid();
    let id = format!("r{seq:04}");
    t.prepare_cached("UPDATE runs SET id = ?2, position = ?1 WHERE seq = ?1")?.execute(params![seq, id])?;
    Ok(RunId(id))
}

pub(super) fn claim(
    t: &Transaction,
    dir: &Path,
    device: &str,
    only: Option<&[RunId]>,
) -> Result<Option<Claim>, StoreError> {
    let mut query = t.prepare_cached(
        "SELECT seq, id, spec, started IS NOT NULL FROM runs WHERE status = 'queued' AND device = ?1
         ORDER BY position, seq",
    )?;
    let queued: Vec<(i64, String, String, bool)> =
        query.query_map([device], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))?.collect::<Result<_, _>>()?;
    for (run, id, json, resume) in queued {
        if only.is_some_and(|ids| !ids.iter().any(|i| i.as_str() == id)) {
            continue;
        }
        let Some(lock) = lock(dir, &id)? else { continue };
        let spec = serde_json::from_str(&json)
            .map_err(|e| StoreError::Damaged { id: id.clone(), what: format!("spec: {e}") })?;
        t.execute("UPDATE runs SET status = 'running', request = NULL, cause = NULL WHERE seq = ?1", [run])?;
        write::touch(t, run)?;
        return Ok(Some(Claim { id: RunId(id), spec, resume, _lock: lock }));
    }
    Ok(None)
}

/// Number and status of a run.
pub(super) fn find(t: &Transaction, id: &RunId) -> Result<(i64, Status), StoreError> {
    let row: Option<(i64, String)> = t
        .prepare_cached("SELECT seq, status FROM runs WHERE id = ?1")?
        .query_row([id.as_str()], |r| Ok((r.get(0)?, r.get(1)?)))
        .optional()?;
    let (run, status) =
        row.ok_or_else(|| StoreError::NoRun { found: id.0.clone(), hint: "it may have been deleted".into() })?;
    let known = Status::parse(&status);
    known.map(|s| (run, s)).ok_or_else(|| StoreError::Damaged { id: id.0.clone(), what: format!("status {status:?}") })
}

fn wrong_state<T>(id: &RunId, status: Status, expected: &str) -> Result<T, StoreError> {
    Err(StoreError::State { id: id.clone(), status: status.to_string(), expected: expected.into() })
}

pub(super) fn requeue(t: &Transaction, id: &RunId) -> Result<(), StoreError> {
    let (run, status) = find(t, id)?;
    if !status.is_resumable() {
        return wrong_state(id, status, "only stopped, interrupted and failed runs go on");
    }
    t.execute(
        "UPDATE runs SET status = 'queued', request = NULL, cause = NULL, ended = NULL, archived = 0 WHERE seq = ?1",
        [run],
    )?;
    write::touch(t, run)
}

/// Moves a queued run by so many places, up where negative, and says which place of how many it then has, counted from 1.
pub(super) fn shift(t: &Transaction, id: &RunId, places: i64) -> Result<(usize, usize), StoreError> {
    let (run, status) = find(t, id)?;
    let queue: Vec<(i64, i64)> = t
        .prepare_cached("SELECT seq, position FROM runs WHERE status = 'queued' ORDER BY position, seq")?
        .query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let Some(from) = queue.iter().position(|(seq, _)| *seq == run) else {
        return wrong_state(id, status, "only queued runs have a place in the queue");
    };
    let to = (from as i64 + places).clamp(0, queue.len() as i64 - 1) as usize;
    let mut order: Vec<i64> = queue.iter().map(|(seq, _)| *seq).collect();
    let moved = order.remove(from);
    order.insert(to, moved);
    // The places stay the same numbers; the runs between change theirs.
    for (seq, (before, position)) in order.into_iter().zip(&queue) {
        if seq != *before {
            t.prepare_cached("UPDATE runs SET position = ?2 WHERE seq = ?1")?.execute([seq, *position])?;
            write::touch(t, seq)?;
        }
    }
    Ok((to + 1, queue.len()))
}

pub(super) fn ask(t: &Transaction, id: &RunId, control: Control) -> Result<(), StoreError> {
    let (run, status) = find(t, id)?;
    let ends = matches!(control, Control::Stop | Control::Cancel);
    if status == Status::Queued && ends {
        let ended = if control == Control::Stop { Status::Stopped } else { Status::Cancelled };
        t.execute("UPDATE runs SET status = ?2, ended = ?3 WHERE seq = ?1", params![run, ended.as_str(), now()])?;
    } else if status.is_live() {
        t.execute("UPDATE runs SET request = ?2 WHERE seq = ?1", params![run, control_name(control)])?;
    } else {
        return wrong_state(id, status, "only queued and running runs can be asked");
    }
    write::touch(t, run)
}

fn control_name(control: Control) -> &'static str {
    match control {
        Control::Stop => "stop",
        Control::Pause => "pause",
        Control::Resume => "resume",
        Control::Cancel => "cancel",
    }
}

pub(super) fn take_request(t: &Transaction, id: &RunId) -> Result<Option<Control>, StoreError> {
    let asked: Option<Option<String>> = t
        .prepare_cached("SELECT request FROM runs WHERE id = ?1")?
        .query_row([id.as_str()], |r| r.get(0))
        .optional()?;
    let Some(name) = asked.flatten() else { return Ok(None) };
    t.execute("UPDATE runs SET request = NULL WHERE id = ?1", [id.as_str()])?;
    let all = [Control::Stop, Control::Pause, Control::Resume, Control::Cancel];
    Ok(all.into_iter().find(|c| control_name(*c) == name))
}

/// Changes what is said of a run; one that is queued or under way cannot be put away.
pub(super) fn label(t: &Transaction, id: &RunId, label: &Label) -> Result<(), StoreError> {
    let (run, status) = find(t, id)?;
    match label {
        Label::Name(name) => drop(t.execute("UPDATE runs SET name = ?2 WHERE seq = ?1", params![run, name])?),
        Label::Note(note) => drop(t.execute("UPDATE runs SET note = ?2 WHERE seq = ?1", params![run, note])?),
        Label::Tags { add, remove } => {
            let mut without = t.prepare_cached("DELETE FROM tags WHERE run = ?1 AND tag = ?2")?;
            remove.iter().try_for_each(|tag| without.execute(params![run, tag]).map(drop))?;
            let mut with = t.prepare_cached("INSERT OR IGNORE INTO tags (run, tag) VALUES (?1, ?2)")?;
            add.iter().try_for_each(|tag| with.execute(params![run, tag]).map(drop))?;
        }
        Label::Archived(true) if status.is_live() || status == Status::Queued => {
            return wrong_state(id, status, "only runs that have ended can be archived");
        }
        Label::Archived(archived) => {
            t.execute("UPDATE runs SET archived = ?2 WHERE seq = ?1", params![run, archived])?;
        }
    }
    write::touch(t, run)
}

/// Removes a run and its folder; gives the bytes of the folder's files.
pub(super) fn delete(t: &Transaction, dir: &Path, id: &RunId) -> Result<u64, StoreError> {
    let (run, status) = find(t, id)?;
    if status.is_live() {
        return wrong_state(id, status, "stop it before deleting it");
    }
    t.execute("DELETE FROM runs WHERE seq = ?1", [run])?;
    let version = schema::next_version(t)?;
    t.execute("INSERT INTO removed (id, version) VALUES (?1, ?2)", params![id.as_str(), version])?;
    let folder = dir.join(id.as_str());
    let bytes = folder_bytes(&folder);
    match std::fs::remove_dir_all(&folder) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::Folder { path: folder, source })
        }
        _ => Ok(bytes),
    }
}

/// Bytes of the files in a run's folder; 0 where there is none.
pub(super) fn folder_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(of) if of.is_dir() => folder_bytes(&entry.path()),
        Ok(of) => of.len(),
        Err(_) => 0,
    };
    entries.map(bytes).sum()
}
