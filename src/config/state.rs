//! What the program remembers between two starts, as a small TOML file. Knows no screen: names of columns and groupings are
//! the table's own words, and who reads them leaves out what it does not know.

use crate::whole;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// Everything that is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    pub runs: RunTable,
}

/// How the table of runs was left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunTable {
    /// Columns from left to right; empty: the usual ones.
    pub columns: Vec<String>,
    /// Leave out columns whose value is the same in all rows.
    pub hide_constant: bool,
    /// The column that sorts; empty: the first.
    pub sort: String,
    pub reversed: bool,
    /// Fields that runs are grouped by, joined by a comma; empty: no groups.
    pub group: String,
}

impl State {
    /// What `path` holds; nothing where it is absent. A damaged file is told in the log and counts as absent.
    pub fn load(path: &Path) -> Self {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::default(),
            Err(error) => {
                tracing::warn!("{}: {error}; nothing is remembered from it", path.display());
                return Self::default();
            }
        };
        toml::from_str(&text).unwrap_or_else(|error| {
            tracing::warn!("{}: {error}; nothing is remembered from it", path.display());
            Self::default()
        })
    }

    /// Replaces the file whole, so that a reader never sees half of it.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let text = toml::to_string(self).map_err(io::Error::other)?;
        whole::write(path, text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_comes_back_and_what_is_damaged_does_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deeper/state.toml");
        assert_eq!(State::load(&path), State::default());
        let columns = vec!["status".to_string(), "best".into()];
        let runs = RunTable { columns, hide_constant: true, sort: "best".into(), reversed: true, group: "task".into() };
        let state = State { runs };
        state.save(&path).expect("saved");
        assert_eq!(State::load(&path), state);
        assert_eq!(std::fs::read_dir(path.parent().expect("a folder")).expect("listed").count(), 1);
        let load = |text: &str| {
            std::fs::write(&path, text).expect("written");
            State::load(&path)
        };
        assert_eq!(load("[runs]\nsort = \"lr\"\nof_later = 3\n[other]\nx = 1").runs.sort, "lr");
        for damaged in ["[runs", "runs = 3", "[runs]\ncolumns = 7", "\u{0}"] {
            assert_eq!(load(damaged), State::default(), "{damaged:?}");
        }
    }
}
