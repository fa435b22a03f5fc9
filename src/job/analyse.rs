//! What an adapter can do without: original matrices set to 0, directions cut off, each scored again without training; and
//! how symmetric its updates are.

use super::saved::wide;
use super::{JobError, Saved};
use crate::adapter::{self, Form};
use crate::analysis::{self, AnalysisError, Matrix};
use crate::data::Dataset;
use crate::event::LayerNorm;
use crate::model::Checkpoint;
use crate::model::family::{self, Place};
use crate::random::Stream;
use crate::record::{Ablated, Analysis, AnalysisKind, Curve, Curves, Symmetry};
use crate::train::{Backend, NamedTensor, Part, Values};
use std::collections::{BTreeMap, HashMap};

#[derive(Debug, thiserror::Error)]
pub enum AnalyseError {
    #[error("{path}: {method} trains whole matrices: {what} needs an adapter beside frozen ones")]
    NoAdapter { path: String, method: String, what: &'static str },
    #[error("{path}: {source}")]
    Analysis { path: String, source: AnalysisError },
}

/// How much is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Random orders of deletion beside the others.
    pub random: usize,
    /// Ranks are cut in each layer by itself too.
    pub by_layer: bool,
}

impl Default for Effort {
    fn default() -> Self {
        Self { random: 3, by_layer: true }
    }
}

/// Carries out an analysis of any kind.
pub fn analyse(
    kind: AnalysisKind,
    saved: &Saved,
    model: &mut Checkpoint,
    rows: &Dataset,
    effort: Effort,
    progress: &mut Progress,
) -> Result<Analysis, JobError> {
    match kind {
        AnalysisKind::Deletion => deletion(saved, model, rows, effort, progress),
        AnalysisKind::Rank => rank(saved, model, rows, effort, progress),
        AnalysisKind::Symmetry => symmetry(saved),
    }
}

/// Hears how many evaluations of all are done.
pub type Progress<'a> = dyn FnMut(usize, usize) + 'a;

/// Sets W0 of the adapted matrices to 0 one after the other and scores what is left: in ascending order of |lambda| where the
/// method has one, of the norm ||lambda W0||_F that this takes away, and in random orders as a control.
fn deletion(
    saved: &Saved,
    model: &mut Checkpoint,
    rows: &Dataset,
    effort: Effort,
    progress: &mut Progress,
) -> Result<Analysis, JobError> {
    let backend = saved.backend(model)?;
    adapter_only(saved, &*backend, "deletion")?;
    let matrices = backend.norms()?;
    drop(backend);
    let names = matrices.iter().map(|m| Ok(model.config.module_path(m.layer as usize, &m.target)? + ".weight"));
    let names: Vec<String> = names.collect::<Result<_, JobError>>()?;
    let scaled = form(saved, "deletion")?.c.is_some();
    let orders = orders(&matrices, saved, scaled, effort.random);
    let bytes = (model.config.hidden_size.pow(2) * size_of::<f32>()) as u64;
    // Every order begins with nothing taken away and ends with everything: these are scored once.
    let total = 2 + orders.len() * names.len().saturating_sub(1);
    let mut known: BTreeMap<Vec<usize>, Score> = BTreeMap::new();
    let mut curves = Vec::new();
    for (order, sequence) in orders {
        let mut points = Vec::new();
        for count in 0..=sequence.len() {
            let mut gone = sequence[..count].to_vec();
            gone.sort_unstable();
            let score = match known.get(&gone) {
                Some(score) => *score,
                None => {
                    model.weights.set_zeroed(gone.iter().map(|i| names[*i].clone()));
                    let scored = saved.backend(model).and_then(|mut b| score(saved, &mut *b, model, rows));
                    model.weights.set_zeroed([]);
                    let scored = *known.entry(gone).or_insert(scored?);
                    progress(known.len(), total);
                    scored
                }
            };
            let last = count.checked_sub(1).map(|i| &matrices[sequence[i]]);
            let what = last.map_or_else(String::new, |m| format!("layer {} {}", m.layer + 1, m.target));
            points.push(score.ablated(count, what, count as u64 * bytes));
        }
        curves.push(Curve { order, points });
    }
    Ok(Analysis::Deletion(curved(saved, rows, curves)))
}

/// Each order's name and the matrices in it; `scaled`: the method has a lambda.
fn orders(matrices: &[LayerNorm], saved: &Saved, scaled: bool, random: usize) -> Vec<(String, Vec<usize>)> {
    let by = |value: &dyn Fn(&LayerNorm) -> f64| {
        let mut order: Vec<usize> = (0..matrices.len()).collect();
        order.sort_by(|a, b| value(&matrices[*a]).total_cmp(&value(&matrices[*b])));
        order
    };
    let norm = if scaled { "‖λW₀‖" } else { "‖W₀‖" };
    let mut orders = Vec::new();
    if scaled {
        orders.push(("|λ|".to_string(), by(&|m| m.lambda.abs())));
    }
    orders.push((norm.into(), by(&|m| m.lambda.abs() * m.w0_fro)));
    for i in 0..random {
        let draw = Stream::new(saved.spec.seed, i as u64, RANDOM_ORDER).uniform(0.0, 1.0, matrices.len());
        let mut order: Vec<usize> = (0..matrices.len()).collect();
        order.sort_by(|a, b| draw[*a].total_cmp(&draw[*b]));
        orders.push((format!("random {}", i + 1), order));
    }
    orders
}

/// Stream of the random orders.
const RANDOM_ORDER: u32 = 0x000D_E1E7;

/// Keeps the k largest directions of every matrix's update, k from r down to 0, and scores each; the same of each layer by
/// itself where `effort` says so.
fn rank(
    saved: &Saved,
    model: &Checkpoint,
    rows: &Dataset,
    effort: Effort,
    progress: &mut Progress,
) -> Result<Analysis, JobError> {
    let mut backend = saved.backend(model)?;
    adapter_only(saved, &*backend, "the rank")?;
    let form = form(saved, "the rank")?;
    let whole = saved.trained(&*backend, model)?;
    let found = matrices(saved, &whole)?;
    let r = saved.spec.rank;
    let mut layers: Vec<u32> = found.keys().map(|(layer, _)| *layer).collect();
    layers.dedup();
    let mut parts: Vec<Option<u32>> = vec![None];
    if effort.by_layer {
        parts.extend(layers.into_iter().map(Some));
    }
    let total = 1 + parts.len() * r;
    let mut done = 0;
    let mut scored = |backend: &mut dyn Backend| {
        let score = score(saved, backend, model, rows);
        done += 1;
        progress(done, total);
        score
    };
    let uncut = scored(&mut *backend)?;
    let mut curves = Vec::new();
    for part in parts {
        let mut points = Vec::new();
        let mut own = found.iter().filter(|((layer, _), _)| part.is_none_or(|p| p == *layer)).peekable();
        // What a direction takes: a column of each factor and an entry of the diagonal.
        let direction = |(_, m): &(_, &Found)| m.tensors.values().map(|t| t.values.len() / r).sum::<usize>();
        let per_matrix = own.peek().map_or(0, direction) * size_of::<f32>();
        let own: Vec<_> = own.collect();
        points.push(uncut.ablated(r, String::new(), 0));
        for keep in (0..r).rev() {
            let mut cut = whole.clone();
            for (_, matrix) in &own {
                let get = |suffix: &str| matrix.tensors.get(suffix).cloned();
                let (suffix, values) = analysis::truncated(&form, &get, keep).map_err(|e| failed(saved, e))?;
                let name = format!("{}.{suffix}", matrix.path);
                cut.iter_mut().filter(|t| t.name == name).for_each(|t| t.values = Values::F64(values.clone()));
            }
            backend.load(&cut)?;
            let saved_bytes = ((r - keep) * own.len() * per_matrix) as u64;
            points.push(scored(&mut *backend)?.ablated(keep, String::new(), saved_bytes));
        }
        let order = part.map_or_else(|| "all layers".to_string(), |layer| format!("layer {}", layer + 1));
        curves.push(Curve { order, points });
    }
    Ok(Analysis::Rank(curved(saved, rows, curves)))
}

/// The symmetric and the antisymmetric part of every matrix's update.
pub fn symmetry(saved: &Saved) -> Result<Analysis, JobError> {
    let form = form(saved, "symmetry")?;
    let one = |((layer, target), matrix): (&(u32, &'static str), &Found)| {
        let get = |suffix: &str| matrix.tensors.get(suffix).cloned();
        let (symmetric, antisymmetric) =
            analysis::symmetry(&form, saved.spec.scaling(), &get).map_err(|e| failed(saved, e))?;
        Ok(Symmetry { layer: *layer, target: (*target).into(), symmetric, antisymmetric })
    };
    let found = matrices(saved, saved.tensors().values())?;
    Ok(Analysis::Symmetry { matrices: found.iter().map(one).collect::<Result<_, JobError>>()? })
}

/// An adapted matrix: its module and its tensors by suffix.
pub(super) struct Found {
    pub path: String,
    pub tensors: HashMap<String, Matrix>,
}

/// The tensors of the adapter by layer and target.
pub(super) fn matrices<'a>(
    saved: &Saved,
    tensors: impl IntoIterator<Item = &'a NamedTensor>,
) -> Result<BTreeMap<(u32, &'static str), Found>, JobError> {
    let mut found: BTreeMap<(u32, &'static str), Found> = BTreeMap::new();
    for tensor in tensors {
        let Some(Place { layer, target, path, suffix, .. }) = family::place(&tensor.name) else { continue };
        let matrix = Matrix::new(&tensor.shape, wide(tensor)).map_err(|e| failed(saved, e))?;
        let of = found.entry((layer, target)).or_insert_with(|| Found { path: path.into(), tensors: HashMap::new() });
        of.tensors.insert(suffix.into(), matrix);
    }
    Ok(found)
}

#[derive(Clone, Copy)]
struct Score {
    score: Option<f64>,
    loss: Option<f64>,
}

impl Score {
    fn ablated(self, count: usize, what: String, saved_bytes: u64) -> Ablated {
        Ablated { count: count as u64, what, saved_bytes, score: self.score, loss: self.loss }
    }
}

fn score(saved: &Saved, backend: &mut dyn Backend, model: &Checkpoint, rows: &Dataset) -> Result<Score, JobError> {
    let scores = saved.evaluate(backend, model, rows, &mut |_, _| {})?;
    let known = |v: f64| v.is_finite().then_some(v);
    Ok(Score { score: scores.metrics.first().and_then(|(_, v)| known(*v)), loss: known(scores.loss) })
}

fn curved(saved: &Saved, rows: &Dataset, curves: Vec<Curve>) -> Curves {
    let metric = saved.task.metric_ids().first().copied().unwrap_or_default();
    Curves { metric: metric.into(), rows: rows.len() as u64, curves }
}

fn adapter_only(saved: &Saved, backend: &dyn Backend, what: &'static str) -> Result<(), JobError> {
    match backend.parameters().iter().any(|p| p.part == Part::Encoder) {
        true => Err(no_adapter(saved, what)),
        false => Ok(()),
    }
}

fn form(saved: &Saved, what: &'static str) -> Result<Form, JobError> {
    adapter::find(&saved.spec.method)?.form().ok_or_else(|| no_adapter(saved, what))
}

fn no_adapter(saved: &Saved, what: &'static str) -> JobError {
    AnalyseError::NoAdapter { path: saved.path.display().to_string(), method: saved.spec.method.clone(), what }.into()
}

fn failed(saved: &Saved, source: AnalysisError) -> JobError {
    AnalyseError::Analysis { path: saved.path.display().to_string(), source }.into()
}
