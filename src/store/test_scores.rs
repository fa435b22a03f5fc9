//! Scores on test rows: what a person enters, and what readers give of it.

use super::{Reader, StoreError, schema};
use crate::record::TestScore;
use rusqlite::{Transaction, params};

/// Keeps the score in place of an earlier one.
pub(super) fn set(t: &Transaction, score: &TestScore) -> Result<(), StoreError> {
    let TestScore { task, method, model, data, score, rows } = score;
    t.execute(
        "INSERT OR REPLACE INTO test_scores (task, method, model, data, score, rows) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![task, method, model, data, score, rows.map(|n| n as i64)],
    )?;
    // Readers look for what is newer than they know.
    schema::next_version(t).map(drop)
}

/// Takes the score of the same task, method, model and data away; whether there was one.
pub(super) fn remove(t: &Transaction, of: &TestScore) -> Result<bool, StoreError> {
    let TestScore { task, method, model, data, .. } = of;
    let removed = t.execute(
        "DELETE FROM test_scores WHERE task = ?1 AND method = ?2 AND model = ?3 AND data = ?4",
        params![task, method, model, data],
    )?;
    schema::next_version(t)?;
    Ok(removed > 0)
}

impl Reader {
    /// Every score on test rows.
    pub fn test_scores(&self) -> Result<Vec<TestScore>, StoreError> {
        let mut query = self
            .connection
            .prepare_cached("SELECT task, method, model, data, score, rows FROM test_scores ORDER BY model, data")?;
        let rows = query.query_map([], |r| {
            Ok(TestScore {
                task: r.get(0)?,
                method: r.get(1)?,
                model: r.get(2)?,
                data: r.get(3)?,
                score: r.get(4)?,
                rows: r.get::<_, Option<i64>>(5)?.map(|n| n as u64),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
