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

/// Why a model cannot be used.
#[derive(Debug, Error)]
pub enum ModelError {
    #[error(
        "model {0:?}: neither \"mini-roberta\" nor a folder here; put config.json, model.safetensors and tokenizer.json of {0} into a folder and give --model FOLDER"
    )]
    Unknown(String),
    #[error("{folder}: {missing} is missing; a model folder holds config.json, model.safetensors and tokenizer.json")]
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
        let missing: Vec<&str> = FILES.into_iter().filter(|f| !path.join(f).is_file()).collect();
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
        let path = folder.join(FILES[file]);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Cow::Owned(bytes)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                Err(ModelError::MissingFile { folder: folder.clone(), missing: FILES[file].into() })
            }
            Err(source) => Err(ModelError::Read { path, source }),
        }
    }

    /// Which weights these are: a file that was changed is another.
    fn identity(&self) -> String {
        let Self::Folder(folder) = self else { return EMBEDDED.into() };
        let path = folder.join(FILES[1]);
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
        let label = match self {
            Self::Embedded => EMBEDDED.to_string(),
            Self::Folder(folder) => folder.display().to_string(),
        };
        let config = self.config()?;
        let file = format!("{label}/{}", FILES[1]);
        let weights = Weights::parse(file, self.read(1)?, Some(config.family))?.known_as(self.identity());
        for (name, shape) in config.encoder_shapes() {
            weights.check(&name, &shape)?;
        }
        Ok(Checkpoint { config, weights, tokenizer: self.tokenizer()?.into_owned() })
    }
}

/// A model's three files, read.
pub struct Checkpoint {
    pub config: Config,
    pub weights: Weights,
    /// The bytes of `tokenizer.json`.
    pub tokenizer: Vec<u8>,
}
