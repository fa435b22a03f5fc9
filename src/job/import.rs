//! An adapter that was trained elsewhere as a run of the store: with its norms and its tensors, without a step of training.

use super::analyse::matrices;
use super::{Given, JobError, Saved, inspect::inspect_read};
use crate::adapter;
use crate::data::tokens::Digest;
use crate::event::{Evaluation, RunFacts};
use crate::format;
use crate::model::ModelSource;
use crate::record::Imported;
use crate::spec::RunSpec;
use crate::train::checkpoint;
use crate::train::{NamedTensor, Values};
use crate::untrusted::harmless;
use std::path::Path;
use std::time::Instant;

/// Most characters of a name that is made of a file's.
const LONGEST_NAME: usize = 40;

/// A run that was trained elsewhere, ready to be kept.
pub struct Import {
    pub run: Imported,
    saved: Saved,
    /// Why the norms of W0 are missing.
    pub without_model: Option<String>,
}

impl Import {
    /// Reads the adapter in the file or folder `path`. The model is needed for the norms of W0 alone; one that is given must be
    /// there.
    pub fn open(path: &Path, given: &Given) -> Result<Self, JobError> {
        let incoming = format::read(path)?;
        let told = incoming.metadata.get("base_model").cloned();
        let without_model = match (&given.model, &told) {
            (Some(model), _) => ModelSource::resolve(model).map(|_| None)?,
            (None, Some(told)) => ModelSource::resolve(told).err().map(|error| error.to_string()),
            (None, None) => Some("the adapter names no model; give --model DIR".into()),
        };
        let model = given.model.clone().or(told).unwrap_or_else(|| Imported::UNKNOWN.into());
        let given = Given { model: Some(model.clone()), ..given.clone() };
        let known = without_model.is_none().then_some(model);
        let norms = inspect_read(&incoming, &Given { model: known, ..given.clone() })?;
        let saved = Saved::of(incoming, &given)?;
        let whole = path.canonicalize().unwrap_or_else(|_| path.into()).display().to_string();
        // What the file does not say is not made up: a number that is not known is 0.
        let unknown = RunSpec { lr: 0.0, epochs: 0, ..saved.spec.clone() };
        let spec = RunSpec { name: name_of(path), init_adapter: whole.clone(), ..unknown };
        let facts = facts(&saved, norms.layers.iter().map(|n| n.layer + 1).max().unwrap_or(0), norms.format)?;
        let run = Imported {
            spec,
            facts,
            points: Vec::new(),
            evaluations: Vec::new(),
            norms: vec![(0, norms.layers)],
            device: Vec::new(),
            time: None,
            tags: vec![Imported::TAG.into()],
            note: format!(
                "from {} ({})",
                harmless(&path.file_name().unwrap_or_default().to_string_lossy()),
                norms.format
            ),
            log: vec![format!(
                "imported from {} ({}): it was trained elsewhere, with settings that the file does not say",
                harmless(&whole),
                norms.format
            )],
        };
        Ok(Self { run, saved, without_model })
    }

    /// Scores it on the validation rows of its task in the folder `data`, empty: the embedded ones.
    pub fn score(&mut self, data: &str, progress: &mut dyn FnMut(usize, usize)) -> Result<(), JobError> {
        self.saved.spec.data = data.into();
        self.run.spec.data = data.into();
        let start = Instant::now();
        let model = self.saved.model()?;
        let rows = self.saved.rows(&model, None, 0)?;
        let scores = self.saved.evaluate(&mut *self.saved.backend(&model)?, &model, &rows, progress)?;
        self.run.facts.eval_rows = rows.len() as u64;
        self.run.evaluations = vec![Evaluation {
            step: 0,
            epoch: 0.0,
            loss: scores.loss,
            scores: scores.metrics,
            rows: rows.len() as u64,
            seconds: start.elapsed().as_secs_f64(),
        }];
        Ok(())
    }

    /// Writes the adapter to `file` as a run's own.
    pub fn write(&self, file: &Path) -> Result<(), JobError> {
        let mut tensors: Vec<&NamedTensor> = self.saved.tensors().values().collect();
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        checkpoint::write_adapter(file, &self.saved.spec, tensors.into_iter())?;
        Ok(())
    }
}

/// A run's name from that of a file or folder: of letters, digits, `-` and `_`.
fn name_of(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let plain = stem.chars().map(|c| if c.is_alphanumeric() || c == '_' { c } else { '-' });
    plain.take(LONGEST_NAME).collect()
}

fn facts(saved: &Saved, layers: u32, format: &str) -> Result<RunFacts, JobError> {
    let method = adapter::find(&saved.spec.method)?;
    let (mut trained, mut kept) = (0, 0);
    for found in matrices(saved, saved.tensors().values())?.values() {
        let r = saved.spec.rank;
        let of = method.parameters(&found.path, r, r, r)?;
        for (suffix, tensor) in &found.tensors {
            let count = tensor.values.len() as u64;
            kept += count;
            trained += if of.iter().any(|p| p.suffix == suffix && p.trains) { count } else { 0 };
        }
    }
    let all: u64 = saved.tensors().values().map(|t| t.shape.iter().product::<usize>() as u64).sum();
    let origin = origin(saved);
    let environment =
        [("version", env!("CARGO_PKG_VERSION")), (Imported::TAG, format), (Imported::ORIGIN, origin.as_str())];
    Ok(RunFacts {
        adapter_parameters: trained,
        adapter_bytes: 4 * kept,
        head_parameters: all - kept,
        metric: saved.task.metric_ids().first().copied().unwrap_or_default().into(),
        layers,
        environment: environment.map(|(key, value)| (key.to_string(), value.to_string())).into(),
        ..RunFacts::default()
    })
}

/// What tells this adapter from every other, wherever its file lies and whatever it is called: its tensors, task and alpha.
fn origin(saved: &Saved) -> Digest {
    let mut tensors: Vec<&NamedTensor> = saved.tensors().values().collect();
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    let one = |tensor: &&NamedTensor| {
        let bytes: Vec<u8> = match &tensor.values {
            Values::F32(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Values::F64(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        };
        Digest::of(&[tensor.name.as_bytes(), format!("{:?}", tensor.shape).as_bytes(), &bytes])
    };
    let digests: Vec<Digest> = tensors.iter().map(one).collect();
    let alpha = saved.spec.effective_alpha().to_le_bytes();
    let mut parts: Vec<&[u8]> = vec![saved.spec.task.as_bytes(), &alpha];
    parts.extend(digests.iter().map(|digest| digest.as_str().as_bytes()));
    Digest::of(&parts)
}
