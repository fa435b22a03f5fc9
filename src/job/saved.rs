//! A saved adapter and what it takes to use it again: its spec, its rows, and a model to put it on.

use super::{JobError, ModelSource, backend, source, tokenizer};
use crate::data::{self, Dataset, Split, Tokenizer};
use crate::model::Checkpoint;
use crate::spec::RunSpec;
use crate::task::{self, Task};
use crate::train::checkpoint::{self, CheckpointError};
use crate::train::evaluate::{self, Scores};
use crate::train::{Backend, NamedTensor, Values};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// An adapter file. What takes a model wants the one of its spec.
pub struct Saved {
    pub path: PathBuf,
    /// The run's own, or what the file's metadata says; device and precision are those of the use.
    pub spec: RunSpec,
    pub task: &'static dyn Task,
    tensors: HashMap<String, NamedTensor>,
}

impl Saved {
    /// An adapter file by itself; `model` and `task` default to what its metadata names.
    pub fn open(path: &Path, model: Option<&str>, task: Option<&str>) -> Result<Self, JobError> {
        let (metadata, tensors) = checkpoint::read(path)?;
        let spec = spec_of(path, &metadata, model, task)?;
        Ok(Self { path: path.into(), task: task::find(&spec.task)?, spec, tensors })
    }

    /// The adapter of a run with this spec and folder: the best by validation.
    pub fn of_run(spec: &RunSpec, folder: &Path) -> Result<Self, JobError> {
        let path = folder.join(checkpoint::BEST_ADAPTER);
        if !path.exists() {
            let what = "the run has no adapter yet: it is written at the first evaluation".into();
            return Err(CheckpointError::Content { path, what }.into());
        }
        let (_, tensors) = checkpoint::read(&path)?;
        let spec =
            RunSpec { device: RunSpec::default().device, precision: RunSpec::default().precision, ..spec.clone() };
        Ok(Self { path, task: task::find(&spec.task)?, spec, tensors })
    }

    /// The model that the adapter was trained on.
    pub fn model(&self) -> Result<Checkpoint, JobError> {
        Ok(ModelSource::resolve(&self.spec.model)?.load()?)
    }

    /// The tensors of the file by name.
    pub(super) fn tensors(&self) -> &HashMap<String, NamedTensor> {
        &self.tensors
    }

    pub fn tokenizer(&self, model: &Checkpoint) -> Result<Tokenizer, JobError> {
        tokenizer(&self.spec, &model.tokenizer)
    }

    /// Rows of `file` or, without one, the task's validation rows; at most `most` of them, 0: all.
    pub fn rows(&self, model: &Checkpoint, file: Option<&Path>, most: usize) -> Result<Dataset, JobError> {
        let mut rows = match file {
            Some(file) => data::load_file(self.task, file)?,
            None => data::load(self.task, &source(&self.spec), Split::Validation)?,
        };
        if most > 0 {
            rows.truncate(most);
        }
        Ok(Dataset::new(self.task, &self.tokenizer(model)?, &rows)?)
    }

    /// The model with the adapter and its head.
    pub fn backend(&self, model: &Checkpoint) -> Result<Box<dyn Backend>, JobError> {
        let mut backend = backend(&self.spec, model, self.task)?;
        let tensors = self.trained(&*backend)?;
        backend.load(&tensors)?;
        Ok(backend)
    }

    /// The tensors that `backend` trains, in its order, as saved.
    pub fn trained(&self, backend: &dyn Backend) -> Result<Vec<NamedTensor>, JobError> {
        let content = |what: String| CheckpointError::Content { path: self.path.clone(), what };
        let one = |p: &crate::train::Parameter| {
            let found = self.tensors.get(&p.name).ok_or_else(|| content(format!("no tensor {}", p.name)))?;
            if found.shape != p.shape {
                return Err(
                    content(format!("{}: found shape {:?}, expected {:?}", p.name, found.shape, p.shape)).into()
                );
            }
            Ok(found.clone())
        };
        backend.parameters().iter().map(one).collect()
    }

    /// Scores `backend` on `rows`; `progress` hears how many rows of all are done.
    pub fn evaluate(
        &self,
        backend: &mut dyn Backend,
        model: &Checkpoint,
        rows: &Dataset,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Scores, JobError> {
        Ok(evaluate::evaluate(backend, self.task, rows, model.config.pad_token_id, progress)?)
    }
}

pub(super) fn wide(tensor: &NamedTensor) -> Vec<f64> {
    match &tensor.values {
        Values::F32(v) => v.iter().map(|v| f64::from(*v)).collect(),
        Values::F64(v) => v.clone(),
    }
}

/// The spec that an adapter's metadata describes.
fn spec_of(
    path: &Path,
    metadata: &HashMap<String, String>,
    model: Option<&str>,
    task: Option<&str>,
) -> Result<RunSpec, JobError> {
    let mut spec = RunSpec::default();
    let given = [("model", "base_model", model), ("task", "task", task)];
    let fields =
        [("method", "method"), ("rank", "r"), ("alpha", "alpha"), ("targets", "targets"), ("max_length", "max_length")];
    let named =
        given.map(|(field, key, flag)| (field, flag.map(str::to_string).or_else(|| metadata.get(key).cloned())));
    let read = fields.map(|(field, key)| (field, metadata.get(key).map(|v| v.replace(',', "+"))));
    for (name, value) in named.into_iter().chain(read) {
        match (crate::spec::Field::find(name), value) {
            (Some(field), Some(value)) => field.set(&mut spec, &value)?,
            (_, None) if name != "max_length" => {
                let what = format!("its metadata does not name its {name}");
                return Err(CheckpointError::Content { path: path.into(), what }.into());
            }
            _ => {}
        }
    }
    Ok(spec)
}
