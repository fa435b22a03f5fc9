//! What stands in a report and in which order.

use super::{Block, Document, Material, NONE, Picture, ReportError, Table};
use crate::adapter;
use crate::chart::table1::Table1;
use crate::chart::{self, ChartOptions, Subject};
use crate::event::Status;
use crate::export::Size;
use crate::figure::Figure;
use crate::record::{Analysis, AnalysisKind, RunDetail, RunSummary};
use crate::spec::{Field, RunSpec, task_name};
use crate::task;
use crate::view::compare;
use std::collections::BTreeMap;

/// Charts of each task's best runs.
const CURVES: [&str; 2] = ["loss", "score"];
const ANALYSES: [AnalysisKind; 3] = [AnalysisKind::Deletion, AnalysisKind::Rank, AnalysisKind::Symmetry];
/// Pictures that are not of the whole store: as wide as a page, for a screen rather than for print.
const SMALL: Size = Size { width: 1_120, height: 680, dpi: 160 };

impl Material {
    /// Keeps those of `runs`, newest first, that a report can tell something of.
    pub fn of(runs: Vec<RunSummary>) -> Self {
        Self { runs: runs.into_iter().filter(RunSummary::has_begun).collect(), ..Self::default() }
    }

    /// For each model with its data and each task the best run of each method, in the order of the tasks and methods.
    pub fn best(&self) -> Vec<Vec<&RunSummary>> {
        let mut groups = BTreeMap::new();
        // From the oldest: of equals the older stays.
        for run in self.runs.iter().rev().filter(|r| r.best.is_some_and(f64::is_finite)) {
            let RunSpec { task, method, model, data, .. } = &run.spec;
            // Those of a person's own stand behind GLUE's.
            let place = task::ALL.iter().position(|t| t.id() == task).unwrap_or(task::ALL.len());
            let task = (place, task.as_str());
            let method = adapter::ALL.iter().position(|m| m.id() == method).unwrap_or(adapter::ALL.len());
            let known: &mut &RunSummary = groups.entry((task, model, data, method)).or_insert(run);
            if run.best > known.best {
                *known = run;
            }
        }
        let mut best: Vec<Vec<&RunSummary>> = Vec::new();
        let like = |a: &RunSpec, b: &RunSpec| (&a.task, &a.model, &a.data) == (&b.task, &b.model, &b.data);
        for run in groups.into_values() {
            match best.last_mut().filter(|group| like(&group[0].spec, &run.spec)) {
                Some(group) => group.push(run),
                None => best.push(vec![run]),
            }
        }
        best
    }
}

impl Document {
    /// The report of the runs in `material`.
    pub fn of(material: &Material) -> Result<Self, ReportError> {
        let runs: Vec<&RunSummary> = material.runs.iter().rev().collect();
        if runs.is_empty() {
            return Err(ReportError::Empty);
        }
        let mut blocks = vec![Block::Text(summary(&runs, &material.filter))];
        table1(material, &mut blocks);
        of_norms(material, &mut blocks);
        curves(material, &mut blocks);
        analyses(material, &mut blocks);
        blocks.push(Block::Section("Runs".into()));
        blocks.push(Block::Table(results(&runs)));
        settings(&runs, &mut blocks);
        blocks.push(Block::Section("Environment".into()));
        blocks.push(Block::Table(environment(&runs)));
        let title = format!("Report of {} run{}", runs.len(), if runs.len() == 1 { "" } else { "s" });
        Ok(Self { title, blocks })
    }
}

fn summary(runs: &[&RunSummary], filter: &str) -> String {
    let counts = Status::ALL.iter().filter_map(|status| {
        let n = runs.iter().filter(|r| r.status == *status).count();
        (n > 0).then(|| format!("{n} {status}"))
    });
    let counts: Vec<String> = counts.collect();
    let chosen = if filter.is_empty() { String::new() } else { format!(" Chosen by the filter {filter:?}.") };
    format!("Runs: {}. Best scores are of validation rows.{chosen}", counts.join(", "))
}

/// A table for each model with its data.
fn table1(material: &Material, blocks: &mut Vec<Block>) {
    // Scores on test rows belong to a table that has runs.
    let sources = Table1::of(&material.runs, &[], None).sources;
    if sources.is_empty() {
        return;
    }
    blocks.push(Block::Section("Table 1".into()));
    for source in &sources {
        if sources.len() > 1 {
            blocks.push(Block::Subsection(source.text()));
        }
        let table = Table1::of(&material.runs, &material.tests, Some(source));
        let mut lines = table.grid().into_iter();
        let titles = lines.next().unwrap_or_default();
        blocks.push(Block::Table(Table { titles, rows: lines.collect() }));
        blocks.push(Block::Text(table.caption()));
    }
}

/// Every chart that is drawn from the norms of many runs.
fn of_norms(material: &Material, blocks: &mut Vec<Block>) {
    let options = ChartOptions::default();
    for chart in chart::ALL {
        // Others want one run, and what has nothing to draw yet has no place here.
        if let Ok(figure) = chart.figure(&Subject::Norms(&material.norms), &options) {
            blocks.push(Block::Section(figure.title.clone()));
            blocks.push(picture(chart.id().into(), figure, Size::default()));
        }
    }
}

fn curves(material: &Material, blocks: &mut Vec<Block>) {
    let groups = material.best();
    if !groups.is_empty() {
        blocks.push(Block::Section("Best runs".into()));
    }
    for (i, group) in groups.iter().enumerate() {
        let spec = &group[0].spec;
        let label = task::glue(&spec.task).map_or(group[0].task_label(), |t| t.label());
        let name = task_name(&spec.task);
        let several = groups.iter().filter(|g| task_name(&g[0].spec.task) == name).count() > 1;
        let source = if several { format!(": {}, {}", spec.model, data(spec)) } else { String::new() };
        blocks.push(Block::Subsection(format!("{label}{source}")));
        blocks.push(Block::Table(results(group)));
        let details: Vec<&RunDetail> =
            group.iter().filter_map(|run| material.curves.iter().find(|d| d.summary.id == run.id)).collect();
        for id in CURVES {
            let figure = chart::find(id).map(|c| c.figure(&Subject::Runs(&details), &ChartOptions::default()));
            if let Some(Ok(figure)) = figure {
                let number = if several { format!("-{}", i + 1) } else { String::new() };
                blocks.push(picture(format!("{id}-{name}{number}"), figure, SMALL));
            }
        }
    }
}

fn analyses(material: &Material, blocks: &mut Vec<Block>) {
    if !material.analysed.is_empty() {
        blocks.push(Block::Section("Analyses".into()));
    }
    for run in &material.analysed {
        let RunSummary { id, name, .. } = &run.summary;
        blocks.push(Block::Subsection(format!("{id} {name}")));
        for kind in ANALYSES {
            let figure = chart::find(kind.id()).map(|c| c.figure(&Subject::Run(run), &ChartOptions::default()));
            if let Some(Ok(figure)) = figure {
                blocks.push(picture(format!("{}-{id}", kind.id()), figure, SMALL));
            }
        }
        let ranks = run.analyses.iter().find_map(|a| if let Analysis::Rank(curves) = a { Some(curves) } else { None });
        if let Some(curves) = ranks {
            let of = |c: &crate::record::Curve| c.effective_rank().map_or(NONE.into(), |k| k.to_string());
            blocks.push(Block::Table(Table {
                titles: vec!["matrices cut".into(), "rank that keeps the score".into()],
                rows: curves.curves.iter().map(|c| vec![c.order.clone(), of(c)]).collect(),
            }));
        }
    }
}

/// What became of runs.
fn results(runs: &[&RunSummary]) -> Table {
    type Column = (&'static str, fn(&RunSummary) -> String);
    const COLUMNS: [Column; 13] = [
        ("run", |r| r.id.to_string()),
        ("name", |r| r.name.clone()),
        ("method", |r| r.spec.method.clone()),
        ("seed", |r| r.seed().map_or(NONE.into(), |seed| seed.to_string())),
        ("status", |r| r.status.to_string()),
        ("metric", |r| r.facts.metric.clone()),
        ("best", |r| score(r.best)),
        ("at epoch", |r| r.best_epoch.map_or(NONE.into(), |e| format!("{e:.0}"))),
        ("last", |r| score(r.last)),
        ("adapter parameters", |r| r.facts.adapter_parameters.to_string()),
        ("training seconds", |r| format!("{:.1}", r.seconds)),
        ("tags", |r| r.tags.join(" ")),
        ("note", note),
    ];
    let row = |run: &&RunSummary| COLUMNS.iter().map(|(_, of)| of(run)).collect();
    let titles = COLUMNS.iter().map(|(title, _)| title.to_string()).collect();
    without_empty(Table { titles, rows: runs.iter().map(row).collect() })
}

fn score(score: Option<f64>) -> String {
    score.filter(|v| v.is_finite()).map_or(NONE.into(), |v| format!("{v:.4}"))
}

/// Why a run failed is the first thing to know of it.
fn note(run: &RunSummary) -> String {
    let parts = [run.cause.as_deref().unwrap_or_default(), &run.note];
    parts.into_iter().filter(|n| !n.is_empty()).collect::<Vec<_>>().join("; ")
}

/// Leaves columns out in which nothing stands.
fn without_empty(table: Table) -> Table {
    let filled: Vec<bool> = (0..table.titles.len()).map(|i| table.rows.iter().any(|r| !r[i].is_empty())).collect();
    let keep = |cells: Vec<String>| cells.into_iter().zip(&filled).filter(|(_, f)| **f).map(|(c, _)| c).collect();
    Table { titles: keep(table.titles), rows: table.rows.into_iter().map(keep).collect() }
}

/// What all runs share, then what tells them apart.
fn settings(runs: &[&RunSummary], blocks: &mut Vec<Block>) {
    blocks.push(Block::Section("Settings".into()));
    let all: Vec<compare::Setting> = compare::settings(runs).into_iter().filter(|s| s.name != "name").collect();
    let (differing, common): (Vec<_>, Vec<_>) = all.into_iter().partition(compare::Setting::differs);
    let value = |name: &str, text: &str| match (name, text) {
        ("data", "") => EMBEDDED.to_string(),
        (_, "") => NONE.into(),
        _ => text.into(),
    };
    if !common.is_empty() {
        blocks.push(Block::Subsection(if runs.len() == 1 { "Of the run" } else { "Of all runs" }.into()));
        blocks.push(Block::Table(Table {
            titles: ["setting", "value", "what it is"].map(String::from).into(),
            rows: common.iter().map(|s| vec![s.name.to_string(), value(s.name, &s.values[0]), help(s.name)]).collect(),
        }));
    }
    if !differing.is_empty() {
        blocks.push(Block::Subsection("Of each run".into()));
        let cells = |i: usize| differing.iter().map(move |s| value(s.name, &s.values[i]));
        blocks.push(Block::Table(Table {
            titles: ["run".to_string()].into_iter().chain(differing.iter().map(|s| s.name.to_string())).collect(),
            rows: (0..runs.len()).map(|i| [runs[i].id.to_string()].into_iter().chain(cells(i)).collect()).collect(),
        }));
    }
}

fn help(name: &str) -> String {
    Field::find(name).map_or_else(String::new, |field| field.help.into())
}

const EMBEDDED: &str = "embedded rows";

fn data(spec: &RunSpec) -> &str {
    if spec.data.is_empty() { EMBEDDED } else { &spec.data }
}

/// Machines and programs that the runs were trained with, and when.
fn environment(runs: &[&RunSummary]) -> Table {
    let mut names: Vec<&str> = runs.iter().flat_map(|r| r.facts.environment.keys().map(String::as_str)).collect();
    names.sort_unstable();
    names.dedup();
    let mut groups: Vec<(Vec<String>, Vec<&RunSummary>)> = Vec::new();
    for run in runs {
        let of = |name: &&str| run.facts.environment.get(*name).cloned().unwrap_or_else(|| NONE.into());
        let values: Vec<String> = names.iter().map(of).collect();
        match groups.iter_mut().find(|(known, _)| *known == values) {
            Some((_, group)) => group.push(run),
            None => groups.push((values, vec![run])),
        }
    }
    let row = |(values, group): (Vec<String>, Vec<&RunSummary>)| {
        let first = group.iter().filter_map(|r| r.started).min_by(f64::total_cmp);
        let last = group.iter().filter_map(|r| r.ended).max_by(f64::total_cmp);
        values.into_iter().chain([date(first), date(last), ids(runs, &group)]).collect()
    };
    Table {
        titles: names.iter().copied().chain(["first start", "last end", "runs"]).map(String::from).collect(),
        rows: groups.into_iter().map(row).collect(),
    }
}

/// Ids of some of the runs, `r0001 to r0004` for neighbours.
fn ids(runs: &[&RunSummary], some: &[&RunSummary]) -> String {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for (i, _) in runs.iter().enumerate().filter(|(_, r)| some.iter().any(|s| s.id == r.id)) {
        match spans.last_mut() {
            Some((_, last)) if *last + 1 == i => *last = i,
            _ => spans.push((i, i)),
        }
    }
    let text = |(first, last): (usize, usize)| match last - first {
        0 => runs[first].id.to_string(),
        1 => format!("{}, {}", runs[first].id, runs[last].id),
        _ => format!("{} to {}", runs[first].id, runs[last].id),
    };
    spans.into_iter().map(text).collect::<Vec<_>>().join(", ")
}

/// A Unix time as `2026-01-31 09:05 UTC`.
fn date(time: Option<f64>) -> String {
    let stamp = time.and_then(|t| jiff::Timestamp::from_second(t as i64).ok());
    stamp.map_or(NONE.into(), |t| t.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

fn picture(stem: String, figure: Figure, size: Size) -> Block {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '-' };
    Block::Picture(Picture { stem: stem.chars().map(safe).collect(), figure, size })
}
