//! What a run is asked to do: validated pure data. Does not know what the ids of tasks, methods and models stand for.

mod field;
pub mod preset;
mod sweep;

pub use field::{FIELDS, Field, Kind};
pub use sweep::SweepSpec;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Matrices of an encoder layer's attention that can carry an adapter.
pub const TARGETS: [&str; 4] = ["query", "key", "value", "output"];

/// What a GPU can multiply in; trained values and sums are f32 in all of them.
pub const PRECISIONS: [&str; 3] = ["f32", "tf32", "bf16"];

/// What the names of tasks' files end with.
const TASK_FILE: &str = ".toml";

/// Whether a spec's task is the path of a file, not one of GLUE's ids.
pub fn is_task_file(task: &str) -> bool {
    task.ends_with(TASK_FILE)
}

/// A task as specs hold it: the path of a file is whole, so that a run goes on from wherever the program is started.
pub fn whole_task(task: &str) -> String {
    let whole = std::path::absolute(task).ok().filter(|_| is_task_file(task));
    whole.map_or_else(|| task.into(), |path| path.to_string_lossy().into_owned())
}

/// A spec's task in a word: GLUE's id, or the name of its file without folder and ending.
pub fn task_name(task: &str) -> &str {
    let Some(path) = task.strip_suffix(TASK_FILE) else { return task };
    path.rsplit(['/', std::path::MAIN_SEPARATOR]).next().unwrap_or(path)
}

/// One training run. Field names are those of the TOML file and, with `-` for `_`, of the flags.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunSpec {
    pub name: String,
    /// Id of a task of GLUE, or the path of a task's file.
    pub task: String,
    pub method: String,
    /// `mini-roberta` (embedded) or a Hugging Face folder.
    pub model: String,
    /// Folder with GLUE's files; empty means the embedded sample, or the files that the task's own file names.
    pub data: String,
    /// Adapter to start from: a file, a run's id, or `best:TASK`, the best run of that task; empty means a start anew.
    pub init_adapter: String,
    pub rank: usize,
    /// Scale numerator: the update is (alpha / rank) U V^T. 0 means alpha = rank.
    pub alpha: f64,
    pub targets: Vec<String>,
    pub lr: f64,
    pub batch_size: usize,
    pub epochs: usize,
    /// Longest row in tokens, special tokens included.
    pub max_length: usize,
    pub seed: u64,
    pub weight_decay: f64,
    pub adam_eps: f64,
    pub warmup_ratio: f64,
    /// Largest gradient norm; 0 switches clipping off.
    pub max_grad_norm: f64,
    /// Dropout probability everywhere; negative takes the model's own.
    pub dropout: f64,
    /// Epochs without a better score before the run ends early; 0 switches it off.
    pub patience: usize,
    /// Steps between two records of the layer norms.
    pub norms_every: usize,
    /// Use at most this many training rows; 0 means all.
    pub train_rows: usize,
    pub device: String,
    /// f32, tf32 or bf16: what a GPU multiplies in. The CPU trains in f32.
    pub precision: String,
    /// Threads of the mathematics; 0 means all cores.
    pub threads: usize,
}

impl Default for RunSpec {
    fn default() -> Self {
        Self {
            name: String::new(),
            task: "sst-2".into(),
            method: "symlora".into(),
            model: "mini-roberta".into(),
            data: String::new(),
            init_adapter: String::new(),
            rank: 8,
            alpha: 0.0,
            targets: vec!["query".into(), "value".into()],
            lr: 5e-3,
            batch_size: 32,
            epochs: 10,
            max_length: 128,
            seed: 0,
            weight_decay: 0.1,
            adam_eps: 1e-8,
            warmup_ratio: 0.06,
            max_grad_norm: 1.0,
            dropout: -1.0,
            patience: 0,
            norms_every: 10,
            train_rows: 0,
            device: "cpu".into(),
            precision: "f32".into(),
            threads: 0,
        }
    }
}

/// A value that a spec cannot have.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{field}: found {found}, expected {expected}")]
pub struct SpecError {
    pub field: String,
    pub found: String,
    pub expected: String,
}

impl SpecError {
    pub fn new(field: &str, found: impl ToString, expected: impl Into<String>) -> Self {
        Self { field: field.into(), found: found.to_string(), expected: expected.into() }
    }
}

impl RunSpec {
    /// alpha as used: `rank` where the spec leaves it at 0.
    pub fn effective_alpha(&self) -> f64 {
        if self.alpha == 0.0 { self.rank as f64 } else { self.alpha }
    }

    /// alpha / r.
    pub fn scaling(&self) -> f64 {
        self.effective_alpha() / self.rank as f64
    }

    /// The given name, or task, method and seed joined.
    pub fn display_name(&self) -> String {
        match self.name.as_str() {
            "" => format!("{}-{}-s{}", task_name(&self.task), self.method, self.seed),
            name => name.into(),
        }
    }

    /// Checks every field's range. Ids of tasks, methods and models are checked where they are resolved.
    pub fn validate(&self) -> Result<(), SpecError> {
        FIELDS.iter().try_for_each(|f| f.set(&mut self.clone(), &f.get(self)))
    }

    /// Reads a TOML table of fields, each a single value.
    pub fn from_toml(text: &str) -> Result<Self, SpecError> {
        let mut runs = SweepSpec::from_toml(text)?.runs()?;
        match runs.len() {
            1 => Ok(runs.remove(0)),
            n => Err(SpecError::new("spec", format!("lists that make {n} runs"), "one value for each field")),
        }
    }

    /// The spec as TOML, every field named.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }
}
