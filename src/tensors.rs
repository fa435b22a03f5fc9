//! Files of named tensors, safetensors and PyTorch's `.bin`, read without believing what they say of themselves: sizes are
//! capped before anything is made of them, nothing in a file is run, and every tensor lies within it. Knows no model, no
//! adapter and no name that a tensor should have.

mod safe;
mod torch;

use crate::untrusted;
use half::{bf16, f16};
pub use safetensors::Dtype;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::Path;
use thiserror::Error;

/// Largest file of a model's weights that is read, in bytes.
pub const MAX_FILE: u64 = 64 << 30;
/// Largest file of an adapter, in bytes: rank 8 on all of a model's matrices is less than a hundredth of this.
const MAX_ADAPTER: u64 = 4 << 30;
/// Most tensors that a file may name.
const MAX_TENSORS: usize = 20_000;
/// Most characters of a file's own text that an error repeats.
const MOST_SHOWN: usize = 160;

/// Why a file of tensors cannot be used; says nothing of which file that is.
#[derive(Debug, Error)]
pub enum TensorFileError {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Content(String),
}

fn content<T>(what: impl Into<String>) -> Result<T, TensorFileError> {
    Err(TensorFileError::Content(what.into()))
}

/// A tensor's type, its shape and where its values lie in the file, row by row and little-endian.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    range: Range<usize>,
}

impl Entry {
    /// Of a type whose values can be had.
    pub fn readable(&self) -> Result<(), TensorFileError> {
        match self.dtype {
            Dtype::F16 | Dtype::BF16 | Dtype::F32 | Dtype::F64 => Ok(()),
            other => content(format!("type {other:?}, expected F16, BF16, F32 or F64")),
        }
    }
}

/// A file of tensors in memory; values are converted when asked for.
pub struct TensorFile {
    bytes: Cow<'static, [u8]>,
    entries: BTreeMap<String, Entry>,
    metadata: HashMap<String, String>,
}

impl TensorFile {
    /// Reads the whole file of an adapter.
    pub fn open(path: &Path) -> Result<Self, TensorFileError> {
        Self::parse(Cow::Owned(untrusted::read_capped(path, MAX_ADAPTER)?))
    }

    /// Finds out what kind of file `bytes` are and which tensors they hold.
    pub fn parse(bytes: Cow<'static, [u8]>) -> Result<Self, TensorFileError> {
        if bytes.starts_with(b"version https://git-lfs") {
            return content("a pointer of Git LFS, not the file itself: `git lfs pull` in its folder brings it");
        }
        let (entries, metadata) = match torch::is_torch(&bytes) {
            true => (torch::entries(&bytes)?, HashMap::new()),
            false => safe::entries(&bytes)?,
        };
        Ok(Self { bytes, entries, metadata })
    }

    /// The tensors by name, in the order of their names.
    pub fn entries(&self) -> &BTreeMap<String, Entry> {
        &self.entries
    }

    /// What a safetensors file says of itself; empty for `.bin`.
    pub fn metadata(&self) -> &HashMap<String, String> {
        &self.metadata
    }

    /// Values of a tensor of F16, BF16, F32 or F64: `single` makes them of the first three, which an f32 holds exactly,
    /// `double` of the last. Other types are an error.
    pub fn values<T>(
        &self,
        entry: &Entry,
        single: impl Fn(f32) -> T,
        double: impl Fn(f64) -> T,
    ) -> Result<Vec<T>, TensorFileError> {
        entry.readable()?;
        let count: Option<usize> = entry.shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d));
        let bytes = self.bytes.get(entry.range.clone()).filter(|b| Some(b.len()) == bytes_of(entry.dtype, count));
        let Some(bytes) = bytes else { return content("truncated") };
        let pairs = bytes.as_chunks::<2>().0.iter();
        Ok(match entry.dtype {
            Dtype::F16 => pairs.map(|b| single(f16::from_le_bytes(*b).to_f32())).collect(),
            Dtype::BF16 => pairs.map(|b| single(bf16::from_le_bytes(*b).to_f32())).collect(),
            Dtype::F32 => bytes.as_chunks::<4>().0.iter().map(|b| single(f32::from_le_bytes(*b))).collect(),
            _ => bytes.as_chunks::<8>().0.iter().map(|b| double(f64::from_le_bytes(*b))).collect(),
        })
    }
}

/// Bytes of `count` values; none where that is too much to count.
fn bytes_of(dtype: Dtype, count: Option<usize>) -> Option<usize> {
    count?.checked_mul(dtype.bitsize() / 8)
}

/// A text of a file as an error shows it: quoted, control characters and changes of direction escaped, and not without end.
pub fn shown(text: &str) -> String {
    match text.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}
