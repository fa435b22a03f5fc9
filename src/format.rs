//! Adapters of other programs, both ways: whatever a file comes from, it is read as this program's own, with the names of its
//! tensors and the members of its metadata, so that all that takes an adapter takes any. A format is one file here and its
//! line in [`ALL`]. Knows no run and no device.

mod loralib;
mod own;
mod peft;

use crate::model::family::{self, Family};
use crate::spec::RunSpec;
use crate::tensors::shown;
use crate::train::NamedTensor;
use crate::train::checkpoint::{self, BEST_ADAPTER, CheckpointError, Contents};
use crate::untrusted::harmless;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Every format, in the order in which a file is tried against them: the first that knows it reads it.
pub const ALL: &[&dyn Format] = &[&peft::Peft, &loralib::Loralib, &own::Own];

/// Why an adapter cannot be read, or cannot be written so.
#[derive(Debug, Error)]
pub enum FormatError {
    #[error(transparent)]
    File(#[from] CheckpointError),
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{path}: {what}")]
    Content { path: PathBuf, what: String },
    #[error("format: found {found:?}, expected one of {allowed}")]
    Unknown { found: String, allowed: String },
}

/// How a program keeps adapters.
pub trait Format: Sync {
    fn id(&self) -> &'static str;
    /// One sentence for the command line.
    fn help(&self) -> &'static str;
    /// The file of tensors that `path`, a file or a folder, stands for; none where it cannot be of this format.
    fn tensors(&self, path: &Path) -> Option<PathBuf>;
    /// Whether the tensors of that file are called as this program calls them.
    fn knows(&self, _tensors: &HashMap<String, NamedTensor>) -> bool {
        true
    }
    /// What was read of `file` in this program's terms.
    fn read(&self, file: &Path, contents: Contents) -> Result<Contents, FormatError>;
    /// How an adapter is written so; none where it is not.
    fn writer(&self) -> Option<Writer> {
        None
    }
}

/// Writes an adapter to a folder that is there; gives the bytes written.
pub enum Writer {
    /// Every method.
    Whole(fn(spec: &RunSpec, tensors: &[&NamedTensor], to: &Path) -> Result<u64, FormatError>),
    /// What acts as a product B A beside frozen matrices.
    Product(fn(adapter: &Outgoing, to: &Path) -> Result<u64, FormatError>),
}

/// An adapter that is a product, on its way out.
pub struct Outgoing<'a> {
    /// Its targets, task and longest row; method, rank, alpha and model are those below.
    pub spec: &'a RunSpec,
    /// Columns of B, and alpha of the scale alpha / rank.
    pub rank: usize,
    pub alpha: f64,
    /// Module path of every adapted matrix, B [out, rank] and A [rank, in].
    pub products: Vec<(String, NamedTensor, NamedTensor)>,
    /// The trained head.
    pub head: Vec<&'a NamedTensor>,
    /// What the other program shall load the model from.
    pub base: String,
}

/// A file of an adapter in this program's terms.
pub struct Incoming {
    /// The file of tensors that was read.
    pub file: PathBuf,
    /// Whose it is.
    pub format: &'static str,
    pub metadata: HashMap<String, String>,
    pub tensors: HashMap<String, NamedTensor>,
}

/// The format with this id.
pub fn find(id: &str) -> Result<&'static dyn Format, FormatError> {
    ALL.iter().copied().find(|f| f.id() == id).ok_or_else(|| FormatError::Unknown {
        found: id.into(),
        allowed: ALL.iter().map(|f| f.id()).collect::<Vec<_>>().join(", "),
    })
}

/// Whether `path` is a file, or a folder that some program keeps an adapter in.
pub fn is_adapter(path: &Path) -> bool {
    ALL.iter().any(|f| f.tensors(path).is_some_and(|file| file.is_file()))
}

/// Members of the metadata that are used.
const USED: [&str; 7] = ["method", "r", "alpha", "targets", "task", "base_model", "max_length"];

/// Reads the adapter in the file or folder `path`, whoever wrote it.
pub fn read(path: &Path) -> Result<Incoming, FormatError> {
    let mut last: Option<(PathBuf, Contents)> = None;
    for format in ALL {
        let Some(file) = format.tensors(path) else { continue };
        let contents = match last.take() {
            Some((read, contents)) if read == file => contents,
            _ => checkpoint::read(&file)?,
        };
        if format.knows(&contents.1) {
            let (metadata, tensors) = format.read(&file, contents)?;
            check(&file, &metadata, &tensors)?;
            return Ok(Incoming { file, format: format.id(), metadata, tensors });
        }
        last = Some((file, contents));
    }
    let what = match path.is_dir() {
        true => format!(
            "a folder without adapter_config.json or {BEST_ADAPTER}: expected an adapter's file, or a folder of PEFT or of a run"
        ),
        false => "no adapter".to_string(),
    };
    Err(content(path, what))
}

fn content(path: &Path, what: impl Into<String>) -> FormatError {
    FormatError::Content { path: path.into(), what: what.into() }
}

/// A text that shows as what it is.
fn is_plain(text: &str) -> bool {
    harmless(text) == text
}

/// What holds of every format: texts that are shown hide nothing, and no matrix has a tensor twice, under names that differ
/// before the layer.
fn check(
    file: &Path,
    metadata: &HashMap<String, String>,
    tensors: &HashMap<String, NamedTensor>,
) -> Result<(), FormatError> {
    for member in USED {
        if let Some(found) = metadata.get(member).filter(|text| !is_plain(text)) {
            let what = format!("{member}: found {}, expected text without hidden characters", shown(found));
            return Err(content(file, what));
        }
    }
    let mut places = BTreeMap::new();
    // In order, so that of several faults always the same is told.
    for name in tensors.keys().collect::<BTreeSet<_>>() {
        let Some(place) = family::place(name) else { continue };
        if let Some(other) = places.insert((place.layer, place.target, place.suffix), name) {
            return Err(content(file, format!("{} and {} are the same tensor", shown(other), shown(name))));
        }
    }
    Ok(())
}

/// A program that saved the bare encoder left out its family.
pub fn lacks_family(tensors: &HashMap<String, NamedTensor>) -> bool {
    let bare = |name: &String| family::ALL.iter().any(|f| name.starts_with(&format!("{}.", f.layers())));
    tensors.keys().any(bare)
}

/// The tensors of `file` with the prefix of `family` before the names of a bare encoder.
pub fn of_family(
    file: &Path,
    tensors: HashMap<String, NamedTensor>,
    family: &dyn Family,
) -> Result<HashMap<String, NamedTensor>, FormatError> {
    renamed(file, tensors, |name| family.canonical(name))
}

/// A tensor of the classification head of some family.
fn is_head(name: &str) -> bool {
    family::ALL.iter().map(|f| f.head()).any(|head| {
        [head.dense, head.out]
            .into_iter()
            .any(|module| name.strip_prefix(module).is_some_and(|rest| rest.starts_with('.')))
    })
}

/// The tensors under other names; two that come to one name are an error, for either could be meant.
fn renamed(
    file: &Path,
    tensors: HashMap<String, NamedTensor>,
    of: impl Fn(&str) -> String,
) -> Result<HashMap<String, NamedTensor>, FormatError> {
    let mut named = HashMap::new();
    for (before, tensor) in tensors.into_iter().collect::<BTreeMap<_, _>>() {
        insert(file, &mut named, &before, NamedTensor { name: of(&before), ..tensor })?;
    }
    Ok(named)
}

/// Puts a tensor that `file` calls `before` among the others by its name.
fn insert(
    file: &Path,
    named: &mut HashMap<String, NamedTensor>,
    before: &str,
    tensor: NamedTensor,
) -> Result<(), FormatError> {
    let name = tensor.name.clone();
    match named.insert(name.clone(), tensor) {
        None => Ok(()),
        Some(_) => {
            let also = if before == name { "another name".to_string() } else { shown(before) };
            Err(content(file, format!("{} is there twice, as {also} too", shown(&name))))
        }
    }
}

/// A tensor's module path and which of `suffixes` its name ends in.
fn factor<'n>(name: &'n str, suffixes: [&str; 2]) -> Option<(&'n str, usize)> {
    suffixes.iter().enumerate().find_map(|(i, suffix)| Some((name.strip_suffix(suffix)?, i)))
}

/// The tensors of `file` with `prefix` taken from the names that have it.
fn stripped(
    file: &Path,
    tensors: HashMap<String, NamedTensor>,
    prefix: &str,
) -> Result<HashMap<String, NamedTensor>, FormatError> {
    renamed(file, tensors, |name| name.strip_prefix(prefix).unwrap_or(name).to_string())
}

/// What LoRA's own tensors are called here, A first.
const FACTORS: [&str; 2] = [".lora_A.weight", ".lora_B.weight"];

/// LoRA's factors and a head under this program's names, from a file whose factors are called `suffixes`, A first; with the
/// metadata that they tell. What is neither is an error: it would be lost.
fn lora(file: &Path, tensors: HashMap<String, NamedTensor>, suffixes: [&str; 2]) -> Result<Contents, FormatError> {
    let content = |what: String| content(file, what);
    whole(&tensors, suffixes).map_or(Ok(()), |what| Err(content(what)))?;
    let mut rank = None;
    let mut targets: Vec<&'static str> = Vec::new();
    let mut named = HashMap::new();
    // In order, so that of several faults always the same is told.
    for (before, tensor) in tensors.into_iter().collect::<BTreeMap<_, _>>() {
        let name = before.as_str();
        let name = if let Some((path, i)) = factor(name, suffixes) {
            let full = format!("{path}{}", FACTORS[i]);
            let Some((_, target)) = family::layer_and_target(&full) else {
                let expected = "query, key, value and attention.output.dense of an encoder's layers";
                return Err(content(format!(
                    "{} adapts a matrix that is not known here, expected {expected}",
                    shown(name)
                )));
            };
            let [rows, columns] = tensor.shape[..] else {
                return Err(content(format!("{}: found shape {:?}, expected a matrix", shown(name), tensor.shape)));
            };
            let found = if i == 0 { rows } else { columns };
            if let Some(rank) = rank.filter(|r| *r != found) {
                let what = format!("{}: found rank {found}, others have {rank}; one rank for all is read", shown(name));
                return Err(content(what));
            }
            rank = Some(found);
            if !targets.contains(&target) {
                targets.push(target);
            }
            full
        } else if is_head(name) {
            name.to_string()
        } else if name.starts_with("pooler.dense.") {
            format!("bert.{name}")
        } else {
            let what = format!(
                "{} is neither a factor of LoRA nor of a classifier: it was trained too, and would be lost; \
                 merge the adapter into its model in the program that made it",
                shown(name)
            );
            return Err(content(what));
        };
        insert(file, &mut named, &before, NamedTensor { name, ..tensor })?;
    }
    let rank = rank.ok_or_else(|| content("no factor of LoRA".into()))?;
    targets.sort_by_key(|t| crate::spec::TARGETS.iter().position(|known| known == t));
    let metadata = [("method", "lora".to_string()), ("r", rank.to_string()), ("targets", targets.join(","))];
    Ok((metadata.map(|(key, value)| (key.to_string(), value)).into(), named))
}

/// What to say of a file that holds an adapted matrix itself: then it is all of a model, not an adapter.
fn whole(tensors: &HashMap<String, NamedTensor>, suffixes: [&str; 2]) -> Option<String> {
    let of = |name: &String| Some(format!("{}.weight", factor(name, suffixes)?.0));
    let w0 = tensors.keys().filter_map(of).filter(|w0| tensors.contains_key(w0)).min()?;
    Some(format!(
        "a whole state dict, {} among it: save `lora.lora_state_dict(model)` and the classifier's tensors alone \
         (loralib's eval mode may have merged B A into that W)",
        shown(&w0)
    ))
}
