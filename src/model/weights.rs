//! Tensors of a model's files by their Hugging Face names and expected shapes. Knows no model.

use super::ModelError;
use super::family::Family;
use super::real::Real;
use super::shards::Index;
use crate::tensors::{Entry, TensorFile, TensorFileError, shown};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

/// Frozen tensors that models in this process hold now, by file and name.
static FROZEN: LazyLock<Mutex<Frozen>> = LazyLock::new(Mutex::default);

type Frozen = HashMap<(String, String), Weak<Vec<f32>>>;

/// Files that were read without saying which they are.
static UNNAMED: AtomicU64 = AtomicU64::new(0);

/// What errors call a file, and its bytes.
pub type Labelled = (String, Cow<'static, [u8]>);

/// One or more files of weights in memory, safetensors or `.bin`; values are converted when asked for.
pub struct Weights {
    /// The file, or the index of several.
    file: String,
    /// The same for two readings of the same files.
    identity: String,
    /// Each with what errors call it.
    files: Vec<(String, TensorFile)>,
    /// Of each tensor the number of its file and its name there.
    places: BTreeMap<String, (usize, String)>,
    /// Tensors that read as 0.
    zeroed: BTreeSet<String>,
}

impl Weights {
    /// Finds the tensors. With a `family`, names without its prefix get it, and `gamma` / `beta` become `weight` / `bias`.
    pub fn parse(file: String, bytes: Cow<'static, [u8]>, family: Option<&dyn Family>) -> Result<Self, ModelError> {
        let mut made = Self::empty(file.clone());
        made.add((file, bytes), family, None)?;
        Ok(made)
    }

    /// The tensors that `index`, the file `file`, names; `read` gives the file of a name.
    pub fn sharded(
        file: String,
        index: &Index,
        family: Option<&dyn Family>,
        read: &dyn Fn(&str) -> Result<Labelled, ModelError>,
    ) -> Result<Self, ModelError> {
        let mut made = Self::empty(file);
        for (name, tensors) in &index.files {
            made.add(read(name)?, family, Some(tensors))?;
        }
        Ok(made)
    }

    fn empty(file: String) -> Self {
        let identity = format!("#{}", UNNAMED.fetch_add(1, Ordering::Relaxed));
        Self { file, identity, files: Vec::new(), places: BTreeMap::new(), zeroed: BTreeSet::new() }
    }

    /// Adds the tensors of a file, those of `wanted` where it is given.
    fn add(
        &mut self,
        (file, bytes): Labelled,
        family: Option<&dyn Family>,
        wanted: Option<&BTreeSet<String>>,
    ) -> Result<(), ModelError> {
        let wrong = |problem: String| ModelError::Weights { file: file.clone(), problem };
        let tensors = TensorFile::parse(bytes).map_err(|problem| wrong(problem.to_string()))?;
        if let Some(lost) = wanted.and_then(|w| w.iter().find(|name| !tensors.entries().contains_key(*name))) {
            return Err(wrong(format!("no tensor {}, which {} looks for here", shown(lost), self.file)));
        }
        for name in tensors.entries().keys().filter(|name| wanted.is_none_or(|w| w.contains(*name))) {
            let known = family.map_or(name.clone(), |f| f.canonical(name));
            if self.places.insert(known, (self.files.len(), name.clone())).is_some() {
                return Err(wrong(format!("tensor {} is there twice, under another name too", shown(name))));
            }
        }
        self.files.push((file, tensors));
        Ok(())
    }

    /// The file, or the index of several, as errors name it.
    pub fn file(&self) -> &str {
        &self.file
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
        self.places.keys().map(String::as_str)
    }

    /// A tensor with its file and what errors call that, `None` where no file has it.
    fn find(&self, name: &str) -> Option<(&str, &TensorFile, &Entry)> {
        let (number, within) = self.places.get(name)?;
        let (file, tensors) = &self.files[*number];
        Some((file, tensors, tensors.entries().get(within)?))
    }

    /// Shape of a tensor, `None` where the files lack it.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.find(name).map(|(_, _, entry)| entry.shape.as_slice())
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
        let (file, tensors, entry) = self.entry(name, expected)?;
        if self.zeroed.contains(name) {
            return Ok(vec![T::of(0.0); expected.iter().product()]);
        }
        tensors.values(entry, |v| T::of(f64::from(v)), T::of).map_err(|what| wrong(file, name, what))
    }

    fn entry(&self, name: &str, expected: &[usize]) -> Result<(&str, &TensorFile, &Entry), ModelError> {
        let missing = || ModelError::MissingTensor { file: self.file.clone(), tensor: name.into() };
        let (file, tensors, entry) = self.find(name).ok_or_else(missing)?;
        if entry.shape != expected {
            return Err(ModelError::Shape {
                file: file.into(),
                tensor: name.into(),
                found: entry.shape.clone(),
                expected: expected.into(),
            });
        }
        entry.readable().map_err(|what| wrong(file, name, what))?;
        Ok((file, tensors, entry))
    }
}

fn wrong(file: &str, name: &str, what: TensorFileError) -> ModelError {
    ModelError::Weights { file: file.into(), problem: format!("tensor {name}: {what}") }
}
