//! Files of the Hugging Face hub into its standard cache: listed, fetched, resumed after a cut, and checked against the hub's
//! hashes before they have their names. Knows no run and no screen; models and data look into the cache by [`crate::cache`] alone.

mod client;
mod download;
mod error;
mod here;
mod listing;
mod settings;

pub use error::HubError;
pub use here::{Cached, list};
pub use settings::Settings;

use crate::cache::{self, Cache, Kind, Repo};
use crate::data::Tokenizer;
use crate::model::shards::Index;
use crate::model::{ModelError, ModelSource, folder};
use crate::task::{Glue, HubLayout};
use client::Client;
use listing::Listing;
use std::path::{Path, PathBuf};

/// What is to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The files that a model needs here.
    Model { id: String },
    /// Training and validation rows of GLUE's tasks.
    Glue { tasks: Vec<String> },
}

impl Wanted {
    /// From words as a person types them: a model's id, `ID@REVISION`, an address of the hub's site, or `glue [TASK...]`, with
    /// the revision in the id or after `--revision`; and the revision. Ids are checked.
    pub fn parse(text: &str) -> Result<(Self, String), HubError> {
        Self::of_words(&text.split_whitespace().collect::<Vec<_>>())
    }

    /// The same of words that were told apart before.
    pub fn of_words(words: &[&str]) -> Result<(Self, String), HubError> {
        let text = words.join(" ");
        let mut words = words.to_vec();
        if let ["eigenscope", "fetch", ..] = words[..] {
            words.drain(..2);
        }
        let at = words.iter().position(|w| *w == "--revision");
        let named = at.map(|at| words.drain(at..(at + 2).min(words.len())).nth(1).unwrap_or_default());
        // A model may be called as the rows are.
        let is_model = words.first() == Some(&"model") && words.len() > 1;
        if is_model {
            words.remove(0);
        }
        let (first, tasks) = match &words[..] {
            [first, rest @ ..] => (*first, rest.iter().map(|t| (*t).to_string()).collect::<Vec<_>>()),
            [] => ("", Vec::new()),
        };
        let (id, revision) = match (cache::split(first), named) {
            (_, Some(named)) if first.contains('@') => {
                return Err(HubError::TwoRevisions { name: first.into(), revision: named.into() });
            }
            ((id, _), Some(named)) => (id, named),
            (of_name, None) => of_name,
        };
        if id == "glue" && !is_model {
            glue_tasks(&tasks)?;
            Cache::at(PathBuf::new()).repo(Kind::Dataset, HubLayout::ID, revision)?;
            return Ok((Self::Glue { tasks }, revision.into()));
        }
        let site = ["https://", "http://"].iter().find_map(|s| id.strip_prefix(s)).and_then(|s| s.split_once('/'));
        let id = site.map_or(id, |(_, id)| id).trim_end_matches('/');
        let name = if tasks.is_empty() { id } else { &text };
        Cache::at(PathBuf::new()).repo(Kind::Model, name, revision)?;
        Ok((Self::Model { id: id.into() }, revision.into()))
    }

    /// What [`Wanted::parse`] understands.
    pub fn label_at(&self, revision: &str) -> String {
        match self {
            // The one word that means another thing by itself.
            Wanted::Model { id } if id == "glue" => format!("model {}", cache::join(id, revision)),
            Wanted::Model { id } => cache::join(id, revision),
            Wanted::Glue { tasks } => [vec![cache::join("glue", revision)], tasks.clone()].concat().join(" "),
        }
    }
}

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// The file that is fetched; empty while they are listed.
    pub file: String,
    /// Its place from 0 among so many.
    pub index: usize,
    pub files: usize,
    /// Bytes of it that are here, of so many, where the hub tells.
    pub done: u64,
    pub size: Option<u64>,
    /// Of `done`, those that were here from an earlier call.
    pub resumed: u64,
    /// What it waits for.
    pub note: Option<String>,
}

/// What was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    pub kind: Kind,
    pub id: String,
    pub revision: String,
    pub commit: String,
    /// Holds the files by their names.
    pub folder: PathBuf,
    pub files: Vec<FetchedFile>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedFile {
    pub name: String,
    pub bytes: u64,
    /// Bytes that came over the network now; 0 where it was here.
    pub downloaded: u64,
}

impl Fetched {
    pub fn downloaded(&self) -> u64 {
        self.files.iter().map(|f| f.downloaded).sum()
    }
}

/// The way to the hub. A clone shares what [`Hub::stop`] ends.
#[derive(Clone, Debug)]
pub struct Hub {
    cache: Cache,
    client: Client,
    offline: bool,
}

impl Hub {
    pub fn new(settings: Settings, cache: Cache) -> Self {
        Self { offline: settings.offline, client: Client::new(settings), cache }
    }

    /// Its address, or that it is not asked.
    pub fn describe(&self) -> String {
        if self.offline { "the cache alone (HF_HUB_OFFLINE)".into() } else { self.client.host() }
    }

    /// Ends what it does, from another thread; what has come so far is kept for the next time.
    pub fn stop(&self) {
        self.client.stop();
    }

    /// Fetches what is not here yet and tells of each piece.
    pub fn fetch(
        &self,
        wanted: &Wanted,
        revision: &str,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<Fetched, HubError> {
        let repo = match wanted {
            Wanted::Model { id } => self.cache.repo(Kind::Model, id, revision)?,
            Wanted::Glue { .. } => self.cache.repo(Kind::Dataset, HubLayout::ID, revision)?,
        };
        if let Wanted::Glue { tasks } = wanted {
            glue_tasks(tasks)?;
        }
        if self.offline {
            return self.already_here(&repo, wanted);
        }
        self.client.settings.check()?;
        progress(&Progress::default());
        let listing = self.client.list(&repo)?;
        let mut names = self.chosen(&repo, wanted, &listing)?;
        let snapshot = repo.snapshot(&listing.commit);
        let mut files = Vec::new();
        let mut at = 0;
        while at < names.len() {
            let told = Progress { file: names[at].clone(), index: at, files: names.len(), ..Progress::default() };
            let is_model = repo.kind == Kind::Model;
            if is_model && folder::WEIGHT_FILES.contains(&names[at].as_str()) {
                usable(&repo, &snapshot, tokenizer)?;
            }
            files.push(self.client.file(&repo, &listing.commit, told, progress)?);
            if is_model && names[at] == folder::CONFIG {
                usable(&repo, &snapshot, |model| model.config().map(drop))?;
            }
            // An index names the pieces that the weights lie in.
            if is_model && folder::is_index(&names[at]) {
                names.extend(pieces(&repo, &snapshot, &names[at], &listing)?);
            }
            at += 1;
        }
        download::point(&repo, &listing.commit)?;
        Ok(Fetched {
            kind: repo.kind,
            id: repo.id.clone(),
            revision: repo.revision.clone(),
            folder: snapshot,
            commit: listing.commit,
            files,
        })
    }

    fn chosen(&self, repo: &Repo, wanted: &Wanted, listing: &Listing) -> Result<Vec<String>, HubError> {
        match wanted {
            Wanted::Model { .. } => listing.of_model(repo),
            Wanted::Glue { tasks } => listing.of_glue(repo, &glue_tasks(tasks)?),
        }
    }

    /// What was fetched before, whole, without asking the hub.
    fn already_here(&self, repo: &Repo, wanted: &Wanted) -> Result<Fetched, HubError> {
        let absent = |lacks: String| HubError::Offline {
            what: wanted.label_at(&repo.revision),
            lacks,
            cache: self.cache.root().to_path_buf(),
        };
        let (Some(commit), Some(snapshot)) = (repo.commit(), repo.fetched()) else {
            return Err(absent(format!("revision {}", repo.revision)));
        };
        let here = Listing::of_folder(commit, &snapshot);
        let mut names = match self.chosen(repo, wanted, &here) {
            Ok(names) => names,
            Err(HubError::Files { problem, .. }) => return Err(absent(problem)),
            Err(other) => return Err(other),
        };
        if let Some(index) = names.iter().find(|name| folder::is_index(name)) {
            let pieces = pieces(repo, &snapshot, index, &here);
            names.extend(pieces.map_err(|e| absent(e.to_string()))?);
        }
        let size = |name: &String| std::fs::metadata(snapshot.join(name)).map_or(0, |about| about.len());
        let files = names.iter().map(|n| FetchedFile { name: n.clone(), bytes: size(n), downloaded: 0 }).collect();
        let (kind, id, revision) = (repo.kind, repo.id.clone(), repo.revision.clone());
        Ok(Fetched { kind, id, revision, commit: here.commit, folder: snapshot, files })
    }
}

/// An error that names the repository where its files are no model that is supported: told before the weights have come.
fn usable(
    repo: &Repo,
    snapshot: &Path,
    look: impl FnOnce(&ModelSource) -> Result<(), ModelError>,
) -> Result<(), HubError> {
    let of = |source| HubError::Model { what: format!("model {}", repo.name()), source: Box::new(source) };
    look(&ModelSource::Folder(snapshot.to_path_buf())).map_err(of)
}

/// An error where the tokenizer is of no kind that is read.
fn tokenizer(model: &ModelSource) -> Result<(), ModelError> {
    let wrong =
        |e: crate::data::DataError| ModelError::Weights { file: folder::TOKENIZER.into(), problem: e.to_string() };
    Tokenizer::from_bytes(&model.tokenizer()?, 8).map(drop).map_err(wrong)
}

/// The files that an index names; each must be one of the repository.
fn pieces(repo: &Repo, snapshot: &Path, index: &str, listing: &Listing) -> Result<Vec<String>, HubError> {
    let what = || format!("model {}", repo.name());
    let read = || Index::parse(index, &folder::read(snapshot, index)?);
    let files = read().map_err(|source| HubError::Model { what: what(), source: Box::new(source) })?.files;
    match files.keys().find(|n| !listing.has(n)) {
        Some(absent) => {
            Err(HubError::Files { what: what(), problem: format!("{index} names {absent:?}, which is not there") })
        }
        None => Ok(files.into_keys().collect()),
    }
}

/// The tasks of these names, ours or the hub's; of no names, all.
fn glue_tasks(names: &[String]) -> Result<Vec<&'static dyn Glue>, HubError> {
    let find = |name: &String| {
        let found = crate::task::ALL.iter().copied().find(|t| t.id() == name || t.hub().folder == name);
        found.ok_or_else(|| HubError::Task { found: name.clone(), expected: crate::task::ids().join(", ") })
    };
    match names {
        [] => Ok(crate::task::ALL.to_vec()),
        names => names.iter().map(find).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_types_is_understood() {
        let label = |text: &str| Wanted::parse(text).map(|(w, r)| (w.label_at(&r), r)).map_err(|e| e.to_string());
        for (text, expected, revision) in [
            ("roberta-base", "roberta-base", "main"),
            ("  eigenscope fetch model org/x ", "org/x", "main"),
            ("org/x@v1", "org/x@v1", "v1"),
            ("https://huggingface.co/org/x/", "org/x", "main"),
            ("glue", "glue", "main"),
            ("glue cola sst2", "glue cola sst2", "main"),
            ("glue@v2 rte", "glue@v2 rte", "v2"),
            ("eigenscope fetch model org/x --revision v1", "org/x@v1", "v1"),
            ("https://huggingface.co/org/x@v1", "org/x@v1", "v1"),
            ("eigenscope fetch glue --revision v2 rte", "glue@v2 rte", "v2"),
            ("model glue", "model glue", "main"),
        ] {
            assert_eq!(label(text), Ok((expected.into(), revision.into())), "{text:?}");
            assert_eq!(label(expected), label(text), "a label is understood too");
        }
        for (text, word) in [
            ("", "is no id"),
            ("a b", "\"a b\""),
            ("glue colla", "expected some of cola"),
            ("../x", "no id"),
            ("org/x@v1 --revision v2", "name one"),
            ("org/x --revision", "is no revision"),
            ("glue@..", "is no revision"),
        ] {
            let error = label(text).expect_err(text);
            assert!(error.contains(word), "{error}");
        }
    }
}
