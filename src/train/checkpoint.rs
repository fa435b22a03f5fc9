//! Saved state of a run: safetensors files written so that a crash leaves the old one or the new one, never half of one.

use super::{NamedTensor, Parameter, Part, State, Values};
use crate::spec::RunSpec;
use crate::tensors::{Entry, TensorFile, TensorFileError, shown};
use safetensors::{Dtype, tensor::TensorView};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Resumable state; best adapter by validation score; adapter at the end.
pub const CHECKPOINT: &str = "checkpoint.safetensors";
pub const BEST_ADAPTER: &str = "adapter.safetensors";
pub const LAST_ADAPTER: &str = "adapter-last.safetensors";

/// The layout of adapter files, as `format/own.rs` describes it.
const LAYOUT: &str = "eigenscope/1";

#[derive(Debug, Error)]
pub enum CheckpointError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{path}: cannot be written as safetensors ({source})")]
    Format { path: PathBuf, source: safetensors::SafeTensorError },
    #[error("{path}: {what}")]
    Content { path: PathBuf, what: String },
}

/// What the rows of a run are made of; hashes of files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowsIdentity {
    /// The task's columns, labels and metrics.
    pub definition: String,
    pub train: String,
    pub validation: String,
}

/// Where the loop stands, beside the tensors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Optimizer steps done.
    pub step: u64,
    pub seconds: f64,
    pub best: Option<f64>,
    /// Epochs since the best score.
    pub stale_epochs: usize,
    /// What it was trained on so far.
    #[serde(default)]
    pub rows: RowsIdentity,
}

/// Writes `state` and `position` to the run's folder.
pub fn save(folder: &Path, state: &State, position: &Position) -> Result<u64, CheckpointError> {
    let path = folder.join(CHECKPOINT);
    let parts = [("value", &state.values), ("first", &state.first), ("second", &state.second)];
    let named = parts.iter().flat_map(|(part, tensors)| tensors.iter().map(move |t| (format!("{part}/{}", t.name), t)));
    let position = serde_json::to_string(position)
        .map_err(|e| CheckpointError::Content { path: path.clone(), what: e.to_string() })?;
    let metadata = HashMap::from([("position".into(), position), ("steps".into(), state.steps.to_string())]);
    write(&path, named, metadata)
}

/// Reads what [`save`] wrote; `Ok(None)` where there is no checkpoint.
pub fn load(folder: &Path, parameters: &[Parameter]) -> Result<Option<(State, Position)>, CheckpointError> {
    let path = folder.join(CHECKPOINT);
    if !path.exists() {
        return Ok(None);
    }
    let content = |what: String| CheckpointError::Content { path: path.clone(), what };
    let (metadata, tensors) = read(&path)?;
    let field = |name: &str| metadata.get(name).ok_or_else(|| content(format!("no {name} in its metadata")));
    let position: Position = serde_json::from_str(field("position")?).map_err(|e| content(e.to_string()))?;
    let steps = field("steps")?.parse().map_err(|_| content("steps is not a number".into()))?;
    let part = |part: &str| -> Result<Vec<NamedTensor>, CheckpointError> {
        let take = |p: &Parameter| {
            let name = format!("{part}/{}", p.name);
            let tensor = tensors.get(&name).ok_or_else(|| content(format!("no tensor {name}")))?;
            if tensor.shape != p.shape {
                return Err(content(format!("{name}: found shape {:?}, expected {:?}", tensor.shape, p.shape)));
            }
            Ok(NamedTensor { name: p.name.clone(), ..tensor.clone() })
        };
        parameters.iter().map(take).collect()
    };
    Ok(Some((State { steps, values: part("value")?, first: part("first")?, second: part("second")? }, position)))
}

/// Writes what training made of adapter and head.
pub fn save_adapter(
    path: &Path,
    spec: &RunSpec,
    all: &[Parameter],
    values: &[NamedTensor],
) -> Result<u64, CheckpointError> {
    // Full fine-tuning has no adapter tensors: what it trained is the encoder.
    let keep = |p: &Parameter| spec.method == "full" || p.part != Part::Encoder;
    write_adapter(path, spec, all.iter().zip(values).filter(|(p, _)| keep(p)).map(|(_, tensor)| tensor))
}

/// Writes the tensors of adapter and head with the metadata that other tools need.
pub fn write_adapter<'a>(
    path: &Path,
    spec: &RunSpec,
    tensors: impl Iterator<Item = &'a NamedTensor>,
) -> Result<u64, CheckpointError> {
    let metadata = HashMap::from([
        ("method".to_string(), spec.method.clone()),
        ("r".into(), spec.rank.to_string()),
        ("alpha".into(), spec.effective_alpha().to_string()),
        ("targets".into(), spec.targets.join(",")),
        ("task".into(), spec.task.clone()),
        ("base_model".into(), spec.model.clone()),
        ("max_length".into(), spec.max_length.to_string()),
        ("format".into(), "pt".into()),
        ("layout".into(), LAYOUT.into()),
    ]);
    write(path, tensors.map(|t| (t.name.clone(), t)), metadata)
}

/// Tensors by name and the metadata of an adapter or checkpoint file.
pub type Contents = (HashMap<String, String>, HashMap<String, NamedTensor>);

/// Reads a file of F16, BF16, F32 or F64 tensors, safetensors or PyTorch's `.bin`.
pub fn read(path: &Path) -> Result<Contents, CheckpointError> {
    let content = |what: String| CheckpointError::Content { path: path.into(), what };
    let file = TensorFile::open(path).map_err(|error| match error {
        TensorFileError::Io(source) => CheckpointError::Io { path: path.into(), source },
        TensorFileError::Content(what) => content(what),
    })?;
    let tensor = |(name, entry): (&String, &Entry)| {
        let values = match entry.dtype {
            Dtype::F64 => file.values(entry, f64::from, |v| v).map(Values::F64),
            // All others fit into an f32.
            _ => file.values(entry, |v| v, |v| v as f32).map(Values::F32),
        };
        let values = values.map_err(|what| content(format!("tensor {}: {what}", shown(name))))?;
        Ok((name.clone(), NamedTensor { name: name.clone(), shape: entry.shape.clone(), values }))
    };
    let tensors = file.entries().iter().map(tensor).collect::<Result<_, CheckpointError>>()?;
    Ok((file.metadata().clone(), tensors))
}

/// Writes tensors by these names.
pub fn write<'a>(
    path: &Path,
    named: impl Iterator<Item = (String, &'a NamedTensor)>,
    metadata: HashMap<String, String>,
) -> Result<u64, CheckpointError> {
    let io = |source| CheckpointError::Io { path: path.into(), source };
    let raw: Vec<(String, Dtype, &[usize], Vec<u8>)> = named
        .map(|(name, t)| match &t.values {
            Values::F32(v) => (name, Dtype::F32, &t.shape[..], v.iter().flat_map(|x| x.to_le_bytes()).collect()),
            Values::F64(v) => (name, Dtype::F64, &t.shape[..], v.iter().flat_map(|x| x.to_le_bytes()).collect()),
        })
        .collect();
    let format = |source| CheckpointError::Format { path: path.into(), source };
    let views: Vec<(&str, TensorView)> = raw
        .iter()
        .map(|(name, dtype, shape, bytes)| Ok((name.as_str(), TensorView::new(*dtype, shape.to_vec(), bytes)?)))
        .collect::<Result<_, _>>()
        .map_err(format)?;
    let mut bytes = safetensors::serialize(views, Some(metadata)).map_err(format)?;
    sort_header(&mut bytes);
    replace(path, &bytes).map_err(io)?;
    Ok(bytes.len() as u64)
}

/// Sorts the header's members: safetensors writes its metadata in a random order, and equal runs shall give equal files.
fn sort_header(bytes: &mut [u8]) {
    let Some((length, rest)) = bytes.split_first_chunk_mut::<8>() else { return };
    let Some(header) = rest.get_mut(..u64::from_le_bytes(*length) as usize) else { return };
    let Ok(sorted) = serde_json::from_slice::<BTreeMap<String, serde_json::Value>>(header) else { return };
    let Ok(text) = serde_json::to_vec(&sorted) else { return };
    // Only the order changes, so only the padding behind may be left over.
    if text.len() <= header.len() {
        header.fill(b' ');
        header[..text.len()].copy_from_slice(&text);
    }
}

/// Puts `bytes` in place of `path`: temporary file, sync, rename, sync of the folder.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let part = path.with_extension("part");
    let mut file = File::create(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
