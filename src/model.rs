//! Encoders of the families that are known: where they come from, their weights by name, and the reference forward pass in candle. Knows
//! no optimizer and no run.

pub mod config;
pub mod encoder;
pub mod family;
pub mod folder;
pub mod head;
pub mod linear;
pub mod ops;
pub mod real;
pub mod shape;
pub mod shards;
mod vocabulary;
pub mod weights;

use crate::cache::{self, Cache, Kind, Repo};
use crate::untrusted::brief;
pub use config::Config;
use family::Family;
use shards::Index;
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use thiserror::Error;
use vocabulary::Said;
use weights::Weights;

/// Most characters of a name that an error shows.
const MOST_SHOWN: usize = 200;

/// Name of the model that is compiled in.
pub const EMBEDDED: &str = "mini-roberta";

static CONFIG: &[u8] = include_bytes!("../assets/mini-roberta/config.json");
static WEIGHTS: &[u8] = include_bytes!("../assets/mini-roberta/model.safetensors");
static TOKENIZER: &[u8] = include_bytes!("../assets/mini-roberta/tokenizer.json");

/// The files of a model folder as they are written; what else it may have in their place says [`folder`].
pub const FILES: [&str; 3] = [folder::CONFIG, folder::WEIGHTS, folder::TOKENIZER];

/// Why a model cannot be used.
#[derive(Debug, Error)]
pub enum ModelError {
    #[error(
        "model \"{shown}\": neither \"mini-roberta\", nor a folder here, nor fetched: {fetch}--model FOLDER with config.json, model.safetensors (or pytorch_model.bin) and tokenizer.json",
        shown = brief(.0, MOST_SHOWN),
        fetch = fetch_hint(.0)
    )]
    Unknown(String),
    #[error(
        "{folder}: {missing} is missing; a model folder holds config.json, model.safetensors or pytorch_model.bin (or shards with their index), and tokenizer.json (or vocab.txt, or vocab.json and merges.txt)"
    )]
    MissingFile { folder: PathBuf, missing: String },
    #[error("model {name} was not fetched whole, `eigenscope fetch model {name}` fetches the rest: {source}")]
    Half { name: String, source: Box<ModelError> },
    #[error("{path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{folder}: {source}")]
    Folder { folder: PathBuf, source: Box<ModelError> },
    #[error("model_type \"{found}\" is not supported: {supported} are")]
    Architecture { found: String, supported: String },
    #[error("config.json: {field}: found {found}, expected {expected}")]
    Config { field: String, found: String, expected: String },
    #[error("{file}: {problem}")]
    Weights { file: String, problem: String },
    #[error("{file}: tensor {tensor} is missing")]
    MissingTensor { file: String, tensor: String },
    #[error("{file}: tensor {tensor}: found shape {found:?}, expected {expected:?}")]
    Shape { file: String, tensor: String, found: Vec<usize>, expected: Vec<usize> },
    #[error("a row of {found} tokens: the model takes at most {allowed}")]
    TooLong { found: usize, allowed: usize },
    #[error("{what} {found}: the model has {allowed}")]
    Id { what: &'static str, found: u32, allowed: usize },
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

/// Where a model comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelSource {
    Embedded,
    Folder(PathBuf),
}

impl ModelSource {
    /// `mini-roberta`, an existing folder, or the hub's `ID` or `ID@REVISION` where it was fetched; else what to do is said.
    pub fn resolve(name: &str) -> Result<Self, ModelError> {
        if name == EMBEDDED {
            return Ok(Self::Embedded);
        }
        let path = Path::new(name);
        if path.is_dir() {
            folder::check(path)?;
            return Ok(Self::Folder(path.to_path_buf()));
        }
        let unknown = || ModelError::Unknown(name.into());
        let repo = repo(name).ok_or_else(unknown)?;
        let path = repo.fetched().ok_or_else(unknown)?;
        // Other programs leave parts of models in the cache, and a fetch may have been stopped.
        folder::whole(&path).map_err(|source| match (repo.pasted(), source) {
            (Some(name), source @ ModelError::MissingFile { .. }) => {
                ModelError::Half { name, source: Box::new(source) }
            }
            (_, source) => source,
        })?;
        Ok(Self::Folder(path))
    }

    /// The commit of the hub that it is, where it was fetched.
    pub fn commit(&self) -> Option<String> {
        match self {
            Self::Embedded => None,
            Self::Folder(folder) => cache::commit_of(folder),
        }
    }

    /// Reads and checks `config.json` alone.
    pub fn config(&self) -> Result<Config, ModelError> {
        Config::parse(&self.config_text()?).map_err(|e| self.named(e))
    }

    /// The bytes of `tokenizer.json`, or of one that the folder's words come to.
    pub fn tokenizer(&self) -> Result<Cow<'static, [u8]>, ModelError> {
        let Self::Folder(folder) = self else { return Ok(Cow::Borrowed(TOKENIZER)) };
        let read = |name: &str| folder::read(folder, name);
        if folder::has(folder, folder::TOKENIZER) {
            return read(folder::TOKENIZER).map(Cow::Owned);
        }
        let made = || {
            let [config, map, added] = folder::SAID.map(|name| folder::read_optional(folder, name));
            let said = Said::parse([config?, map?, added?])?;
            match folder::has(folder, folder::WORDS) {
                true => vocabulary::word_pieces(&read(folder::WORDS)?, &said),
                false => {
                    let [words, merges] = folder::PAIRS.map(read);
                    vocabulary::byte_pairs(&words?, &merges?, &said)
                }
            }
        };
        made().map(Cow::Owned).map_err(|e| self.named(e))
    }

    /// A file beside these that need not be there.
    pub fn read_optional(&self, name: &str) -> Result<Option<Vec<u8>>, ModelError> {
        match self {
            Self::Embedded => Ok(None),
            Self::Folder(folder) => folder::read_optional(folder, name),
        }
    }

    /// The text of `config.json`.
    pub fn config_text(&self) -> Result<String, ModelError> {
        let Self::Folder(folder) = self else { return Ok(String::from_utf8_lossy(CONFIG).into_owned()) };
        Ok(String::from_utf8_lossy(&folder::read(folder, folder::CONFIG)?).into_owned())
    }

    /// Reads the headers of the weights.
    fn weights(&self, family: &'static dyn Family) -> Result<Weights, ModelError> {
        let Self::Folder(folder) = self else {
            let weights =
                Weights::parse(format!("{EMBEDDED}/{}", folder::WEIGHTS), Cow::Borrowed(WEIGHTS), Some(family))?;
            return Ok(weights.known_as(EMBEDDED.into()));
        };
        let label = |name: &str| format!("{}/{name}", folder.display());
        let read = |name: &str| Ok((label(name), Cow::Owned(folder::read(folder, name)?)));
        let found = folder::weights(folder).unwrap_or(folder::WEIGHTS);
        if !folder::is_index(found) {
            let (label, bytes) = read(found)?;
            return Ok(Weights::parse(label, bytes, Some(family))?.known_as(identity(folder, [found])));
        }
        let index = Index::parse(&label(found), &folder::read(folder, found)?)?;
        let shards = index.files.keys().map(String::as_str);
        Ok(Weights::sharded(label(found), &index, Some(family), &read)?.known_as(identity(folder, shards)))
    }

    /// The error with the folder where it lies.
    fn named(&self, error: ModelError) -> ModelError {
        match self {
            Self::Embedded => error,
            Self::Folder(folder) => ModelError::Folder { folder: folder.clone(), source: Box::new(error) },
        }
    }

    /// Reads and checks all of a model.
    pub fn load(&self) -> Result<Checkpoint, ModelError> {
        let config = self.config()?;
        let weights = self.weights(config.family)?;
        for (name, shape) in config.encoder_shapes() {
            weights.check(&name, &shape)?;
        }
        Ok(Checkpoint { config, weights, tokenizer: self.tokenizer()?.into_owned() })
    }
}

/// Which weights these files hold: one that was changed is another.
fn identity<'a>(folder: &Path, files: impl IntoIterator<Item = &'a str>) -> String {
    let one = |name: &str| {
        let path = folder.join(name);
        let path = path.canonicalize().unwrap_or(path);
        let about = path.metadata().ok().and_then(|of| Some((of.len(), of.modified().ok()?)));
        format!("{} {about:?}", path.display())
    };
    files.into_iter().map(one).collect::<Vec<_>>().join(" ")
}

/// A model of the hub as it is named, in the cache; none where it can be no such name.
fn repo(name: &str) -> Option<Repo> {
    let (id, revision) = cache::split(name);
    Cache::from_environment().repo(Kind::Model, id, revision).ok()
}

/// The command that gets the model of this name. A name that no model of the hub can have may come from a file of others, and
/// is not offered for pasting.
fn fetch_hint(name: &str) -> String {
    repo(name).and_then(|r| r.pasted()).map(|name| format!("`eigenscope fetch model {name}`, or ")).unwrap_or_default()
}

/// What a model's files say.
pub struct Checkpoint {
    pub config: Config,
    pub weights: Weights,
    /// The bytes of a `tokenizer.json`.
    pub tokenizer: Vec<u8>,
}
