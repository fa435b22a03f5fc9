//! A report's folder: made beside its place and put there whole; only a report is ever replaced.

use super::{Block, Document, HTML, MARKDOWN, ReportError, html, markdown};
use crate::export;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Writes `document` to `folder` and gives its files. What was there before stays until the new report is whole.
pub fn write(document: &Document, folder: &Path) -> Result<Vec<PathBuf>, ReportError> {
    check(folder)?;
    let at = |path: &Path| {
        let path = path.to_path_buf();
        move |source| ReportError::Io { path, source }
    };
    let no_name = || at(folder)(io::Error::new(io::ErrorKind::InvalidInput, "give the folder a name"));
    let name = folder.file_name().ok_or_else(no_name)?.to_string_lossy().into_owned();
    let beside = |what: &str| folder.with_file_name(format!(".{name}.{what}-{}", std::process::id()));
    let (part, old) = (beside("part"), beside("old"));
    let finish = || {
        fs::create_dir_all(&part).map_err(at(&part))?;
        let mut files = vec![folder.join(MARKDOWN), folder.join(HTML)];
        fs::write(part.join(MARKDOWN), markdown::text(document)).map_err(at(&part))?;
        fs::write(part.join(HTML), html::text(document)?).map_err(at(&part))?;
        for block in &document.blocks {
            if let Block::Picture(picture) = block {
                let file = format!("{}.png", picture.stem);
                export::write(&picture.figure, &picture.size, &part.join(&file))?;
                files.push(folder.join(file));
            }
        }
        if folder.exists() {
            fs::rename(folder, &old).map_err(at(folder))?;
        }
        if let Err(error) = fs::rename(&part, folder) {
            // The former report goes back to its place; the first error is the one to tell.
            let _ = fs::rename(&old, folder);
            return Err(at(folder)(error));
        }
        Ok(files)
    };
    let files = finish();
    for gone in [part, old] {
        // Left behind it takes room and does no harm.
        let _ = fs::remove_dir_all(gone);
    }
    files
}

/// Refuses a folder with anything in it that a report did not put there.
fn check(folder: &Path) -> Result<(), ReportError> {
    let at = |source| ReportError::Io { path: folder.into(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(at(error)),
    };
    // Its pictures are those that it names.
    let text = fs::read_to_string(folder.join(MARKDOWN)).unwrap_or_default();
    for entry in entries {
        let entry = entry.map_err(at)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let named = !text.is_empty() && (name == HTML || name == MARKDOWN || text.contains(&format!("]({name})")));
        if !named || entry.file_type().map_err(at)?.is_dir() {
            return Err(ReportError::Taken { path: folder.into(), found: name });
        }
    }
    Ok(())
}
