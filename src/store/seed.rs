//! Generated finished runs in bulk, to measure readers and screens on a full store.

use super::{StoreError, schema};
use crate::event::RunFacts;
use crate::spec::RunSpec;
use rusqlite::{Transaction, params};

/// Most points of all runs together; the newest run always has all of its own.
const MOST_POINTS: u64 = 10_000_000;

const TASKS: [&str; 4] = ["sst-2", "cola", "rte", "mrpc"];

/// `runs` done runs of `points` points each, within [`MOST_POINTS`].
pub(super) fn fill(t: &Transaction, runs: u64, points: u64) -> Result<(), StoreError> {
    let each = points.min(MOST_POINTS / runs.max(1)).max(1);
    for run in 0..runs {
        let length = if run + 1 == runs { points } else { each };
        let spec = RunSpec {
            task: TASKS[run as usize % TASKS.len()].into(),
            method: if run % 2 == 0 { "symlora" } else { "lora" }.into(),
            seed: run,
            ..RunSpec::default()
        };
        let facts =
            RunFacts { total_steps: length, epochs: 10, metric: "accuracy".into(), layers: 6, ..RunFacts::default() };
        let version = schema::next_version(t)?;
        t.prepare_cached(
            "INSERT INTO runs (id, name, status, device, spec, facts, created, started, ended, step, epoch, seconds, loss, last,
               best, best_epoch, lambda, version)
             VALUES (?1, ?2, 'done', 'cpu', ?3, ?4, ?5, ?5, ?5, ?6, 10, ?7, 0.5, 0.7, 0.72, 8, 0.9, ?8)",
        )?
        .execute(params![
            format!("seed{run}"),
            spec.display_name(),
            json(&spec),
            json(&facts),
            1.7e9 + run as f64,
            length as i64,
            length as f64 * 0.1,
            version
        ])?;
        series(t, t.last_insert_rowid(), length)?;
    }
    Ok(())
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Points with a falling, noisy loss and, from them in one pass, every level of the pyramid.
fn series(t: &Transaction, run: i64, length: u64) -> Result<(), StoreError> {
    let mut insert = t.prepare_cached(
        "INSERT INTO points (run, step, epoch, seconds, loss, lr, grad_norm, samples_per_second)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 300.0)",
    )?;
    for step in 1..=length {
        let share = step as f64 / length as f64;
        let noise = ((step.wrapping_mul(2_654_435_761) >> 8) % 1_000) as f64 / 5_000.0;
        let loss = 0.4 + 0.3 * (-4.0 * share).exp() + noise;
        insert.execute(params![
            run,
            step as i64,
            10.0 * share,
            step as f64 * 0.1,
            loss,
            5e-3 * (1.0 - share),
            1.0 + noise
        ])?;
    }
    super::pyramid::rebuild(t, run)
}
