//! Files that appear whole or not at all: written beside their place under a name that nothing else has, then moved there. Knows
//! nothing of what is in them.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tempfile::{Builder, NamedTempFile};

/// A file that is being written; it is gone where it is not kept.
pub struct Part {
    file: NamedTempFile,
    place: PathBuf,
}

impl Part {
    /// Begins the file that is to stand at `place`, whose folder is made. Nothing at `place` changes yet.
    pub fn beside(place: &Path) -> io::Result<Self> {
        let folder = folder_of(place);
        fs::create_dir_all(folder)?;
        let mut name = Builder::new();
        name.prefix(".").suffix(".part");
        #[cfg(unix)]
        {
            // As every other file: the umask takes away what it should.
            use std::os::unix::fs::PermissionsExt;
            name.permissions(fs::Permissions::from_mode(0o666));
        }
        Ok(Self { file: name.tempfile_in(folder)?, place: place.into() })
    }

    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Puts it in its place, for good even if the power goes now.
    pub fn keep(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist(&self.place).map_err(|e| e.error)?;
        match cfg!(unix) {
            true => File::open(folder_of(&self.place))?.sync_all(),
            false => Ok(()),
        }
    }
}

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Part {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// Writes the whole file at `place`; whoever reads meanwhile gets the old one or the new one.
pub fn write(place: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut part = Part::beside(place)?;
    part.write_all(bytes)?;
    part.keep()
}

fn folder_of(place: &Path) -> &Path {
    place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_whole_or_not_at_all_and_its_neighbours_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("deep/m.parquet");
        write(&place, b"old").expect("written");
        // A neighbour that a name made from the file's would hit.
        let neighbour = place.with_extension("part");
        fs::write(&neighbour, b"mine").expect("written");
        let mut half = Part::beside(&place).expect("begun");
        half.write_all(b"ne").expect("written");
        assert_eq!(fs::read(&place).expect("read"), b"old");
        drop(half);
        write(&place, b"new").expect("written");
        write(&neighbour, b"mine too").expect("a name that ends so is a name");
        assert_eq!([&place, &neighbour].map(|p| fs::read(p).expect("read")), [b"new".to_vec(), b"mine too".to_vec()]);
        assert_eq!(fs::read_dir(folder.path().join("deep")).expect("listed").count(), 2);
        assert!(write(&neighbour.join("below"), b"").is_err(), "a file is no folder");
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_it_as_far_as_the_umask_lets_them() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let [whole, plain] = ["whole", "plain"].map(|name| folder.path().join(name));
        write(&whole, b"").expect("written");
        fs::write(&plain, b"").expect("written");
        let mode = |path: &Path| path.metadata().expect("there").permissions().mode();
        assert_eq!(mode(&whole), mode(&plain));
    }
}
