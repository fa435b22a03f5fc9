//! RoBERTa and BERT encoders: where they come from, their weights by name, and the reference forward pass in candle. Knows
//! no optimizer and no run.

pub mod config;
pub mod encoder;
pub mod head;
pub mod linear;
pub mod ops;
pub mod real;
pub mod shape;
pub mod weights;

use crate::tensors::{MAX_FILE, TensorFileError, read_capped};
pub use config::Config;
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use thiserror::Error;
use weights::Weights;

/// Name of the model that is compiled in.
pub const EMBEDDED: &str = "mini-roberta";

static CONFIG: &[u8] = include_bytes!("../assets/mini-roberta/config.json");
static WEIGHTS: &[u8] = include_bytes!("../assets/mini-roberta/model.safetensors");
static TOKENIZER: &[u8] = include_bytes!("../assets/mini-roberta/tokenizer.json");

/// The files of a model folder.
pub const FILES: [&str; 3] = ["config.json", "model.safetensors", "tokenizer.json"];

/// The most bytes of each of them that are read.
const MOST_BYTES: [u64; 3] = [4 << 20, MAX_FILE, 256 << 20];

/// What the weights may be called, the first that is there being read.
pub const WEIGHT_FILES: [&str; 2] = [FILES[1], "pytorch_model.bin"];

/// Why a model cannot be used.
#[derive(Debug, Error)]
pub enum ModelError {
    #[error(
        "model {0:?}: neither \"mini-roberta\" nor a folder here; put config.json, model.safetensors (or pytorch_model.bin) and tokenizer.json of {0} into a folder and give --model FOLDER"
    )]
    Unknown(String),
    #[error(
        "{folder}: {missing} is missing; a model folder holds config.json, model.safetensors or pytorch_model.bin, and tokenizer.json"
    )]
    MissingFile { folder: PathBuf, missing: String },
    #[error("{path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{folder}: {source}")]
    Folder { folder: PathBuf, source: Box<ModelError> },
    #[error("model_type {0:?} is not supported: roberta and bert are")]
    Architecture(String),
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
    /// `mini-roberta` or an existing folder; a name without local files says which files to put where.
    pub fn resolve(name: &str) -> Result<Self, ModelError> {
        if name == EMBEDDED {
            return Ok(Self::Embedded);
        }
        let path = Path::new(name);
        if !path.is_dir() {
            return Err(ModelError::Unknown(name.into()));
        }
        let there = |file: &&str| path.join(file).is_file();
        let weights = WEIGHT_FILES.iter().any(there);
        let mut missing: Vec<&str> = FILES.into_iter().filter(|f| !there(f)).collect();
        missing.retain(|f| *f != FILES[1] || !weights);
        if missing.is_empty() {
            Ok(Self::Folder(path.into()))
        } else {
            Err(ModelError::MissingFile { folder: path.into(), missing: missing.join(", ") })
        }
    }

    /// Reads and checks `config.json` alone.
    pub fn config(&self) -> Result<Config, ModelError> {
        Config::parse(&self.config_text()?).map_err(|e| self.named(e))
    }

    /// Reads `tokenizer.json` alone.
    pub fn tokenizer(&self) -> Result<Cow<'static, [u8]>, ModelError> {
        self.read(2)
    }

    /// The text of `config.json`.
    pub fn config_text(&self) -> Result<String, ModelError> {
        Ok(String::from_utf8_lossy(&self.read(0)?).into_owned())
    }

    /// The bytes of one of [`FILES`], by its place there.
    fn read(&self, file: usize) -> Result<Cow<'static, [u8]>, ModelError> {
        let Self::Folder(folder) = self else { return Ok(Cow::Borrowed([CONFIG, WEIGHTS, TOKENIZER][file])) };
        let path = if file == 1 { weights_of(folder) } else { folder.join(FILES[file]) };
        match read_capped(&path, MOST_BYTES[file]) {
            Ok(bytes) => Ok(Cow::Owned(bytes)),
            Err(TensorFileError::Io(e)) if e.kind() == std::io::ErrorKind::NotFound => {
                Err(ModelError::MissingFile { folder: folder.clone(), missing: FILES[file].into() })
            }
            Err(TensorFileError::Io(source)) => Err(ModelError::Read { path, source }),
            Err(TensorFileError::Content(problem)) => {
                Err(ModelError::Weights { file: path.display().to_string(), problem })
            }
        }
    }

    /// Which weights these are: a file that was changed is another.
    fn identity(&self) -> String {
        let Self::Folder(folder) = self else { return EMBEDDED.into() };
        let path = weights_of(folder);
        let path = path.canonicalize().unwrap_or(path);
        let about = path.metadata().ok().and_then(|of| Some((of.len(), of.modified().ok()?)));
        format!("{} {about:?}", path.display())
    }

    /// The error with the folder where it lies.
    fn named(&self, error: ModelError) -> ModelError {
        match self {
            Self::Embedded => error,
            Self::Folder(folder) => ModelError::Folder { folder: folder.clone(), source: Box::new(error) },
        }
    }

    /// Reads and checks all three files.
    pub fn load(&self) -> Result<Checkpoint, ModelError> {
        let config = self.config()?;
        let file = match self {
            Self::Embedded => format!("{EMBEDDED}/{}", FILES[1]),
            Self::Folder(folder) => weights_of(folder).display().to_string(),
        };
        let weights = Weights::parse(file, self.read(1)?, Some(config.family))?.known_as(self.identity());
        for (name, shape) in config.encoder_shapes() {
            weights.check(&name, &shape)?;
        }
        Ok(Checkpoint { config, weights, tokenizer: self.tokenizer()?.into_owned() })
    }
}

/// The file of weights in a model's folder.
fn weights_of(folder: &Path) -> PathBuf {
    let mut files = WEIGHT_FILES.iter().map(|file| folder.join(file));
    files.find(|path| path.is_file()).unwrap_or_else(|| folder.join(FILES[1]))
}

/// A model's three files, read.
pub struct Checkpoint {
    pub config: Config,
    pub weights: Weights,
    /// The bytes of `tokenizer.json`.
    pub tokenizer: Vec<u8>,
}
