//! The paper's Table 1 from the runs in the store: tasks down, methods across, the mean over seeds with its interval, and what
//! the paper printed. Pure data with its texts: knows neither terminal nor database.

use crate::event::Status;
use crate::record::RunSummary;
use crate::spec::RunSpec;
use crate::{adapter, metric, stats, task};
use serde::Serialize;
use std::collections::HashMap;

/// Where the published numbers come from.
pub const PAPER: &str = "\"Towards Symmetric Low-Rank Adapters\", Table 1, validation";

/// Task, score and, in points, the half width that the paper prints beside it.
type Printed = (&'static str, f64, Option<f64>);

/// The paper's validation scores by method.
const PUBLISHED: [(&str, [Printed; 8]); 2] = [
    (
        "symlora",
        [
            ("cola", 0.63, Some(2.9)),
            ("qnli", 0.92, Some(0.7)),
            ("sst-2", 0.94, Some(1.5)),
            ("mnli", 0.86, Some(0.5)),
            ("qqp", 0.90, Some(0.3)),
            ("rte", 0.85, Some(4.1)),
            ("mrpc", 0.88, Some(1.5)),
            ("sts-b", 0.90, Some(0.5)),
        ],
    ),
    (
        "lora",
        [
            ("cola", 0.63, None),
            ("qnli", 0.93, Some(0.3)),
            ("sst-2", 0.95, Some(0.2)),
            ("mnli", 0.87, Some(0.3)),
            ("qqp", 0.90, Some(0.1)),
            ("rte", 0.86, Some(0.7)),
            ("mrpc", 0.89, Some(0.7)),
            ("sts-b", 0.91, None),
        ],
    ),
];

/// A model and the rows that runs were trained and scored on; scores of different ones are never mixed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Source {
    pub model: String,
    /// Folder of GLUE's files; empty: the embedded sample.
    pub data: String,
}

/// A score that the paper printed, 0 to 1, with the half width of its interval in points.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Paper {
    pub score: f64,
    pub points: Option<f64>,
}

/// The runs of one setting that differ in their seed alone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Seeds {
    /// Mean over seeds of each run's best validation score.
    pub mean: f64,
    /// 1.96 s / sqrt(n); none for one seed.
    pub half_width: Option<f64>,
    pub seeds: Vec<u64>,
    /// Finished runs of this task and method in all, those of other settings included.
    pub finished: usize,
    /// The setting, with the seed of one of its runs.
    pub setting: RunSpec,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cell {
    pub method: &'static str,
    pub ours: Option<Seeds>,
    pub paper: Option<Paper>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    pub task: &'static str,
    pub label: &'static str,
    /// The task's main metric.
    pub metric: &'static str,
    /// In the order of [`adapter::ALL`].
    pub cells: Vec<Cell>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Table1 {
    /// What the runs of this table were trained on; none without finished runs.
    pub source: Option<Source>,
    /// All there are, those with a real model and GLUE's files first, then by the number of runs.
    pub sources: Vec<Source>,
    pub rows: Vec<Row>,
}

impl Source {
    fn of(spec: &RunSpec) -> Self {
        Self { model: spec.model.clone(), data: spec.data.clone() }
    }

    /// Scores of it are GLUE scores: neither the embedded model nor the embedded rows.
    pub fn is_glue(&self) -> bool {
        !self.data.is_empty() && self.model != RunSpec::default().model
    }

    pub fn text(&self) -> String {
        let rows = if self.data.is_empty() { "embedded rows" } else { &self.data };
        format!("{}, {rows}", self.model)
    }
}

impl Seeds {
    /// In points: `71.2 ±1.3 n=3`.
    pub fn text(&self) -> String {
        let half = self.half_width.map_or(String::new(), |h| format!(" ±{:.1}", 100.0 * h));
        format!("{:.1}{half} n={}", 100.0 * self.mean, self.seeds.len())
    }
}

impl Paper {
    /// In points, with the digits that were printed: `63 ±2.9`.
    pub fn text(&self) -> String {
        let half = self.points.map_or(String::new(), |p| format!(" ±{p:.1}"));
        format!("{:.0}{half}", 100.0 * self.score)
    }
}

impl Table1 {
    /// The table of `runs`, newest first, on `source`; none: the first of the sources.
    pub fn of<'a>(runs: impl IntoIterator<Item = &'a RunSummary>, source: Option<&Source>) -> Self {
        let finished: Vec<&RunSummary> =
            runs.into_iter().filter(|r| r.status == Status::Done && r.best.is_some()).collect();
        let sources = sources(&finished);
        let source = source.filter(|s| sources.contains(s)).or(sources.first()).cloned();
        let mut cells: HashMap<(&str, &str), Vec<&RunSummary>> = HashMap::new();
        for run in finished {
            if source.as_ref().is_some_and(|s| s.model == run.spec.model && s.data == run.spec.data) {
                cells.entry((&run.spec.task, &run.spec.method)).or_default().push(run);
            }
        }
        let row = |t: &&'static dyn task::Task| Row {
            task: t.id(),
            label: t.label(),
            metric: t.metric_ids().first().and_then(|id| metric::find(id)).map_or("", |m| m.label()),
            cells: adapter::ALL
                .iter()
                .map(|m| Cell {
                    method: m.id(),
                    ours: cells.get(&(t.id(), m.id())).and_then(|runs| over_seeds(runs)),
                    paper: published(t.id(), m.id()),
                })
                .collect(),
        };
        let rows = task::ALL.iter().map(row).collect();
        Self { source, sources, rows }
    }

    /// What the numbers are, in a few sentences.
    pub fn caption(&self) -> String {
        let source = match &self.source {
            None => "no finished runs yet".into(),
            Some(s) if s.is_glue() => s.text(),
            Some(s) => format!("{}: these are not GLUE scores", s.text()),
        };
        format!(
            "{source}. Best validation score of each run x 100, mean over seeds ± 1.96 s/√n, of the setting with most seeds. \
             Paper: {PAPER}."
        )
    }

    /// As a table of Markdown that also reads well as it is: of the methods that have runs or numbers of the paper.
    pub fn markdown(&self) -> String {
        let mut lines = vec![vec!["task".to_string(), "metric".into()]];
        for method in adapter::ALL.iter().filter(|m| self.has_numbers(m.id())) {
            lines[0].push(method.label().into());
            if self.has_paper(method.id()) {
                lines[0].push(format!("{}, paper", method.label()));
            }
        }
        for row in &self.rows {
            let mut line = vec![row.label.to_string(), row.metric.into()];
            for cell in row.cells.iter().filter(|c| self.has_numbers(c.method)) {
                line.push(cell.ours.as_ref().map_or("–".into(), Seeds::text));
                if self.has_paper(cell.method) {
                    line.push(cell.paper.map_or("–".into(), |p| p.text()));
                }
            }
            lines.push(line);
        }
        let length = |text: &str| text.chars().count();
        let widths: Vec<usize> =
            (0..lines[0].len()).map(|i| lines.iter().map(|l| length(&l[i])).max().unwrap_or(0)).collect();
        let text = |line: &Vec<String>| {
            let cells = line.iter().zip(&widths).map(|(t, w)| format!("{t}{}", " ".repeat(w - length(t))));
            format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
        };
        let rule = widths.iter().map(|w| "-".repeat(w + 2)).collect::<Vec<_>>().join("|");
        let mut out = vec![text(&lines[0]), format!("|{rule}|")];
        out.extend(lines[1..].iter().map(text));
        out.join("\n")
    }

    /// There are numbers of this method, ours or the paper's.
    pub fn has_numbers(&self, method: &str) -> bool {
        let ours = |row: &Row| row.cells.iter().any(|c| c.method == method && c.ours.is_some());
        self.has_paper(method) || self.rows.iter().any(ours)
    }

    /// The paper has numbers of this method.
    pub fn has_paper(&self, method: &str) -> bool {
        PUBLISHED.iter().any(|(m, _)| *m == method)
    }
}

fn published(task: &str, method: &str) -> Option<Paper> {
    let (_, all) = PUBLISHED.iter().find(|(m, _)| *m == method)?;
    all.iter().find(|(t, ..)| *t == task).map(|(_, score, points)| Paper { score: *score, points: *points })
}

fn sources(runs: &[&RunSummary]) -> Vec<Source> {
    let mut counts: Vec<(Source, usize)> = Vec::new();
    for run in runs {
        let is = |s: &Source| s.model == run.spec.model && s.data == run.spec.data;
        match counts.iter_mut().find(|(s, _)| is(s)) {
            Some((_, n)) => *n += 1,
            None => counts.push((Source::of(&run.spec), 1)),
        }
    }
    counts.sort_by_key(|(s, n)| (!s.is_glue(), std::cmp::Reverse(*n)));
    counts.into_iter().map(|(s, _)| s).collect()
}

/// Two runs that differ in their seed at most, or in what cannot change a score.
fn same_setting(a: &RunSpec, b: &RunSpec) -> bool {
    let (name, device, precision) = (b.name.clone(), b.device.clone(), b.precision.clone());
    let like_b =
        RunSpec { seed: b.seed, name, device, precision, threads: b.threads, norms_every: b.norms_every, ..a.clone() };
    like_b == *b
}

/// The setting with most seeds, of equals the one with the best mean; the newest run of each seed counts.
fn over_seeds(runs: &[&RunSummary]) -> Option<Seeds> {
    let mut groups: Vec<Vec<&RunSummary>> = Vec::new();
    // What usually differs between settings finds the few groups that are compared in full.
    let mut near: HashMap<(u64, usize, usize), Vec<usize>> = HashMap::new();
    for run in runs {
        let some = near.entry((run.spec.lr.to_bits(), run.spec.rank, run.spec.epochs)).or_default();
        match some.iter().find(|i| same_setting(&groups[**i][0].spec, &run.spec)) {
            Some(i) if groups[*i].iter().any(|r| r.spec.seed == run.spec.seed) => {}
            Some(i) => groups[*i].push(run),
            None => {
                some.push(groups.len());
                groups.push(vec![run]);
            }
        }
    }
    let scored = groups.iter().map(|group| {
        let scores: Vec<f64> = group.iter().filter_map(|r| r.best).collect();
        (group, stats::over_seeds(&scores))
    });
    // `max_by` keeps the last of equals: from behind, that is the newest.
    let (group, interval) =
        scored.rev().max_by(|a, b| a.0.len().cmp(&b.0.len()).then(a.1.centre.total_cmp(&b.1.centre)))?;
    let mut seeds: Vec<u64> = group.iter().map(|r| r.spec.seed).collect();
    seeds.sort_unstable();
    Some(Seeds {
        mean: interval.centre,
        half_width: Some(interval.half_width).filter(|h| h.is_finite()),
        seeds,
        finished: runs.len(),
        setting: group[0].spec.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{RunFacts, RunId};

    fn run(id: &str, spec: RunSpec, best: f64) -> RunSummary {
        RunSummary {
            id: RunId(id.into()),
            name: String::new(),
            status: Status::Done,
            spec,
            facts: RunFacts::default(),
            created: 0.0,
            started: None,
            ended: None,
            cause: None,
            step: 1,
            epoch: 1.0,
            seconds: 1.0,
            loss: None,
            last: None,
            best: Some(best),
            best_epoch: None,
            lambda: None,
            tags: Vec::new(),
            note: String::new(),
            archived: false,
            position: 0,
        }
    }

    fn spec(seed: u64, lr: f64) -> RunSpec {
        RunSpec { task: "cola".into(), seed, lr, ..RunSpec::default() }
    }

    fn cell<'a>(table: &'a Table1, task: &str, method: &str) -> &'a Cell {
        let row = table.rows.iter().find(|r| r.task == task).expect("a row");
        row.cells.iter().find(|c| c.method == method).expect("a cell")
    }

    #[test]
    fn a_cell_is_one_setting_over_its_seeds() {
        let mut failed = run("f", spec(9, 1e-3), 0.99);
        failed.status = Status::Failed;
        let runs = [
            failed,
            run("a", spec(0, 1e-3), 0.5),
            // Another device and name are the same setting; the older run of a seed does not count twice.
            run("b", RunSpec { name: "x".into(), device: "cuda:0".into(), ..spec(1, 1e-3) }, 0.6),
            run("c", spec(1, 1e-3), 0.1),
            run("d", spec(0, 5e-3), 0.9),
        ];
        let table = Table1::of(&runs, None);
        let ours = cell(&table, "cola", "symlora").ours.clone().expect("runs");
        assert_eq!((ours.seeds.clone(), ours.finished, ours.setting.lr), (vec![0, 1], 4, 1e-3));
        assert!((ours.mean - 0.55).abs() < 1e-12);
        // s = 0.1 / sqrt(2), so 1.96 s / sqrt(2) = 0.098.
        assert!((ours.half_width.expect("two seeds") - 0.098).abs() < 1e-12);
        assert_eq!(ours.text(), "55.0 ±9.8 n=2");
        assert!(cell(&table, "cola", "lora").ours.is_none());
        assert!(table.caption().contains("not GLUE scores"), "{}", table.caption());
    }

    #[test]
    fn one_seed_has_no_interval_and_models_are_not_mixed() {
        let real = RunSpec { model: "roberta-base".into(), data: "glue".into(), ..spec(0, 1e-3) };
        let runs = [run("a", spec(0, 1e-3), 0.5), run("b", spec(1, 1e-3), 0.6), run("c", real, 0.625)];
        let table = Table1::of(&runs, None);
        assert_eq!(table.sources.len(), 2);
        assert_eq!(cell(&table, "cola", "symlora").ours.as_ref().map(Seeds::text).as_deref(), Some("62.5 n=1"));
        assert!(!table.caption().contains("not GLUE"), "{}", table.caption());
        let embedded = Table1::of(&runs, Some(&table.sources[1]));
        assert_eq!(cell(&embedded, "cola", "symlora").ours.as_ref().map(|o| o.seeds.len()), Some(2));
    }

    #[test]
    fn the_papers_numbers_stand_beside() {
        let table = Table1::of(&[], None);
        let printed = |task: &str, method: &str| cell(&table, task, method).paper.map(|p| p.text());
        assert_eq!(printed("cola", "symlora").as_deref(), Some("63 ±2.9"));
        assert_eq!(printed("sts-b", "lora").as_deref(), Some("91"));
        assert_eq!(printed("rte", "lora").as_deref(), Some("86 ±0.7"));
        assert_eq!(printed("rte", "full"), None);
        let markdown = table.markdown();
        assert!(markdown.contains("| RTE "), "{markdown}");
        let widths: Vec<usize> = markdown.lines().map(|l| l.chars().count()).collect();
        assert!(widths.iter().all(|w| *w == widths[0]), "{markdown}");
    }
}
