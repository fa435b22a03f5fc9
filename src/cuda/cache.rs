//! Files that can be made again, in the user's cache folder. A folder that cannot be used costs time, never a run. Knows no
//! content.

use crate::config;
use crate::whole::{self, Part};
use std::path::{Path, PathBuf};

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
    folder.is_dir() && Part::beside(&folder.join("probe")).is_ok()
}

/// Puts `bytes` in place of `path`; whoever reads meanwhile gets the old file or the new one. An error is only logged.
pub fn replace(path: &Path, bytes: &[u8]) {
    if let Err(error) = whole::write(path, bytes) {
        tracing::warn!("{} cannot be kept: {error}", path.display());
    }
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
