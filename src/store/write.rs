//! The writer thread: commits events in groups, keeps summaries and pyramids in the same transaction, then publishes the
//! watermark. What cannot be written now is kept and tried again.

use super::{Shared, StoreError, now, pyramid, queue, schema};
use crate::event::{DeviceFigures, Evaluation, LayerNorm, Point, RunEvent, RunFacts, RunId, Status};
use crossbeam::channel::{Receiver, Sender};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Most events of one commit.
const GROUP: usize = 2_048;
const RETRY: Duration = Duration::from_millis(500);
/// Attempts for what is left when the store closes.
const LAST_TRIES: usize = 5;

/// Runs inside a transaction of its own; false rolls it back.
type Job = Box<dyn FnOnce(&Transaction) -> bool + Send>;

pub(super) enum Message {
    Event(RunId, RunEvent),
    /// The job and where its commit is reported.
    Call(Job, Sender<Result<(), String>>),
    /// Give the pages of what was deleted back to the disk.
    GiveBack,
    /// Mark runs whose process has died.
    LookForDead,
    Close,
}

pub(super) struct Writer {
    pub connection: Connection,
    pub shared: Arc<Shared>,
}

impl Writer {
    pub fn run(mut self, receiver: &Receiver<Message>) {
        while let Ok(first) = receiver.recv() {
            let mut group = Vec::new();
            let mut next = Some(first);
            let mut call = None;
            while let Some(message) = next.take() {
                match message {
                    Message::Event(id, event) => group.push((id, event)),
                    other => {
                        call = Some(other);
                        break;
                    }
                }
                next = if group.len() < GROUP { receiver.try_recv().ok() } else { None };
            }
            let closing = matches!(call, Some(Message::Close));
            self.commit_events(&group, closing);
            match call {
                Some(Message::Call(job, done)) => {
                    let _ = done.send(self.commit(job).map_err(|e| e.to_string()));
                }
                Some(Message::GiveBack) => {
                    if let Err(error) = schema::give_back(&self.connection) {
                        tracing::warn!("cannot give free pages back to the disk: {error}");
                    }
                }
                Some(Message::LookForDead) => {
                    let dir = self.shared.dir.clone();
                    let mut found = Ok(());
                    let committed = self.commit(|t| {
                        found = queue::mark_interrupted(t, &dir);
                        found.is_ok()
                    });
                    if let Err(error) = found.and(committed) {
                        tracing::warn!("cannot look for runs whose process has died: {error}");
                    }
                }
                Some(Message::Close) => return,
                _ => {}
            }
        }
    }

    /// Commits a group, trying again until it works; at closing only a few times.
    fn commit_events(&mut self, group: &[(RunId, RunEvent)], closing: bool) {
        if group.is_empty() {
            return;
        }
        let mut tries = 0;
        loop {
            let mut failure = None;
            let result = self.commit(|t| {
                let outcome = group.iter().try_for_each(|(id, event)| apply(t, id, event));
                let kept = outcome.is_ok();
                failure = outcome.err();
                kept
            });
            let Some(error) = failure.or(result.err()) else {
                if tries > 0 {
                    self.shared.set_error(None);
                }
                return;
            };
            tries += 1;
            tracing::error!("cannot commit {} records (try {tries}): {error}", group.len());
            self.shared.set_error(Some(format!("records wait for the disk: {error}")));
            if closing && tries >= LAST_TRIES {
                return;
            }
            std::thread::sleep(RETRY);
        }
    }

    fn commit(&mut self, work: impl FnOnce(&Transaction) -> bool) -> Result<(), StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if work(&transaction) {
            transaction.commit()?;
            self.shared.watermark.store(schema::version(&self.connection)?, Ordering::SeqCst);
        }
        Ok(())
    }
}

/// Writes one event and its effect on the summary. An event of a run that was deleted meanwhile is dropped.
pub(super) fn apply(t: &Transaction, id: &RunId, event: &RunEvent) -> Result<(), StoreError> {
    use rusqlite::OptionalExtension;
    let found: Option<i64> =
        t.prepare_cached("SELECT seq FROM runs WHERE id = ?1")?.query_row([id.as_str()], |r| r.get(0)).optional()?;
    let Some(run) = found else { return Ok(()) };
    match event {
        RunEvent::Started(facts) => start(t, run, facts)?,
        RunEvent::Rewound { step } => rewind(t, run, *step)?,
        RunEvent::Point(p) => point(t, run, p)?,
        RunEvent::Evaluated(e) => evaluation(t, run, e)?,
        RunEvent::Norms { step, rows } => norms(t, run, *step, rows)?,
        RunEvent::Device { step, seconds, figures } => device(t, run, *step, *seconds, figures)?,
        RunEvent::Log { level, text } => {
            let level = serde_json::to_string(level).unwrap_or_default();
            t.prepare_cached("INSERT INTO logs (run, time, level, text) VALUES (?1, ?2, ?3, ?4)")?.execute(params![
                run,
                now(),
                level.trim_matches('"'),
                text
            ])?;
        }
        RunEvent::Artifact { kind, path, bytes } => {
            t.prepare_cached("INSERT OR REPLACE INTO artifacts (run, path, kind, bytes) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![run, path, kind, *bytes as i64])?;
        }
        RunEvent::Status { status, cause } => status_of(t, run, *status, cause.as_deref())?,
    }
    touch(t, run)
}

/// Marks a run as changed in this commit.
pub(super) fn touch(t: &Connection, run: i64) -> Result<(), StoreError> {
    let version = schema::next_version(t)?;
    t.prepare_cached("UPDATE runs SET version = ?2 WHERE seq = ?1")?.execute([run, version])?;
    Ok(())
}

fn start(t: &Transaction, run: i64, facts: &RunFacts) -> Result<(), StoreError> {
    let json = serde_json::to_string(facts).unwrap_or_else(|_| "{}".into());
    t.prepare_cached(
        "UPDATE runs SET facts = ?2, started = coalesce(started, ?3), ended = NULL, cause = NULL WHERE seq = ?1",
    )?
    .execute(params![run, json, now()])?;
    // What trains on is another adapter than the one that was analysed.
    t.prepare_cached("DELETE FROM analyses WHERE run = ?1")?.execute([run])?;
    Ok(())
}

fn rewind(t: &Transaction, run: i64, step: u64) -> Result<(), StoreError> {
    for table in ["points", "evaluations", "scores", "norms", "device"] {
        t.execute(&format!("DELETE FROM {table} WHERE run = ?1 AND step > ?2"), params![run, step as i64])?;
    }
    pyramid::cut(t, run, step)?;
    t.execute(
        "UPDATE runs SET (step, epoch, seconds, loss) = (SELECT coalesce(max(step), 0), coalesce(max(epoch), 0),
           coalesce(max(seconds), 0), (SELECT loss FROM points WHERE run = ?1 ORDER BY step DESC LIMIT 1)
           FROM points WHERE run = ?1) WHERE seq = ?1",
        [run],
    )?;
    summarise_scores(t, run)?;
    summarise_lambda(t, run)
}

/// Writes a point alone, without its bins and the summary.
pub(super) fn bare_point(t: &Transaction, run: i64, p: &Point) -> Result<(), StoreError> {
    t.prepare_cached(
        "INSERT OR REPLACE INTO points (run, step, epoch, seconds, loss, lr, grad_norm, samples_per_second)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![run, p.step as i64, p.epoch, p.seconds, p.loss, p.lr, p.grad_norm, p.samples_per_second])?;
    Ok(())
}

fn point(t: &Transaction, run: i64, p: &Point) -> Result<(), StoreError> {
    bare_point(t, run, p)?;
    pyramid::add(t, run, p)?;
    t.prepare_cached("UPDATE runs SET step = ?2, epoch = ?3, seconds = ?4, loss = ?5 WHERE seq = ?1")?
        .execute(params![run, p.step as i64, p.epoch, p.seconds, p.loss])?;
    Ok(())
}

pub(super) fn device(t: &Transaction, run: i64, step: u64, seconds: f64, f: &DeviceFigures) -> Result<(), StoreError> {
    t.prepare_cached(
        "INSERT OR REPLACE INTO device (run, step, seconds, utilisation, memory, memory_total, temperature, power)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        run,
        step as i64,
        seconds,
        f.utilisation,
        f.memory as i64,
        f.memory_total as i64,
        f.temperature,
        f.power
    ])?;
    Ok(())
}

pub(super) fn evaluation(t: &Transaction, run: i64, e: &Evaluation) -> Result<(), StoreError> {
    t.prepare_cached(
        "INSERT OR REPLACE INTO evaluations (run, step, epoch, loss, rows, seconds) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![run, e.step as i64, e.epoch, e.loss, e.rows as i64, e.seconds])?;
    for (place, (metric, value)) in e.scores.iter().enumerate() {
        t.prepare_cached(
            "INSERT OR REPLACE INTO scores (run, step, place, metric, value) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![run, e.step as i64, place as i64, metric, value])?;
    }
    summarise_scores(t, run)
}

pub(super) fn norms(t: &Transaction, run: i64, step: u64, rows: &[LayerNorm]) -> Result<(), StoreError> {
    for n in rows {
        let spectrum: Vec<u8> = n.spectrum.iter().flat_map(|v| v.to_le_bytes()).collect();
        t.prepare_cached(
            "INSERT OR REPLACE INTO norms (run, step, layer, target, lambda, w0_fro, w0_l1, delta_fro, spectrum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            run,
            step as i64,
            n.layer,
            n.target,
            n.lambda,
            n.w0_fro,
            n.w0_l1,
            n.delta_fro,
            spectrum
        ])?;
    }
    summarise_lambda(t, run)
}

/// Last and best value of the main metric; an undefined score is never the best, and none is where it is not known which way the
/// metric goes.
fn summarise_scores(t: &Transaction, run: i64) -> Result<(), StoreError> {
    t.prepare_cached(
        "WITH way (sign) AS (SELECT CASE json_extract(facts, '$.better') WHEN 'lower' THEN -1 WHEN 'unknown' THEN NULL ELSE 1 END
           FROM runs WHERE seq = ?1),
         best AS (SELECT s.value, e.epoch FROM way, scores s LEFT JOIN evaluations e ON e.run = s.run AND e.step = s.step
           WHERE s.run = ?1 AND s.place = 0 AND sign * s.value IS NOT NULL ORDER BY sign * s.value DESC, s.step LIMIT 1)
         UPDATE runs SET
           last = (SELECT value FROM scores WHERE run = ?1 AND place = 0 ORDER BY step DESC LIMIT 1),
           (best, best_epoch) = (SELECT value, epoch FROM best)
         WHERE seq = ?1",
    )?
    .execute([run])?;
    Ok(())
}

fn summarise_lambda(t: &Transaction, run: i64) -> Result<(), StoreError> {
    t.prepare_cached(
        "UPDATE runs SET lambda = (SELECT avg(lambda) FROM norms WHERE run = ?1 AND step =
           (SELECT max(step) FROM norms WHERE run = ?1)) WHERE seq = ?1",
    )?
    .execute([run])?;
    Ok(())
}

fn status_of(t: &Transaction, run: i64, status: Status, cause: Option<&str>) -> Result<(), StoreError> {
    let ended = (!status.is_live() && status != Status::Queued).then(now);
    t.prepare_cached("UPDATE runs SET status = ?2, cause = ?3, ended = ?4 WHERE seq = ?1")?.execute(params![
        run,
        status.as_str(),
        cause,
        ended
    ])?;
    Ok(())
}
