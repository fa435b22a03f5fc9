//! Where a task's files are: the embedded sample, a folder in GLUE's own arrangement or in the hub's, or the files that a task of
//! a person's own names.

use super::{DataError, Example, Rows, hub_glue, own, tsv};
use crate::cache::{self, Cache, DATA_PREFIX, Kind};
use crate::task::{Glue, HubLayout, Origin, Task, TestFile};
use crate::untrusted::brief;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Most characters of a name that an error shows.
const MOST_SHOWN: usize = 200;

/// Which part of a task's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    Train,
    Validation,
}

/// Where the rows come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// 1,000 training and 250 validation rows of each task, compiled in.
    Embedded,
    /// Holds the task's folder (`SST-2/train.tsv`, `sst2/train-00000-of-00001.parquet`) or the files themselves.
    Folder(PathBuf),
    /// The snapshot of a data set that was fetched from the hub.
    Hub(PathBuf),
}

macro_rules! embedded {
    ($($folder:literal),+ $(,)?) => {
        /// Task folder, training file, validation file.
        static EMBEDDED: &[(&str, &[u8], &[u8])] = &[$((
            $folder,
            include_bytes!(concat!("../../assets/glue-sample/", $folder, "/train.tsv")),
            include_bytes!(concat!("../../assets/glue-sample/", $folder, "/dev.tsv")),
        )),+];
    };
}
embedded!("CoLA", "QNLI", "SST-2", "MNLI", "QQP", "RTE", "MRPC", "STS-B");

impl Source {
    /// From the field of a spec: nothing for the embedded sample, a folder, or `hub:ID` or `hub:ID@REVISION`.
    pub fn resolve(data: &str) -> Result<Self, DataError> {
        let Some(name) = data.strip_prefix(DATA_PREFIX) else {
            return Ok(if data.is_empty() { Self::Embedded } else { Self::Folder(data.into()) });
        };
        let (id, revision) = cache::split(name);
        let repo = match id {
            HubLayout::ID => Cache::from_environment().repo(Kind::Dataset, id, revision).ok(),
            _ => None,
        };
        let repo = repo.ok_or_else(|| DataError::NoHubData { found: brief(data, MOST_SHOWN) })?;
        // A name that a shell would take apart may come from a file of others, and is not offered for pasting.
        let at = match repo.pasted() {
            Some(_) if revision != cache::MAIN => format!(" --revision {revision}"),
            _ => String::new(),
        };
        let absent = || DataError::NotFetched { what: brief(data, MOST_SHOWN), fetch: format!("glue{at}") };
        repo.fetched().map(Self::Hub).ok_or_else(absent)
    }

    /// The commit of the hub that the rows are of, where they were fetched.
    pub fn commit(&self) -> Option<String> {
        match self {
            Source::Hub(folder) => cache::commit_of(folder),
            _ => None,
        }
    }

    /// Checks that the task's files are there, without reading their rows.
    pub fn check(&self, task: &dyn Task) -> Result<(), DataError> {
        match (task.origin(), self) {
            (Origin::Own(own), Source::Embedded) => own::check(own),
            (Origin::Own(own), Source::Folder(folder) | Source::Hub(folder)) => {
                Err(DataError::Beside { task: own.label().into(), data: folder.clone() })
            }
            (Origin::Glue(_), Source::Embedded) => Ok(()),
            (Origin::Glue(glue), Source::Folder(_) | Source::Hub(_)) => {
                self.locate(glue, Split::Train)?;
                self.locate(glue, Split::Validation).map(drop)
            }
        }
    }
}

/// All rows of one split.
pub fn load(task: &dyn Task, source: &Source, split: Split) -> Result<Vec<Example>, DataError> {
    Ok(load_rows(task, source, split)?.examples)
}

/// The same with their places in their files.
pub fn load_rows(task: &dyn Task, source: &Source, split: Split) -> Result<Rows, DataError> {
    let glue = match task.origin() {
        Origin::Own(own) => return own::load(own, split),
        Origin::Glue(glue) => glue,
    };
    match source {
        Source::Folder(_) | Source::Hub(_) => match source.locate(glue, split)? {
            Files::Tsv(path) => load_file_rows(task, &path),
            Files::Parquet(paths) => hub_glue::load(glue, &paths),
        },
        Source::Embedded => {
            let sample = EMBEDDED.iter().find(|(folder, ..)| *folder == glue.folder());
            let (folder, train, dev) = sample.ok_or_else(|| DataError::Missing {
                folder: "the embedded sample".into(),
                expected: glue.folder().into(),
            })?;
            let (name, bytes) = if split == Split::Train { ("train.tsv", *train) } else { ("dev.tsv", *dev) };
            tsv::rows(task, &format!("embedded {folder}/{name}"), bytes)
        }
    }
}

/// All rows of one file in the task's layout: of GLUE its own, or the hub's where its name ends in `.parquet`.
pub fn load_file(task: &dyn Task, path: &Path) -> Result<Vec<Example>, DataError> {
    Ok(load_file_rows(task, path)?.examples)
}

/// The same with their places.
pub fn load_file_rows(task: &dyn Task, path: &Path) -> Result<Rows, DataError> {
    match task.origin() {
        Origin::Own(own) => return own::load_file(own, path),
        Origin::Glue(glue) if path.extension().is_some_and(|e| e == "parquet") => {
            return hub_glue::load(glue, &[path.to_path_buf()]);
        }
        Origin::Glue(_) => {}
    }
    let file = File::open(path).map_err(|source| DataError::Io { path: path.into(), source })?;
    tsv::rows(task, &path.display().to_string(), BufReader::new(file))
}

/// The files that a split's rows come from; none where they are compiled in.
pub fn files(task: &dyn Task, source: &Source, split: Split) -> Result<Vec<PathBuf>, DataError> {
    match (task.origin(), source) {
        (Origin::Own(own), _) => Ok(own::files(own, split).to_vec()),
        (Origin::Glue(_), Source::Embedded) => Ok(Vec::new()),
        (Origin::Glue(glue), Source::Folder(_) | Source::Hub(_)) => Ok(match source.locate(glue, split)? {
            Files::Tsv(path) => vec![path],
            Files::Parquet(paths) => paths,
        }),
    }
}

/// The files that a test file's rows come from: GLUE's own or the hub's, whose task is told by whose adapter predicts it; none
/// where there are none.
pub fn test_files(source: &Source, test: &TestFile, task: Option<&dyn Glue>) -> Result<Vec<PathBuf>, DataError> {
    match source {
        Source::Embedded => Ok(Vec::new()),
        Source::Folder(folder) => match folder.join(&test.path) {
            own if own.is_file() => Ok(vec![own]),
            _ => hub_glue::test_files(test, task, folder),
        },
        Source::Hub(folder) => match (hub_glue::test_files(test, task, folder)?, task) {
            (found, Some(task)) if found.is_empty() => Err(DataError::NotFetched {
                what: format!(
                    "test file {}-*.parquet of {DATA_PREFIX}{}",
                    hub_glue::test_stem(test, Some(task)),
                    HubLayout::ID
                ),
                fetch: format!("glue {}", task.id()),
            }),
            (found, _) => Ok(found),
        },
    }
}

/// All rows of a test file, which lie in `paths`.
pub fn load_test(test: &TestFile, task: Option<&dyn Glue>, paths: &[PathBuf]) -> Result<Vec<Example>, DataError> {
    let [path] = paths else { return hub_glue::load_test(test, task, paths) };
    if path.extension().is_some_and(|e| e == "parquet") {
        return hub_glue::load_test(test, task, paths);
    }
    let file = File::open(path).map_err(|source| DataError::Io { path: path.into(), source })?;
    tsv::parse_test(test, &path.display().to_string(), BufReader::new(file))
}

/// The files of one split.
enum Files {
    Tsv(PathBuf),
    Parquet(Vec<PathBuf>),
}

impl Source {
    fn locate(&self, task: &dyn Glue, split: Split) -> Result<Files, DataError> {
        let folder = match self {
            Source::Embedded => return Ok(Files::Parquet(Vec::new())),
            Source::Folder(folder) => folder,
            Source::Hub(folder) => {
                let here = hub_glue::files(task, folder, split)?;
                let absent = || DataError::NotFetched {
                    what: format!("{} of {DATA_PREFIX}{}", task.label(), HubLayout::ID),
                    fetch: format!("glue {}", task.id()),
                };
                return if here.is_empty() { Err(absent()) } else { Ok(Files::Parquet(here)) };
            }
        };
        let names = if split == Split::Train { &["train.tsv"][..] } else { task.validation_files() };
        let places = [folder.join(task.folder()), folder.to_path_buf()];
        let paths: Vec<PathBuf> = places.iter().flat_map(|p| names.iter().map(|n| p.join(n))).collect();
        if let Some(path) = paths.iter().find(|p| p.is_file()) {
            return Ok(Files::Tsv(path.clone()));
        }
        let parquet = hub_glue::files(task, folder, split)?;
        if !parquet.is_empty() {
            return Ok(Files::Parquet(parquet));
        }
        let of_hub = format!("{}-00000-of-00001.parquet", hub_glue::stem(task, split));
        let of_hub = folder.join(task.hub().folder).join(of_hub);
        let expected = paths.iter().chain([&of_hub]).map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ");
        Err(DataError::Missing { folder: folder.into(), expected })
    }
}
