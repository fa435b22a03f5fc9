//! The file that `torch.save` wrote before PyTorch 1.6: a magic number, the protocol, the machine's properties, the state dict
//! and the names of its storages, each a pickle, and then every storage: its count of values and their bytes.

use super::super::{Entry, TensorFileError, bytes_of, content, shown};
use super::{BIG_ENDIAN, MAX_PICKLE, pickle, placed_all};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// The magic number 0x1950a86a20f9469cfc6c and the protocol 1001, pickled; the byte after the first is pickle's own protocol.
const MAGIC: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
const PROTOCOL: &[u8] = b"M\xe9\x03.";

/// Past the opcode of pickle's protocol and `expected`, where the bytes from `at` on are these.
fn past(bytes: &[u8], at: usize, expected: &[u8]) -> Option<usize> {
    let rest = bytes.get(at..).filter(|b| b.first() == Some(&0x80))?;
    rest.get(2..)?.starts_with(expected).then_some(at + 2 + expected.len())
}

pub(super) fn is_legacy(bytes: &[u8]) -> bool {
    past(bytes, 0, MAGIC).is_some()
}

pub(super) fn entries(bytes: &[u8]) -> Result<BTreeMap<String, Entry>, TensorFileError> {
    let Some(mut at) = past(bytes, 0, MAGIC).and_then(|at| past(bytes, at, PROTOCOL)) else {
        return content("PyTorch's format of before version 1.6, and a protocol of it other than 1001");
    };
    let mut next = || {
        let rest = bytes.get(at..).unwrap_or_default();
        let found = pickle::read(rest.get(..MAX_PICKLE).unwrap_or(rest))?;
        at += found.length;
        Ok::<_, TensorFileError>(found)
    };
    if next()?.truth("little_endian") != Some(true) {
        return content(BIG_ENDIAN);
    }
    let (state, keys) = (next()?, next()?);
    let Some(keys) = keys.texts() else { return content("the names of its storages are no list of texts") };
    let storages = state.storages()?;
    let mut places: HashMap<&str, Range<usize>> = HashMap::new();
    for key in keys {
        let Some((dtype, count)) = storages.get(key) else {
            return content(format!("its storage {} has no tensor that tells its type", shown(key)));
        };
        let start = at.checked_add(8);
        let told = start.and_then(|start| bytes.get(at..start)?.first_chunk()).map(|b| u64::from_le_bytes(*b));
        let end = start.zip(bytes_of(*dtype, Some(*count))).and_then(|(start, size)| start.checked_add(size));
        match (told, start.zip(end).filter(|(_, end)| *end <= bytes.len())) {
            (Some(told), Some((start, end))) if told == *count as u64 => {
                if places.insert(key, start..end).is_some() {
                    return content(format!("its storage {} stands there twice", shown(key)));
                }
                at = end;
            }
            (Some(told), Some(_)) => {
                return content(format!("its storage {} has {told} values, {count} expected", shown(key)));
            }
            _ => return content(format!("truncated: it ends within its storage {}", shown(key))),
        }
    }
    placed_all(&state, |key| places.get(key).cloned())
}
