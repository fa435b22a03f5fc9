//! Files that can be made again, in the user's cache folder. A folder that cannot be used costs time, never a run. Knows no
//! content.

use crate::config;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Folder `name` of the cache, made where it can be.
pub fn folder(name: &str) -> PathBuf {
    let folder = config::cache_folder().join(name);
    if let Err(error) = std::fs::create_dir_all(&folder) {
        tracing::warn!("{} cannot be made: {error}", folder.display());
    }
    folder
}

/// Whether files of this folder can be written.
pub fn writable(folder: &Path) -> bool {
    let probe = unique(&folder.join("probe"));
    let written = std::fs::write(&probe, []).is_ok();
    written && std::fs::remove_file(&probe).is_ok()
}

/// Puts `bytes` in place of `path`; whoever reads meanwhile gets the old file or the new one. An error is only logged.
pub fn replace(path: &Path, bytes: &[u8]) {
    let part = unique(path);
    if let Err(error) = std::fs::write(&part, bytes).and_then(|()| std::fs::rename(&part, path)) {
        tracing::warn!("{} cannot be kept: {error}", path.display());
        // Nothing is lost if it is not there.
        let _ = std::fs::remove_file(&part);
    }
}

/// A name beside `path` that no other thread or process uses.
fn unique(path: &Path) -> PathBuf {
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    path.with_extension(format!("{}-{number}.part", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("kernels.cubin");
        assert!(writable(folder.path()));
        replace(&path, b"one");
        replace(&path, b"two");
        assert_eq!(std::fs::read(&path).expect("the file"), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 1);
        assert!(!writable(&folder.path().join("absent")));
        replace(&folder.path().join("absent/file"), b"lost");
    }
}
