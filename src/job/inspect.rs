//! Norms and spectra of a saved adapter, with or without the model it was made for.

use super::analyse::Found;
use super::{Given, JobError, ModelSource};
use crate::adapter::{self, Form, Method};
use crate::analysis::{self, Matrix};
use crate::event::LayerNorm;
use crate::format::{self, Incoming};
use crate::model::Checkpoint;
use crate::model::family::{self, Place};
use crate::spec::{Field, RunSpec};
use crate::train::{NamedTensor, Values};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// What a file says of its adapter.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// Which program keeps adapters so.
    pub format: &'static str,
    pub method: &'static str,
    pub rank: usize,
    pub alpha: f64,
    /// Ordered by layer and target; the norms of W0 are NaN without a model.
    pub layers: Vec<LayerNorm>,
}

#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    #[error("{path}: no adapter tensors; expected names that end in {expected}")]
    NoAdapter { path: String, expected: String },
    #[error("{path}: it does not say its alpha; give --alpha N: the update is scaled by alpha / r")]
    NoAlpha { path: String },
    #[error("{path}: {tensor}: found {found}, expected {expected}")]
    Shape { path: String, tensor: String, found: String, expected: String },
    #[error("{path}: {source}")]
    Analysis { path: String, source: analysis::AnalysisError },
}

/// Reads the adapter in the file or folder `path`; a given model adds the norms of W0.
pub fn inspect(path: &Path, given: &Given) -> Result<Inspection, JobError> {
    inspect_read(&format::read(path)?, given)
}

/// The same of one that was read.
pub(super) fn inspect_read(incoming: &Incoming, given: &Given) -> Result<Inspection, JobError> {
    let Incoming { file, format, metadata, tensors } = incoming;
    let shown = file.display().to_string();
    let (method, matrices) = matrices(metadata, tensors)
        .ok_or_else(|| InspectError::NoAdapter { path: shown.clone(), expected: suffixes().join(", ") })?;
    let Some(form) = method.form() else {
        return Err(InspectError::NoAdapter { path: shown, expected: suffixes().join(", ") }.into());
    };
    let first = matrices.values().next().and_then(|m| m.tensors.get(form.u.name));
    let rank = first.map_or(1, |m| if form.u.transposed { m.rows } else { m.columns });
    let said = given.alpha.map(|a| a.to_string()).or_else(|| metadata.get("alpha").cloned());
    let alpha = alpha(rank, &said.ok_or_else(|| InspectError::NoAlpha { path: shown.clone() })?)?;
    let model = given.model.as_ref().map(|m| ModelSource::resolve(m)?.load()).transpose()?;
    let mut layers = Vec::new();
    for ((layer, target), found) in &matrices {
        let measured = analysis::measure(&form, alpha / rank as f64, &|suffix| found.tensors.get(suffix).cloned())
            .map_err(|source| InspectError::Analysis { path: shown.clone(), source })?;
        let n = model.as_ref().map(|model| (model.config.hidden_size, "W0 of the model"));
        check_shapes(&shown, &form, found, n)?;
        let (w0_fro, w0_l1) = match &model {
            Some(model) => original(model, *layer, target)?,
            None => (f64::NAN, f64::NAN),
        };
        layers.push(LayerNorm {
            layer: *layer,
            target: (*target).into(),
            lambda: measured.lambda,
            w0_fro,
            w0_l1,
            delta_fro: measured.delta_fro,
            spectrum: measured.spectrum,
        });
    }
    Ok(Inspection { format, method: method.id(), rank, alpha, layers })
}

/// alpha as text, as it is used with this rank.
fn alpha(rank: usize, text: &str) -> Result<f64, JobError> {
    let mut spec = RunSpec { rank, ..RunSpec::default() };
    Field::find("alpha").map_or(Ok(()), |field| field.set(&mut spec, text))?;
    Ok(spec.effective_alpha())
}

/// The tensors of one matrix belong beside it: U and V are as high as the `n` rows of a W0 that is named in words, where there
/// is one, and c is one number or one for each row.
fn check_shapes(path: &str, form: &Form, found: &Found, n: Option<(usize, &str)>) -> Result<(), InspectError> {
    let wrong = |suffix: &str, found_here: String, expected: String| InspectError::Shape {
        path: path.into(),
        tensor: format!("{}.{suffix}", found.path),
        found: found_here,
        expected,
    };
    let mut rows = n.map(|(n, _)| n);
    for factor in [form.u, form.v] {
        let Some(matrix) = found.tensors.get(factor.name) else { continue };
        let high = if factor.transposed { matrix.columns } else { matrix.rows };
        if let Some((n, what)) = n.filter(|(n, _)| *n != high) {
            let found = format!("a factor for {high} x {high}");
            return Err(wrong(factor.name, found, format!("one for {what}, {n} x {n}")));
        }
        if factor == form.u {
            rows = Some(high);
        }
    }
    let c = form.c.and_then(|name| Some((name, found.tensors.get(name)?.values.len())));
    match c.zip(rows) {
        Some(((name, length), rows)) if length != 1 && length != rows => {
            Err(wrong(name, format!("{length} numbers"), format!("1, or {rows}: one for each row")))
        }
        _ => Ok(()),
    }
}

/// Adapter tensors by layer and target.
type Matrices = BTreeMap<(u32, &'static str), Found>;

/// The method whose tensors the file holds, and these.
fn matrices(
    metadata: &HashMap<String, String>,
    tensors: &HashMap<String, NamedTensor>,
) -> Option<(&'static dyn Method, Matrices)> {
    let method = method_of(metadata, tensors)?;
    let suffixes = suffixes_of(method);
    let mut found = Matrices::new();
    for (name, tensor) in tensors {
        let Some(suffix) = suffixes.iter().find(|s| ends_with(name, s)) else { continue };
        let Some(Place { layer, target, path, .. }) = family::place(name) else { continue };
        let values = match &tensor.values {
            Values::F32(v) => v.iter().map(|x| f64::from(*x)).collect(),
            Values::F64(v) => v.clone(),
        };
        let matrix = Matrix::new(&tensor.shape, values).ok()?;
        let new = || Found { path: path.into(), tensors: HashMap::new() };
        found.entry((layer, target)).or_insert_with(new).tensors.insert(suffix.to_string(), matrix);
    }
    (!found.is_empty()).then_some((method, found))
}

/// The method that the file names, or else the one that has most of its tensors there, all of them if there is such a one.
fn method_of(
    metadata: &HashMap<String, String>,
    tensors: &HashMap<String, NamedTensor>,
) -> Option<&'static dyn Method> {
    let there = |method: &dyn Method| {
        let of = suffixes_of(method);
        let there = of.iter().filter(|s| tensors.keys().any(|name| ends_with(name, s))).count();
        (there == of.len(), there)
    };
    let named = metadata.get("method").and_then(|id| adapter::find(id).ok());
    let has_some = |method: &&'static dyn Method| there(*method).1 > 0;
    // Among equals the first.
    let guessed = || adapter::ALL.iter().copied().filter(has_some).rev().max_by_key(|method| there(*method));
    named.filter(has_some).or_else(guessed)
}

fn ends_with(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|path| path.ends_with('.'))
}

/// Suffixes of all tensors that a method puts beside a matrix.
fn suffixes_of(method: &dyn Method) -> Vec<&'static str> {
    method.parameters("W", 1, 1, 1).map_or(Vec::new(), |all| all.iter().map(|p| p.suffix).collect())
}

fn suffixes() -> Vec<&'static str> {
    let mut all: Vec<_> = adapter::ALL.iter().flat_map(|m| suffixes_of(*m)).collect();
    let mut seen = BTreeSet::new();
    all.retain(|suffix| seen.insert(*suffix));
    all
}

/// Frobenius norm and entrywise L1 of W0.
fn original(model: &Checkpoint, layer: u32, target: &str) -> Result<(f64, f64), JobError> {
    let n = model.config.hidden_size;
    let name = format!("{}.weight", model.config.module_path(layer as usize, target)?);
    let values: Vec<f64> = model.weights.values(&name, &[n, n])?;
    Ok((analysis::frobenius(&values), analysis::entrywise_l1(&values)))
}
