//! A saved adapter and what it takes to use it again: its spec, its rows, and a model to put it on.

use super::{JobError, ModelSource, backend, tokenizer};
use crate::adapter;
use crate::data::{self, Dataset, Source, Split, Tokenizer};
use crate::format::{self, Incoming};
use crate::model::{Checkpoint, family};
use crate::spec::RunSpec;
use crate::task::{self, Task};
use crate::tensors::shown;
use crate::train::checkpoint::{self, CheckpointError};
use crate::train::evaluate::{self, Scores};
use crate::train::{Backend, NamedTensor, Part, Values};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// What a person says of an adapter: it holds where the file says something else or nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    pub model: Option<String>,
    pub task: Option<String>,
    pub alpha: Option<f64>,
}

/// An adapter file. What takes a model wants the one of its spec.
pub struct Saved {
    pub path: PathBuf,
    /// The run's own, or what the file's metadata says; device and precision are those of the use.
    pub spec: RunSpec,
    pub task: &'static dyn Task,
    tensors: HashMap<String, NamedTensor>,
}

impl Saved {
    /// An adapter by itself, a file or a folder of any program.
    pub fn open(path: &Path, given: &Given) -> Result<Self, JobError> {
        Self::of(format::read(path)?, given)
    }

    /// The same of one that was read.
    pub(super) fn of(incoming: Incoming, given: &Given) -> Result<Self, JobError> {
        let Incoming { file, metadata, mut tensors, .. } = incoming;
        let spec = spec_of(&file, &metadata, given)?;
        if format::lacks_family(&tensors) {
            let family = ModelSource::resolve(&spec.model)?.config()?.family;
            tensors = format::of_family(&file, tensors, family)?;
        }
        Ok(Self { path: file, task: task::find(&spec.task)?, spec, tensors })
    }

    /// The adapter of a run with this spec and folder: the best by validation.
    pub fn of_run(spec: &RunSpec, folder: &Path) -> Result<Self, JobError> {
        let path = Self::file_of_run(folder)?;
        let (_, tensors) = checkpoint::read(&path)?;
        let spec =
            RunSpec { device: RunSpec::default().device, precision: RunSpec::default().precision, ..spec.clone() };
        Ok(Self { path, task: task::find(&spec.task)?, spec, tensors })
    }

    /// The file of that adapter.
    pub fn file_of_run(folder: &Path) -> Result<PathBuf, JobError> {
        let path = folder.join(checkpoint::BEST_ADAPTER);
        if path.exists() {
            return Ok(path);
        }
        let what = "the run has no adapter yet: it is written at the first evaluation".into();
        Err(CheckpointError::Content { path, what }.into())
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
        tokenizer(&self.spec, &model.config, &model.tokenizer)
    }

    /// Rows of `file` or, without one, the task's validation rows; at most `most` of them, 0: all.
    pub fn rows(&self, model: &Checkpoint, file: Option<&Path>, most: usize) -> Result<Dataset, JobError> {
        let mut rows = match file {
            Some(file) => data::load_file(self.task, file)?,
            None => data::load(self.task, &Source::resolve(&self.spec.data)?, Split::Validation)?,
        };
        if most > 0 {
            rows.truncate(most);
        }
        Ok(Dataset::new(self.task, &self.tokenizer(model)?, &rows)?)
    }

    /// The model with the adapter and its head.
    pub fn backend(&self, model: &Checkpoint) -> Result<Box<dyn Backend>, JobError> {
        let mut backend = backend(&self.spec, model, self.task)?;
        let tensors = self.trained(&*backend, model)?;
        backend.load(&tensors)?;
        Ok(backend)
    }

    /// The tensors that `backend` trains, in its order, as saved.
    pub fn trained(&self, backend: &dyn Backend, model: &Checkpoint) -> Result<Vec<NamedTensor>, JobError> {
        let paths = backend.parameters().iter().filter_map(|p| family::place(&p.name)).map(|place| place.path);
        self.check_matrices(&paths.collect())?;
        backend.parameters().iter().map(|p| self.tensor(model, p.part, &p.name, &p.shape)).collect()
    }

    /// Every tensor beside a matrix is beside one of `paths`: of another model's none would be used.
    pub(super) fn check_matrices(&self, paths: &HashSet<&str>) -> Result<(), JobError> {
        let strange = |name: &&String| family::place(name).is_some_and(|place| !paths.contains(place.path));
        let Some(name) = self.tensors.keys().filter(strange).min() else { return Ok(()) };
        let what = format!("{} is of no matrix that {} has: was it made for that model?", shown(name), self.spec.model);
        Err(CheckpointError::Content { path: self.path.clone(), what }.into())
    }

    /// The matrix at `path` is as it was: PEFT's `layers_to_transform` gives the others no factors, and a product of none is 0.
    pub(super) fn leaves(&self, path: &str) -> bool {
        let form = adapter::find(&self.spec.method).ok().and_then(|method| method.form());
        let product = form.is_some_and(|f| f.c.is_none() && f.d.is_none() && f.start.is_none() && f.m.is_none());
        let of_it = |name: &String| name.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        product && !self.tensors.keys().any(of_it)
    }

    /// A tensor of the adapter. One of the head that it lacks is the model's own: other programs leave BERT's pooler as it
    /// was, and put adapters on models that have a head. Factors of a matrix that it leaves are 0.
    pub(super) fn tensor(
        &self,
        model: &Checkpoint,
        part: Part,
        name: &str,
        shape: &[usize],
    ) -> Result<NamedTensor, JobError> {
        let content = |what: String| CheckpointError::Content { path: self.path.clone(), what };
        match self.tensors.get(name) {
            Some(found) if found.shape == shape => Ok(found.clone()),
            Some(found) => Err(content(format!("{name}: found shape {:?}, expected {shape:?}", found.shape)).into()),
            None if part == Part::Head && model.weights.shape(name) == Some(shape) => {
                let values = Values::F32(model.weights.values(name, shape)?);
                Ok(NamedTensor { name: name.into(), shape: shape.into(), values })
            }
            None if part == Part::Adapter && family::place(name).is_some_and(|place| self.leaves(place.path)) => {
                let values = Values::F32(vec![0.0; shape.iter().product()]);
                Ok(NamedTensor { name: name.into(), shape: shape.into(), values })
            }
            None => {
                let beside = if part == Part::Head { ", and its model has none of that shape" } else { "" };
                Err(content(format!("no tensor {name}{beside}")).into())
            }
        }
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

/// The spec that an adapter's metadata and `given` describe.
pub(super) fn spec_of(path: &Path, metadata: &HashMap<String, String>, given: &Given) -> Result<RunSpec, JobError> {
    let mut spec = RunSpec::default();
    let told = |key: &str| metadata.get(key).cloned();
    let alpha = given.alpha.map(|a| a.to_string());
    // The field, what it is to be, and the flag that stands in.
    let fields = [
        ("model", given.model.clone().or_else(|| told("base_model")), "; give --model DIR"),
        ("task", given.task.clone().or_else(|| told("task")), "; give --task ID"),
        ("method", told("method"), ""),
        ("rank", told("r"), ""),
        ("alpha", alpha.or_else(|| told("alpha")), "; give --alpha N: the update is scaled by alpha / r"),
        ("targets", told("targets").map(|t| t.replace(',', "+")), ""),
        ("max_length", told("max_length").or_else(|| Some(spec.max_length.to_string())), ""),
    ];
    for (name, value, flag) in fields {
        let missing =
            || CheckpointError::Content { path: path.into(), what: format!("it does not say its {name}{flag}") };
        let value = value.ok_or_else(missing)?;
        if let Some(field) = crate::spec::Field::find(name) {
            field.set(&mut spec, &value)?;
        }
    }
    Ok(spec)
}
