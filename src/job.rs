//! From a spec to something that can be trained, evaluated, inspected or timed. Knows files and models, not threads.

mod analyse;
mod classify;
mod convert;
mod device;
mod import;
mod inspect;
mod look;
mod memory;
mod merge;
mod predict;
mod rows;
mod saved;
mod start;
mod timing;

pub use analyse::{AnalyseError, Effort, analyse, symmetry};
pub use classify::{Classifier, Prediction};
pub use convert::{ConvertError, Converted, convert};
pub use device::{backend, devices, workers};
pub use import::Import;
pub use inspect::{InspectError, Inspection, inspect};
pub use look::Look;
pub use memory::predict_memory;
pub use merge::{MergeError, merge};
pub use predict::predict;
use rows::Prepared;
pub use saved::{Given, Saved};
pub use start::started;
pub use timing::{RowsTiming, Timing, time_rows, time_steps};

use crate::adapter;
use crate::cuda::CudaError;
use crate::data::tokens::Store;
use crate::data::{self, Example, Source, Split, Tokenizer};
use crate::event::{Better, Level, RunEvent, RunFacts};
use crate::model::{Config, ModelSource, head};
use crate::record::TASK_LABEL;
use crate::spec::RunSpec;
use crate::task::{self, Origin, Task};
use crate::train::checkpoint::{self, CheckpointError, Position, RowsIdentity};
use crate::train::fit::{Fit, Sink, step_counts};
use crate::train::{Backend, BackendError, Outcome, Parameter, Part, Signal, TrainError};
use std::path::Path;

/// Why a job cannot start or failed.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    #[error(transparent)]
    Spec(#[from] crate::spec::SpecError),
    #[error(transparent)]
    Task(#[from] crate::task::TaskError),
    #[error(transparent)]
    Adapter(#[from] crate::adapter::AdapterError),
    #[error(transparent)]
    Data(#[from] crate::data::DataError),
    #[error(transparent)]
    Model(#[from] crate::model::ModelError),
    #[error("max_length: found {wanted}, expected at most {most}, which is all that {model} takes")]
    TooLong { wanted: usize, most: usize, model: String },
    #[error("{model}: {source}")]
    Tokenizer { model: String, source: Box<crate::data::DataError> },
    #[error("threads: {0}")]
    Threads(String),
    #[error("{task}: {why}")]
    Hopeless { task: String, why: String },
    #[error(
        "{task} is another task than when the run began: its columns, labels, metrics or files have changed; clone the run to train it anew"
    )]
    Changed { task: String },
    #[error(transparent)]
    Inspect(#[from] InspectError),
    #[error(transparent)]
    Analyse(#[from] AnalyseError),
    #[error(transparent)]
    Merge(#[from] MergeError),
    #[error(transparent)]
    Convert(#[from] ConvertError),
    #[error(transparent)]
    Format(#[from] crate::format::FormatError),
    #[error(transparent)]
    Train(#[from] TrainError),
}

impl From<BackendError> for JobError {
    fn from(error: BackendError) -> Self {
        TrainError::from(error).into()
    }
}

impl From<CheckpointError> for JobError {
    fn from(error: CheckpointError) -> Self {
        TrainError::from(error).into()
    }
}

impl JobError {
    /// What was given is at fault, not the run.
    pub fn is_input(&self) -> bool {
        use TrainError::{Backend, Diverged, Sink};
        match self {
            Self::Threads(_) | Self::Train(Diverged { .. } | Sink(_)) => false,
            Self::Train(Backend(BackendError::Device(_))) => self.of_device().is_some_and(CudaError::is_input),
            _ => true,
        }
    }

    fn of_device(&self) -> Option<&CudaError> {
        match self {
            Self::Train(TrainError::Backend(BackendError::Device(error))) => error.downcast_ref(),
            _ => None,
        }
    }

    /// The device can train nothing more in this process.
    pub fn loses_device(&self) -> bool {
        matches!(self.of_device(), Some(CudaError::Lost { .. }))
    }

    /// The field of the spec that is at fault, where one is.
    pub fn field(&self) -> Option<&str> {
        use crate::adapter::AdapterError;
        match self {
            Self::Spec(error) => Some(&error.field),
            Self::Task(_) | Self::Hopeless { .. } | Self::Changed { .. } => Some("task"),
            Self::Adapter(AdapterError::Rank { .. }) => Some("rank"),
            Self::Adapter(AdapterError::Target { .. }) => Some("targets"),
            Self::Adapter(AdapterError::Unknown { .. } | AdapterError::NotSquare { .. }) => Some("method"),
            Self::Data(_) => Some("data"),
            Self::Model(_) | Self::Tokenizer { .. } => Some("model"),
            Self::TooLong { .. } => Some("max_length"),
            Self::Threads(_) => Some("threads"),
            Self::Inspect(_)
            | Self::Analyse(_)
            | Self::Merge(_)
            | Self::Convert(_)
            | Self::Format(_)
            | Self::Train(_) => None,
        }
    }
}

/// A claimed run.
pub struct Job<'a> {
    pub spec: &'a RunSpec,
    pub folder: &'a Path,
    /// Go on from the folder's checkpoint.
    pub resume: bool,
}

/// Checks all that can be known before loading anything: ranges, ids, files in place. `runs` is the runs folder.
pub fn check(spec: &RunSpec, runs: &Path) -> Result<(), JobError> {
    spec.validate()?;
    let task = task::find(&spec.task)?;
    let method = adapter::find(&spec.method)?;
    device::check(spec)?;
    let config = ModelSource::resolve(&spec.model)?.config()?;
    device::check_model(spec, &config)?;
    let n = config.hidden_size;
    for target in &spec.targets {
        method.parameters(&format!("{target} of {}", spec.model), n, n, spec.rank)?;
    }
    if spec.max_length > config.max_tokens() {
        return Err(JobError::TooLong {
            wanted: spec.max_length,
            most: config.max_tokens(),
            model: spec.model.clone(),
        });
    }
    Source::resolve(&spec.data)?.check(task)?;
    if let Some(path) = start::file(spec, runs)? {
        start::read(&path, spec, &config)?;
    }
    Ok(())
}

/// Numbers that a run of `spec` trains, as the paper counts them: without the head; and the bytes of its adapter's tensors.
/// Reads the model's configuration alone.
pub fn adapter_size(spec: &RunSpec) -> Result<(u64, u64), JobError> {
    let method = adapter::find(&spec.method)?;
    let config = ModelSource::resolve(&spec.model)?.config()?;
    if method.form().is_none() {
        let sizes = config.encoder_shapes().into_iter().map(|(_, shape)| shape.iter().product::<usize>() as u64);
        let all = sizes.sum();
        return Ok((all, 4 * all));
    }
    let (n, layers) = (config.hidden_size, config.num_hidden_layers as u64);
    let mut saved = 0;
    for target in &spec.targets {
        let tensors = method.parameters(target, n, n, spec.rank)?;
        saved += tensors.iter().map(|p| p.shape.iter().product::<usize>() as u64).sum::<u64>();
    }
    let matrices = layers * spec.targets.len() as u64;
    Ok((method.parameter_count(n, spec.rank) * matrices, 4 * layers * saved))
}

/// The tokenizer of `spec`'s model from its file's bytes.
fn tokenizer(spec: &RunSpec, config: &Config, bytes: &[u8]) -> Result<Tokenizer, JobError> {
    let named = |source| JobError::Tokenizer { model: spec.model.clone(), source: Box::new(source) };
    let tokenizer = Tokenizer::from_bytes(bytes, spec.max_length).map_err(named)?;
    Ok(tokenizer.with_types(config.family.has_token_types()))
}

/// The task's training rows, as many as `spec` asks for.
fn training_rows(spec: &RunSpec, task: &dyn Task) -> Result<Vec<Example>, JobError> {
    let mut rows = data::load(task, &Source::resolve(&spec.data)?, Split::Train)?;
    if spec.train_rows > 0 {
        rows.truncate(spec.train_rows);
    }
    Ok(rows)
}

/// Loads, trains, and ends when the run is done or asked to end. Runs on the asked number of threads.
pub fn execute(
    job: &Job,
    signal: &(dyn Fn() -> Signal + Sync),
    sink: &mut (dyn Sink + Send),
) -> Result<Outcome, JobError> {
    threads(job.spec.threads)?.install(|| train(job, signal, sink))
}

/// So many threads for mathematics, 0: as many as there are cores.
pub fn threads(count: usize) -> Result<rayon::ThreadPool, JobError> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(count)
        .thread_name(|i| format!("math-{i}"))
        .build()
        .map_err(|e| JobError::Threads(e.to_string()))
}

fn train(job: &Job, signal: &dyn Fn() -> Signal, sink: &mut dyn Sink) -> Result<Outcome, JobError> {
    let spec = job.spec;
    // A run's folder lies in the runs folder.
    let runs = job.folder.parent().unwrap_or(job.folder);
    check(spec, runs)?;
    let task = task::find(&spec.task)?;
    let (from, data) = (ModelSource::resolve(&spec.model)?, Source::resolve(&spec.data)?);
    let model = from.load()?;
    let config = &model.config.clone();
    let tokenizer = tokenizer(spec, config, &model.tokenizer)?;
    let rows = rows::prepare(spec, task, &tokenizer, &Store::usual())?;
    let (train, validation) = (&rows.train, &rows.validation);
    let mut backend = backend(spec, &model, task)?;
    let note = head::note(config, &model.weights);
    // The backend has what it needs of the files: their bytes need not stay in memory.
    drop(model);

    std::fs::create_dir_all(job.folder)
        .map_err(|source| checkpoint::CheckpointError::Io { path: job.folder.into(), source })?;
    let saved = if job.resume { checkpoint::load(job.folder, backend.parameters())? } else { None };
    let mut said: Vec<(Level, String)> = rows.warnings.iter().map(|text| (Level::Warn, text.clone())).collect();
    let (mut position, begun) = match saved {
        Some((state, position)) => {
            said.extend(changes(&position.rows, &rows.identity, task)?);
            backend.restore(&state)?;
            (position, None)
        }
        None => (Position::default(), start::file(spec, runs)?),
    };
    position.rows = rows.identity.clone();
    let begun = begun.map(|path| start::load(&path, spec, config, &mut *backend)).transpose()?;
    let mut facts = facts(spec, task, &*backend, config, &rows);
    for (key, commit) in [("model_commit", from.commit()), ("data_commit", data.commit())] {
        facts.environment.extend(commit.map(|commit| (key.to_string(), commit)));
    }
    sink.send(RunEvent::Started(facts))?;
    if job.resume {
        sink.send(RunEvent::Rewound { step: position.step })?;
    }
    said.extend(note.map(|text| (Level::Info, text)));
    for (level, text) in said.into_iter().chain(begun.into_iter().flatten()) {
        sink.send(RunEvent::Log { level, text })?;
    }
    // What a narrow log pane may cut off comes last.
    let text = format!(
        "{} on {} from step {}, {} engine: {} training and {} validation rows, model {}",
        spec.method,
        task.label(),
        position.step,
        backend.name(),
        train.len(),
        validation.len(),
        spec.model
    );
    sink.send(RunEvent::Log { level: Level::Info, text })?;
    let fit = Fit { spec, task, train, validation, pad_id: config.pad_token_id, folder: job.folder, signal };
    Ok(fit.run(&mut *backend, position, sink)?)
}

/// What to say where the rows are not those that a run was trained on so far; an error where its task is another.
fn changes(before: &RowsIdentity, now: &RowsIdentity, task: &dyn Task) -> Result<Option<(Level, String)>, JobError> {
    // Checkpoints of older versions do not tell.
    if before == now || *before == RowsIdentity::default() {
        return Ok(None);
    }
    if before.definition != now.definition {
        return Err(JobError::Changed { task: task.label().into() });
    }
    let which = match (before.train == now.train, before.validation == now.validation) {
        (false, false) => "training and validation rows are",
        (false, true) => "training rows are",
        _ => "validation rows are",
    };
    let text = format!("the {which} not the same as when the run was stopped: what it recorded before is of others");
    Ok(Some((Level::Warn, text)))
}

fn facts(spec: &RunSpec, task: &dyn Task, backend: &dyn Backend, config: &Config, rows: &Prepared) -> RunFacts {
    let (train_rows, eval_rows) = (rows.train.len(), rows.validation.len());
    let count = |counts: &dyn Fn(&Parameter) -> bool| -> u64 {
        let counted = backend.parameters().iter().filter(|p| counts(p));
        counted.map(|p| p.shape.iter().product::<usize>() as u64).sum()
    };
    let beside_head = |p: &Parameter| p.part != Part::Head;
    let threads = if spec.threads > 0 { spec.threads } else { rayon::current_num_threads() };
    RunFacts {
        total_steps: step_counts(spec, train_rows).1,
        epochs: spec.epochs as u64,
        train_rows: train_rows as u64,
        eval_rows: eval_rows as u64,
        adapter_parameters: count(&|p| beside_head(p) && p.trains),
        head_parameters: count(&|p| p.part == Part::Head),
        adapter_bytes: 4 * count(&beside_head),
        metric: task.metrics().first().map_or_else(String::new, |m| m.id().to_string()),
        better: Better::Higher,
        layers: config.num_hidden_layers as u32,
        environment: [
            ("version", env!("CARGO_PKG_VERSION").to_string()),
            ("device", device::name(spec)),
            ("threads", threads.to_string()),
            ("backend", backend.name().into()),
            ("os", format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
        ]
        .into_iter()
        .chain(of_rows(task, &rows.identity))
        .map(|(k, v)| (k.to_string(), v))
        .collect(),
    }
}

/// What a task of a person's own calls itself, and the hashes of what is trained on, where it is in files.
fn of_rows(task: &dyn Task, of: &RowsIdentity) -> Vec<(&'static str, String)> {
    let mut known = Vec::new();
    if let Origin::Own(_) = task.origin() {
        known.push((TASK_LABEL, task.label().to_string()));
        known.push(("task_sha256", of.definition.clone()));
    }
    let hash = |text: &String| text.len() == 64;
    known.extend(Some(&of.train).filter(|t| hash(t)).map(|t| ("train_sha256", t.clone())));
    known.extend(Some(&of.validation).filter(|t| hash(t)).map(|t| ("validation_sha256", t.clone())));
    known
}
