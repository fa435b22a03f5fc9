//! PyTorch's `.bin` (`torch.save` of a state dict): since 1.6 a zip archive of stored members, `NAME/data.pkl` that names the
//! tensors and `NAME/data/KEY` with the bytes of each storage; before it pickles one after the other and then the storages. The
//! pickles are read by a machine of its own that knows tensors and dictionaries and can run nothing.

mod archive;
mod legacy;
mod pickle;

use super::{Entry, MAX_TENSORS, TensorFileError, bytes_of, content, shown};
use pickle::{Found, Tensor};
use std::collections::BTreeMap;
use std::ops::Range;

/// Largest pickle that is read, in bytes.
const MAX_PICKLE: usize = 16 << 20;

pub(super) fn is_torch(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || legacy::is_legacy(bytes)
}

pub(super) fn entries(bytes: &[u8]) -> Result<BTreeMap<String, Entry>, TensorFileError> {
    if legacy::is_legacy(bytes) { legacy::entries(bytes) } else { archived(bytes) }
}

/// The tensors of an archive.
fn archived(bytes: &[u8]) -> Result<BTreeMap<String, Entry>, TensorFileError> {
    let members = archive::members(bytes)?;
    let roots: Vec<&str> = members.keys().filter_map(|name| name.strip_suffix("/data.pkl")).collect();
    let [root] = roots[..] else {
        return content(format!("a zip archive with {} data.pkl, expected one: not saved by PyTorch?", roots.len()));
    };
    let member = |name: &str| members.get(format!("{root}/{name}").as_str()).cloned();
    let text = |range: Range<usize>| bytes.get(range).unwrap_or_default();
    if member("byteorder").is_some_and(|range| text(range) != b"little") {
        return content(BIG_ENDIAN);
    }
    let pickled = member("data.pkl").map(text).unwrap_or_default();
    if pickled.len() > MAX_PICKLE {
        return content(format!("its data.pkl has {} bytes, at most {MAX_PICKLE} are read", pickled.len()));
    }
    placed_all(&pickle::read(pickled)?, |key| member(&format!("data/{key}")))
}

const BIG_ENDIAN: &str = "its byteorder is not little";

/// Every tensor of a state dict, its storages lying where `storage` says.
fn placed_all(
    found: &Found,
    storage: impl Fn(&str) -> Option<Range<usize>>,
) -> Result<BTreeMap<String, Entry>, TensorFileError> {
    let tensors = state_dict(found)?;
    if tensors.len() > MAX_TENSORS {
        return content(format!("{} tensors, at most {MAX_TENSORS} are read", tensors.len()));
    }
    let entry = |(name, tensor): (&str, &Tensor)| {
        placed(tensor, storage(tensor.key)).map(|entry| (name.to_string(), entry)).map_err(|what| {
            let what = format!("tensor {}: {what}", shown(name));
            TensorFileError::Content(what)
        })
    };
    tensors.into_iter().map(entry).collect()
}

/// The tensors of the dictionary or, where it has none itself, those of its one dictionary that has some.
fn state_dict<'f, 'a>(found: &'f Found<'a>) -> Result<Vec<(&'a str, &'f Tensor<'a>)>, TensorFileError> {
    let own = found.tensors();
    if !own.is_empty() {
        return Ok(own);
    }
    let mut inner: Vec<_> = found.dictionaries().into_iter().filter(|(_, tensors)| !tensors.is_empty()).collect();
    match (inner.pop(), inner.len()) {
        (Some((_, tensors)), 0) => Ok(tensors),
        (Some(last), _) => {
            let names: Vec<String> = inner.iter().chain([&last]).take(8).map(|(name, _)| shown(name)).collect();
            content(format!("several dictionaries of tensors, {}: save one of them alone", names.join(", ")))
        }
        (None, _) => {
            content("no tensors; expected a dictionary of them, as torch.save(model.state_dict(), FILE) writes")
        }
    }
}

/// Where a tensor lies, `place` being that of its storage.
fn placed(tensor: &Tensor, place: Option<Range<usize>>) -> Result<Entry, String> {
    let Some(place) = place else { return Err(format!("its storage {} is not in the file", shown(tensor.key))) };
    let mut expected = 1usize;
    for (size, stride) in tensor.shape.iter().zip(&tensor.strides).rev() {
        // The stride along one row or none says nothing.
        if *size > 1 && *stride != expected && !tensor.shape.contains(&0) {
            let (shape, strides) = (&tensor.shape, &tensor.strides);
            return Err(format!("shape {shape:?} with strides {strides:?}: save it after .contiguous()"));
        }
        expected = expected.checked_mul(*size).ok_or_else(|| format!("shape {:?}", tensor.shape))?;
    }
    let bytes = |count: usize| bytes_of(tensor.dtype, Some(count));
    let end = tensor.offset.checked_add(expected).filter(|end| *end <= tensor.storage);
    let span = end.and_then(bytes).zip(bytes(tensor.offset)).filter(|(end, _)| *end <= place.len());
    match span {
        Some((end, start)) => {
            let range = place.start + start..place.start + end;
            Ok(Entry { dtype: tensor.dtype, shape: tensor.shape.clone(), range })
        }
        None => Err(format!("shape {:?} does not fit into its storage of {} bytes", tensor.shape, place.len())),
    }
}
