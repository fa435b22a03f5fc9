//! The rows of the table of runs: the runs themselves or groups of them.

use super::shown::Shown;
use crate::event::{RunId, Status};
use crate::record::RunSummary;
use crate::spec::{self, FIELDS, Field};
use crate::stats::{self, Spread};
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Fields of a spec that runs can be grouped by; a longer list groups further.
pub const GROUPINGS: [&[&str]; 2] = [&["task", "method"], &["task", "method", "lr", "batch_size"]];

pub enum Row<'a> {
    Run {
        run: &'a Arc<RunSummary>,
        /// Under the row of its group.
        inside: bool,
    },
    Group(Group<'a>),
}

pub struct Group<'a> {
    /// The values that its runs share, as the row tells them; unique in the table.
    pub key: String,
    pub fields: &'static [&'static str],
    /// In the order of the table; never empty.
    pub runs: Vec<&'a Arc<RunSummary>>,
    pub open: bool,
    /// Of the best scores of the runs that are done.
    pub spread: Option<Spread>,
}

/// What a row stands for, kept while rows come and go.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    Run(RunId),
    Group(String),
}

impl<'a> Row<'a> {
    pub fn place(&self) -> Place {
        match self {
            Row::Run { run, .. } => Place::Run(run.id.clone()),
            Row::Group(group) => Place::Group(group.key.clone()),
        }
    }

    pub fn is(&self, place: &Place) -> bool {
        match (self, place) {
            (Row::Run { run, .. }, Place::Run(id)) => run.id == *id,
            (Row::Group(group), Place::Group(key)) => group.key == *key,
            _ => false,
        }
    }

    /// The run, or the runs of the group.
    pub fn runs(&self) -> &[&'a Arc<RunSummary>] {
        match self {
            Row::Run { run, .. } => std::slice::from_ref(run),
            Row::Group(group) => &group.runs,
        }
    }
}

impl Group<'_> {
    pub fn done(&self) -> usize {
        self.runs.iter().filter(|r| r.status == Status::Done).count()
    }

    /// Fields beside the seed that are not the same in all of its runs: with some, the interval is not over seeds alone.
    pub fn differing(&self) -> Vec<&'static str> {
        let wanted = |f: &&Field| !["seed", "name"].contains(&f.name) && !self.fields.contains(&f.name);
        let first = &self.runs[0].spec;
        let differs = |f: &&Field| self.runs[1..].iter().any(|r| r.spec != *first && f.get(&r.spec) != f.get(first));
        FIELDS.iter().filter(wanted).filter(differs).map(|f| f.name).collect()
    }
}

/// The rows of `runs`, which the filter let through and which are sorted.
pub fn rows<'a>(runs: Vec<&'a Arc<RunSummary>>, shown: &Shown, open: &HashSet<String>) -> Vec<Row<'a>> {
    let Some(grouping) = shown.grouping else {
        return runs.into_iter().map(|run| Row::Run { run, inside: false }).collect();
    };
    let mut groups = groups(runs, GROUPINGS[grouping], open);
    groups.sort_by(|a, b| compare(a, b, shown));
    let with_runs = |group: Group<'a>| {
        let inside: Vec<&Arc<RunSummary>> = if group.open { group.runs.clone() } else { Vec::new() };
        std::iter::once(Row::Group(group)).chain(inside.into_iter().map(|run| Row::Run { run, inside: true }))
    };
    groups.into_iter().flat_map(with_runs).collect()
}

fn groups<'a>(
    runs: Vec<&'a Arc<RunSummary>>,
    fields: &'static [&'static str],
    open: &HashSet<String>,
) -> Vec<Group<'a>> {
    let mut groups: Vec<Group> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for run in runs {
        let key = key(run, fields);
        let at = *known.entry(key.clone()).or_insert(groups.len());
        if at == groups.len() {
            let open = open.contains(&key);
            groups.push(Group { key, fields, runs: Vec::new(), open, spread: None });
        }
        groups[at].runs.push(run);
    }
    for group in &mut groups {
        let done = group.runs.iter().filter(|r| r.status == Status::Done);
        group.spread = stats::spread(&done.filter_map(|r| r.best).collect::<Vec<_>>());
    }
    groups
}

/// Task and method as they are, other fields with their names.
fn key(run: &RunSummary, fields: &[&str]) -> String {
    let value = |name: &&str| {
        let value = Field::find(name).map(|f| f.get(&run.spec)).unwrap_or_default();
        match *name {
            "task" => spec::task_name(&value).into(),
            "method" => value,
            name => format!("{name}={value}"),
        }
    };
    fields.iter().map(value).collect::<Vec<_>>().join(" ")
}

/// By their means where scores are sorted, else by the run that comes first in each.
fn compare(a: &Group, b: &Group, shown: &Shown) -> Ordering {
    if shown.sort.id != "best" {
        return shown.compare(a.runs[0], b.runs[0]);
    }
    let mean = |g: &Group| g.spread.map_or(f64::NEG_INFINITY, |s| s.mean.centre);
    let order = mean(b).total_cmp(&mean(a));
    if shown.reversed { order.reverse() } else { order }
}
