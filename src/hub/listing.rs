//! The files of a repository, and which of them a model or a task needs.

use super::HubError;
use crate::cache::{self, Repo};
use crate::data::{self, Split};
use crate::model::folder;
use crate::task::Glue;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Largest index that is read.
const MAX_INDEX: u64 = 64 << 20;

/// A repository's files at one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listing {
    pub commit: String,
    pub names: BTreeSet<String>,
}

impl Listing {
    /// From the hub's answer. Names that would leave their folder are left out: nothing is ever put there.
    pub fn parse(answer: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Answer {
            sha: String,
            #[serde(default)]
            siblings: Vec<Sibling>,
        }
        #[derive(Deserialize)]
        struct Sibling {
            rfilename: String,
        }
        let answer: Answer = serde_json::from_slice(answer).map_err(|e| format!("the list of files: {e}"))?;
        if !cache::is_hex(&answer.sha, 40) {
            return Err("the list of files names no commit".into());
        }
        let names = answer.siblings.into_iter().map(|s| s.rfilename).filter(|name| cache::stays_inside(name)).collect();
        Ok(Self { commit: answer.sha, names })
    }

    /// What is in a snapshot on this disk.
    pub fn of_folder(commit: String, folder: &Path) -> Self {
        let mut names = BTreeSet::new();
        let list = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
        for entry in list(folder) {
            let name = entry.file_name().to_string_lossy().into_owned();
            match entry.path().is_dir() {
                true => names.extend(
                    list(&entry.path())
                        .filter(|e| e.path().is_file())
                        .map(|e| format!("{name}/{}", e.file_name().to_string_lossy())),
                ),
                false if entry.path().is_file() => drop(names.insert(name)),
                false => {}
            }
        }
        Self { commit, names }
    }

    fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Configuration and tokenizer first: a model that is none is told before its weights have come.
    pub fn of_model(&self, repo: &Repo) -> Result<Vec<String>, HubError> {
        let lacks = |what: &str| HubError::Files {
            what: format!("model {}", repo.id),
            problem: format!("it has no {what}; expected an encoder with config.json, tokenizer and weights"),
        };
        if !self.has(folder::CONFIG) {
            return Err(lacks(folder::CONFIG));
        }
        let mut names = vec![folder::CONFIG];
        let pairs = folder::PAIRS.iter().all(|name| self.has(name));
        match (self.has(folder::TOKENIZER), self.has(folder::WORDS)) {
            (true, _) => names.push(folder::TOKENIZER),
            (false, true) => names.push(folder::WORDS),
            (false, false) if pairs => names.extend(folder::PAIRS),
            (false, false) => return Err(lacks(folder::TOKENIZER)),
        }
        names.extend(folder::SAID.into_iter().filter(|name| self.has(name)));
        let weights = folder::WEIGHT_FILES.into_iter().find(|name| self.has(name));
        names.push(weights.ok_or_else(|| lacks("model.safetensors or pytorch_model.bin"))?);
        Ok(names.into_iter().map(str::to_string).collect())
    }

    /// Training and validation files of the tasks.
    pub fn of_glue(&self, repo: &Repo, tasks: &[&dyn Glue]) -> Result<Vec<String>, HubError> {
        let mut names = Vec::new();
        for task in tasks {
            for split in [Split::Train, Split::Validation] {
                let start = format!("{}/{}-", task.hub().folder, data::hub_stem(*task, split));
                let found: Vec<&String> =
                    self.names.iter().filter(|n| n.starts_with(&start) && n.ends_with(".parquet")).collect();
                if found.is_empty() {
                    return Err(HubError::Files {
                        what: format!("dataset {}", repo.id),
                        problem: format!("it has no {start}*.parquet of {}", task.label()),
                    });
                }
                names.extend(found.into_iter().cloned());
            }
        }
        Ok(names)
    }
}

/// The files that an index names; each must be one of the repository.
pub(super) fn shards(index: &Path, listing: &Listing, repo: &Repo) -> Result<Vec<String>, HubError> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let name = index.file_name().unwrap_or_default().to_string_lossy();
    let wrong = |problem: String| HubError::Files { what: format!("{name} of {}", repo.id), problem };
    let disk = |source| HubError::Disk { path: index.into(), source };
    if std::fs::metadata(index).map_err(disk)?.len() > MAX_INDEX {
        return Err(wrong(format!("more than {MAX_INDEX} bytes")));
    }
    let text = std::fs::read(index).map_err(disk)?;
    let index: Index = serde_json::from_slice(&text).map_err(|e| wrong(e.to_string()))?;
    let names: BTreeSet<String> = index.weight_map.into_values().collect();
    match names.iter().find(|n| !listing.has(n)) {
        Some(absent) => Err(wrong(format!("it names {absent:?}, which is not there"))),
        None => Ok(names.into_iter().collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{Cache, Kind, MAIN};

    fn listing(names: &[&str]) -> Listing {
        Listing { commit: "a".repeat(40), names: names.iter().map(|n| (*n).to_string()).collect() }
    }

    #[test]
    fn a_model_needs_its_best_weights_alone() {
        let repo = Cache::at("/c".into()).repo(Kind::Model, "m", MAIN).expect("a name");
        let of = |names: &[&str]| listing(names).of_model(&repo).map_err(|e| e.to_string());
        let all =
            ["config.json", "tokenizer.json", "merges.txt", "model.safetensors", "pytorch_model.bin", "tf_model.h5"];
        assert_eq!(of(&all).expect("a model"), ["config.json", "tokenizer.json", "model.safetensors"]);
        let index = "model.safetensors.index.json";
        let pieces = ["config.json", "vocab.txt", index, "pytorch_model.bin"];
        assert_eq!(of(&pieces).expect("a model"), ["config.json", "vocab.txt", index]);
        let old = ["config.json", "vocab.json", "merges.txt", "pytorch_model.bin", "special_tokens_map.json"];
        assert_eq!(of(&old).expect("a model").len(), 5);
        for (names, lacks) in [(&["README.md"][..], "no config.json"), (&all[..2], "no model.safetensors or")] {
            let error = of(names).expect_err("no model");
            assert!(error.contains(lacks), "{error}");
        }
    }

    #[test]
    fn hostile_names_are_not_listed() {
        let answer = format!(
            r#"{{"sha":"{}","siblings":[{{"rfilename":"../x"}},{{"rfilename":"/etc/x"}},{{"rfilename":"a/b"}}]}}"#,
            "b".repeat(40)
        );
        let names = Listing::parse(answer.as_bytes()).expect("an answer").names;
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["a/b"]);
        assert!(Listing::parse(br#"{"sha":"../../x","siblings":[]}"#).is_err());
        assert!(Listing::parse(b"<html>").is_err());
    }
}
