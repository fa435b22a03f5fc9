//! An adapter written into its model: a folder that transformers loads as a sequence classifier.

use super::saved::wide;
use super::{JobError, Saved};
use crate::adapter::{self, module_path};
use crate::analysis::{self, Matrix};
use crate::model::{Checkpoint, FILES, ModelSource, config::Family};
use crate::task::LabelKind;
use safetensors::{Dtype, tensor::TensorView};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
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
/// `folder`, which must not exist or be empty. Gives the bytes written.
pub fn merge(saved: &Saved, model: &Checkpoint, folder: &Path) -> Result<u64, JobError> {
    let taken = folder.exists() && std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_some());
    if taken {
        return Err(MergeError::Taken { path: folder.into() }.into());
    }
    let source = ModelSource::resolve(&saved.spec.model)?;
    let tensors = merged(saved, model)?;
    let config = config(saved, model, &source.config_text()?)?;
    let content = |what: String| MergeError::Content { path: folder.into(), what };
    let raw: BTreeMap<&String, (Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, (shape, values))| {
            (name, (shape.clone(), values.iter().flat_map(|v| (*v as f32).to_le_bytes()).collect()))
        })
        .collect();
    let views = raw.iter().map(|(name, (shape, bytes))| {
        TensorView::new(Dtype::F32, shape.clone(), bytes).map(|view| (name.as_str(), view))
    });
    let views: Vec<(&str, TensorView)> = views.collect::<Result<_, _>>().map_err(|e| content(e.to_string()))?;
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    let weights = safetensors::serialize(views, Some(metadata)).map_err(|e| content(e.to_string()))?;
    let config = serde_json::to_vec_pretty(&config).map_err(|e| content(e.to_string()))?;
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |source| MergeError::Io { path, source }
    };
    std::fs::create_dir_all(folder).map_err(io(folder))?;
    let files = [(FILES[0], &config), (FILES[1], &weights), (FILES[2], &model.tokenizer)];
    for (name, bytes) in files {
        let path = folder.join(name);
        std::fs::write(&path, bytes).map_err(io(&path))?;
    }
    Ok(files.iter().map(|(_, bytes)| bytes.len() as u64).sum())
}

/// Shape and values by name.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<f64>)>;

fn merged(saved: &Saved, model: &Checkpoint) -> Result<Tensors, JobError> {
    let (config, weights) = (&model.config, &model.weights);
    let method = adapter::find(&saved.spec.method)?;
    let mut tensors = Tensors::new();
    for (name, shape) in config.encoder_shapes() {
        let values = match saved.tensors().get(&name) {
            // What trained whole is in the file itself.
            Some(tensor) if tensor.shape == shape => wide(tensor),
            _ => weights.values(&name, &shape)?,
        };
        tensors.insert(name, (shape, values));
    }
    let missing = |name: &str| MergeError::Content { path: saved.path.clone(), what: format!("no tensor {name}") };
    for (name, shape) in config.head_shapes(saved.task.outputs()) {
        let tensor = saved.tensors().get(&name).filter(|t| t.shape == shape).ok_or_else(|| missing(&name))?;
        tensors.insert(name, (shape, wide(tensor)));
    }
    let Some(form) = method.form() else {
        let whole = saved.tensors().keys().any(|name| tensors.contains_key(name) && name.contains(".encoder."));
        return if whole { Ok(tensors) } else { Err(MergeError::NoForm { method: method.id().into() }.into()) };
    };
    for layer in 0..config.num_hidden_layers {
        for target in &saved.spec.targets {
            let path = module_path(config.family.prefix(), layer, target)?;
            let get = |suffix: &str| {
                let tensor = saved.tensors().get(&format!("{path}.{suffix}"))?;
                Matrix::new(&tensor.shape, wide(tensor)).ok()
            };
            let of = |source| MergeError::Content { path: saved.path.clone(), what: format!("{path}: {source}") };
            let Some((_, w)) = tensors.get_mut(&format!("{path}.weight")) else { continue };
            *w = analysis::merged(&form, saved.spec.scaling(), w, &get).map_err(of)?.values;
        }
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
    let architecture = match model.config.family {
        Family::Roberta => "RobertaForSequenceClassification",
        Family::Bert => "BertForSequenceClassification",
    };
    let problem = if names.len() == 1 { "regression" } else { "single_label_classification" };
    let by_number: serde_json::Map<_, _> = names.iter().enumerate().map(|(i, n)| (i.to_string(), json!(n))).collect();
    let by_name: serde_json::Map<_, _> = names.iter().enumerate().map(|(i, n)| (n.to_string(), json!(i))).collect();
    let added = [
        ("architectures", json!([architecture])),
        ("id2label", by_number.into()),
        ("label2id", by_name.into()),
        ("problem_type", json!(problem)),
        ("finetuning_task", json!(saved.task.id())),
        ("dtype", json!("float32")),
    ];
    let members = config.as_object_mut().ok_or_else(|| content("not an object".into()))?;
    members.remove("torch_dtype");
    members.extend(added.map(|(name, value)| (name.to_string(), value)));
    Ok(config)
}
