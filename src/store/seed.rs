//! Generated finished runs in bulk, to measure readers and screens on a full store.

use super::{StoreError, schema};
use crate::event::{Evaluation, LayerNorm, RunFacts};
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
        let seq = t.last_insert_rowid();
        series(t, seq, length)?;
        evaluations(t, seq, run, length)?;
    }
    Ok(())
}

/// An evaluation with the layers' norms at its step for each of the ten epochs, as the embedded model's runs have them.
fn evaluations(t: &Transaction, seq: i64, run: u64, length: u64) -> Result<(), StoreError> {
    for epoch in 1..=10 {
        let step = (length * epoch / 10).max(1);
        let score = 0.6 + 0.01 * epoch as f64 + 1e-5 * (run % 97) as f64;
        let scores = vec![("accuracy".to_string(), score)];
        let e =
            Evaluation { step, epoch: epoch as f64, loss: 0.7 - 0.02 * epoch as f64, scores, rows: 250, seconds: 0.5 };
        super::write::evaluation(t, seq, &e)?;
        if epoch % 5 > 0 {
            continue;
        }
        let norm = |layer: u32, target: &str| LayerNorm {
            layer,
            target: target.into(),
            lambda: 1.0 - 0.01 * f64::from(layer),
            w0_fro: 10.0,
            w0_l1: 900.0,
            delta_fro: 0.1 * epoch as f64,
            spectrum: (1..=8).map(|i| epoch as f64 / f64::from(i)).collect(),
        };
        let rows: Vec<LayerNorm> = (0..6).flat_map(|l| [norm(l, "query"), norm(l, "value")]).collect();
        super::write::norms(t, seq, step, &rows)?;
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
