//! Readers: a connection each, never in the writer's way. What they give was committed.

use super::{DATABASE, StoreError, analyses, pyramid, schema};
use crate::event::{DeviceFigures, Evaluation, LayerNorm, Level, Point, RunFacts, RunId, Status};
use crate::record::{Analysis, Artifact, Bin, History, LogLine, RunDetail, RunSummary, Series};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::path::{Path, PathBuf};

/// A read-only view of the store.
pub struct Reader {
    pub(super) connection: Connection,
    pub(super) dir: PathBuf,
}

/// Steps of a run whose time is looked up.
const CLOCK: u64 = 256;

const SUMMARY: &str =
    "SELECT id, name, status, spec, facts, created, started, ended, cause, step, epoch, seconds, loss, last,
    best, best_epoch, lambda, position, note, archived,
    (SELECT group_concat(tag, ' ') FROM (SELECT tag FROM tags WHERE run = seq ORDER BY tag)) FROM runs";

const POINT: &str = "SELECT step, epoch, seconds, loss, lr, grad_norm, samples_per_second FROM points WHERE run = ?1";

impl Reader {
    /// Opens the database of the runs folder `dir`.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Ok(Self { connection: schema::open_read_only(&dir.join(DATABASE))?, dir: dir.into() })
    }

    /// Runs changed by commits after `watermark` and runs removed since, with the new watermark; changes by other processes too.
    pub fn changed_since(&self, watermark: i64) -> Result<(i64, Vec<RunSummary>, Vec<RunId>), StoreError> {
        let transaction = self.connection.unchecked_transaction()?;
        let now = schema::version(&transaction)?;
        if now == watermark {
            return Ok((now, Vec::new(), Vec::new()));
        }
        let runs = summaries(&transaction, "WHERE version > ?1 ORDER BY seq", params![watermark])?;
        let removed = transaction
            .prepare_cached("SELECT id FROM removed WHERE version > ?1")?
            .query_map([watermark], |r| Ok(RunId(r.get(0)?)))?
            .collect::<Result<_, _>>()?;
        Ok((now, runs, removed))
    }

    /// All runs, newest first.
    pub fn list(&self) -> Result<Vec<RunSummary>, StoreError> {
        summaries(&self.connection, "ORDER BY seq DESC", [])
    }

    pub fn summary(&self, id: &RunId) -> Result<Option<RunSummary>, StoreError> {
        Ok(summaries(&self.connection, "WHERE id = ?1", [id.as_str()])?.pop())
    }

    /// The run with this id, or the only one with this name.
    pub fn find(&self, text: &str) -> Result<RunSummary, StoreError> {
        let mut found = summaries(&self.connection, "WHERE id = ?1 OR name = ?1 ORDER BY id = ?1, seq", [text])?;
        let none = |hint: String| StoreError::NoRun { found: text.into(), hint };
        match found.pop() {
            Some(run) if found.is_empty() || run.id.as_str() == text => Ok(run),
            Some(run) => {
                found.push(run);
                let ids: Vec<&str> = found.iter().map(|r| r.id.as_str()).collect();
                Err(none(format!("the name is that of {}: give the id", ids.join(", "))))
            }
            None => {
                let ids: Vec<RunId> = self.list()?.into_iter().take(5).map(|r| r.id).collect();
                let ids: Vec<&str> = ids.iter().map(RunId::as_str).collect();
                Err(none(if ids.is_empty() {
                    "there are no runs".into()
                } else {
                    format!("newest: {}", ids.join(", "))
                }))
            }
        }
    }

    /// All that the screen of one run shows. `steps` is the range of the series (none: all of it), `width` about the number
    /// of bins, `norms_step` the recorded step of the norms (none: the newest; else the last at or before it).
    pub fn detail(
        &self,
        id: &RunId,
        norms_step: Option<u64>,
        steps: Option<(u64, u64)>,
        width: usize,
        log_lines: usize,
    ) -> Result<Option<RunDetail>, StoreError> {
        let c = self.connection.unchecked_transaction()?;
        let Some(run) = number(&c, id)? else { return Ok(None) };
        let Some(summary) = summaries(&c, "WHERE seq = ?1", [run])?.pop() else { return Ok(None) };
        let series = series(&c, run, &Series::ALL, steps.unwrap_or((1, summary.step.max(1))), width)?;
        let clock = clock(&c, run, summary.step)?;
        let norm_steps: Vec<u64> = c
            .prepare_cached("SELECT DISTINCT step FROM norms WHERE run = ?1 ORDER BY step")?
            .query_map([run], |r| Ok(r.get::<_, i64>(0)? as u64))?
            .collect::<Result<_, _>>()?;
        let wanted = norms_step.unwrap_or(u64::MAX);
        let norms_step = norm_steps.iter().rev().find(|s| **s <= wanted).or(norm_steps.first()).copied().unwrap_or(0);
        let (device, peak_memory) = device(&c, run)?;
        Ok(Some(RunDetail {
            summary,
            series,
            clock,
            evaluations: evaluations(&c, run)?,
            norms: norms(&c, run, norms_step)?,
            norm_steps,
            norms_step,
            log: log(&c, run, log_lines)?,
            artifacts: artifacts(&c, run)?,
            analyses: analyses::of(&c, run)?,
            device,
            peak_memory,
        }))
    }

    /// The curves of one run: of these series only, with the evaluations, without norms, log, files and device.
    pub fn curves(
        &self,
        id: &RunId,
        of: &[Series],
        steps: Option<(u64, u64)>,
        width: usize,
    ) -> Result<Option<RunDetail>, StoreError> {
        let c = self.connection.unchecked_transaction()?;
        let Some(run) = number(&c, id)? else { return Ok(None) };
        let Some(summary) = summaries(&c, "WHERE seq = ?1", [run])?.pop() else { return Ok(None) };
        Ok(Some(RunDetail {
            series: series(&c, run, of, steps.unwrap_or((1, summary.step.max(1))), width)?,
            clock: clock(&c, run, summary.step)?,
            evaluations: evaluations(&c, run)?,
            summary,
            norm_steps: Vec::new(),
            norms_step: 0,
            norms: Vec::new(),
            log: Vec::new(),
            artifacts: Vec::new(),
            analyses: Vec::new(),
            device: None,
            peak_memory: None,
        }))
    }

    /// What was learnt of a run by analysis.
    pub fn analyses(&self, id: &RunId) -> Result<Vec<Analysis>, StoreError> {
        number(&self.connection, id)?.map_or(Ok(Vec::new()), |run| analyses::of(&self.connection, run))
    }

    /// The newest training point of a run.
    pub fn newest_point(&self, id: &RunId) -> Result<Option<Point>, StoreError> {
        let Some(run) = number(&self.connection, id)? else { return Ok(None) };
        let mut query = self.connection.prepare_cached(&format!("{POINT} ORDER BY step DESC LIMIT 1"))?;
        Ok(query.query_row([run], point).optional()?)
    }

    /// Every evaluation of a run, oldest first.
    pub fn evaluations(&self, id: &RunId) -> Result<Vec<Evaluation>, StoreError> {
        let c = self.connection.unchecked_transaction()?;
        number(&c, id)?.map_or(Ok(Vec::new()), |run| evaluations(&c, run))
    }

    /// Every training point of a run.
    pub fn points(&self, id: &RunId) -> Result<Vec<Point>, StoreError> {
        let c = self.connection.unchecked_transaction()?;
        number(&c, id)?.map_or(Ok(Vec::new()), |run| points(&c, run))
    }

    /// Layer norms of a run at every recorded step.
    pub fn all_norms(&self, id: &RunId) -> Result<Vec<(u64, Vec<LayerNorm>)>, StoreError> {
        let c = self.connection.unchecked_transaction()?;
        number(&c, id)?.map_or(Ok(Vec::new()), |run| norms_by_step(&c, run))
    }

    /// All that was recorded of a run.
    pub fn history(&self, id: &RunId) -> Result<Option<History>, StoreError> {
        let c = self.connection.unchecked_transaction()?;
        let Some(run) = number(&c, id)? else { return Ok(None) };
        let Some(summary) = summaries(&c, "WHERE seq = ?1", [run])?.pop() else { return Ok(None) };
        Ok(Some(History {
            summary,
            points: points(&c, run)?,
            evaluations: evaluations(&c, run)?,
            norms: norms_by_step(&c, run)?,
            device: device_by_step(&c, run)?,
        }))
    }

    /// Bytes of the files in a run's folder.
    pub fn folder_bytes(&self, id: &RunId) -> u64 {
        super::queue::folder_bytes(&self.dir.join(id.as_str()))
    }

    /// SQLite's own check of the file: "ok", or what is wrong.
    pub fn integrity(&self) -> Result<String, StoreError> {
        Ok(self.connection.query_row("PRAGMA integrity_check(1)", [], |r| r.get(0))?)
    }
}

fn point(row: &Row) -> rusqlite::Result<Point> {
    Ok(Point {
        step: row.get::<_, i64>(0)? as u64,
        epoch: row.get(1)?,
        seconds: row.get(2)?,
        loss: real(row, 3)?,
        lr: real(row, 4)?,
        grad_norm: real(row, 5)?,
        samples_per_second: real(row, 6)?,
    })
}

/// SQLite keeps NaN as NULL.
pub(super) fn real(row: &Row, column: usize) -> rusqlite::Result<f64> {
    Ok(row.get::<_, Option<f64>>(column)?.unwrap_or(f64::NAN))
}

pub(super) fn parse<T: serde::de::DeserializeOwned>(id: &str, what: &str, json: &str) -> Result<T, StoreError> {
    serde_json::from_str(json).map_err(|e| StoreError::Damaged { id: id.into(), what: format!("{what}: {e}") })
}

fn number(c: &Connection, id: &RunId) -> Result<Option<i64>, StoreError> {
    let mut query = c.prepare_cached("SELECT seq FROM runs WHERE id = ?1")?;
    Ok(query.query_row([id.as_str()], |r| r.get(0)).optional()?)
}

fn summaries(c: &Connection, tail: &str, values: impl rusqlite::Params) -> Result<Vec<RunSummary>, StoreError> {
    let mut query = c.prepare_cached(&format!("{SUMMARY} {tail}"))?;
    let mut rows = query.query(values)?;
    let mut all = Vec::new();
    while let Some(r) = rows.next()? {
        let id: String = r.get(0)?;
        let status: String = r.get(2)?;
        let facts: String = r.get(4)?;
        let known = Status::parse(&status);
        let damaged = || StoreError::Damaged { id: id.clone(), what: format!("status {status:?}") };
        all.push(RunSummary {
            name: r.get(1)?,
            status: known.ok_or_else(damaged)?,
            spec: parse(&id, "spec", r.get_ref(3)?.as_str().unwrap_or_default())?,
            facts: if facts == "{}" { RunFacts::default() } else { parse(&id, "facts", &facts)? },
            created: r.get(5)?,
            started: r.get(6)?,
            ended: r.get(7)?,
            cause: r.get(8)?,
            step: r.get::<_, i64>(9)? as u64,
            epoch: r.get(10)?,
            seconds: r.get(11)?,
            loss: r.get(12)?,
            last: r.get(13)?,
            best: r.get(14)?,
            best_epoch: r.get(15)?,
            lambda: r.get(16)?,
            position: r.get::<_, i64>(17)? as u64,
            note: r.get(18)?,
            archived: r.get(19)?,
            tags: r.get::<_, Option<String>>(20)?.map_or_else(Vec::new, |t| t.split(' ').map(str::to_string).collect()),
            id: RunId(id),
        });
    }
    Ok(all)
}

/// A run's series and their bins over a range of steps.
type SeriesBins = Vec<(Series, Vec<Bin>)>;

fn series(c: &Connection, run: i64, of: &[Series], steps: (u64, u64), width: usize) -> Result<SeriesBins, StoreError> {
    of.iter().map(|s| Ok((*s, pyramid::read(c, run, *s, steps, width)?))).collect()
}

/// Seconds of training at about [`CLOCK`] evenly spaced steps, the first and the newest among them.
fn clock(c: &Connection, run: i64, newest: u64) -> Result<Vec<(u64, f64)>, StoreError> {
    let mut query = c.prepare_cached(
        "SELECT step, seconds FROM points WHERE run = ?1 AND step >= ?2 AND step <= ?3 ORDER BY step LIMIT 1",
    )?;
    let stride = newest.div_ceil(CLOCK).max(1);
    let mut all: Vec<(u64, f64)> = Vec::new();
    for wanted in (1..=newest).step_by(stride as usize).chain([newest]) {
        if all.last().is_some_and(|l| l.0 >= wanted) {
            continue;
        }
        let found = query
            .query_row(params![run, wanted as i64, newest as i64], |r| Ok((r.get::<_, i64>(0)? as u64, r.get(1)?)));
        all.extend(found.optional()?);
    }
    Ok(all)
}

fn evaluations(c: &Connection, run: i64) -> Result<Vec<Evaluation>, StoreError> {
    let mut all: Vec<Evaluation> = c
        .prepare_cached("SELECT step, epoch, loss, rows, seconds FROM evaluations WHERE run = ?1 ORDER BY step")?
        .query_map([run], |r| {
            Ok(Evaluation {
                step: r.get::<_, i64>(0)? as u64,
                epoch: r.get(1)?,
                loss: real(r, 2)?,
                scores: Vec::new(),
                rows: r.get::<_, i64>(3)? as u64,
                seconds: r.get(4)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    let mut scores = c.prepare_cached("SELECT step, metric, value FROM scores WHERE run = ?1 ORDER BY step, place")?;
    let mut rows = scores.query([run])?;
    while let Some(r) = rows.next()? {
        let step = r.get::<_, i64>(0)? as u64;
        if let Ok(at) = all.binary_search_by_key(&step, |e| e.step) {
            all[at].scores.push((r.get(1)?, real(r, 2)?));
        }
    }
    Ok(all)
}

fn norms(c: &Connection, run: i64, step: u64) -> Result<Vec<LayerNorm>, StoreError> {
    let mut query = c.prepare_cached(
        "SELECT layer, target, lambda, w0_fro, w0_l1, delta_fro, spectrum FROM norms WHERE run = ?1 AND step = ?2
         ORDER BY layer, target",
    )?;
    let rows = query.query_map(params![run, step as i64], |r| {
        let spectrum = r.get_ref(6)?.as_blob().unwrap_or_default();
        Ok(LayerNorm {
            layer: r.get(0)?,
            target: r.get(1)?,
            lambda: real(r, 2)?,
            w0_fro: real(r, 3)?,
            w0_l1: real(r, 4)?,
            delta_fro: real(r, 5)?,
            spectrum: spectrum.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn log(c: &Connection, run: i64, lines: usize) -> Result<Vec<LogLine>, StoreError> {
    let mut query =
        c.prepare_cached("SELECT time, level, text FROM logs WHERE run = ?1 ORDER BY entry DESC LIMIT ?2")?;
    let rows = query.query_map(params![run, lines as i64], |r| {
        let level = match r.get_ref(1)?.as_str().unwrap_or_default() {
            "error" => Level::Error,
            "warn" => Level::Warn,
            _ => Level::Info,
        };
        Ok(LogLine { time: r.get(0)?, level, text: r.get(2)? })
    })?;
    let mut all = rows.collect::<Result<Vec<_>, _>>()?;
    all.reverse();
    Ok(all)
}

fn points(c: &Connection, run: i64) -> Result<Vec<Point>, StoreError> {
    let mut query = c.prepare_cached(&format!("{POINT} ORDER BY step"))?;
    let points = query.query_map([run], point)?;
    Ok(points.collect::<Result<_, _>>()?)
}

fn norms_by_step(c: &Connection, run: i64) -> Result<Vec<(u64, Vec<LayerNorm>)>, StoreError> {
    let steps: Vec<i64> = c
        .prepare_cached("SELECT DISTINCT step FROM norms WHERE run = ?1 ORDER BY step")?
        .query_map([run], |r| r.get(0))?
        .collect::<Result<_, _>>()?;
    steps.into_iter().map(|s| Ok((s as u64, norms(c, run, s as u64)?))).collect()
}

fn figures(row: &Row) -> rusqlite::Result<DeviceFigures> {
    Ok(DeviceFigures {
        utilisation: row.get(0)?,
        memory: row.get::<_, i64>(1)? as u64,
        memory_total: row.get::<_, i64>(2)? as u64,
        temperature: row.get(3)?,
        power: row.get(4)?,
    })
}

/// Step, seconds and figures at every record of the device.
fn device_by_step(c: &Connection, run: i64) -> Result<Vec<(u64, f64, DeviceFigures)>, StoreError> {
    let mut query = c.prepare_cached(
        "SELECT utilisation, memory, memory_total, temperature, power, step, seconds FROM device WHERE run = ?1
         ORDER BY step",
    )?;
    let rows = query.query_map([run], |r| Ok((r.get::<_, i64>(5)? as u64, r.get(6)?, figures(r)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The newest figures of the device, and the most memory of any.
fn device(c: &Connection, run: i64) -> Result<(Option<DeviceFigures>, Option<u64>), StoreError> {
    let newest = c
        .prepare_cached(
            "SELECT utilisation, memory, memory_total, temperature, power FROM device WHERE run = ?1
             ORDER BY step DESC LIMIT 1",
        )?
        .query_row([run], figures)
        .optional()?;
    let mut peak = c.prepare_cached("SELECT max(memory) FROM device WHERE run = ?1")?;
    let peak: Option<i64> = peak.query_row([run], |r| r.get(0))?;
    Ok((newest, peak.map(|p| p as u64)))
}

fn artifacts(c: &Connection, run: i64) -> Result<Vec<Artifact>, StoreError> {
    let mut query = c.prepare_cached("SELECT kind, path, bytes FROM artifacts WHERE run = ?1 ORDER BY path")?;
    let rows = query
        .query_map([run], |r| Ok(Artifact { kind: r.get(0)?, path: r.get(1)?, bytes: r.get::<_, i64>(2)? as u64 }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
