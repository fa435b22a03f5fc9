//! Trackio's databases: one SQLite file for each project, with a row of JSON for each step of a run. They are only read, and no
//! file is made beside them.

use super::device;
use super::foreign::Foreign;
use super::{Source, TrackerError, begins};
use crate::sqlite::{MAGIC, Untouched};
use crate::untrusted::brief;
use rusqlite::Row;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// Longest row of JSON in bytes, and most runs of a project.
const LARGEST: usize = 16 << 20;
const MOST_RUNS: usize = 10_000;

pub struct Trackio;

impl Source for Trackio {
    fn name(&self) -> &'static str {
        "Trackio"
    }

    fn knows(&self, path: &Path) -> bool {
        path.is_file() && begins(path, MAGIC)
    }

    fn read(&self, path: &Path) -> Result<(Vec<Foreign>, Vec<String>), TrackerError> {
        let path = &path.canonicalize().map_err(TrackerError::io(path))?;
        let database = Database { path, connection: Untouched::open(path).map_err(|e| unreadable(path, &e))? };
        // Before version 0.24 a run had nothing but its name.
        let id = match database.columns("metrics")? {
            columns if columns.contains(&"run_id".into()) => "run_id",
            columns if columns.contains(&"run_name".into()) => "run_name",
            _ => {
                let what = "an SQLite database without Trackio's table metrics; expected PROJECT.db of Trackio";
                return Err(TrackerError::content(path, what));
            }
        };
        let mut runs: BTreeMap<String, Foreign> = BTreeMap::new();
        let mut order = Vec::new();
        let sql = format!("SELECT {id}, run_name, timestamp, step, metrics FROM metrics ORDER BY id");
        database.each(&sql, &mut |row| {
            let key = text(row, 0)?;
            if !runs.contains_key(&key) {
                if runs.len() >= MOST_RUNS {
                    return Err(format!("more than {MOST_RUNS} runs"));
                }
                order.push(key.clone());
            }
            let (name, told) = (text(row, 1)?, text(row, 2)?);
            let time =
                time(&told).ok_or_else(|| format!("time {:?}, expected as 2026-01-31T12:00:00Z", brief(&told, 40)))?;
            let origin = format!("{key} of {time}");
            let run = runs.entry(key).or_insert_with(|| Foreign::new(self.name(), path, name));
            if run.origin.is_empty() {
                run.origin = origin;
            }
            let step: i64 = row.get(3).map_err(|e| e.to_string())?;
            for (series, value) in object(row, 4)? {
                if let Some(value) = number(&value) {
                    run.push(&series, step, time, value).map_err(|e| e.to_string())?;
                }
            }
            Ok(())
        })?;
        if database.columns("configs")?.contains(&id.into()) {
            database.each(&format!("SELECT {id}, config FROM configs"), &mut |row| {
                if let Some(run) = runs.get_mut(&text(row, 0)?) {
                    // Trackio's own remarks begin with an underline.
                    let told = object(row, 1)?
                        .into_iter()
                        .filter(|(name, _)| !name.starts_with("_") || name == "_name_or_path");
                    run.settings.extend(told);
                }
                Ok(())
            })?;
        }
        let mut unread = 0;
        if database.columns("system_metrics")?.contains(&id.into()) {
            let sql = format!("SELECT {id}, timestamp, metrics FROM system_metrics ORDER BY id");
            database.each(&sql, &mut |row| {
                if let Some(run) = runs.get_mut(&text(row, 0)?) {
                    match (time(&text(row, 1)?), device::figures(&object(row, 2)?)) {
                        (Some(time), Some(figures)) => run.device.push((time, figures)),
                        _ => unread += 1,
                    }
                }
                Ok(())
            })?;
        }
        let mut remarks = Vec::new();
        if unread > 0 {
            remarks.push(format!(
                "{unread} of its records of the system say nothing of a GPU, CPU or memory and are left out"
            ));
        }
        if !database.connection.held() {
            return Err(TrackerError::content(path, "written to while it was read; import it again"));
        }
        Ok((order.iter().filter_map(|key| runs.remove(key)).collect(), remarks))
    }
}

struct Database<'a> {
    path: &'a Path,
    connection: Untouched,
}

impl Database<'_> {
    /// Names of a table's columns; none without that table.
    fn columns(&self, table: &str) -> Result<Vec<String>, TrackerError> {
        let mut found = Vec::new();
        let sql = format!("SELECT name FROM pragma_table_info('{table}')");
        self.each(&sql, &mut |row| text(row, 0).map(|name| found.push(name)))?;
        Ok(found)
    }

    fn each(&self, sql: &str, row: &mut dyn FnMut(&Row) -> Result<(), String>) -> Result<(), TrackerError> {
        let failed = |e: rusqlite::Error| unreadable(self.path, &e);
        let mut statement = self.connection.prepare(sql).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        let mut number = 0;
        while let Some(found) = rows.next().map_err(failed)? {
            number += 1;
            row(found).map_err(|what| TrackerError::content(self.path, format!("row {number} of its runs: {what}")))?;
        }
        Ok(())
    }
}

fn unreadable(path: &Path, error: &rusqlite::Error) -> TrackerError {
    TrackerError::content(path, format!("cannot be read as a Trackio database: {error}"))
}

/// A text, which Trackio keeps as bytes too.
fn text(row: &Row, column: usize) -> Result<String, String> {
    let value = row.get_ref(column).map_err(|e| e.to_string())?;
    let bytes =
        value.as_bytes().map_err(|_| format!("{} in column {}, expected a text", value.data_type(), column + 1))?;
    if bytes.len() > LARGEST {
        return Err(format!("a text of {} bytes, expected at most {LARGEST}", bytes.len()));
    }
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

fn object(row: &Row, column: usize) -> Result<Map<String, Value>, String> {
    serde_json::from_str(&text(row, column)?).map_err(|e| format!("its JSON: {e}"))
}

/// Seconds of Unix time. Early versions wrote times without a zone; they are taken as UTC, their differences are right.
fn time(text: &str) -> Option<f64> {
    let bare = || jiff::tz::TimeZone::UTC.to_timestamp(text.parse().ok()?).ok();
    let time = text.parse::<jiff::Timestamp>().ok().or_else(bare)?;
    Some(time.as_microsecond() as f64 / 1e6)
}

/// Trackio writes what JSON has no number for as a text.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value.as_str() {
        Some("NaN") => Some(f64::NAN),
        Some("Infinity") => Some(f64::INFINITY),
        Some("-Infinity") => Some(f64::NEG_INFINITY),
        _ => value.as_f64(),
    }
}
