//! Adapter methods as data: the linear form y = c.(W0 x) + b + s U (d.(V^T x)), s = alpha / r, that every fast engine
//! implements once. A method is one file here and its line in [`ALL`]. Knows no tensors, model files or devices.

mod full;
mod lora;
mod symlora;

use crate::random::{INITIAL, Stream, site_of};
use thiserror::Error;

/// Every method, in the order in which they are offered.
pub const ALL: &[&dyn Method] = &[&symlora::SymLora, &lora::Lora, &full::Full];

/// A trainable factor by its suffix; `transposed` where the stored tensor is the factor's transpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factor {
    pub name: &'static str,
    pub transposed: bool,
}

/// y = c.(W0 x) + b + s U (d.(V^T x)) with U [out, r] and V [in, r]; the same name in `u` and `v` ties them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// A scalar [1] or a row vector [out] that scales W0 x.
    pub c: Option<&'static str>,
    /// A vector [r] between the factors.
    pub d: Option<&'static str>,
    pub u: Factor,
    pub v: Factor,
}

impl Form {
    /// One tensor is both U and V.
    pub fn tied(&self) -> bool {
        self.u.name == self.v.name
    }
}

/// How a tensor starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    Zeros,
    Ones,
    /// U(-bound, bound).
    Uniform {
        bound: f64,
    },
    /// N(0, std^2).
    Normal {
        std: f64,
    },
}

impl Init {
    /// The first values of the tensor `name`: a function of seed, name and element alone, so every engine starts alike.
    pub fn values(self, seed: u64, name: &str, len: usize) -> Vec<f64> {
        let stream = Stream::new(seed, INITIAL, site_of(name));
        match self {
            Init::Zeros => vec![0.0; len],
            Init::Ones => vec![1.0; len],
            Init::Uniform { bound } => stream.uniform(-bound, bound, len),
            Init::Normal { std } => stream.normal(std, len),
        }
    }
}

/// A trainable tensor that a method puts beside one matrix; its full name is `<module path>.<suffix>`.
#[derive(Clone, Debug, PartialEq)]
pub struct AdapterParameter {
    pub suffix: &'static str,
    pub shape: Vec<usize>,
    pub init: Init,
    /// Weight decay applies.
    pub decay: bool,
}

/// A way to adapt a frozen matrix W0 [out, in].
pub trait Method: Sync {
    /// The name in specs, files and tables.
    fn id(&self) -> &'static str;
    /// The name for people.
    fn label(&self) -> &'static str;
    /// One sentence for the launch form.
    fn help(&self) -> &'static str;
    /// What is trained beside a matrix of `output` rows and `input` columns at rank `rank`; `matrix` names it in errors.
    fn parameters(
        &self,
        matrix: &str,
        output: usize,
        input: usize,
        rank: usize,
    ) -> Result<Vec<AdapterParameter>, AdapterError>;
    /// How the parameters act; `None` where all encoder weights train instead.
    fn form(&self) -> Option<Form>;
    /// Has a row in Figure 1.
    fn in_figure1(&self) -> bool {
        self.form().is_some()
    }
    /// Trained numbers per n x n matrix, lambda counted: the paper's 2nr for LoRA, (n + 1) r (+ 1) for SymLoRA.
    fn parameter_count(&self, n: usize, rank: usize) -> u64;
}

/// What an adapter cannot be.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AdapterError {
    #[error("method: found {found:?}, expected one of {allowed}")]
    Unknown { found: String, allowed: String },
    #[error("{matrix} is {output} x {input}: rank {rank} does not fit, 1 to {largest} is allowed")]
    Rank { matrix: String, output: usize, input: usize, rank: usize, largest: usize },
    #[error("{matrix} is {output} x {input}: {method} adapts square matrices only")]
    NotSquare { matrix: String, output: usize, input: usize, method: &'static str },
    #[error("target: found {found:?}, expected one of query, key, value, output")]
    Target { found: String },
}

/// The method with this id.
pub fn find(id: &str) -> Result<&'static dyn Method, AdapterError> {
    ALL.iter().copied().find(|m| m.id() == id).ok_or_else(|| AdapterError::Unknown {
        found: id.into(),
        allowed: ALL.iter().map(|m| m.id()).collect::<Vec<_>>().join(", "),
    })
}

/// Hugging Face's path of a target under `family` (`roberta` or `bert`): the module whose `weight` is W0.
pub fn module_path(family: &str, layer: usize, target: &str) -> Result<String, AdapterError> {
    let leaf = match target {
        "query" | "key" | "value" => format!("self.{target}"),
        "output" => "output.dense".into(),
        _ => return Err(AdapterError::Target { found: target.into() }),
    };
    Ok(format!("{family}.encoder.layer.{layer}.attention.{leaf}"))
}

/// Layer and target of a tensor name such as `roberta.encoder.layer.3.attention.self.query.lora_A.weight`.
pub fn layer_and_target(name: &str) -> Option<(u32, &'static str)> {
    let (layer, rest) = name.split_once("encoder.layer.")?.1.split_once(".attention.")?;
    let paths = [("self.query.", "query"), ("self.key.", "key"), ("self.value.", "value"), ("output.dense.", "output")];
    let target = paths.into_iter().find(|(path, _)| rest.starts_with(path))?.1;
    Some((layer.parse().ok()?, target))
}

fn check_rank(matrix: &str, output: usize, input: usize, rank: usize) -> Result<(), AdapterError> {
    let largest = output.min(input);
    if (1..=largest).contains(&rank) {
        Ok(())
    } else {
        Err(AdapterError::Rank { matrix: matrix.into(), output, input, rank, largest })
    }
}
