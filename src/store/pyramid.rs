//! Series at coarser and coarser steps: minimum, maximum, sum and counts of 8, 64, 512, ... steps, so that a long run opens at
//! once and no spike is lost.

use super::StoreError;
use crate::event::Point;
use crate::record::{Bin, Series};
use rusqlite::{Connection, Row, params};

/// Steps of a bin of level k: 8^k.
const FAN_OUT: u64 = 8;
/// 8^7 steps is above two million; longer runs have more bins at the top, not more levels.
const LEVELS: u32 = 7;

fn value(point: &Point, series: Series) -> f64 {
    match series {
        Series::Loss => point.loss,
        Series::Lr => point.lr,
        Series::GradNorm => point.grad_norm,
        Series::SamplesPerSecond => point.samples_per_second,
    }
}

fn column(series: Series) -> &'static str {
    match series {
        Series::Loss => "loss",
        Series::Lr => "lr",
        Series::GradNorm => "grad_norm",
        Series::SamplesPerSecond => "samples_per_second",
    }
}

/// Adds a point to the bins of every level. Steps count from 1, so bin 0 of level 1 holds steps 1 to 8.
pub(super) fn add(c: &Connection, run: i64, point: &Point) -> Result<(), StoreError> {
    let mut insert = c.prepare_cached(
        "INSERT INTO pyramid (run, series, level, bin, low, high, sum, count, gaps) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT DO UPDATE SET low = min(low, excluded.low), high = max(high, excluded.high),
           sum = sum + excluded.sum, count = count + excluded.count, gaps = gaps + excluded.gaps",
    )?;
    for (index, series) in Series::ALL.into_iter().enumerate() {
        let v = value(point, series);
        // An empty bin's extremes are infinite, so that the first finite value replaces both.
        let (low, high, sum, count, gaps) =
            if v.is_finite() { (v, v, v, 1, 0) } else { (f64::INFINITY, f64::NEG_INFINITY, 0.0, 0, 1) };
        for level in 1..=LEVELS {
            let bin = (point.step.saturating_sub(1) / FAN_OUT.pow(level)) as i64;
            insert.execute(params![run, index as i64, level, bin, low, high, sum, count, gaps])?;
        }
    }
    Ok(())
}

/// Forgets what lies after `step`: bins beyond it go, the bin it falls into is made anew from the points that stay.
pub(super) fn cut(c: &Connection, run: i64, step: u64) -> Result<(), StoreError> {
    for level in 1..=LEVELS {
        let width = FAN_OUT.pow(level);
        let bin = step / width;
        c.execute("DELETE FROM pyramid WHERE run = ?1 AND level = ?2 AND bin >= ?3", params![run, level, bin as i64])?;
        for (index, series) in Series::ALL.into_iter().enumerate() {
            let sql = aggregate(series, "?4", "run = ?1 AND step > ?5", "HAVING count(*) > 0");
            c.execute(&sql, params![run, index as i64, level, bin as i64, (bin * width) as i64])?;
        }
    }
    Ok(())
}

/// Makes every bin of a run anew from its points.
pub(super) fn rebuild(c: &Connection, run: i64) -> Result<(), StoreError> {
    c.execute("DELETE FROM pyramid WHERE run = ?1", [run])?;
    for level in 1..=LEVELS {
        for (index, series) in Series::ALL.into_iter().enumerate() {
            let group = format!("(step - 1) / {}", FAN_OUT.pow(level));
            c.execute(&aggregate(series, &group, "run = ?1", "GROUP BY 4"), params![run, index as i64, level])?;
        }
    }
    Ok(())
}

/// An insertion of bins of `series` from the points that `filter` names; parameters 1 to 3 are run, series and level.
fn aggregate(series: Series, bin: &str, filter: &str, tail: &str) -> String {
    let v = column(series);
    let finite = format!("FILTER (WHERE {v} IS NOT NULL AND abs({v}) < 9e999)");
    format!(
        "INSERT INTO pyramid SELECT ?1, ?2, ?3, {bin}, coalesce(min({v}) {finite}, 9e999), coalesce(max({v}) {finite}, -9e999),
           coalesce(sum({v}) {finite}, 0.0), count(*) {finite}, count(*) - count(*) {finite}
         FROM points WHERE {filter} {tail}"
    )
}

/// A series over `steps` (both ends included) in at most about `width` bins, from the points themselves where they are few.
pub(super) fn read(
    c: &Connection,
    run: i64,
    series: Series,
    steps: (u64, u64),
    width: usize,
) -> Result<Vec<Bin>, StoreError> {
    let span = steps.1.saturating_sub(steps.0) + 1;
    let most = 2 * width.max(1) as u64;
    let level = (0..=LEVELS).find(|level| span / FAN_OUT.pow(*level) <= most).unwrap_or(LEVELS);
    if level == 0 {
        let sql = format!(
            "SELECT step, {} FROM points WHERE run = ?1 AND step BETWEEN ?2 AND ?3 ORDER BY step",
            column(series)
        );
        let mut query = c.prepare_cached(&sql)?;
        let bins = query.query_map(params![run, steps.0 as i64, steps.1 as i64], single)?;
        return Ok(bins.collect::<Result<_, _>>()?);
    }
    let size = FAN_OUT.pow(level);
    let index = Series::ALL.iter().position(|s| *s == series).unwrap_or(0) as i64;
    let mut query = c.prepare_cached(
        "SELECT bin, low, high, sum, count, gaps FROM pyramid
         WHERE run = ?1 AND series = ?2 AND level = ?3 AND bin BETWEEN ?4 AND ?5 ORDER BY bin",
    )?;
    let (first, last) = (steps.0.saturating_sub(1) / size, steps.1.saturating_sub(1) / size);
    let newest: u64 = c
        .prepare_cached("SELECT coalesce(max(step), 0) FROM points WHERE run = ?1")?
        .query_row([run], |r| r.get::<_, i64>(0))? as u64;
    let bins = query.query_map(params![run, index, level, first as i64, last as i64], |row| {
        let bin = row.get::<_, i64>(0)? as u64;
        let (count, gaps) = (row.get::<_, i64>(4)? as u64, row.get::<_, i64>(5)? as u64);
        let or_nan = |v: f64| if count == 0 { f64::NAN } else { v };
        Ok(Bin {
            from: bin * size + 1,
            to: ((bin + 1) * size).min(newest),
            min: or_nan(row.get(1)?),
            max: or_nan(row.get(2)?),
            mean: or_nan(row.get::<_, f64>(3)? / count.max(1) as f64),
            count,
            gaps,
        })
    })?;
    Ok(bins.collect::<Result<_, _>>()?)
}

fn single(row: &Row) -> rusqlite::Result<Bin> {
    let step = row.get::<_, i64>(0)? as u64;
    // SQLite keeps NaN as NULL.
    let v = row.get::<_, Option<f64>>(1)?.unwrap_or(f64::NAN);
    let finite = v.is_finite();
    let v = if finite { v } else { f64::NAN };
    Ok(Bin { from: step, to: step, min: v, max: v, mean: v, count: u64::from(finite), gaps: u64::from(!finite) })
}
