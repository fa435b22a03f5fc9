//! The files of a model folder: which of them there are, and how large each may be. Knows not what they say, but of an index.

use super::ModelError;
use super::shards::Index;
use crate::tensors::MAX_FILE;
use crate::untrusted::read_capped;
use std::io::ErrorKind;
use std::path::Path;

pub const CONFIG: &str = "config.json";
pub const WEIGHTS: &str = "model.safetensors";
/// What the weights may be called, the first that is there being read: one file, or the index of several.
pub const WEIGHT_FILES: [&str; 4] =
    [WEIGHTS, "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"];
pub const TOKENIZER: &str = "tokenizer.json";
/// What older folders have instead of [`TOKENIZER`].
pub const WORDS: &str = "vocab.txt";
pub const PAIRS: [&str; 2] = ["vocab.json", "merges.txt"];
/// What is said of a tokenizer beside its words.
pub const SAID: [&str; 3] = ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"];

/// Largest size in bytes of what is read before it is understood; the largest tokenizers have some 20 MB.
const MIB: u64 = 1 << 20;
const CAPS: [(&str, u64); 10] = [
    (CONFIG, MIB),
    (WEIGHT_FILES[1], 8 * MIB),
    (WEIGHT_FILES[3], 8 * MIB),
    (TOKENIZER, 64 * MIB),
    (WORDS, 16 * MIB),
    (PAIRS[0], 16 * MIB),
    (PAIRS[1], 16 * MIB),
    (SAID[0], 8 * MIB),
    (SAID[1], MIB),
    (SAID[2], 8 * MIB),
];

/// Files of other libraries' tokenizers, which transformers can turn into a tokenizer.json.
const CONVERTIBLE: [&str; 4] = ["sentencepiece.bpe.model", "spiece.model", "tokenizer.model", "bpe.codes"];

/// Whether a folder has a file.
pub fn has(folder: &Path, name: &str) -> bool {
    folder.join(name).is_file()
}

/// Which of [`WEIGHT_FILES`] a folder has.
pub fn weights(folder: &Path) -> Option<&'static str> {
    WEIGHT_FILES.into_iter().find(|name| has(folder, name))
}

/// Whether this is an index, which names the files of the weights.
pub fn is_index(name: &str) -> bool {
    name.ends_with(".index.json")
}

/// An error where a folder lacks what a model needs.
pub fn check(folder: &Path) -> Result<(), ModelError> {
    let has = |name: &str| has(folder, name);
    let mut missing = Vec::new();
    if !has(CONFIG) {
        missing.push(CONFIG.to_string());
    }
    if weights(folder).is_none() {
        missing.push(WEIGHTS.to_string());
    }
    if !has(TOKENIZER) && !has(WORDS) && !PAIRS.into_iter().all(has) {
        missing.push(tokenizer_absent(&has));
    }
    match missing.is_empty() {
        true => Ok(()),
        false => Err(ModelError::MissingFile { folder: folder.into(), missing: missing.join(", ") }),
    }
}

/// What is missing where there is no tokenizer that is read; `has` knows which files there are.
pub fn tokenizer_absent(has: &dyn Fn(&str) -> bool) -> String {
    CONVERTIBLE.into_iter().find(|name| has(name)).map_or(TOKENIZER.into(), |other| {
        format!(
            "{TOKENIZER} (transformers makes one of {other}: AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR))"
        )
    })
}

/// An error where a folder lacks what a model needs, or one of the files that its index names.
pub fn whole(folder: &Path) -> Result<(), ModelError> {
    check(folder)?;
    let Some(index) = weights(folder).filter(|name| is_index(name)) else { return Ok(()) };
    let files = Index::parse(&folder.join(index).display().to_string(), &read(folder, index)?)?.files;
    match files.into_keys().find(|name| !has(folder, name)) {
        Some(missing) => Err(ModelError::MissingFile { folder: folder.into(), missing }),
        None => Ok(()),
    }
}

/// The bytes of a file of a folder.
pub fn read(folder: &Path, name: &str) -> Result<Vec<u8>, ModelError> {
    let path = folder.join(name);
    let cap = CAPS.into_iter().find(|(capped, _)| *capped == name).map_or(MAX_FILE, |(_, cap)| cap);
    read_capped(&path, cap).map_err(|source| match source.kind() {
        ErrorKind::NotFound => ModelError::MissingFile { folder: folder.into(), missing: name.into() },
        _ => ModelError::Read { path, source },
    })
}

/// The same of a file that need not be there.
pub fn read_optional(folder: &Path, name: &str) -> Result<Option<Vec<u8>>, ModelError> {
    if has(folder, name) { read(folder, name).map(Some) } else { Ok(None) }
}
