//! How the table of runs is shown: its columns, its order and its grouping; to and from what is remembered of them.

use super::columns::{COLUMNS, Column};
use super::rows::GROUPINGS;
use crate::config::RunTable;
use crate::record::RunSummary;
use std::cmp::Ordering;
use std::sync::Arc;

pub struct Shown {
    /// From left to right; never empty.
    pub columns: Vec<&'static Column>,
    pub hide_constant: bool,
    pub sort: &'static Column,
    pub reversed: bool,
    /// Place in [`GROUPINGS`]; none: every run is a row.
    pub grouping: Option<usize>,
}

impl Shown {
    /// As it was left; what no longer exists is told in the log and left out.
    pub fn remembered(table: &RunTable) -> Self {
        let find = |id: &String| {
            let column = Column::find(id);
            if column.is_none() {
                tracing::warn!("the table of runs has no column {id:?}; it is left out");
            }
            column
        };
        let mut columns: Vec<&Column> = Vec::new();
        for column in table.columns.iter().filter_map(find) {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        if columns.is_empty() {
            columns = usual();
        }
        let grouping = GROUPINGS.iter().position(|fields| fields.join(",") == table.group);
        if grouping.is_none() && !table.group.is_empty() {
            tracing::warn!("runs cannot be grouped by {:?}", table.group);
        }
        let sort = Some(&table.sort).filter(|s| !s.is_empty()).and_then(find).unwrap_or(&COLUMNS[0]);
        Self { columns, hide_constant: table.hide_constant, sort, reversed: table.reversed, grouping }
    }

    pub fn to_remember(&self) -> RunTable {
        let ids = || self.columns.iter().map(|c| c.id.to_string()).collect();
        RunTable {
            // Who never chose gets the usual columns of a later version too.
            columns: if self.columns == usual() { Vec::new() } else { ids() },
            hide_constant: self.hide_constant,
            sort: self.sort.id.into(),
            reversed: self.reversed,
            group: self.grouping.map_or(String::new(), |g| GROUPINGS[g].join(",")),
        }
    }

    pub fn compare(&self, a: &RunSummary, b: &RunSummary) -> Ordering {
        let order = (self.sort.order)(a, b);
        if self.reversed { order.reverse() } else { order }
    }

    /// The columns that have something to tell of `runs`, and how many are left out because they are the same in all.
    pub fn telling(&self, runs: &[&Arc<RunSummary>]) -> (Vec<&'static Column>, usize) {
        let mut hidden = 0;
        let tells = |column: &&&Column| {
            if is_empty(column, runs) {
                return false;
            }
            let constant = self.hide_constant && is_constant(column, runs) && **column != self.sort;
            hidden += usize::from(constant);
            !constant
        };
        let mut columns: Vec<&Column> = self.columns.iter().filter(tells).copied().collect();
        if columns.is_empty() {
            columns.push(self.sort);
        }
        (columns, hidden)
    }

    /// Sorts by the column `by` places further among `columns`, the first after the last.
    pub fn sort_further(&mut self, columns: &[&'static Column], by: isize) {
        let count = columns.len() as isize;
        let next = match columns.iter().position(|c| *c == self.sort) {
            Some(at) => (at as isize + by).rem_euclid(count.max(1)),
            None => 0,
        };
        if let Some(column) = columns.get(next as usize) {
            self.sort = column;
            self.reversed = false;
        }
    }
}

fn usual() -> Vec<&'static Column> {
    COLUMNS.iter().filter(|c| c.usual).collect()
}

/// A column of a person's words, of which there are none: it takes no room.
pub fn is_empty(column: &Column, runs: &[&Arc<RunSummary>]) -> bool {
    match column.id {
        "tags" => runs.iter().all(|r| r.tags.is_empty()),
        "note" => runs.iter().all(|r| r.note.is_empty()),
        _ => false,
    }
}

/// The same in all of several runs. Status and name tell runs apart and are never said to be.
pub fn is_constant(column: &Column, runs: &[&Arc<RunSummary>]) -> bool {
    let [first, rest @ ..] = runs else { return false };
    let differs = |r: &&Arc<RunSummary>| (column.order)(first, r) != Ordering::Equal;
    !matches!(column.id, "status" | "name") && !rest.is_empty() && !rest.iter().any(differs)
}
