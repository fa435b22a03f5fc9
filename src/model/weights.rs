//! Tensors of a safetensors file by their Hugging Face names. Checks sizes before it believes them; knows no model.

use super::ModelError;
use super::config::Family;
use super::real::Real;
use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

/// Largest header that is read, in bytes.
const MAX_HEADER: u64 = 4 << 20;
/// Most tensors that a file may name.
const MAX_TENSORS: usize = 20_000;

/// Frozen tensors that models in this process hold now, by file and name.
static FROZEN: LazyLock<Mutex<Frozen>> = LazyLock::new(Mutex::default);

type Frozen = HashMap<(String, String), Weak<Vec<f32>>>;

/// Files that were read without saying which they are.
static UNNAMED: AtomicU64 = AtomicU64::new(0);

struct Entry {
    dtype: Dtype,
    shape: Vec<usize>,
    range: std::ops::Range<usize>,
}

/// A safetensors file in memory; values are converted when asked for.
pub struct Weights {
    file: String,
    /// The same for two readings of the same file.
    identity: String,
    bytes: Cow<'static, [u8]>,
    entries: BTreeMap<String, Entry>,
    /// Tensors that read as 0.
    zeroed: BTreeSet<String>,
}

impl Weights {
    /// Reads the header. With a `family`, names without its prefix get it, and `gamma` / `beta` become `weight` / `bias`.
    pub fn parse(file: String, bytes: Cow<'static, [u8]>, family: Option<Family>) -> Result<Self, ModelError> {
        let wrong = |problem: String| ModelError::Weights { file: file.clone(), problem };
        let length = bytes.first_chunk::<8>().map(|b| u64::from_le_bytes(*b));
        let length = length.ok_or_else(|| wrong(format!("truncated: {} bytes, no header", bytes.len())))?;
        if length > MAX_HEADER {
            return Err(wrong(format!(
                "a header of {length} bytes, at most {MAX_HEADER} are read: not a safetensors file?"
            )));
        }
        if length + 8 > bytes.len() as u64 {
            return Err(wrong(format!("truncated: {} bytes, the header alone has {}", bytes.len(), length + 8)));
        }
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|e| match e {
            safetensors::SafeTensorError::MetadataIncompleteBuffer => {
                wrong(format!("truncated or padded: {} bytes are not what its header promises", bytes.len()))
            }
            other => wrong(format!("not a safetensors file: {other}")),
        })?;
        let tensors = metadata.tensors();
        if tensors.len() > MAX_TENSORS {
            return Err(wrong(format!("{} tensors, at most {MAX_TENSORS} are read", tensors.len())));
        }
        let start = 8 + length as usize;
        let entries = tensors
            .into_iter()
            .map(|(name, info)| {
                let (from, to) = info.data_offsets;
                let entry = Entry { dtype: info.dtype, shape: info.shape.clone(), range: start + from..start + to };
                (family.map_or(name.clone(), |f| canonical(&name, f)), entry)
            })
            .collect();
        let identity = format!("#{}", UNNAMED.fetch_add(1, Ordering::Relaxed));
        Ok(Self { file, identity, bytes, entries, zeroed: BTreeSet::new() })
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
        self.entries.keys().map(String::as_str)
    }

    /// Shape of a tensor, `None` where the file lacks it.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.entries.get(name).map(|e| e.shape.as_slice())
    }

    /// From now on these tensors, and no others, read as 0, as if the file held zeros.
    pub fn set_zeroed(&mut self, names: impl IntoIterator<Item = String>) {
        self.zeroed = names.into_iter().collect();
    }

    /// The tensor is there with this shape, in a type that can be read, and ends within the file.
    pub fn check(&self, name: &str, expected: &[usize]) -> Result<(), ModelError> {
        self.bytes_of(name, expected).map(|_| ())
    }

    /// Values of a tensor of f16, bf16, f32 or f64, row by row; the first three are exact in f32 too.
    pub fn values<T: Real>(&self, name: &str, expected: &[usize]) -> Result<Vec<T>, ModelError> {
        let (dtype, bytes) = self.bytes_of(name, expected)?;
        if self.zeroed.contains(name) {
            return Ok(vec![T::of(0.0); expected.iter().product()]);
        }
        let pairs = |f: fn([u8; 2]) -> f64| bytes.as_chunks::<2>().0.iter().map(|b| T::of(f(*b))).collect();
        Ok(match dtype {
            Dtype::F16 => pairs(|b| f16::from_le_bytes(b).to_f64()),
            Dtype::BF16 => pairs(|b| bf16::from_le_bytes(b).to_f64()),
            Dtype::F32 => bytes.as_chunks::<4>().0.iter().map(|b| T::of(f64::from(f32::from_le_bytes(*b)))).collect(),
            _ => bytes.as_chunks::<8>().0.iter().map(|b| T::of(f64::from_le_bytes(*b))).collect(),
        })
    }

    fn bytes_of(&self, name: &str, expected: &[usize]) -> Result<(Dtype, &[u8]), ModelError> {
        let file = || self.file.clone();
        let entry =
            self.entries.get(name).ok_or_else(|| ModelError::MissingTensor { file: file(), tensor: name.into() })?;
        if entry.shape != expected {
            return Err(ModelError::Shape {
                file: file(),
                tensor: name.into(),
                found: entry.shape.clone(),
                expected: expected.into(),
            });
        }
        let wrong =
            |problem: String| ModelError::Weights { file: file(), problem: format!("tensor {name}: {problem}") };
        let width = match entry.dtype {
            Dtype::F16 | Dtype::BF16 => 2,
            Dtype::F32 => 4,
            Dtype::F64 => 8,
            other => return Err(wrong(format!("type {other:?}, expected F16, BF16, F32 or F64"))),
        };
        let bytes =
            self.bytes.get(entry.range.clone()).filter(|b| b.len() == width * expected.iter().product::<usize>());
        bytes.map(|b| (entry.dtype, b)).ok_or_else(|| wrong("truncated".into()))
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
