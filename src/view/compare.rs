//! What sets runs apart: the settings in which they differ, and their scores paired by what they share. Pure; draws nothing.

use crate::record::RunSummary;
use crate::spec::{FIELDS, RunSpec};
use crate::stats::{self, Interval};

/// One setting of every compared run, as text, in the order of the runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub name: &'static str,
    pub values: Vec<String>,
}

impl Setting {
    pub fn differs(&self) -> bool {
        self.values.windows(2).any(|w| w[0] != w[1])
    }
}

/// Every field of the runs' specs.
pub fn settings(runs: &[&RunSummary]) -> Vec<Setting> {
    FIELDS.iter().map(|f| Setting { name: f.name, values: runs.iter().map(|r| f.get(&r.spec)).collect() }).collect()
}

/// Best scores of one method beside those of another, over runs of the same task, seed, data and model.
#[derive(Clone, Debug, PartialEq)]
pub struct Paired {
    /// First minus second.
    pub methods: (String, String),
    /// None: over all tasks.
    pub task: Option<String>,
    /// The pairs' best scores.
    pub scores: Vec<(f64, f64)>,
    /// Pairs in which a method had several runs, of which the best stands for it.
    pub chosen: usize,
}

impl Paired {
    /// Mean difference with its 95% interval.
    pub fn difference(&self) -> Interval {
        stats::paired(&self.scores)
    }
}

/// What the two runs of a pair have in common.
fn key(spec: &RunSpec) -> (&str, u64, &str, &str) {
    (&spec.task, spec.seed, &spec.data, &spec.model)
}

/// Each two methods among `runs`, in the order in which they first come: a row for each task that has a pair, then one over
/// all where there are several tasks. Runs without a score are left out.
pub fn paired(runs: &[&RunSummary]) -> Vec<Paired> {
    let mut methods: Vec<&str> = Vec::new();
    let mut tasks: Vec<&str> = Vec::new();
    for run in runs {
        let (method, task) = (run.spec.method.as_str(), run.spec.task.as_str());
        if !methods.contains(&method) {
            methods.push(method);
        }
        if !tasks.contains(&task) {
            tasks.push(task);
        }
    }
    let mut all = Vec::new();
    for (i, a) in methods.iter().enumerate() {
        for b in &methods[i + 1..] {
            let rows: Vec<Paired> =
                tasks.iter().map(|task| of_task(runs, (a, b), task)).filter(|p| !p.scores.is_empty()).collect();
            let together = Paired {
                methods: ((*a).into(), (*b).into()),
                task: None,
                scores: rows.iter().flat_map(|p| p.scores.iter().copied()).collect(),
                chosen: rows.iter().map(|p| p.chosen).sum(),
            };
            let several = rows.len() > 1;
            all.extend(rows);
            all.extend(several.then_some(together));
        }
    }
    all
}

fn of_task(runs: &[&RunSummary], methods: (&str, &str), task: &str) -> Paired {
    let scored = |method: &str, k| {
        let of = runs.iter().filter(move |r| r.spec.method == method && key(&r.spec) == k);
        of.filter_map(|r| r.best.filter(|b| b.is_finite())).collect::<Vec<f64>>()
    };
    let mut keys: Vec<_> = runs.iter().map(|r| key(&r.spec)).filter(|k| k.0 == task).collect();
    keys.sort_unstable();
    keys.dedup();
    let best = |scores: &[f64]| scores.iter().copied().max_by(f64::total_cmp);
    let (mut scores, mut chosen) = (Vec::new(), 0);
    for k in keys {
        let (first, second) = (scored(methods.0, k), scored(methods.1, k));
        if let (Some(a), Some(b)) = (best(&first), best(&second)) {
            scores.push((a, b));
            chosen += usize::from(first.len().max(second.len()) > 1);
        }
    }
    Paired { methods: (methods.0.into(), methods.1.into()), task: Some(task.into()), scores, chosen }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Status;

    fn run(method: &str, task: &str, seed: u64, best: Option<f64>) -> RunSummary {
        let spec = RunSpec { task: task.into(), method: method.into(), seed, ..RunSpec::default() };
        RunSummary::example("r0001", spec, Status::Done, best)
    }

    #[test]
    fn only_what_differs_is_told_apart() {
        let (a, b) = (run("lora", "cola", 0, None), run("symlora", "cola", 0, None));
        let differing = |runs: &[&RunSummary]| -> Vec<(&str, Vec<String>)> {
            settings(runs).into_iter().filter(Setting::differs).map(|s| (s.name, s.values)).collect()
        };
        assert_eq!(differing(&[&a, &b]), [("method", vec!["lora".to_string(), "symlora".into()])]);
        assert_eq!(differing(&[&a, &a]), []);
        assert_eq!(settings(&[&a, &b]).len(), FIELDS.len());
    }

    #[test]
    fn runs_are_paired_by_task_seed_data_and_model() {
        let mut runs = vec![
            run("symlora", "cola", 0, Some(0.6)),
            run("symlora", "cola", 1, Some(0.7)),
            run("lora", "cola", 0, Some(0.5)),
            run("lora", "cola", 1, Some(0.55)),
            run("lora", "cola", 2, Some(0.9)),
            run("symlora", "rte", 0, Some(0.8)),
            run("lora", "rte", 0, Some(0.8)),
            run("lora", "rte", 0, Some(0.4)),
            run("symlora", "sst-2", 0, None),
            run("lora", "sst-2", 0, Some(0.9)),
        ];
        // The same seed with other data is no partner.
        runs[1].spec.data = "glue".into();
        let found = paired(&runs.iter().collect::<Vec<_>>());
        let told: Vec<_> = found.iter().map(|p| (p.task.as_deref(), p.scores.clone(), p.chosen)).collect();
        assert_eq!(
            told,
            [
                (Some("cola"), vec![(0.6, 0.5)], 0),
                (Some("rte"), vec![(0.8, 0.8)], 1),
                (None, vec![(0.6, 0.5), (0.8, 0.8)], 1),
            ]
        );
        assert!((found[2].difference().centre - 0.05).abs() < 1e-12);
        assert_eq!(found[0].methods, ("symlora".to_string(), "lora".to_string()));
    }
}
