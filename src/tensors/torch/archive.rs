//! The members of a zip archive as ranges of its bytes. Only stored members have such a range: a compressed or encrypted one
//! is refused. Every number is checked against the bytes that are there, and the work is bounded by the count of members.

use super::super::{MAX_TENSORS, TensorFileError, content, shown};
use std::collections::BTreeMap;
use std::ops::Range;

/// Most members: tensors may each have a storage, beside a few small files.
const MAX_MEMBERS: u64 = MAX_TENSORS as u64 + 1_000;

/// Bytes of the record at the end, without and with the longest comment.
const END: usize = 22;
const LONGEST_END: usize = END + u16::MAX as usize;

fn at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn short(bytes: &[u8], from: usize) -> Option<u16> {
    at(bytes, from).map(u16::from_le_bytes)
}

fn long(bytes: &[u8], from: usize) -> Option<u64> {
    at(bytes, from).map(|b| u64::from(u32::from_le_bytes(b)))
}

fn longer(bytes: &[u8], from: usize) -> Option<u64> {
    at(bytes, from).map(u64::from_le_bytes)
}

/// Every member's place by its name.
pub(super) fn members(bytes: &[u8]) -> Result<BTreeMap<&str, Range<usize>>, TensorFileError> {
    let broken = || TensorFileError::Content("a broken or truncated zip archive".into());
    let (count, mut place) = directory(bytes).ok_or_else(broken)?;
    if count > MAX_MEMBERS {
        return content(format!("a zip archive of {count} members, at most {MAX_MEMBERS} are read"));
    }
    let mut members = BTreeMap::new();
    for _ in 0..count {
        let member = Member::read(bytes, place).ok_or_else(broken)?;
        let Ok(name) = std::str::from_utf8(member.name) else {
            return content("a zip archive with names not in UTF-8");
        };
        if member.hidden {
            return content(format!(
                "{} in the zip archive is compressed or encrypted: torch.save stores it as it is",
                shown(name)
            ));
        }
        if members.insert(name, member.range).is_some() {
            return content(format!("{} stands twice in the zip archive", shown(name)));
        }
        place = member.next;
    }
    Ok(members)
}

/// Number of members and where their directory begins.
fn directory(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = bytes.len().saturating_sub(LONGEST_END);
    let ends = |at: &usize| {
        let comment = short(bytes, at + 20).map(usize::from);
        bytes[*at..].starts_with(b"PK\x05\x06") && comment == Some(bytes.len() - at - END)
    };
    let end = (first..=bytes.len().checked_sub(END)?).rev().find(ends)?;
    let (count, start) = (u64::from(short(bytes, end + 10)?), long(bytes, end + 16)?);
    if count < u64::from(u16::MAX) && start < u64::from(u32::MAX) {
        return Some((count, usize::try_from(start).ok()?));
    }
    // The large form stands before, behind a pointer to it.
    let pointer = end.checked_sub(20)?;
    let large = usize::try_from(longer(bytes, pointer + 8)?).ok()?;
    let whole = bytes[pointer..].starts_with(b"PK\x06\x07") && bytes.get(large..)?.starts_with(b"PK\x06\x06");
    let start = longer(bytes, large.checked_add(48)?)?;
    whole.then_some((longer(bytes, large + 32)?, usize::try_from(start).ok()?))
}

/// An entry of the directory.
struct Member<'a> {
    name: &'a [u8],
    range: Range<usize>,
    /// Compressed or encrypted: its bytes are not the member.
    hidden: bool,
    /// Where the next entry begins.
    next: usize,
}

impl<'a> Member<'a> {
    fn read(bytes: &'a [u8], start: usize) -> Option<Self> {
        let entry = bytes.get(start..).filter(|e| e.starts_with(b"PK\x01\x02"))?;
        let lengths = [short(entry, 28)?, short(entry, 30)?, short(entry, 32)?].map(usize::from);
        let [name, extra, comment] = lengths;
        let (packed, size, local) = (long(entry, 20)?, long(entry, 24)?, long(entry, 42)?);
        let mut wide = large_values(entry.get(46 + name..46 + name + extra)?).into_iter();
        // Only what does not fit into 32 bits is told there, in this order.
        let mut whole = |value: u64| if value == u64::from(u32::MAX) { wide.next() } else { Some(value) };
        let (size, packed, local) = (whole(size)?, whole(packed)?, whole(local)?);
        let local = usize::try_from(local).ok()?;
        let header = bytes.get(local..).filter(|h| h.starts_with(b"PK\x03\x04"))?;
        let before = 30 + usize::from(short(header, 26)?) + usize::from(short(header, 28)?);
        let from = local.checked_add(before)?;
        let to = from.checked_add(usize::try_from(packed).ok()?).filter(|to| *to <= bytes.len())?;
        let stored = short(entry, 10)? == 0 && packed == size && short(entry, 8)? & 1 == 0;
        let next = start + 46 + name + extra + comment;
        Some(Self { name: entry.get(46..46 + name)?, range: from..to, hidden: !stored, next })
    }
}

/// The values of the extra field with sizes of 64 bits; none where it is not there.
fn large_values(mut extra: &[u8]) -> Vec<u64> {
    while let (Some(id), Some(length)) = (short(extra, 0), short(extra, 2)) {
        let Some(field) = extra.get(4..4 + usize::from(length)) else { break };
        if id == 1 {
            return field.as_chunks::<8>().0.iter().take(3).map(|b| u64::from_le_bytes(*b)).collect();
        }
        extra = &extra[4 + field.len()..];
    }
    Vec::new()
}
