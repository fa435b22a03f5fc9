//! The layer norms that stand for many runs at once: two queries in all, of the runs that changed alone.

use super::{Reader, StoreError, read};
use crate::event::{LayerNorm, RunId};
use crate::record::{AtBest, RunNorms};
use crate::spec::{self, RunSpec};
use std::collections::HashMap;
use std::sync::Arc;

/// Changed runs with the steps of their newest record, of their best evaluation and of the last record that is not after it.
const CHANGED: &str = "WITH changed AS MATERIALIZED (
      SELECT seq, id, spec, facts ->> '$.environment.task' AS label, best, status = 'done' AS done,
        CASE WHEN NOT archived THEN (SELECT max(step) FROM norms WHERE run = seq) END AS newest,
        (SELECT step FROM scores WHERE run = seq AND place = 0 AND value = best ORDER BY step LIMIT 1) AS evaluated
      FROM runs WHERE version > ?1),
    wanted AS MATERIALIZED (
      SELECT *, (SELECT max(step) FROM norms WHERE run = seq AND step <= evaluated) AS recorded FROM changed)";

impl Reader {
    /// The newest layer norms, and those at the best evaluation, of every run that has some after its start, or was imported
    /// as it ended, and is not archived; in the order in which the runs were made.
    pub fn run_norms(&self) -> Result<Vec<Arc<RunNorms>>, StoreError> {
        let all = self.changed_norms(0)?.1;
        Ok(all.into_iter().filter(|r| !r.norms.is_empty()).collect())
    }

    /// The same of the runs that commits after `watermark` changed, with the new watermark; a run without such norms comes
    /// with none. Their spectra are left out.
    pub fn changed_norms(&self, watermark: i64) -> Result<(i64, Vec<Arc<RunNorms>>), StoreError> {
        let c = self.connection.unchecked_transaction()?;
        let now = super::schema::version(&c)?;
        if now == watermark {
            return Ok((now, Vec::new()));
        }
        let mut runs: Vec<RunNorms> = Vec::new();
        let mut place: HashMap<i64, usize> = HashMap::new();
        let mut heads = c.prepare_cached(&format!(
            "{CHANGED} SELECT seq, id, spec, best, newest, evaluated, recorded, label FROM wanted ORDER BY seq"
        ))?;
        let mut rows = heads.query([watermark])?;
        while let Some(r) = rows.next()? {
            let id: String = r.get(1)?;
            let spec: RunSpec = read::parse(&id, "spec", r.get_ref(2)?.as_str().unwrap_or_default())?;
            let step = |column: usize| r.get::<_, Option<i64>>(column).map(|s| s.unwrap_or(0) as u64);
            let (evaluated, recorded) = (step(5)?, step(6)?);
            // What was imported has one record, of its end.
            let at_end = r.get::<_, Option<i64>>(4)? == Some(0) && r.get::<_, Option<i64>>(6)?.is_some();
            place.insert(r.get(0)?, runs.len());
            let told: Option<String> = r.get(7)?;
            runs.push(RunNorms {
                id: RunId(id),
                label: told.unwrap_or_else(|| spec::task_name(&spec.task).into()),
                task: spec.task,
                method: spec.method,
                seed: spec.seed,
                best: r.get(3)?,
                step: step(4)?,
                norms: Vec::new(),
                at_best: (recorded > 0 || at_end).then_some(AtBest { evaluated, step: recorded, norms: Vec::new() }),
            });
        }
        let mut norms = c.prepare_cached(&format!(
            "{CHANGED} SELECT n.run, n.step, n.layer, n.target, n.lambda, n.w0_fro, n.w0_l1, n.delta_fro
             FROM wanted CROSS JOIN norms n ON n.run = seq AND n.step IN (newest, recorded) WHERE newest > 0 OR done"
        ))?;
        let mut rows = norms.query([watermark])?;
        while let Some(r) = rows.next()? {
            let Some(run) = place.get(&r.get(0)?).map(|at| &mut runs[*at]) else { continue };
            let step = r.get::<_, i64>(1)? as u64;
            let norm = LayerNorm {
                layer: r.get(2)?,
                target: r.get(3)?,
                lambda: read::real(r, 4)?,
                w0_fro: read::real(r, 5)?,
                w0_l1: read::real(r, 6)?,
                delta_fro: read::real(r, 7)?,
                spectrum: Vec::new(),
            };
            if let Some(best) = run.at_best.as_mut().filter(|b| b.step == step) {
                best.norms.push(norm.clone());
            }
            if run.step == step {
                run.norms.push(norm);
            }
        }
        let in_order = |norms: &mut Vec<LayerNorm>| {
            norms.sort_by(|a, b| a.layer.cmp(&b.layer).then_with(|| a.target.cmp(&b.target)));
        };
        for run in &mut runs {
            in_order(&mut run.norms);
            run.at_best.iter_mut().for_each(|b| in_order(&mut b.norms));
        }
        Ok((now, runs.into_iter().map(Arc::new).collect()))
    }
}
