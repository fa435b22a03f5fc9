//! An adapter written as another program keeps it. A form that is linear is a product beside c.W0: LoRA to the last bit of
//! what is stored, where c is 1 or a model with c.W0 in the place of W0 goes with it.

use super::analyse::matrices;
use super::{JobError, Saved, merge};
use crate::adapter::{self, Form};
use crate::analysis::{self, AnalysisError, Get, Matrix};
use crate::format::{Format, FormatError, Outgoing, Writer};
use crate::model::Checkpoint;
use crate::train::{NamedTensor, Values};
use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    #[error("{format} adapters are read, not written: --to takes {allowed}")]
    NotWritten { format: &'static str, allowed: String },
    #[error("{method} trains whole matrices, there is no adapter to convert: `eigenscope merge` writes the model")]
    Whole { method: String },
    #[error(
        "{method} gives the rows of each matrix a length of their own, which no product B A does: `eigenscope merge` writes a model with it, --to eigenscope its file"
    )]
    NotLinear { method: String },
    #[error(
        "{method} scales W0 by {c}, and LoRA leaves W0 as it is: with --with-base DIR a model with {c} W0 in the place of W0 is written too, for the adapter to stand on; --to eigenscope keeps {c} in the adapter"
    )]
    Scaled { method: String, c: &'static str },
    #[error(
        "--with-base writes a model for PEFT's adapter to stand on: it goes with --to peft; {format} keeps lambda in the adapter"
    )]
    NoBase { format: &'static str },
    #[error(
        "--out {folder} and --with-base {base} are one folder or lie within each other, where a program that loads the model finds the adapter too: give two apart"
    )]
    Together { folder: PathBuf, base: PathBuf },
    #[error("{path}: {source}")]
    Analysis { path: String, source: AnalysisError },
}

/// What was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Converted {
    pub bytes: u64,
    /// Bytes of the model, where one was written.
    pub base_bytes: Option<u64>,
    /// The rank it has there.
    pub rank: usize,
    /// What the other program loads the model from.
    pub base: String,
}

/// Writes `saved` as `format` to `folder`; with `base` also a model for it to stand on, which takes `model`. Neither folder
/// may hold anything.
pub fn convert(
    saved: &Saved,
    model: Option<&Checkpoint>,
    format: &dyn Format,
    folder: &Path,
    base: Option<&Path>,
) -> Result<Converted, JobError> {
    let writer = format.writer().ok_or_else(|| {
        let written = crate::format::ALL.iter().filter(|f| f.writer().is_some());
        let allowed = written.map(|f| f.id()).collect::<Vec<_>>().join(", ");
        ConvertError::NotWritten { format: format.id(), allowed }
    })?;
    if let (Writer::Whole(_), Some(_)) = (&writer, base) {
        return Err(ConvertError::NoBase { format: format.id() }.into());
    }
    check_apart(folder, base)?;
    merge::check_free(folder)?;
    let io = |source| FormatError::Io { path: folder.into(), source };
    let spec = &saved.spec;
    let write = match writer {
        Writer::Whole(write) => {
            std::fs::create_dir_all(folder).map_err(io)?;
            let mut tensors: Vec<&NamedTensor> = saved.tensors().values().collect();
            tensors.sort_by(|a, b| a.name.cmp(&b.name));
            let bytes = write(spec, &tensors, folder)?;
            return Ok(Converted { bytes, base_bytes: None, rank: spec.rank, base: spec.model.clone() });
        }
        Writer::Product(write) => write,
    };
    let form = linear(saved)?;
    let mut outgoing = outgoing(saved, &form, base.is_some())?;
    let scaled = |form: &Form, w0: &[f64], get: &Get| analysis::scaled(form, w0, get);
    let base_bytes = match base.zip(model) {
        Some((base, model)) => {
            let bytes = merge::write(saved, model, base, &scaled)?;
            let whole = base.canonicalize().map_err(|source| FormatError::Io { path: base.into(), source })?;
            outgoing.base = whole.display().to_string();
            Some(bytes)
        }
        None => None,
    };
    std::fs::create_dir_all(folder).map_err(io)?;
    let bytes = write(&outgoing, folder)?;
    Ok(Converted { bytes, base_bytes, rank: outgoing.rank, base: outgoing.base })
}

/// The folders are apart: PEFT's adapter in the folder of a model is put on that model when it is loaded, and then once more.
fn check_apart(folder: &Path, base: Option<&Path>) -> Result<(), JobError> {
    let Some(base) = base else { return Ok(()) };
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |source| FormatError::Io { path, source }
    };
    let [a, b] = [whole(folder).map_err(io(folder))?, whole(base).map_err(io(base))?];
    match a.starts_with(&b) || b.starts_with(&a) {
        true => Err(ConvertError::Together { folder: folder.into(), base: base.into() }.into()),
        false => Ok(()),
    }
}

/// `path` without links, `.` and `..`, though its end need not be there.
fn whole(path: &Path) -> std::io::Result<PathBuf> {
    let mut whole = PathBuf::new();
    for part in std::path::absolute(path)?.components() {
        match part {
            Component::ParentDir => {
                whole.pop();
            }
            part => whole.push(part),
        }
        if let Ok(found) = whole.canonicalize() {
            whole = found;
        }
    }
    Ok(whole)
}

/// The form of an adapter that is linear.
fn linear(saved: &Saved) -> Result<Form, JobError> {
    let method = || saved.spec.method.clone();
    let form = adapter::find(&saved.spec.method)?.form().ok_or_else(|| ConvertError::Whole { method: method() })?;
    if form.is_linear() { Ok(form) } else { Err(ConvertError::NotLinear { method: method() }.into()) }
}

/// The adapter as products; `folded`: a model with c.W0 goes with it.
fn outgoing<'a>(saved: &'a Saved, form: &Form, folded: bool) -> Result<Outgoing<'a>, JobError> {
    let failed =
        |path: &str, source| ConvertError::Analysis { path: format!("{}: {path}", saved.path.display()), source };
    let tensor = |m: Matrix| {
        let values = Values::F32(m.values.iter().map(|v| *v as f32).collect());
        NamedTensor { name: String::new(), shape: vec![m.rows, m.columns], values }
    };
    let mut products = Vec::new();
    let mut own = HashSet::new();
    for found in matrices(saved, saved.tensors().values())?.into_values() {
        let get = |suffix: &str| found.tensors.get(suffix).cloned();
        let one = |c: &Matrix| c.values.iter().all(|c| *c == 1.0);
        if let Some(c) = form.c.filter(|c| !folded && !get(c).is_some_and(|c| one(&c))) {
            return Err(ConvertError::Scaled { method: saved.spec.method.clone(), c: scale_name(c) }.into());
        }
        let (b, a) = analysis::product(form, &get).map_err(|source| failed(&found.path, source))?;
        own.extend(found.tensors.keys().map(|suffix| format!("{}.{suffix}", found.path)));
        products.push((found.path, tensor(b), tensor(a)));
    }
    let rank = products.first().map_or(0, |(_, b, _)| b.shape[1]);
    let mut head: Vec<&NamedTensor> = saved.tensors().values().filter(|t| !own.contains(&t.name)).collect();
    head.sort_by(|a, b| a.name.cmp(&b.name));
    // The same alpha / r; by the ratio of the ranks, which is 1 or 2, so that nothing is rounded.
    let alpha = saved.spec.effective_alpha() * (rank as f64 / saved.spec.rank as f64);
    let base = saved.spec.model.clone();
    Ok(Outgoing { spec: &saved.spec, rank, alpha, products, head, base })
}

/// A scale's name for people.
fn scale_name(suffix: &'static str) -> &'static str {
    suffix.rsplit('_').next().unwrap_or(suffix)
}
