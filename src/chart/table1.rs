//! The paper's Table 1 from the runs in the store: tasks down, methods across, the mean over seeds, and what the paper printed.
//! Two intervals, never mixed: over seeds and over rows. Pure data with its texts: knows neither terminal nor database.

mod against;
mod published;
mod text;

pub use against::{Against, LEVEL, REFERENCE};
pub use published::{PAPER, Paper, test_rows};
pub use text::{FORMATS, Format};

use crate::event::{Better, Status};
use crate::record::{Imported, RunSummary, TestScore};
use crate::spec::{self, RunSpec};
use crate::{adapter, metric, stats, task};
use serde::Serialize;
use std::collections::HashMap;

/// A model and the rows that runs were trained and scored on; scores of different ones are never mixed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Source {
    pub model: String,
    /// Folder of GLUE's files; empty: the embedded sample.
    pub data: String,
}

/// The runs of one setting that differ in their seed alone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Seeds {
    /// Mean over seeds of each run's best validation score.
    pub mean: f64,
    /// Over seeds: 1.96 s / sqrt(n); none for one seed.
    pub half_width: Option<f64>,
    /// Validation rows, where all runs had as many.
    pub rows: Option<u64>,
    /// Over rows: 1.96 sqrt(p (1 - p) / rows), p being the mean, as the paper has it for every metric.
    pub over_rows: Option<f64>,
    /// Ascending, with the score of each; first the runs of which it is not known.
    pub seeds: Vec<Option<u64>>,
    pub scores: Vec<f64>,
    /// Finished runs of this task and method in all, those of other settings included.
    pub finished: usize,
    /// The setting, with the seed of one of its runs.
    pub setting: RunSpec,
}

/// A score on test rows that was entered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Test {
    pub score: f64,
    pub rows: Option<u64>,
    /// Over rows, as for [`Seeds`].
    pub over_rows: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cell {
    pub method: &'static str,
    pub ours: Option<Seeds>,
    pub test: Option<Test>,
    /// On validation rows, on test rows, and on validation rows at length 128.
    pub paper: Option<Paper>,
    pub paper_test: Option<Paper>,
    pub paper_short: Option<f64>,
    /// Beside SymLoRA, where both have runs.
    pub against: Option<Against>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// As in a spec.
    pub task: String,
    pub label: String,
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

    /// A run with this spec belongs to it; a task that names its own files does whatever the folder of GLUE's.
    fn holds(&self, spec: &RunSpec) -> bool {
        self.model == spec.model && (self.data == spec.data || spec::is_task_file(&spec.task))
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

impl Test {
    fn of(score: &TestScore) -> Self {
        Self { score: score.score, rows: score.rows, over_rows: over_rows(score.score, score.rows) }
    }

    /// In points: `60.0 ±2.9`.
    pub fn text(&self) -> String {
        let half = self.over_rows.map_or(String::new(), |h| format!(" ±{:.1}", 100.0 * h));
        format!("{:.1}{half}", 100.0 * self.score)
    }
}

/// The half width over rows; none for a score that is no share and where the rows are not known.
fn over_rows(score: f64, rows: Option<u64>) -> Option<f64> {
    let rows = rows.filter(|n| *n > 0 && (0.0..=1.0).contains(&score))?;
    Some(stats::proportion(score, rows).half_width)
}

impl Table1 {
    /// The table of `runs`, newest first, and of entered `tests` on `source`; none: the first of the sources.
    pub fn of<'a>(
        runs: impl IntoIterator<Item = &'a RunSummary>,
        tests: &[TestScore],
        source: Option<&Source>,
    ) -> Self {
        let finished: Vec<&RunSummary> = runs
            .into_iter()
            .filter(|r| r.status == Status::Done && r.best.is_some() && r.facts.better == Better::Higher)
            .collect();
        let sources = sources(&finished, tests);
        let source = source.filter(|s| sources.contains(s)).or(sources.first()).cloned();
        let mut cells: HashMap<(&str, &str), Vec<&RunSummary>> = HashMap::new();
        let here = |run: &&RunSummary| source.as_ref().is_some_and(|s| s.holds(&run.spec));
        let tasks =
            task::with_own(finished.iter().copied().filter(here).map(|r| (r.spec.task.as_str(), r.task_label())));
        for run in &finished {
            if here(run) {
                cells.entry((&run.spec.task, &run.spec.method)).or_default().push(run);
            }
        }
        let test = |task: &str, method: &str| {
            let here = |t: &&TestScore| source.as_ref().is_some_and(|s| s.model == t.model && s.data == t.data);
            tests.iter().filter(here).find(|t| t.task == task && t.method == method).map(Test::of)
        };
        let metric = |id: &str| match task::glue(id) {
            Some(task) => task.metric_ids().first().copied().unwrap_or_default(),
            None => finished.iter().find(|r| r.spec.task == id).map_or("", |r| &r.facts.metric),
        };
        let row = |(id, label): &(&str, &str)| {
            let ours = |method: &str| cells.get(&(*id, method)).and_then(|runs| seeds_of(runs));
            let reference = ours(REFERENCE);
            let cell = |method: &'static str| {
                let ours = ours(method);
                let pair = ours.as_ref().zip(reference.as_ref()).filter(|_| method != REFERENCE);
                Cell {
                    method,
                    against: pair.map(|(a, b)| Against::of(a, b)),
                    ours,
                    test: test(id, method),
                    paper: published::validation(id, method),
                    paper_test: published::test(id, method),
                    paper_short: published::short(id, method),
                }
            };
            Row {
                task: (*id).into(),
                label: (*label).into(),
                metric: metric::find(metric(id)).map_or("", |m| m.label()),
                cells: adapter::ALL.iter().map(|m| cell(m.id())).collect(),
            }
        };
        let rows = tasks.iter().map(row).collect();
        Self { source, sources, rows }
    }

    /// What the numbers are, in a few sentences.
    pub fn caption(&self) -> String {
        format!(
            "{}. Best validation score of each run x 100, mean over n seeds of the setting with most seeds. \
             ± seeds is 1.96 s/√n over seeds, ± rows is 1.96 √(p(1-p)/rows) over rows: two different intervals. \
             Tied with SymLoRA: by rows where the intervals over rows overlap, as in the paper; by pairs where Student's \
             test of the seeds that both have gives p ≥ {LEVEL}. Paper: {PAPER}; its LoRA is at length 512.{}",
            self.source_text(),
            if self.is_without_seeds() {
                " An imported run that does not tell its seed counts as one of its own."
            } else {
                ""
            }
        )
    }

    /// The same where there is little room.
    pub fn brief(&self) -> String {
        format!(
            "{}. Best validation scores x 100, mean ± 1.96 s/√n over seeds; beside them the paper's ± over rows, and test scores \
             that `eigenscope table1 set` keeps.",
            self.source_text()
        )
    }

    /// A run of which the seed is not known stands in it.
    fn is_without_seeds(&self) -> bool {
        let ours = self.rows.iter().flat_map(|r| &r.cells).filter_map(|c| c.ours.as_ref());
        ours.flat_map(|o| &o.seeds).any(Option::is_none)
    }

    fn source_text(&self) -> String {
        let mut ran = self.rows.iter().filter(|r| r.cells.iter().any(|c| c.ours.is_some())).peekable();
        let own = ran.peek().is_some() && ran.all(|r| spec::is_task_file(&r.task));
        match &self.source {
            None => "no finished runs yet".into(),
            Some(s) if own => format!("{}, tasks of one's own", s.model),
            Some(s) if s.is_glue() => s.text(),
            Some(s) => format!("{}: these are not GLUE scores", s.text()),
        }
    }

    /// The paper has numbers of this method.
    pub fn has_paper(&self, method: &str) -> bool {
        self.any(method, |c| c.paper.is_some())
    }

    /// There are test scores of this method, entered here or the paper's.
    pub fn has_test(&self, method: &str) -> bool {
        self.any(method, |c| c.test.is_some() || c.paper_test.is_some())
    }

    fn any(&self, method: &str, what: impl Fn(&Cell) -> bool) -> bool {
        self.rows.iter().flat_map(|r| &r.cells).any(|c| c.method == method && what(c))
    }
}

fn sources(runs: &[&RunSummary], tests: &[TestScore]) -> Vec<Source> {
    let mut counts: Vec<(Source, usize)> = Vec::new();
    // Tasks of one's own come last: they have a place beside GLUE's of the same model.
    let (own, glue): (Vec<&RunSummary>, Vec<&RunSummary>) = runs.iter().partition(|r| spec::is_task_file(&r.spec.task));
    for run in glue.into_iter().chain(own) {
        match counts.iter_mut().find(|(s, _)| s.holds(&run.spec)) {
            Some((_, n)) => *n += 1,
            None => counts.push((Source::of(&run.spec), 1)),
        }
    }
    for test in tests {
        let source = Source { model: test.model.clone(), data: test.data.clone() };
        if !counts.iter().any(|(s, _)| *s == source) {
            counts.push((source, 0));
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

/// Two runs of a setting that count once: of one seed or, where that is not known, of one origin.
fn same_run(a: &RunSummary, b: &RunSummary) -> bool {
    let origin = |r: &RunSummary| r.facts.environment.get(Imported::ORIGIN).cloned();
    match (a.seed(), b.seed()) {
        (None, None) => origin(a).is_some_and(|of| Some(of) == origin(b)),
        (a, b) => a == b,
    }
}

/// The setting with most seeds, of equals the one with the best mean; the newest run of each seed counts.
fn seeds_of(runs: &[&RunSummary]) -> Option<Seeds> {
    let mut groups: Vec<Vec<&RunSummary>> = Vec::new();
    // What usually differs between settings finds the few groups that are compared in full.
    let mut near: HashMap<(u64, usize, usize), Vec<usize>> = HashMap::new();
    for run in runs {
        let some = near.entry((run.spec.lr.to_bits(), run.spec.rank, run.spec.epochs)).or_default();
        match some.iter().find(|i| same_setting(&groups[**i][0].spec, &run.spec)) {
            Some(i) if groups[*i].iter().any(|r| same_run(r, run)) => {}
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
    let mut by_seed: Vec<(Option<u64>, f64)> = group.iter().filter_map(|r| Some((r.seed(), r.best?))).collect();
    by_seed.sort_by_key(|(seed, _)| *seed);
    let first = group.first().map(|r| r.facts.eval_rows);
    let rows = first.filter(|n| *n > 0 && group.iter().all(|r| r.facts.eval_rows == *n));
    Some(Seeds {
        mean: interval.centre,
        half_width: Some(interval.half_width).filter(|h| h.is_finite()),
        rows,
        over_rows: over_rows(interval.centre, rows),
        seeds: by_seed.iter().map(|(seed, _)| *seed).collect(),
        scores: by_seed.iter().map(|(_, score)| *score).collect(),
        finished: runs.len(),
        setting: group[0].spec.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: &str, spec: RunSpec, best: f64) -> RunSummary {
        RunSummary::example(id, spec, Status::Done, Some(best))
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
        let table = Table1::of(&runs, &[], None);
        let ours = cell(&table, "cola", "symlora").ours.clone().expect("runs");
        assert_eq!((ours.seeds.clone(), ours.finished, ours.setting.lr), (vec![Some(0), Some(1)], 4, 1e-3));
        assert!((ours.mean - 0.55).abs() < 1e-12);
        // s = 0.1 / sqrt(2), so 1.96 s / sqrt(2) = 0.098.
        assert!((ours.half_width.expect("two seeds") - 0.098).abs() < 1e-12);
        assert_eq!(ours.text(), "55.0 ±9.8 n=2");
        assert!(cell(&table, "cola", "lora").ours.is_none());
        assert!(table.caption().contains("not GLUE scores"), "{}", table.caption());
    }

    /// Of a log that tells no seed three runs are three, and the same log twice is one.
    #[test]
    fn runs_without_a_seed_are_counted_one_by_one() {
        let imported = |id: &str, origin: &str, told: &str, best: f64| {
            let mut run = run(id, RunSpec { method: "lora".into(), ..spec(0, 0.0) }, best);
            let members = [(Imported::TAG, "TensorBoard"), (Imported::ORIGIN, origin), (Imported::TOLD, told)];
            run.facts.environment = members.map(|(name, value)| (name.to_string(), value.to_string())).into();
            run
        };
        let runs = [
            imported("a", "1", "task", 0.4),
            imported("b", "2", "task", 0.5),
            imported("c", "3", "task", 0.6),
            imported("d", "3", "task", 0.6),
        ];
        assert_eq!(runs[0].seed(), None);
        let table = Table1::of(&runs, &[], None);
        let ours = cell(&table, "cola", "lora").ours.clone().expect("runs");
        assert_eq!((ours.text().as_str(), ours.seeds), ("50.0 ±11.3 n=3", vec![None; 3]));
        assert!(table.caption().contains("does not tell its seed"), "{}", table.caption());
        let told = [imported("a", "1", "seed task", 0.4), imported("b", "2", "seed task", 0.5)];
        assert_eq!(told[0].seed(), Some(0));
        let table = Table1::of(&told, &[], None);
        assert_eq!(cell(&table, "cola", "lora").ours.as_ref().map(Seeds::text).as_deref(), Some("40.0 n=1"));
        assert!(!table.caption().contains("does not tell"));
        let mut error = run("e", spec(0, 1e-3), 0.9);
        error.facts.better = Better::Lower;
        assert!(cell(&Table1::of(&[error], &[], None), "cola", "symlora").ours.is_none(), "no score of the table");
    }

    #[test]
    fn one_seed_has_no_interval_and_models_are_not_mixed() {
        let real = RunSpec { model: "roberta-base".into(), data: "glue".into(), ..spec(0, 1e-3) };
        let runs = [run("a", spec(0, 1e-3), 0.5), run("b", spec(1, 1e-3), 0.6), run("c", real, 0.625)];
        let table = Table1::of(&runs, &[], None);
        assert_eq!(table.sources.len(), 2);
        assert_eq!(cell(&table, "cola", "symlora").ours.as_ref().map(Seeds::text).as_deref(), Some("62.5 n=1"));
        assert!(!table.caption().contains("not GLUE"), "{}", table.caption());
        let embedded = Table1::of(&runs, &[], Some(&table.sources[1]));
        assert_eq!(cell(&embedded, "cola", "symlora").ours.as_ref().map(|o| o.seeds.len()), Some(2));
    }

    #[test]
    fn the_papers_numbers_stand_beside() {
        let table = Table1::of(&[], &[], None);
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

    fn scored(method: &str, seed: u64, best: f64, rows: u64) -> RunSummary {
        let spec = RunSpec { method: method.into(), ..spec(seed, 1e-3) };
        let mut run = run(&format!("{method}{seed}"), spec, best);
        run.facts.eval_rows = rows;
        run
    }

    /// Three seeds of two methods and a test score.
    fn both() -> Table1 {
        let scores = [("symlora", [0.60, 0.62, 0.64]), ("lora", [0.61, 0.64, 0.67])];
        let runs: Vec<RunSummary> =
            scores.iter().flat_map(|(m, s)| (0..3).map(|i| scored(m, i, s[i as usize], 1_043))).collect();
        let RunSpec { model, data, .. } = RunSpec::default();
        let (task, method) = ("cola".to_string(), "symlora".to_string());
        Table1::of(&runs, &[TestScore { task, method, model, data, score: 0.6, rows: Some(1_063) }], None)
    }

    #[test]
    fn the_two_intervals_and_the_two_ties_stand_apart() {
        let table = both();
        let ours = cell(&table, "cola", "symlora").ours.clone().expect("runs");
        // s = 0.02: 1.96 * 0.02 / sqrt(3); and 1.96 sqrt(0.62 * 0.38 / 1043).
        assert!((ours.half_width.expect("three seeds") - 0.022_632).abs() < 1e-6);
        assert!((ours.over_rows.expect("rows") - 0.029_457).abs() < 1e-6);
        let against = cell(&table, "cola", "lora").against.expect("both have runs");
        let paired = against.paired.expect("three pairs");
        // Differences 0.01, 0.02, 0.03: t = 0.02 / (0.01 / sqrt(3)).
        assert!((paired.t - 12f64.sqrt()).abs() < 1e-9 && (paired.p - 0.074_180).abs() < 1e-6, "{paired:?}");
        assert_eq!((against.overlap_text().as_str(), against.paired_text().as_str()), ("tied", "p 0.074 n=3, tied"));
        assert_eq!(cell(&table, "cola", "symlora").against, None);
        assert_eq!(cell(&table, "cola", "symlora").test.map(|t| t.text()).as_deref(), Some("60.0 ±2.9"));
        assert_eq!(cell(&table, "rte", "lora").against, None);
    }

    #[test]
    fn every_format_has_the_numbers() {
        let table = both();
        let text = |format| table.in_format(format).expect("text");
        for (format, ..) in FORMATS {
            assert!(text(format).ends_with('\n'), "{format:?}");
        }
        let terminal = text(Format::Terminal);
        assert!(terminal.contains("62.0 ±2.3 n=3") && terminal.contains("p 0.074 n=3, tied"), "{terminal}");
        assert!(terminal.lines().all(|l| l.chars().count() <= 120), "{terminal}");
        assert!(!terminal.contains("Full"), "a method without runs is left out: {terminal}");
        let latex = text(Format::Latex);
        for part in ["\\toprule", "\\cmidrule(lr){3-7}", "62.0 $\\pm$2.3 n=3", "\\bottomrule", "CoLA & "] {
            assert!(latex.contains(part), "{part}: {latex}");
        }
        let unescaped = latex.lines().skip(1).any(|l| l.contains(['±', '–', '√', '−']));
        assert!(!unescaped, "{latex}");
        let columns = |line: &str| line.matches(" & ").count() + usize::from(line.starts_with(" & "));
        let body: Vec<&str> = latex.lines().filter(|l| l.ends_with("\\\\") && l.contains(" & ")).skip(1).collect();
        assert!(body.iter().all(|l| columns(l) == columns(body[0])), "{latex}");
        let csv = text(Format::Csv);
        let line = csv.lines().find(|l| l.starts_with("cola,lora,")).expect("a line");
        let head: Vec<&str> = csv.lines().next().expect("a head").split(',').collect();
        let of = |name: &str| line.split(',').nth(head.iter().position(|h| *h == name).expect("a column"));
        assert_eq!((of("seeds"), of("rows"), of("tied_by_rows")), (Some("3"), Some("1043"), Some("true")));
        assert_eq!((of("paper"), of("paper_at_128")), (Some("0.63"), Some("0.6305")));
        let json: serde_json::Value = serde_json::from_str(&text(Format::Json)).expect("JSON");
        assert_eq!(json["rows"][0]["cells"][0]["test"]["rows"], 1_063);
    }
}
