//! The header of a safetensors file.

use super::{Entry, MAX_TENSORS, TensorFileError, content};
use safetensors::{SafeTensorError, SafeTensors};
use std::collections::{BTreeMap, HashMap};

/// Largest header that is read, in bytes.
const MAX_HEADER: u64 = 4 << 20;

/// Tensors and metadata of the file.
type Header = (BTreeMap<String, Entry>, HashMap<String, String>);

pub(super) fn entries(bytes: &[u8]) -> Result<Header, TensorFileError> {
    let Some(length) = bytes.first_chunk::<8>().map(|b| u64::from_le_bytes(*b)) else {
        return content(format!("truncated: {} bytes, not even the header of a safetensors file", bytes.len()));
    };
    if length > MAX_HEADER {
        return content(format!(
            "a header of {length} bytes, at most {MAX_HEADER} are read: not a safetensors file, or cut off?"
        ));
    }
    if length + 8 > bytes.len() as u64 {
        return content(format!("truncated: {} bytes, the header alone has {}", bytes.len(), length + 8));
    }
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| {
        TensorFileError::Content(match error {
            SafeTensorError::MetadataIncompleteBuffer => {
                format!("truncated or padded: {} bytes are not what its header promises", bytes.len())
            }
            other => format!("not a usable safetensors file ({other})"),
        })
    })?;
    let tensors = header.tensors();
    if tensors.len() > MAX_TENSORS {
        return content(format!("{} tensors, at most {MAX_TENSORS} are read", tensors.len()));
    }
    let start = 8 + length as usize;
    let entry = |(name, info): (String, &safetensors::tensor::TensorInfo)| {
        let (from, to) = info.data_offsets;
        (name, Entry { dtype: info.dtype, shape: info.shape.clone(), range: start + from..start + to })
    };
    Ok((tensors.into_iter().map(entry).collect(), header.metadata().clone().unwrap_or_default()))
}
