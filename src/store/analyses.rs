//! What was learnt of runs by analysis: kept as JSON, of each kind the newest.

use super::{StoreError, now, queue, write};
use crate::event::RunId;
use crate::record::Analysis;
use rusqlite::{Connection, Transaction, params};

pub(super) fn keep(t: &Transaction, id: &RunId, analysis: &Analysis) -> Result<(), StoreError> {
    let (run, _) = queue::find(t, id)?;
    let content = serde_json::to_string(analysis).unwrap_or_default();
    t.prepare_cached("INSERT OR REPLACE INTO analyses (run, kind, time, content) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![run, analysis.kind().id(), now(), content])?;
    write::touch(t, run)
}

/// Those of one run. What a newer program kept and this one cannot read is left out.
pub(super) fn of(c: &Connection, run: i64) -> Result<Vec<Analysis>, StoreError> {
    let mut query = c.prepare_cached("SELECT content FROM analyses WHERE run = ?1 ORDER BY kind")?;
    let texts: Vec<String> = query.query_map([run], |r| r.get(0))?.collect::<Result<_, _>>()?;
    Ok(texts.iter().filter_map(|text| serde_json::from_str(text).ok()).collect())
}
