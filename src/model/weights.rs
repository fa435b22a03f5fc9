//! Tensors of a file of weights by their Hugging Face names and expected shapes. Knows no model.

use super::ModelError;
use super::config::Family;
use super::real::Real;
use crate::tensors::{Entry, TensorFile, TensorFileError};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

/// Frozen tensors that models in this process hold now, by file and name.
static FROZEN: LazyLock<Mutex<Frozen>> = LazyLock::new(Mutex::default);

type Frozen = HashMap<(String, String), Weak<Vec<f32>>>;

/// Files that were read without saying which they are.
static UNNAMED: AtomicU64 = AtomicU64::new(0);

/// A file of weights in memory, safetensors or `.bin`; values are converted when asked for.
pub struct Weights {
    file: String,
    /// The same for two readings of the same file.
    identity: String,
    tensors: TensorFile,
    /// Tensors that read as 0.
    zeroed: BTreeSet<String>,
}

impl Weights {
    /// Finds the tensors. With a `family`, names without its prefix get it, and `gamma` / `beta` become `weight` / `bias`.
    pub fn parse(file: String, bytes: Cow<'static, [u8]>, family: Option<Family>) -> Result<Self, ModelError> {
        let tensors = TensorFile::parse(bytes)
            .map_err(|problem| ModelError::Weights { file: file.clone(), problem: problem.to_string() })?;
        let tensors = match family {
            Some(family) => tensors.renamed(|name| canonical(name, family)),
            None => tensors,
        };
        let identity = format!("#{}", UNNAMED.fetch_add(1, Ordering::Relaxed));
        Ok(Self { file, identity, tensors, zeroed: BTreeSet::new() })
    }

    /// The same weights, known to be those of the file `identity`: what is frozen of them is shared with other readings of it.
    pub fn known_as(self, identity: String) -> Self {
        Self { identity, ..self }
    }

    /// Values of a tensor that is never changed: one copy for all models of this file in the process, while one holds it.
    pub fn frozen(&self, name: &str, expected: &[usize]) -> Result<Arc<Vec<f32>>, ModelError> {
        self.check(name, expected)?;
        if self.zeroed.contains(name) {
            return Ok(Arc::new(self.values(name, expected)?));
        }
        let key = (self.identity.clone(), name.to_string());
        let mut held = FROZEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(values) = held.get(&key).and_then(Weak::upgrade) {
            return Ok(values);
        }
        held.retain(|_, values| values.strong_count() > 0);
        let values = Arc::new(self.values(name, expected)?);
        held.insert(key, Arc::downgrade(&values));
        Ok(values)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.entries().keys().map(String::as_str)
    }

    /// Shape of a tensor, `None` where the file lacks it.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.entries().get(name).map(|e| e.shape.as_slice())
    }

    /// From now on these tensors, and no others, read as 0, as if the file held zeros.
    pub fn set_zeroed(&mut self, names: impl IntoIterator<Item = String>) {
        self.zeroed = names.into_iter().collect();
    }

    /// The tensor is there with this shape, in a type that can be read.
    pub fn check(&self, name: &str, expected: &[usize]) -> Result<(), ModelError> {
        self.entry(name, expected).map(|_| ())
    }

    /// Values of a tensor of f16, bf16, f32 or f64, row by row; the first three are exact in f32 too.
    pub fn values<T: Real>(&self, name: &str, expected: &[usize]) -> Result<Vec<T>, ModelError> {
        let entry = self.entry(name, expected)?;
        if self.zeroed.contains(name) {
            return Ok(vec![T::of(0.0); expected.iter().product()]);
        }
        self.tensors.values(entry, |v| T::of(f64::from(v)), T::of).map_err(|what| self.wrong(name, what))
    }

    fn entry(&self, name: &str, expected: &[usize]) -> Result<&Entry, ModelError> {
        let file = || self.file.clone();
        let entry = self.tensors.entries().get(name);
        let entry = entry.ok_or_else(|| ModelError::MissingTensor { file: file(), tensor: name.into() })?;
        if entry.shape != expected {
            return Err(ModelError::Shape {
                file: file(),
                tensor: name.into(),
                found: entry.shape.clone(),
                expected: expected.into(),
            });
        }
        entry.readable().map_err(|what| self.wrong(name, what))?;
        Ok(entry)
    }

    fn wrong(&self, name: &str, what: TensorFileError) -> ModelError {
        ModelError::Weights { file: self.file.clone(), problem: format!("tensor {name}: {what}") }
    }
}

fn canonical(name: &str, family: Family) -> String {
    let name = match name {
        n if n.ends_with("LayerNorm.gamma") => n.replace("LayerNorm.gamma", "LayerNorm.weight"),
        n if n.ends_with("LayerNorm.beta") => n.replace("LayerNorm.beta", "LayerNorm.bias"),
        n => n.to_string(),
    };
    if ["embeddings.", "encoder.", "pooler."].iter().any(|p| name.starts_with(p)) {
        format!("{}.{name}", family.prefix())
    } else {
        name
    }
}
