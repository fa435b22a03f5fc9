//! Runs that start from another run's adapter: which file that is, whether it fits, and what is taken from it. Knows no loop.

use super::JobError;
use crate::adapter;
use crate::event::Level;
use crate::format::{self, Incoming};
use crate::model::Config;
use crate::record::RunSummary;
use crate::spec::{RunSpec, SpecError, task_name};
use crate::sweep;
use crate::task;
use crate::train::checkpoint::{BEST_ADAPTER, Contents};
use crate::train::parameters::outline;
use crate::train::{Backend, NamedTensor, Parameter, Part};
use std::path::{Path, PathBuf};

fn wrong(found: impl Into<String>, expected: impl Into<String>) -> SpecError {
    SpecError::new("init_adapter", found.into(), expected)
}

/// `spec` with its start as a file or a run's id: `best:TASK` and a run's name are looked up among `runs`, newest first.
pub fn started(spec: &RunSpec, runs: &[RunSummary]) -> Result<RunSpec, SpecError> {
    let spec = sweep::resolve(spec, runs)?;
    let wanted = &spec.init_adapter;
    if wanted.is_empty() || format::is_adapter(Path::new(wanted)) || runs.iter().any(|r| r.id.as_str() == wanted) {
        return Ok(spec);
    }
    let named: Vec<&RunSummary> = runs.iter().filter(|r| r.name == *wanted).collect();
    match named[..] {
        [run] => Ok(RunSpec { init_adapter: run.id.0.clone(), ..spec }),
        [] => Ok(spec),
        _ => {
            let ids: Vec<&str> = named.iter().map(|r| r.id.as_str()).collect();
            Err(wrong(format!("{wanted:?}, the name of {}", ids.join(", ")), "one of their ids"))
        }
    }
}

/// The file that `spec` starts from; none where it starts anew.
pub(super) fn file(spec: &RunSpec, runs: &Path) -> Result<Option<PathBuf>, SpecError> {
    if spec.init_adapter.is_empty() {
        return Ok(None);
    }
    let given = PathBuf::from(&spec.init_adapter);
    let of_run = runs.join(&given).join(BEST_ADAPTER);
    match [given, of_run].into_iter().find(|p| format::is_adapter(p)) {
        Some(path) => Ok(Some(path)),
        None => {
            let expected = format!("an adapter's file or folder, best:TASK, or a run that has an {BEST_ADAPTER}");
            Err(wrong(format!("{:?}", spec.init_adapter), expected))
        }
    }
}

/// Reads a file that `spec` can start from: of its method, rank and matrices, with every tensor of the right shape.
pub(super) fn read(path: &Path, spec: &RunSpec, config: &Config) -> Result<Contents, JobError> {
    let Incoming { file, metadata, tensors, .. } = format::read(path)?;
    let tensors = format::of_family(&file, tensors, config.family)?;
    let place = path.display();
    let targets = spec.targets.join(",");
    for (key, expected) in [("method", &spec.method), ("r", &spec.rank.to_string()), ("targets", &targets)] {
        // The order of the matrices says nothing.
        let sorted = |text: &str| {
            let mut parts: Vec<String> = text.split(',').map(str::to_string).collect();
            parts.sort();
            parts
        };
        if let Some(found) = metadata.get(key).filter(|found| sorted(found) != sorted(expected)) {
            let name = if key == "r" { "rank" } else { key };
            return Err(
                wrong(format!("{place} of {name} {found}"), format!("{name} {expected}, as this run trains")).into()
            );
        }
    }
    for parameter in carried(spec, config)? {
        let Some(tensor) = tensors.get(&parameter.name) else {
            let expected = format!("the tensor {}: is it an adapter of this method and model?", parameter.name);
            return Err(wrong(place.to_string(), expected).into());
        };
        if tensor.shape != parameter.shape {
            let found = format!("{place}: {} of shape {:?}", parameter.name, tensor.shape);
            return Err(wrong(found, format!("shape {:?}", parameter.shape)).into());
        }
    }
    Ok((metadata, tensors))
}

/// Gives `backend` the file's adapter, and its head where the task is the same; says so. The classes of another task mean
/// something else, so its head is trained anew, as LoRA's authors did.
pub(super) fn load(
    path: &Path,
    spec: &RunSpec,
    config: &Config,
    backend: &mut dyn Backend,
) -> Result<Vec<(Level, String)>, JobError> {
    let (metadata, tensors) = read(path, spec, config)?;
    let same_task = metadata.get("task") == Some(&spec.task);
    let take = |p: &Parameter| {
        let tensor = tensors.get(&p.name).filter(|t| t.shape == p.shape)?;
        Some(NamedTensor { name: p.name.clone(), ..tensor.clone() })
    };
    let (head, rest): (Vec<&Parameter>, Vec<&Parameter>) =
        backend.parameters().iter().partition(|p| p.part == Part::Head);
    let mut taken: Vec<NamedTensor> = rest.into_iter().filter_map(take).collect();
    let with_head: Vec<NamedTensor> =
        if same_task { head.iter().filter_map(|p| take(p)).collect() } else { Vec::new() };
    let whole = !head.is_empty() && with_head.len() == head.len();
    if whole {
        taken.extend(with_head);
    }
    backend.load(&taken)?;
    let of = metadata.get("task").map_or(String::new(), |task| format!(", trained on {}", task_name(task)));
    let what = if whole { "its head too" } else { "the head starts anew" };
    let mut said = vec![(Level::Info, format!("starts from {}{of}: {what}", path.display()))];
    let alpha = spec.effective_alpha();
    if let Some(found) = metadata.get("alpha").and_then(|a| a.parse::<f64>().ok()).filter(|found| *found != alpha) {
        let text =
            format!("that adapter was trained with alpha {found}, this run has {alpha}: its update is scaled anew");
        said.push((Level::Warn, text));
    }
    Ok(said)
}

/// What is taken from a file in any case: everything trained but the head.
fn carried(spec: &RunSpec, config: &Config) -> Result<Vec<Parameter>, JobError> {
    let outputs = task::find(&spec.task)?.outputs();
    let outline = outline(config, spec, adapter::find(&spec.method)?, outputs)?;
    Ok(outline.into_iter().map(|(p, _)| p).filter(|p| p.part != Part::Head).collect())
}
