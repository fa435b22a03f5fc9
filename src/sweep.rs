//! Sweeps: a grid, the best of it by validation for each task and method, then several seeds of the best. Pure: from what is
//! asked and what the store holds to what is to be launched next. Knows neither threads nor files.

mod asked;
mod result;

pub use asked::Asked;
pub use result::Outcome;

use crate::event::{RunId, Status};
use crate::record::RunSummary;
use crate::spec::{self, RunSpec};
use std::collections::HashMap;

/// How a spec says that it starts from the best run of a task.
pub const BEST: &str = "best:";

/// What a sweep asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    pub name: String,
    /// Every combination, with the first seed.
    pub grid: Vec<RunSpec>,
    /// Seeds of the best of each group; empty: the grid is all.
    pub seeds: Vec<u64>,
    /// Failed runs are tried again.
    pub retry: bool,
}

/// Which part of a sweep a run belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Grid,
    Seeds,
}

/// What the store holds of a run that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub id: RunId,
    pub status: Status,
    /// Best validation score.
    pub score: Option<f64>,
    /// Training time in seconds.
    pub seconds: f64,
    pub tagged: bool,
}

/// A run that a sweep asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    pub stage: Stage,
    pub spec: RunSpec,
    pub found: Option<Found>,
}

/// The runs among which one best is looked for: those of one task, method, model and data.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    pub task: String,
    pub method: String,
    pub model: String,
    pub data: String,
    /// The grid in its order, then, when its best is known, the seeds.
    pub members: Vec<Member>,
    /// Place of the grid's best among the members, when every run of the grid has ended.
    pub best: Option<usize>,
    /// What must be known before the group can begin.
    pub waits: Option<String>,
}

/// Where a sweep stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub groups: Vec<Group>,
    /// Runs that the seeds of a group are beyond its grid.
    beyond: usize,
    retry: bool,
}

impl Sweep {
    /// The tag of the sweep's runs.
    pub fn tag(&self) -> String {
        format!("sweep:{}", self.name)
    }

    /// Where the sweep stands with `runs`, newest first; archived ones do not count.
    pub fn plan(&self, runs: &[RunSummary]) -> Plan {
        let tag = self.tag();
        let known = Known::new(runs.iter().filter(|r| !r.archived), &tag);
        let mut groups: Vec<Group> = Vec::new();
        for spec in &self.grid {
            let at = groups.iter().position(|g| g.holds(spec)).unwrap_or_else(|| {
                groups.push(Group::of(spec));
                groups.len() - 1
            });
            groups[at].members.push(Member { stage: Stage::Grid, spec: spec.clone(), found: None });
        }
        // A group that starts from another's best comes after it, in whatever order they were asked for.
        let mut left: Vec<usize> = (0..groups.len()).collect();
        loop {
            let before = left.len();
            left.retain(|at| {
                let resolved: Result<Vec<RunSpec>, String> =
                    groups[*at].members.iter().map(|m| known.resolve(&m.spec, &groups, Some(*at))).collect();
                match resolved {
                    Ok(specs) => {
                        groups[*at].fill(specs, &known, self);
                        false
                    }
                    Err(waits) => {
                        groups[*at].waits = Some(waits);
                        true
                    }
                }
            });
            if left.len() == before || left.is_empty() {
                let first = self.grid.first().map(|spec| spec.seed);
                let beyond = self.seeds.iter().filter(|seed| Some(**seed) != first).count();
                return Plan { groups, beyond, retry: self.retry };
            }
        }
    }
}

/// `spec` with a start of `best:TASK` replaced by the best finished run of that task with the same method, model, data, rank
/// and matrices among `runs`; or why there is none.
pub fn resolve(spec: &RunSpec, runs: &[RunSummary]) -> Result<RunSpec, crate::spec::SpecError> {
    let known = Known::new(runs.iter().filter(|r| !r.archived), "");
    known.resolve(spec, &[], None).map_err(|why| crate::spec::SpecError::new("init_adapter", &spec.init_adapter, why))
}

/// What identifies a run: all of its settings but its name and how many threads it has.
fn identity(spec: &RunSpec) -> String {
    let plain = RunSpec { name: String::new(), threads: 0, alpha: spec.effective_alpha(), ..spec.clone() };
    serde_json::to_string(&plain).unwrap_or_default()
}

/// The store's runs by their identity, of equal ones the most advanced.
struct Known<'a> {
    by_identity: HashMap<String, &'a RunSummary>,
    all: Vec<&'a RunSummary>,
    tag: &'a str,
}

impl<'a> Known<'a> {
    fn new(runs: impl Iterator<Item = &'a RunSummary>, tag: &'a str) -> Self {
        let all: Vec<&RunSummary> = runs.collect();
        let mut by_identity: HashMap<String, &RunSummary> = HashMap::with_capacity(all.len());
        for run in &all {
            let place = by_identity.entry(identity(&run.spec)).or_insert(run);
            if rank(run) < rank(place) {
                *place = run;
            }
        }
        Self { by_identity, all, tag }
    }

    fn find(&self, spec: &RunSpec) -> Option<Found> {
        let run = self.by_identity.get(&identity(spec))?;
        Some(Found {
            id: run.id.clone(),
            status: run.status,
            score: run.best,
            seconds: run.seconds,
            tagged: run.tags.iter().any(|t| t == self.tag),
        })
    }

    /// `spec` with a start that is known, or what it waits for. Within a sweep the start is the best of the other group's
    /// grid, elsewhere the best of all finished runs; a group never starts from its own.
    fn resolve(&self, spec: &RunSpec, groups: &[Group], own: Option<usize>) -> Result<RunSpec, String> {
        let Some(task) = spec.init_adapter.strip_prefix(BEST) else { return Ok(spec.clone()) };
        let task = &spec::whole_task(task);
        let source = RunSpec { task: task.clone(), ..spec.clone() };
        let found = match groups.iter().position(|g| g.holds(&source)) {
            Some(at) if Some(at) == own => return Err(format!("{task} starts from its own best run")),
            Some(at) => match (groups[at].best(), groups[at].grid_is_settled(false)) {
                (Some(best), _) => best.found.as_ref().map(|f| f.id.clone()),
                (None, true) => return Err(format!("no run of {task} came to a score")),
                (None, false) => return Err(format!("the best run of {task} is not known yet")),
            },
            None => {
                let fits = |r: &&&RunSummary| {
                    let s = &r.spec;
                    r.status == Status::Done
                        && (&s.task, &s.method, &s.model, &s.data)
                            == (&source.task, &spec.method, &spec.model, &spec.data)
                        && (s.rank, &s.targets) == (spec.rank, &spec.targets)
                };
                let scored = self.all.iter().filter(fits).filter(|r| r.best.is_some());
                scored
                    .max_by(|a, b| a.best.unwrap_or(f64::NAN).total_cmp(&b.best.unwrap_or(f64::NAN)))
                    .map(|r| r.id.clone())
            }
        };
        let id = found.ok_or_else(|| {
            format!("a finished run of {task} with the same method, model, data, rank and targets: there is none")
        })?;
        Ok(RunSpec { init_adapter: id.0, ..spec.clone() })
    }
}

/// How far a run is from its end; the least counts.
fn rank(run: &RunSummary) -> u8 {
    match run.status {
        Status::Done => 0,
        Status::Running | Status::Paused => 1,
        Status::Queued => 2,
        Status::Stopped | Status::Interrupted => 3,
        Status::Failed => 4,
        Status::Cancelled => 5,
    }
}

impl Group {
    fn of(spec: &RunSpec) -> Self {
        let RunSpec { task, method, model, data, .. } = spec.clone();
        Self { task, method, model, data, members: Vec::new(), best: None, waits: None }
    }

    fn holds(&self, spec: &RunSpec) -> bool {
        (&self.task, &self.method, &self.model, &self.data) == (&spec.task, &spec.method, &spec.model, &spec.data)
    }

    /// Takes over the grid's settings as they are known now, finds its best, and then the seeds.
    fn fill(&mut self, grid: Vec<RunSpec>, known: &Known, sweep: &Sweep) {
        self.waits = None;
        self.members.clear();
        let mut seen: Vec<String> = Vec::new();
        let mut add = |members: &mut Vec<Member>, stage, spec: RunSpec| {
            let identity = identity(&spec);
            if !seen.contains(&identity) {
                seen.push(identity);
                members.push(Member { stage, found: known.find(&spec), spec });
            }
        };
        grid.into_iter().for_each(|spec| add(&mut self.members, Stage::Grid, spec));
        if !self.grid_is_settled(sweep.retry) {
            return;
        }
        let score = |i: &usize| self.members[*i].found.as_ref().filter(|f| f.status == Status::Done)?.score;
        // Of equal scores the first of the grid: whatever order they ended in, the best is the same.
        let scored = (0..self.members.len()).rev().filter(|i| score(i).is_some_and(f64::is_finite));
        self.best = scored.max_by(|a, b| score(a).unwrap_or(f64::NAN).total_cmp(&score(b).unwrap_or(f64::NAN)));
        if let Some(best) = self.best() {
            let best = best.spec.clone();
            let seeds = sweep.seeds.iter().map(|seed| RunSpec { seed: *seed, ..best.clone() });
            seeds.for_each(|spec| add(&mut self.members, Stage::Seeds, spec));
        }
    }

    /// Every run of the grid has ended for good.
    fn grid_is_settled(&self, retry: bool) -> bool {
        let mut grid = self.of_stage(Stage::Grid).peekable();
        grid.peek().is_some() && grid.all(|m| m.is_settled(retry))
    }

    fn of_stage(&self, stage: Stage) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(move |m| m.stage == stage)
    }

    /// The best of the grid.
    pub fn best(&self) -> Option<&Member> {
        self.best.map(|i| &self.members[i])
    }
}

impl Member {
    fn is_settled(&self, retry: bool) -> bool {
        match self.status() {
            Some(Status::Done | Status::Cancelled) => true,
            Some(Status::Failed) => !retry,
            _ => false,
        }
    }

    pub fn status(&self) -> Option<Status> {
        self.found.as_ref().map(|f| f.status)
    }
}

impl Plan {
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.groups.iter().flat_map(|g| &g.members)
    }

    /// What is not in the store yet and can begin, in order.
    pub fn launch(&self) -> Vec<RunSpec> {
        let ready = self.groups.iter().filter(|g| g.waits.is_none());
        ready.flat_map(|g| &g.members).filter(|m| m.found.is_none()).map(|m| m.spec.clone()).collect()
    }

    /// What was stopped or interrupted, and with `retry` what failed.
    pub fn resume(&self) -> Vec<RunId> {
        let goes_on = |s: Status| s.is_resumable() && (self.retry || s != Status::Failed);
        self.found().filter(|f| goes_on(f.status)).map(|f| f.id.clone()).collect()
    }

    /// Runs of the sweep that do not carry its tag.
    pub fn untagged(&self) -> Vec<RunId> {
        self.found().filter(|f| !f.tagged).map(|f| f.id.clone()).collect()
    }

    pub fn found(&self) -> impl Iterator<Item = &Found> {
        self.members().filter_map(|m| m.found.as_ref())
    }

    /// Runs of a stage that have ended for good, and how many there will be. The grid's best, which is one of the seeds
    /// where its seed is one of them, counts with the grid alone.
    pub fn counts(&self, stage: Stage) -> (usize, usize) {
        let done = |m: &&Member| m.is_settled(false);
        let of = |g: &Group| (g.of_stage(stage).filter(done).count(), g.of_stage(stage).count());
        let (done, known) = self.groups.iter().map(of).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        let unknown = self.groups.iter().filter(|g| g.best.is_none() && !g.grid_is_settled(false)).count();
        let coming = if stage == Stage::Seeds { unknown * self.beyond } else { 0 };
        (done, known + coming)
    }

    /// Seeds that each group without a best will have beyond its grid, by task.
    pub fn coming(&self) -> impl Iterator<Item = (&str, usize)> {
        self.groups.iter().filter(|g| g.best.is_none()).map(|g| (g.task.as_str(), self.beyond))
    }

    /// Runs that the seeds of a group are beyond its grid.
    pub fn beyond(&self) -> usize {
        self.beyond
    }

    /// Every group has its best and every run has ended.
    pub fn is_complete(&self) -> bool {
        self.groups.iter().all(|g| g.best.is_some())
            && self.members().all(|m| m.status() == Some(Status::Done) || m.stage == Stage::Grid)
    }
}

#[cfg(test)]
mod tests;
