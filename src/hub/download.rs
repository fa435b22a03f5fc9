//! One file into the cache: into a part beside its place, on from where an earlier attempt ended, and to its name only once its
//! hash is the hub's.

use super::client::{About, Client, TRIES};
use super::{FetchedFile, HubError, Progress};
use crate::cache::{self, Repo};
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Error, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Bytes of a read.
const PIECE: usize = 1 << 16;

fn disk(path: &Path) -> impl FnOnce(std::io::Error) -> HubError + use<> {
    let path = path.to_path_buf();
    move |source| HubError::Disk { path, source }
}

impl Client {
    /// Has the file of `told` at its place in the commit's snapshot.
    pub(super) fn file(
        &self,
        repo: &Repo,
        commit: &str,
        mut told: Progress,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<FetchedFile, HubError> {
        let name = told.file.clone();
        let place = repo.snapshot(commit).join(&name);
        // It follows the link: one whose content is gone is fetched anew.
        if let Some(bytes) = place.metadata().ok().filter(|m| m.is_file()).map(|m| m.len()) {
            progress(&Progress { done: bytes, size: Some(bytes), resumed: bytes, ..told });
            return Ok(FetchedFile { name, bytes, downloaded: 0 });
        }
        progress(&told);
        let (what, url) = (format!("{name} of {}", repo.id), self.address(repo, commit, &name));
        let about = self.about(repo, &url, &what)?;
        let blob = repo.blob(&about.etag);
        told.size = about.size;
        let mut downloaded = 0;
        let _held = self.hold(&repo.lock(&about.etag), &mut told, progress)?;
        // Whoever held it before may have fetched it.
        if !blob.is_file() {
            downloaded = self.download(repo, &url, &what, &about, &mut told, progress)?;
        }
        link(&blob, &place)?;
        let bytes = fs::metadata(&blob).map_err(disk(&blob))?.len();
        Ok(FetchedFile { name, bytes, downloaded })
    }

    /// Waits until no other program fetches the same.
    fn hold(&self, path: &Path, told: &mut Progress, progress: &mut dyn FnMut(&Progress)) -> Result<File, HubError> {
        make_folder_of(path)?;
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(disk(path))?;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {
                    told.note = Some("another program is fetching it".into());
                    progress(told);
                    self.go_on()?;
                    std::thread::sleep(Duration::from_millis(200));
                }
                // Some network folders know no locks; the worst is that two fetch the same.
                Err(TryLockError::Error(e)) if e.kind() == std::io::ErrorKind::Unsupported => break,
                Err(TryLockError::Error(e)) => return Err(disk(path)(e)),
            }
        }
        told.note = None;
        Ok(file)
    }

    /// Gives the bytes that came now.
    fn download(
        &self,
        repo: &Repo,
        url: &str,
        what: &str,
        about: &About,
        told: &mut Progress,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<u64, HubError> {
        let blob = repo.blob(&about.etag);
        let part = blob.with_file_name(format!("{}.incomplete", about.etag));
        make_folder_of(&part)?;
        let mut file = OpenOptions::new().create(true).append(true).open(&part).map_err(disk(&part))?;
        let mut have = file.metadata().map_err(disk(&part))?.len();
        if about.size.is_some_and(|size| have > size) {
            file.set_len(0).map_err(disk(&part))?;
            have = 0;
        }
        (told.done, told.resumed) = (have, have);
        let (mut came, mut tries) = (0, 0);
        let mut piece = vec![0; PIECE];
        while about.size != Some(have) {
            let mut coming = self.bytes(repo, url, what, have)?;
            if coming.start != have {
                file.set_len(0).map_err(disk(&part))?;
                (have, told.resumed) = (0, 0);
            }
            let before = have;
            let end = loop {
                self.go_on()?;
                match coming.reader.read(&mut piece) {
                    Ok(0) => break None,
                    Ok(n) => {
                        file.write_all(&piece[..n]).map_err(disk(&part))?;
                        have += n as u64;
                        came += n as u64;
                        (told.done, told.note) = (have, None);
                        progress(told);
                        if about.size.is_some_and(|size| have > size) {
                            break None;
                        }
                    }
                    Err(error) => break Some(error),
                }
            };
            self.go_on()?;
            let short = about.size.is_some_and(|size| have < size);
            if end.is_none() && !short {
                break;
            }
            // What makes headway may fail as often as it likes.
            tries = if have > before { 1 } else { tries + 1 };
            let problem = self.broken(what, end.unwrap_or_else(|| Error::other("it ended early")), tries);
            if tries >= TRIES {
                return Err(problem);
            }
            let stalled = matches!(problem, HubError::Stalled { .. });
            told.note = Some(if stalled { "nothing comes; asking again" } else { "cut off; asking again" }.into());
            progress(told);
            self.pause(tries)?;
        }
        file.sync_all().map_err(disk(&part))?;
        drop(file);
        told.note = Some("checking its hash".into());
        progress(told);
        let found = hash(&part, &about.etag)?;
        if found != about.etag {
            fs::remove_file(&part).map_err(disk(&part))?;
            return Err(HubError::Hash { what: what.into(), found, expected: about.etag.clone() });
        }
        fs::rename(&part, &blob).map_err(disk(&blob))?;
        told.note = None;
        progress(told);
        Ok(came)
    }
}

/// The file's hash, of the kind that `etag` is.
fn hash(path: &Path, etag: &str) -> Result<String, HubError> {
    let mut file = File::open(path).map_err(disk(path))?;
    let mut context = match cache::is_hex(etag, 64) {
        true => Context::new(&SHA256),
        false => {
            let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
            context.update(format!("blob {}\0", file.metadata().map_err(disk(path))?.len()).as_bytes());
            context
        }
    };
    let mut piece = vec![0; 1 << 20];
    loop {
        match file.read(&mut piece).map_err(disk(path))? {
            0 => break,
            n => context.update(&piece[..n]),
        }
    }
    Ok(context.finish().as_ref().iter().map(|b| format!("{b:02x}")).collect())
}

fn make_folder_of(path: &Path) -> Result<(), HubError> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(disk(folder))
}

/// Puts the content at its place in a snapshot, at once and whole.
fn link(blob: &Path, place: &Path) -> Result<(), HubError> {
    make_folder_of(place)?;
    let beside = beside(place);
    // What a process of the same number left when it was ended.
    match fs::remove_file(&beside) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(disk(&beside)(e)),
        _ => {}
    }
    #[cfg(unix)]
    {
        let ups = place.strip_prefix(blob.ancestors().nth(2).unwrap_or(blob)).map_or(0, |p| p.components().count() - 1);
        let name = blob.file_name().unwrap_or_default();
        let target: PathBuf = std::iter::repeat_n("..", ups).collect::<PathBuf>().join("blobs").join(name);
        std::os::unix::fs::symlink(target, &beside).map_err(disk(&beside))?;
    }
    #[cfg(not(unix))]
    fs::copy(blob, &beside).map_err(disk(&beside))?;
    // Takes the place of a link whose content is gone; a sound one is never away.
    fs::rename(&beside, place).map_err(disk(place))
}

/// Remembers which commit the revision is, at once and whole; a commit is itself.
pub(super) fn point(repo: &Repo, commit: &str) -> Result<(), HubError> {
    if cache::is_hex(&repo.revision, 40) || repo.commit().as_deref() == Some(commit) {
        return Ok(());
    }
    let place = repo.reference();
    make_folder_of(&place)?;
    let beside = beside(&place);
    fs::write(&beside, commit).map_err(disk(&beside))?;
    fs::rename(&beside, &place).map_err(disk(&place))
}

/// A name for what is not whole yet, another one for each call.
fn beside(place: &Path) -> PathBuf {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    place.with_file_name(format!(".{name}.{}-{call}.incomplete", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_may_link_the_same_at_once_and_it_is_never_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let blob = folder.path().join("blobs/b");
        let place = folder.path().join("snapshots/c/config.json");
        make_folder_of(&blob).expect("a folder");
        fs::write(&blob, "content").expect("a file");
        link(&blob, &place).expect("linked");
        std::thread::scope(|scope| {
            let linking: Vec<_> = (0..6)
                .map(|_| scope.spawn(|| (0..300).try_for_each(|_| link(&blob, &place)).map_err(|e| e.to_string())))
                .collect();
            while linking.iter().any(|t| !t.is_finished()) {
                assert_eq!(fs::read_to_string(&place).expect("it is there"), "content");
            }
            for one in linking {
                one.join().expect("no panic").expect("linked");
            }
        });
        assert_eq!(fs::read_dir(folder.path().join("snapshots/c")).expect("a folder").count(), 1, "nothing is left");
    }
}
