//! The paper's Figure 1: rows SymLoRA and LoRA; columns difference, original, adapter; tasks across, layers down; one colour
//! scale for all six panels.

use super::{Chart, ChartError, ChartOptions, Norm, Pick, Subject, names_axis};
use crate::event::LayerNorm;
use crate::figure::{Figure, Map, Mark, Panel, Scale};
use crate::record::RunNorms;
use crate::task;
use std::collections::{BTreeMap, HashMap};

pub struct Figure1;

/// Ids and titles of the rows.
const METHODS: [(&str, &str); 2] = [("symlora", "SymLoRA"), ("lora", "LoRA")];

impl Chart for Figure1 {
    fn id(&self) -> &'static str {
        "figure1"
    }

    fn title(&self) -> &'static str {
        "Figure 1"
    }

    fn figure(&self, subject: &Subject, options: &ChartOptions) -> Result<Figure, ChartError> {
        let Subject::Norms(all) = subject else {
            return Err(ChartError::Subject { chart: self.id(), expected: "the layer norms of many runs" });
        };
        let fits = |r: &&RunNorms| METHODS.iter().any(|(id, _)| *id == r.method) && !r.norms.is_empty();
        let runs: Vec<&RunNorms> = all.iter().map(|r| &**r).filter(fits).collect();
        let Some(layers) = usual_layers(&runs) else {
            return Err(ChartError::Empty { chart: self.id(), hint: "it needs runs of SymLoRA or LoRA" });
        };
        let deep: Vec<&RunNorms> = runs.iter().filter(|r| layer_count(r) == layers).copied().collect();
        let adapts = |r: &&RunNorms| options.target.as_ref().is_none_or(|t| r.norms.iter().any(|n| n.target == *t));
        let used: Vec<&RunNorms> = deep.iter().copied().filter(adapts).collect();
        if used.is_empty() {
            return Err(ChartError::Empty { chart: self.id(), hint: "no run adapts this matrix" });
        }
        let chosen = Chosen::of(&used, options.pick);
        let tasks = tasks(&used);
        let methods = METHODS.map(|(id, _)| id);
        let mut panels = Vec::new();
        for (method, label) in METHODS {
            for (title, value) in columns(options) {
                let cells = cells(&chosen, &tasks, method, layers, options, &value);
                panels.push(Panel {
                    title: format!("{label}: {title}"),
                    x: names_axis("task", tasks.iter().map(|(_, label)| *label)),
                    y: names_axis("layer", (1..=layers).map(|l| l.to_string())),
                    marks: vec![Mark::Heatmap { cells }],
                    scale: None,
                });
            }
        }
        let values = panels.iter().flat_map(|p| &p.marks).flat_map(|m| match m {
            Mark::Heatmap { cells } => cells.iter().flatten().flatten().copied().collect(),
            _ => Vec::new(),
        });
        let scale = Scale::over(Map::Diverging, norm_label(options.norm), values);
        Ok(Figure {
            title: "Figure 1: norms of original and adapter weights".into(),
            row_titles: METHODS.iter().map(|(_, label)| (*label).into()).collect(),
            columns: 3,
            panels,
            scale: Some(scale),
            caption: caption(
                options,
                norm_label(options.norm),
                &chosen.shown(&tasks, &methods),
                runs.len() - deep.len(),
            ),
        })
    }
}

fn norm_label(norm: Norm) -> &'static str {
    match norm {
        Norm::Frobenius => "Frobenius norm",
        Norm::EntrywiseL1 => "entrywise L1 of W₀, Frobenius norm of ΔW",
    }
}

/// A column's title and its value of one matrix.
type Column = (String, Box<dyn Fn(&LayerNorm) -> f64>);

/// Title and value of each column.
fn columns(options: &ChartOptions) -> [Column; 3] {
    let (norm, unsigned) = (options.norm, options.unsigned);
    let original = move |n: &LayerNorm| {
        let w0 = match norm {
            Norm::Frobenius => n.w0_fro,
            Norm::EntrywiseL1 => n.w0_l1,
        };
        w0 * if unsigned { n.lambda.abs() } else { n.lambda }
    };
    let of_w0 = if unsigned { "|λ|‖W₀‖" } else { "λ‖W₀‖" };
    let (title, sign) = match options.reversed {
        true => (format!("‖ΔW‖ − {of_w0}"), -1.0),
        false => (format!("{of_w0} − ‖ΔW‖"), 1.0),
    };
    [
        (format!("difference {title}"), Box::new(move |n| sign * (original(n) - n.delta_fro))),
        (format!("original {of_w0}"), Box::new(original)),
        ("adapter ‖ΔW‖".into(), Box::new(|n| n.delta_fro)),
    ]
}

/// Ids and labels of GLUE's tasks and of the others that there are runs of.
pub(super) fn tasks<'a>(runs: &[&'a RunNorms]) -> Vec<(&'a str, &'a str)> {
    task::with_own(runs.iter().map(|r| (r.task.as_str(), r.label.as_str())))
}

/// Cells by layer, then task; absent where no run covers them.
pub(super) fn cells(
    chosen: &Chosen,
    tasks: &[(&str, &str)],
    method: &str,
    layers: usize,
    options: &ChartOptions,
    value: &dyn Fn(&LayerNorm) -> f64,
) -> Vec<Vec<Option<f64>>> {
    let chosen: Vec<&[&RunNorms]> = tasks.iter().map(|(id, _)| chosen.of_pair(id, method)).collect();
    let cell = |layer: usize, runs: &[&RunNorms]| {
        let wanted = |n: &&LayerNorm| {
            n.layer as usize == layer && options.target.as_ref().is_none_or(|target| *target == n.target)
        };
        mean(runs.iter().filter_map(|r| mean(norms_of(r, options.pick).iter().filter(wanted).map(value))))
    };
    (0..layers).map(|layer| chosen.iter().map(|runs| cell(layer, runs)).collect()).collect()
}

/// The norms that stand for a run: of its best evaluation where the best run is asked for and some were recorded by then.
fn norms_of(run: &RunNorms, pick: Pick) -> &[LayerNorm] {
    match (pick, &run.at_best) {
        (Pick::Best, Some(best)) => &best.norms,
        _ => &run.norms,
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let finite: Vec<f64> = values.filter(|v| v.is_finite()).collect();
    (!finite.is_empty()).then(|| finite.iter().sum::<f64>() / finite.len() as f64)
}

/// The runs that stand for each task and method, found in one pass over all.
pub(super) struct Chosen<'a>(HashMap<(&'a str, &'a str), Vec<&'a RunNorms>>);

impl<'a> Chosen<'a> {
    pub fn of(runs: &[&'a RunNorms], pick: Pick) -> Self {
        let mut all: HashMap<(&str, &str), Vec<&RunNorms>> = HashMap::new();
        let score = |r: &RunNorms| r.best.unwrap_or(f64::NEG_INFINITY);
        for run in runs.iter().copied() {
            let pair = all.entry((&run.task, &run.method)).or_default();
            let keeps = match (pick, pair.first()) {
                (Pick::Mean, _) | (_, None) => true,
                (Pick::Last, _) => {
                    pair.clear();
                    true
                }
                (Pick::Best, Some(best)) => {
                    let better = score(run).total_cmp(&score(best)).is_ge();
                    if better {
                        pair.clear();
                    }
                    better
                }
            };
            if keeps {
                pair.push(run);
            }
        }
        Self(all)
    }

    fn of_pair(&self, task: &str, method: &str) -> &[&'a RunNorms] {
        self.0.iter().find(|((t, m), _)| *t == task && *m == method).map_or(&[], |(_, runs)| runs.as_slice())
    }

    /// All runs of `methods` that have a part in some cell.
    pub fn shown(&self, tasks: &[(&str, &str)], methods: &[&str]) -> Vec<&'a RunNorms> {
        let of = |method: &str| tasks.iter().flat_map(|(id, _)| self.of_pair(id, method).to_vec()).collect::<Vec<_>>();
        methods.iter().flat_map(|method| of(method)).collect()
    }
}

pub(super) fn layer_count(run: &RunNorms) -> usize {
    run.norms.iter().map(|n| n.layer as usize + 1).max().unwrap_or(0)
}

/// The number of layers that most runs have; of equals the larger.
pub(super) fn usual_layers(runs: &[&RunNorms]) -> Option<usize> {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    runs.iter().for_each(|r| *counts.entry(layer_count(r)).or_default() += 1);
    counts.into_iter().max_by_key(|(layers, runs)| (*runs, *layers)).map(|(layers, _)| layers)
}

/// `what` is shown, of which runs; `left` runs have another number of layers.
pub(super) fn caption(options: &ChartOptions, what: &str, shown: &[&RunNorms], left: usize) -> String {
    let target = options.target.as_deref().unwrap_or("mean of the adapted matrices");
    let pick = match options.pick {
        Pick::Best => format!("best run of each task and method at its best evaluation{}", away(shown)),
        Pick::Last => "newest run of each task and method".into(),
        Pick::Mean => "mean over the runs of each task and method".into(),
    };
    let left = match left {
        0 => String::new(),
        n => format!("; {} of models with another number of layers left out", counted(n)),
    };
    format!("{target}; {what}; {pick}; {}{left}", counted(shown.len()))
}

fn counted(runs: usize) -> String {
    if runs == 1 { "1 run".into() } else { format!("{runs} runs") }
}

/// How many of the runs had no record at the very step of their best evaluation, and what is shown of them.
fn away(shown: &[&RunNorms]) -> String {
    let before = shown.iter().filter(|r| r.at_best.as_ref().is_some_and(|b| b.step < b.evaluated)).count();
    let newest = shown.iter().filter(|r| r.at_best.is_none()).count();
    let parts = [(before, "at the last record before it"), (newest, "without such a record at the newest")];
    let parts: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
}
