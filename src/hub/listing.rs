//! The files of a repository, and which of them a model or a task needs.

use super::HubError;
use crate::cache::{self, Repo};
use crate::data::{self, Split};
use crate::model::folder;
use crate::task::{Glue, TestFile};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;

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

    pub fn has(&self, name: &str) -> bool {
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
            (false, false) => return Err(lacks(&folder::tokenizer_absent(&|name| self.has(name)))),
        }
        names.extend(folder::SAID.into_iter().filter(|name| self.has(name)));
        let weights = folder::WEIGHT_FILES.into_iter().find(|name| self.has(name));
        names.push(weights.ok_or_else(|| lacks("model.safetensors or pytorch_model.bin"))?);
        Ok(names.into_iter().map(str::to_string).collect())
    }

    /// Test files of a task, which a submission takes and nothing else needs.
    fn of_tests(&self, task: &dyn Glue) -> Vec<String> {
        let start = |file: &TestFile| format!("{}-", data::hub_test_stem(file, Some(task)));
        let starts: Vec<String> = task.test_files().iter().map(start).collect();
        let is_one = |name: &&String| name.ends_with(".parquet") && starts.iter().any(|s| name.starts_with(s));
        self.names.iter().filter(is_one).cloned().collect()
    }

    /// Training and validation files of the tasks, and those of their test rows that there are.
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
            names.extend(self.of_tests(*task));
        }
        Ok(names)
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
    fn a_task_comes_with_its_test_rows_where_there_are_some() {
        let repo = Cache::at("/c".into()).repo(Kind::Dataset, "nyu-mll/glue", MAIN).expect("a name");
        let splits = ["train", "validation_matched", "validation_mismatched", "test_matched", "test_mismatched"];
        let mut names: Vec<String> = splits.iter().map(|s| format!("mnli/{s}-00000-of-00001.parquet")).collect();
        names.push("ax/test-00000-of-00001.parquet".into());
        names.push("cola/test-00000-of-00001.parquet".into());
        let of = |names: &[String]| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let mnli = crate::task::glue("mnli").expect("a task");
            listing(&names).of_glue(&repo, &[mnli]).expect("rows")
        };
        let found = of(&names);
        assert_eq!((found.len(), found.contains(&names[2])), (5, false), "{found:?}");
        assert!(names[3..6].iter().all(|n| found.contains(n)), "{found:?}");
        assert_eq!(of(&names[..2]).len(), 2);
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
