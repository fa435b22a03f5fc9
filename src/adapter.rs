//! Adapter methods as data: the linear form y = c.(W0 x) + b + s U (d.(V^T x)), s = alpha / r, that every fast engine
//! implements once, and what some methods add to it. A method is one file here and its line in [`ALL`]. Knows no tensors,
//! model files or devices.

mod frozen;
mod full;
mod lora;
mod nested;
mod nolambda;
mod rowlambda;
mod sign;
mod symdora;
mod symlora;

use crate::random::{INITIAL, Stream, site_of};
use thiserror::Error;

/// Every method, in the order in which they are offered.
pub const ALL: &[&dyn Method] = &[
    &symlora::SymLora,
    &lora::Lora,
    &full::Full,
    &nolambda::NoLambda,
    &rowlambda::RowLambda,
    &frozen::Frozen,
    &sign::Sign,
    &nested::SYMLORA,
    &nested::LORA,
    &symdora::SymDora,
];

/// A factor by its suffix; `transposed` where the stored tensor is the factor's transpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factor {
    pub name: &'static str,
    pub transposed: bool,
}

/// The adapted matrix W = c.W0 + s (U diag(d) V^T - U0 diag(d) U0^T) with U [out, r] and V [in, r] by the suffixes of its
/// tensors; the same name in `u` and `v` ties them. Without `start` and `m` it acts as the linear form; the bias is added as
/// it is in all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// A scalar [1] or a row vector [out] that scales W0 x.
    pub c: Option<&'static str>,
    /// A vector [r] between the factors.
    pub d: Option<&'static str>,
    pub u: Factor,
    pub v: Factor,
    /// U0 [n, r], where tied factors began: what they came to then is subtracted.
    pub start: Option<&'static str>,
    /// A vector [out]: the length that each row of W is given, after all else. The length that it has is a constant for the
    /// gradient, as in DoRA.
    pub m: Option<&'static str>,
    /// A training step uses the first columns of U and V only, as many as [`crate::random::nested_rank`] draws for it.
    pub nested: bool,
}

impl Form {
    /// s U V^T beside W0.
    const fn of(u: Factor, v: Factor) -> Self {
        Self { c: None, d: None, u, v, start: None, m: None, nested: false }
    }

    /// One tensor is both U and V.
    pub fn tied(&self) -> bool {
        self.u.name == self.v.name
    }

    /// W x is a sum of products with W0 and with factors: W itself need not be written out.
    pub fn is_linear(&self) -> bool {
        self.m.is_none()
    }

    /// What the spectrum of a matrix is: `|diag(L)|` where a diagonal of its own says all, else singular values.
    pub fn spectrum(&self) -> &'static str {
        match (self.d, self.start) {
            (Some(_), None) => "|diag(L)|",
            (_, Some(_)) => "singular values of ΔW",
            (None, None) => "singular values of BA",
        }
    }
}

/// Values that a tensor starts with, whatever the model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    Zeros,
    Ones,
    /// 1, -1, 1, -1 and so on.
    Alternating,
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
            Init::Alternating => (0..len).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect(),
            Init::Uniform { bound } => stream.uniform(-bound, bound, len),
            Init::Normal { std } => stream.normal(std, len),
        }
    }
}

/// How a tensor beside a matrix starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    Init(Init),
    /// As the tensor with this suffix, which stands before it.
    Like(&'static str),
    /// The Euclidean length of each row of W0.
    RowNorms,
}

/// A tensor that a method puts beside one matrix; its full name is `<module path>.<suffix>`.
#[derive(Clone, Debug, PartialEq)]
pub struct AdapterParameter {
    pub suffix: &'static str,
    pub shape: Vec<usize>,
    pub start: Start,
    /// Weight decay applies: to what trains and has two dimensions.
    pub decay: bool,
    /// False: it stays as it starts, and is saved with the others.
    pub trains: bool,
}

impl AdapterParameter {
    fn new(suffix: &'static str, shape: &[usize], start: Start) -> Self {
        Self { suffix, shape: shape.into(), start, decay: shape.len() == 2, trains: true }
    }

    fn init(suffix: &'static str, shape: &[usize], init: Init) -> Self {
        Self::new(suffix, shape, Start::Init(init))
    }

    fn frozen(self) -> Self {
        Self { decay: false, trains: false, ..self }
    }
}

/// A way to adapt a frozen matrix W0 [out, in].
pub trait Method: Sync {
    /// The name in specs, files and tables.
    fn id(&self) -> &'static str;
    /// The name for people.
    fn label(&self) -> &'static str;
    /// One sentence for the launch form.
    fn help(&self) -> &'static str;
    /// What stands beside a matrix of `output` rows and `input` columns at rank `rank`; `matrix` names it in errors.
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

fn check_square(method: &'static str, matrix: &str, output: usize, input: usize) -> Result<(), AdapterError> {
    if output == input { Ok(()) } else { Err(AdapterError::NotSquare { matrix: matrix.into(), output, input, method }) }
}

fn check_rank(matrix: &str, output: usize, input: usize, rank: usize) -> Result<(), AdapterError> {
    let largest = output.min(input);
    if (1..=largest).contains(&rank) {
        Ok(())
    } else {
        Err(AdapterError::Rank { matrix: matrix.into(), output, input, rank, largest })
    }
}
