//! What of the hub can be used from the cache as it is: models that are whole, rows of the tasks that are. Asks nobody.

use crate::cache::{self, Cache, Kind, Repo};
use crate::data::{self, Source, Split};
use crate::model::folder;
use crate::task::{self, HubLayout};
use std::path::Path;

/// A repository that is here at a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    pub kind: Kind,
    pub id: String,
    /// A name of the commit, or the commit itself where it has none here.
    pub revision: String,
    pub commit: String,
    /// Files at that commit, by name, with their bytes.
    pub files: Vec<(String, u64)>,
}

impl Cached {
    fn of(repo: &Repo) -> Option<Self> {
        let (commit, folder) = (repo.commit()?, repo.fetched()?);
        let mut files = cache::walk(&folder);
        match repo.kind {
            Kind::Model => folder::whole(&folder).ok()?,
            Kind::Dataset if repo.id == HubLayout::ID => keep_whole_tasks(&folder, &mut files),
            Kind::Dataset => {}
        }
        let (kind, id, revision) = (repo.kind, repo.id.clone(), repo.revision.clone());
        (!files.is_empty()).then_some(Self { kind, id, revision, commit, files })
    }

    /// `ID` or `ID@REVISION`, as a spec names it.
    pub fn name(&self) -> String {
        cache::join(&self.id, &self.revision)
    }

    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|(_, bytes)| bytes).sum()
    }
}

/// Of GLUE's rows, the folders of tasks that have all of both splits.
fn keep_whole_tasks(snapshot: &Path, files: &mut Vec<(String, u64)>) {
    let source = Source::Hub(snapshot.to_path_buf());
    let is_whole = |task: &dyn task::Task| {
        [Split::Train, Split::Validation].iter().all(|split| data::files(task, &source, *split).is_ok())
    };
    let whole: Vec<&str> = task::ALL.iter().filter(|t| is_whole(**t)).map(|t| t.hub().folder).collect();
    files.retain(|(name, _)| name.split_once('/').is_some_and(|(folder, _)| whole.contains(&folder)));
}

/// What can be used from the cache, models first, by name, the main revision of each before its others.
pub fn list(cache: &Cache) -> Vec<Cached> {
    let mut all: Vec<Cached> = cache.repos().iter().filter_map(Cached::of).collect();
    all.sort_by(|a, b| {
        let key = |c: &Cached| (c.kind, c.id.clone(), c.revision != cache::MAIN, c.revision.clone());
        key(a).cmp(&key(b))
    });
    all
}
