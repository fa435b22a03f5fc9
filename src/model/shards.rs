//! `model.safetensors.index.json` and its like of `.bin`: which file of a folder holds which tensor. Believes no name before it looked at it; reads no
//! weights.

use super::ModelError;
use crate::untrusted::brief;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Most files, and most tensors in all of them.
const MAX_FILES: usize = 1_000;
const MAX_TENSORS: usize = 20_000;

/// The tensors of each file.
#[derive(Debug, PartialEq, Eq)]
pub struct Index {
    pub files: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Deserialize)]
struct Listed {
    weight_map: BTreeMap<String, String>,
}

impl Index {
    /// Reads the index in `bytes`; `file` names it in errors.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, ModelError> {
        let wrong = |problem: String| ModelError::Weights { file: file.into(), problem };
        let listed: Listed = serde_json::from_slice(bytes).map_err(|e| {
            wrong(format!("no index of shards: {}; expected a member weight_map", brief(&e.to_string(), 200)))
        })?;
        if listed.weight_map.len() > MAX_TENSORS {
            return Err(wrong(format!("{} tensors, at most {MAX_TENSORS} are read", listed.weight_map.len())));
        }
        let mut files: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (tensor, shard) in listed.weight_map {
            if !is_plain(&shard) {
                let (shown, tensor) = (brief(&shard, 80), brief(&tensor, 80));
                let expected = "the name of a .safetensors or .bin file in the same folder";
                return Err(wrong(format!("weight_map of {tensor}: found {shown}, expected {expected}")));
            }
            files.entry(shard).or_default().insert(tensor);
        }
        if files.is_empty() || files.len() > MAX_FILES {
            return Err(wrong(format!("{} files, 1 to {MAX_FILES} are read", files.len())));
        }
        Ok(Self { files })
    }
}

/// A name that leads nowhere but to a file beside the index.
fn is_plain(name: &str) -> bool {
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    name.len() <= 200
        && (name.ends_with(".safetensors") || name.ends_with(".bin"))
        && !name.starts_with('.')
        && name.chars().all(letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(weight_map: &str) -> Result<Index, String> {
        Index::parse("index", format!("{{\"weight_map\":{weight_map}}}").as_bytes()).map_err(|e| e.to_string())
    }

    #[test]
    fn tensors_are_listed_by_file() {
        let index = parse(
            r#"{"a":"m-00001-of-00002.safetensors","b":"m-00002-of-00002.safetensors","c":"m-00001-of-00002.safetensors"}"#,
        );
        let files = index.expect("an index").files;
        let first: Vec<&str> = files["m-00001-of-00002.safetensors"].iter().map(String::as_str).collect();
        assert_eq!((files.len(), &first[..]), (2, &["a", "c"][..]));
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in [
            "../x.safetensors",
            "/etc/x.safetensors",
            "a/b.safetensors",
            "..",
            "x.json",
            ".safetensors",
            "a\\\\b.safetensors",
            "C:x.safetensors",
            "\u{202e}x.safetensors",
        ] {
            let error = parse(&format!(r#"{{"w":"{name}"}}"#)).expect_err(name);
            assert!(error.contains("weight_map of w") && error.contains("expected the name of"), "{error}");
            assert!(!error.contains('\u{202e}'), "{error}");
        }
        for none in ["{}", "[]", "3", r#"{"w":7}"#] {
            assert!(parse(none).is_err(), "{none}");
        }
        let many: Vec<String> = (0..=MAX_TENSORS).map(|i| format!(r#""{i}":"m.safetensors""#)).collect();
        assert!(parse(&format!("{{{}}}", many.join(","))).expect_err("too many").contains("at most"));
    }
}
