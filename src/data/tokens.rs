//! Tokenised rows kept in the user's cache folder, so that only the first run on some files tokenises them. A file is named by all
//! that decides its content, is written whole or not at all, and is made anew where anything about it is odd. A folder that cannot be
//! used costs time, never a run.

use super::{Dataset, Encoded, Labels};
use crate::config;
use crate::whole::Part;
use ring::digest::{Context, SHA256};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// First bytes of every file; another layout has another number.
const MAGIC: &[u8; 16] = b"eigenscope rows1";
/// Magic, length of what follows, its hash.
const HEAD: usize = 16 + 8 + 32;
const ENDING: &str = "rows";
/// Bytes that all files together may have; the ones that were used longest ago go first.
const MOST_BYTES: u64 = 4 << 30;

/// A hash as 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Digest(String);

impl Digest {
    /// Of some parts, told apart from the same bytes divided otherwise.
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part);
        }
        Self::from(context)
    }

    /// Of the content of files, one after the other.
    pub fn of_files(paths: &[PathBuf]) -> io::Result<Self> {
        let mut context = Context::new(&SHA256);
        let mut buffer = vec![0; 1 << 20];
        for path in paths {
            let mut file = File::open(path)?;
            context.update(&file.metadata()?.len().to_le_bytes());
            loop {
                match file.read(&mut buffer)? {
                    0 => break,
                    n => context.update(&buffer[..n]),
                }
            }
        }
        Ok(Self::from(context))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Context> for Digest {
    fn from(context: Context) -> Self {
        Self(context.finish().as_ref().iter().map(|b| format!("{b:02x}")).collect())
    }
}

/// A folder of kept files.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

/// How much is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    pub files: u64,
    pub bytes: u64,
}

impl Store {
    pub fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// In the XDG cache folder.
    pub fn usual() -> Self {
        Self::at(config::cache_folder().join("tokens"))
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn path(&self, key: &Digest) -> PathBuf {
        self.folder.join(format!("{}.{ENDING}", key.as_str()))
    }

    /// What was kept under this key, if it is whole.
    pub fn bytes(&self, key: &Digest) -> Option<Vec<u8>> {
        let path = self.path(key);
        let mut file = File::open(&path).ok()?;
        let long = file.metadata().ok()?.len();
        let mut head = [0; HEAD];
        file.read_exact(&mut head).ok()?;
        let (magic, rest) = head.split_at(16);
        let (length, hash) = rest.split_at(8);
        let mut sound = || -> Option<Vec<u8>> {
            let length = u64::from_le_bytes(length.try_into().ok()?);
            if magic != MAGIC || length != long.checked_sub(HEAD as u64)? || length > MOST_BYTES {
                return None;
            }
            let mut bytes = Vec::with_capacity(length as usize);
            Read::by_ref(&mut file).take(length).read_to_end(&mut bytes).ok()?;
            let same = ring::digest::digest(&SHA256, &bytes).as_ref() == hash;
            (same && bytes.len() as u64 == length).then_some(bytes)
        };
        let found = sound();
        match &found {
            // When it was used last decides which file goes when there are too many.
            Some(_) => drop(file.set_modified(SystemTime::now())),
            None => tracing::warn!("{} is damaged and is made anew", path.display()),
        }
        found
    }

    /// Keeps bytes under a key; an error is only logged.
    pub fn keep(&self, key: &Digest, bytes: &[u8]) {
        if let Err(error) = self.try_keep(key, bytes) {
            tracing::warn!("{} cannot be kept: {error}", self.path(key).display());
        }
    }

    fn try_keep(&self, key: &Digest, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() as u64 > MOST_BYTES {
            return Ok(());
        }
        let mut part = Part::beside(&self.path(key))?;
        part.write_all(MAGIC)?;
        part.write_all(&(bytes.len() as u64).to_le_bytes())?;
        part.write_all(ring::digest::digest(&SHA256, bytes).as_ref())?;
        part.write_all(bytes)?;
        part.keep()?;
        self.shrink(MOST_BYTES);
        Ok(())
    }

    /// Every kept file with its size and when it was used last.
    fn files(&self) -> Vec<(PathBuf, u64, SystemTime)> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let of = |path: PathBuf| {
            let kept = path.extension().is_some_and(|e| e == ENDING || e == "part");
            let about = path.metadata().ok().filter(|about| kept && about.is_file())?;
            let used = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            Some((path, about.len(), used))
        };
        entries.flatten().filter_map(|entry| of(entry.path())).collect()
    }

    /// Takes away what was used longest ago until all have at most so many bytes.
    fn shrink(&self, most: u64) {
        let mut files = self.files();
        files.sort_by_key(|(.., used)| *used);
        let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        for (path, size, _) in files {
            if bytes <= most {
                return;
            }
            if fs::remove_file(path).is_ok() {
                bytes -= size;
            }
        }
    }

    pub fn kept(&self) -> Kept {
        self.files()
            .iter()
            .fold(Kept::default(), |all, (_, bytes, _)| Kept { files: all.files + 1, bytes: all.bytes + bytes })
    }

    /// Takes all away; what there was.
    pub fn clear(&self) -> io::Result<Kept> {
        let kept = self.kept();
        for (path, ..) in self.files() {
            fs::remove_file(path)?;
        }
        Ok(kept)
    }

    /// The rows that were kept under this key.
    pub fn rows(&self, key: &Digest) -> Option<Dataset> {
        let bytes = self.bytes(key)?;
        let rows = unpacked(&bytes);
        if rows.is_none() {
            tracing::warn!("{} holds no rows and is made anew", self.path(key).display());
        }
        rows
    }

    pub fn keep_rows(&self, key: &Digest, rows: &Dataset) {
        self.keep(key, &packed(rows));
    }
}

/// Rows; whether labels are scores; whether there are type ids. Then of each row its tokens' number and its label, then all ids,
/// then all type ids, a byte each.
fn packed(data: &Dataset) -> Vec<u8> {
    let rows = data.rows();
    let tokens: usize = rows.iter().map(|r| r.ids.len()).sum();
    let typed = rows.iter().any(|r| r.type_ids.iter().any(|t| *t != 0));
    let scores = matches!(data.labels(), Labels::Scores(_));
    let mut bytes = Vec::with_capacity(10 + rows.len() * 12 + tokens * 5);
    bytes.extend((rows.len() as u64).to_le_bytes());
    bytes.extend([u8::from(scores), u8::from(typed)]);
    for row in rows {
        bytes.extend((row.ids.len() as u32).to_le_bytes());
    }
    match data.labels() {
        Labels::Classes(all) => all.iter().for_each(|c| bytes.extend(c.to_le_bytes())),
        Labels::Scores(all) => all.iter().for_each(|s| bytes.extend(s.to_le_bytes())),
    }
    for row in rows {
        row.ids.iter().for_each(|id| bytes.extend(id.to_le_bytes()));
    }
    if typed {
        rows.iter().for_each(|row| bytes.extend(row.type_ids.iter().map(|t| *t as u8)));
    }
    bytes
}

/// Gives bytes away from the front.
struct Front<'a>(&'a [u8]);

impl<'a> Front<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(front)
    }

    fn words(&mut self, count: usize) -> Option<Vec<u32>> {
        let bytes = self.take(count.checked_mul(4)?)?;
        Some(bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }
}

fn unpacked(bytes: &[u8]) -> Option<Dataset> {
    let mut front = Front(bytes);
    let rows = usize::try_from(u64::from_le_bytes(front.take(8)?.try_into().ok()?)).ok()?;
    let (scores, typed) = match front.take(2)? {
        [scores @ (0 | 1), typed @ (0 | 1)] => (*scores == 1, *typed == 1),
        _ => return None,
    };
    let lengths = front.words(rows)?;
    let labels = if scores {
        let bytes = front.take(rows.checked_mul(8)?)?;
        let score = |b: &[u8]| b.try_into().map_or(f64::NAN, f64::from_le_bytes);
        Labels::Scores(bytes.chunks_exact(8).map(score).collect())
    } else {
        Labels::Classes(front.words(rows)?)
    };
    let tokens = lengths.iter().try_fold(0usize, |sum, n| sum.checked_add(*n as usize))?;
    let mut ids = Front(front.take(tokens.checked_mul(4)?)?);
    let mut types = Front(if typed { front.take(tokens)? } else { &[] });
    if !front.0.is_empty() {
        return None;
    }
    let row = |length: &u32| {
        let length = *length as usize;
        let ids = ids.words(length)?;
        let type_ids = match typed {
            true => types.take(length)?.iter().map(|t| u32::from(*t)).collect(),
            false => vec![0; length],
        };
        Some(Encoded { ids, type_ids })
    };
    let rows = lengths.iter().map(row).collect::<Option<Vec<_>>>()?;
    Some(Dataset::from_encoded(rows, labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(typed: bool, scores: bool) -> Dataset {
        let row = |n: u32| Encoded {
            ids: (0..n).map(|i| 70_000 * i + n).collect(),
            type_ids: (0..n).map(|i| u32::from(typed && i > 2)).collect(),
        };
        let labels = if scores { Labels::Scores(vec![2.4, -0.0, 1e-9]) } else { Labels::Classes(vec![2, 0, 1]) };
        Dataset::from_encoded(vec![row(5), row(0), row(3)], labels)
    }

    #[test]
    fn what_is_kept_comes_back_bit_for_bit() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::at(folder.path().join("tokens"));
        for (typed, scores) in [(false, false), (true, false), (false, true), (true, true)] {
            let key = Digest::of(&[&[u8::from(typed), u8::from(scores)]]);
            assert_eq!(store.rows(&key), None);
            store.keep_rows(&key, &rows(typed, scores));
            assert_eq!(store.rows(&key), Some(rows(typed, scores)));
        }
        let kept = store.kept();
        assert_eq!(kept.files, 4);
        assert_eq!(store.clear().expect("cleared"), kept);
        assert_eq!(store.kept(), Kept::default());
    }

    #[test]
    fn every_damage_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::at(folder.path().into());
        let key = Digest::of(&[b"key"]);
        store.keep_rows(&key, &rows(true, false));
        let whole = fs::read(store.path(&key)).expect("kept");
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(store.path(&key), bytes).expect("written");
            assert_eq!(store.rows(&key), None, "byte {at}");
            fs::write(store.path(&key), &whole[..at]).expect("written");
            assert_eq!(store.rows(&key), None, "cut at {at}");
        }
        fs::write(store.path(&key), [&whole[..], b"x"].concat()).expect("written");
        assert_eq!(store.rows(&key), None, "more than it says");
        // A hash that is right does not make rows of anything.
        for bytes in [&[][..], &[255; 10], &[9, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[1, 0, 0, 0, 0, 0, 0, 0, 2, 0]] {
            store.keep(&key, bytes);
            assert_eq!(store.rows(&key), None, "{bytes:?}");
        }
        store.keep_rows(&key, &rows(true, false));
        assert_eq!(store.rows(&key), Some(rows(true, false)), "it is made anew");
    }

    #[test]
    fn the_least_used_go_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::at(folder.path().into());
        let keys = [b"a", b"b", b"c"].map(|name| Digest::of(&[name]));
        for (age, key) in keys.iter().enumerate() {
            store.keep(key, &[0; 1_000]);
            let then = SystemTime::now() - std::time::Duration::from_secs(1_000 - age as u64);
            File::open(store.path(key)).and_then(|f| f.set_modified(then)).expect("a time");
        }
        assert!(store.bytes(&keys[0]).is_some(), "a is used now");
        store.shrink(2_500);
        let left = keys.map(|key| store.bytes(&key).is_some());
        assert_eq!(left, [true, false, true]);
        assert!(Store::at("/proc/no/such".into()).kept() == Kept::default());
        Store::at("/proc/no/such".into()).keep(&Digest::of(&[]), b"lost");
    }

    #[test]
    fn digests_tell_parts_apart() {
        assert_ne!(Digest::of(&[b"ab", b"c"]), Digest::of(&[b"a", b"bc"]));
        assert_eq!(Digest::of(&[b"ab"]).as_str().len(), 64);
    }
}
