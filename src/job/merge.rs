//! An adapter written into its model: a folder that transformers loads as a sequence classifier.

use super::saved::wide;
use super::{JobError, Saved};
use crate::adapter::{self, Form};
use crate::analysis::{self, AnalysisError, Get, Matrix};
use crate::model::{Checkpoint, FILES, ModelSource, folder};
use crate::task::LabelKind;
use crate::train::{NamedTensor, Part, Values, checkpoint};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{path}: exists and is not empty; give a folder that is not there yet")]
    Taken { path: PathBuf },
    #[error("{path}: {what}")]
    Content { path: PathBuf, what: String },
    #[error("{method} has no linear form that could be written into W0")]
    NoForm { method: String },
}

/// Writes the adapted matrix W in the place of every W0 that has one, the trained head, `config.json` and the tokenizer to
/// `target`, which must not exist or be empty. Gives the bytes written.
pub fn merge(saved: &Saved, model: &Checkpoint, target: &Path) -> Result<u64, JobError> {
    let whole =
        |form: &Form, w0: &[f64], get: &Get| analysis::merged(form, saved.spec.scaling(), w0, get).map(|w| w.values);
    write(saved, model, target, &whole)
}

/// What takes the place of a W0 that is adapted.
pub(super) type Replace<'a> = dyn Fn(&Form, &[f64], &Get) -> Result<Vec<f64>, AnalysisError> + 'a;

/// `target` is not there, or empty.
pub(super) fn check_free(target: &Path) -> Result<(), MergeError> {
    let taken = target.exists() && std::fs::read_dir(target).map_or(true, |mut entries| entries.next().is_some());
    if taken { Err(MergeError::Taken { path: target.into() }) } else { Ok(()) }
}

/// Writes the model with the trained head and with `replace` in the place of every adapted W0.
pub(super) fn write(saved: &Saved, model: &Checkpoint, target: &Path, replace: &Replace) -> Result<u64, JobError> {
    check_free(target)?;
    let source = ModelSource::resolve(&saved.spec.model)?;
    let tensors = tensors(saved, model, replace)?;
    let config = config(saved, model, &source.config_text()?)?;
    let content = |what: String| MergeError::Content { path: target.into(), what };
    let config = serde_json::to_vec_pretty(&config).map_err(|e| content(e.to_string()))?;
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |source| MergeError::Io { path, source }
    };
    std::fs::create_dir_all(target).map_err(io(target))?;
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    let named = tensors.iter().map(|tensor| (tensor.name.clone(), tensor));
    let mut bytes = checkpoint::write(&target.join(FILES[1]), named, metadata)?;
    let mut files: Vec<(&str, Cow<[u8]>)> = vec![(FILES[0], config.into()), (FILES[2], Cow::from(&model.tokenizer))];
    // What is said of the tokenizer goes along: transformers chooses its class by it.
    for name in folder::SAID {
        files.extend(source.read_optional(name)?.map(|bytes| (name, Cow::Owned(bytes))));
    }
    for (name, content) in &files {
        let path = target.join(name);
        std::fs::write(&path, content).map_err(io(&path))?;
        bytes += content.len() as u64;
    }
    Ok(bytes)
}

/// Every tensor of the encoder and the head, in f32.
fn tensors(saved: &Saved, model: &Checkpoint, replace: &Replace) -> Result<Vec<NamedTensor>, JobError> {
    let config = &model.config;
    let method = adapter::find(&saved.spec.method)?;
    let form = method.form();
    let mut adapted = BTreeSet::new();
    for layer in 0..config.num_hidden_layers {
        for target in form.iter().flat_map(|_| &saved.spec.targets) {
            adapted.insert(config.module_path(layer, target)?);
        }
    }
    if form.is_some() {
        saved.check_matrices(&adapted.iter().map(String::as_str).collect())?;
        adapted.retain(|path| !saved.leaves(path));
    }
    // What trained whole is in the file itself.
    let trained = |name: &str, shape: &[usize]| saved.tensors().get(name).filter(|t| t.shape == shape);
    let shapes = config.encoder_shapes();
    if form.is_none() && !shapes.iter().any(|(name, shape)| trained(name, shape).is_some()) {
        return Err(MergeError::NoForm { method: method.id().into() }.into());
    }
    let mut tensors = Vec::new();
    for (name, shape) in shapes {
        let mut values = match trained(&name, &shape) {
            Some(tensor) => wide(tensor),
            None => model.weights.values(&name, &shape)?,
        };
        let path = name.strip_suffix(".weight").filter(|path| adapted.contains(*path));
        if let (Some(form), Some(path)) = (&form, path) {
            let get = |suffix: &str| {
                let tensor = saved.tensors().get(&format!("{path}.{suffix}"))?;
                Matrix::new(&tensor.shape, wide(tensor)).ok()
            };
            let of = |source| MergeError::Content { path: saved.path.clone(), what: format!("{path}: {source}") };
            values = replace(form, &values, &get).map_err(of)?;
        }
        let values = Values::F32(values.into_iter().map(|v| v as f32).collect());
        tensors.push(NamedTensor { name, shape, values });
    }
    for (name, shape) in config.head_shapes(saved.task.outputs()) {
        let tensor = saved.tensor(model, Part::Head, &name, &shape)?;
        let values = Values::F32(wide(&tensor).into_iter().map(|v| v as f32).collect());
        tensors.push(NamedTensor { values, ..tensor });
    }
    Ok(tensors)
}

/// The model's own `config.json` with what a classifier of the task has beside.
fn config(saved: &Saved, model: &Checkpoint, text: &str) -> Result<Value, JobError> {
    let content = |what: String| MergeError::Content { path: FILES[0].into(), what };
    let mut config: Value = serde_json::from_str(text).map_err(|e| content(e.to_string()))?;
    let names: Vec<&str> = match saved.task.labels() {
        LabelKind::Classes(names) => names.to_vec(),
        LabelKind::Score { .. } => vec!["score"],
    };
    let problem = if names.len() == 1 { "regression" } else { "single_label_classification" };
    let by_number: serde_json::Map<_, _> = names.iter().enumerate().map(|(i, n)| (i.to_string(), json!(n))).collect();
    let by_name: serde_json::Map<_, _> = names.iter().enumerate().map(|(i, n)| (n.to_string(), json!(i))).collect();
    let added = [
        ("architectures", json!([model.config.family.class()])),
        ("id2label", by_number.into()),
        ("label2id", by_name.into()),
        ("problem_type", json!(problem)),
        ("finetuning_task", json!(crate::spec::task_name(saved.task.id()))),
        ("dtype", json!("float32")),
    ];
    let members = config.as_object_mut().ok_or_else(|| content("not an object".into()))?;
    members.remove("torch_dtype");
    members.extend(added.map(|(name, value)| (name.to_string(), value)));
    Ok(config)
}
