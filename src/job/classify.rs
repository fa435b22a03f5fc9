//! Texts to labels by several adapters on one loaded model; an adapter of the same shapes as another takes its place in the
//! same engine.

use super::{JobError, Saved};
use crate::data::{Dataset, Example, Tokenizer};
use crate::model::Checkpoint;
use crate::task::LabelKind;
use crate::train::checkpoint::CheckpointError;
use crate::train::evaluate::argmax;
use crate::train::{Backend, NamedTensor};
use std::time::Instant;

/// What an adapter says of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Name of the class, or the score itself.
    pub label: String,
    /// Of each class by softmax; empty for a score.
    pub probabilities: Vec<(String, f64)>,
    /// Seconds until the adapter stood in the engine, and of the forward pass with its tokenising.
    pub switch: f64,
    pub forward: f64,
}

struct Engine {
    backend: Box<dyn Backend>,
    /// Number of the adapter that stands in it.
    holds: usize,
}

struct Ready {
    saved: Saved,
    tokenizer: Tokenizer,
    tensors: Vec<NamedTensor>,
    engine: usize,
}

/// Several adapters on one model.
pub struct Classifier {
    model: Checkpoint,
    adapters: Vec<Ready>,
    engines: Vec<Engine>,
}

impl Classifier {
    /// All `adapters` must be of one model.
    pub fn new(adapters: Vec<Saved>) -> Result<Self, JobError> {
        let content = |saved: &Saved, what: String| CheckpointError::Content { path: saved.path.clone(), what };
        let Some(first) = adapters.first() else {
            return Err(CheckpointError::Content { path: Default::default(), what: "no adapter".into() }.into());
        };
        if let Some(other) = adapters.iter().find(|a| a.spec.model != first.spec.model) {
            let what = format!(
                "made for model {}, expected {} as {}",
                other.spec.model,
                first.spec.model,
                first.path.display()
            );
            return Err(content(other, what).into());
        }
        let mut made = Self { model: first.model()?, adapters: Vec::new(), engines: Vec::new() };
        for saved in adapters {
            made.add(saved)?;
        }
        Ok(made)
    }

    fn add(&mut self, saved: Saved) -> Result<(), JobError> {
        let number = self.adapters.len();
        let alike = |other: &Ready| {
            let (a, b) = (&other.saved.spec, &saved.spec);
            let same = (&a.method, a.rank, a.scaling(), &a.targets) == (&b.method, b.rank, b.scaling(), &b.targets);
            same && other.saved.task.labels() == saved.task.labels()
        };
        let engine = match self.adapters.iter().find(|other| alike(other)) {
            Some(other) => other.engine,
            None => {
                self.engines.push(Engine { backend: saved.backend(&self.model)?, holds: number });
                self.engines.len() - 1
            }
        };
        let tensors = saved.trained(&*self.engines[engine].backend, &self.model)?;
        let tokenizer = saved.tokenizer(&self.model)?;
        self.adapters.push(Ready { saved, tokenizer, tensors, engine });
        Ok(())
    }

    pub fn adapters(&self) -> impl Iterator<Item = &Saved> {
        self.adapters.iter().map(|a| &a.saved)
    }

    /// Engines that the adapters share.
    pub fn engines(&self) -> usize {
        self.engines.len()
    }

    /// What adapter number `adapter` says of a text or, for tasks of two texts, a pair.
    pub fn classify(&mut self, adapter: usize, text: &str, pair: Option<&str>) -> Result<Prediction, JobError> {
        let Ready { saved, tokenizer, tensors, engine } = &self.adapters[adapter];
        let engine = &mut self.engines[*engine];
        let start = Instant::now();
        if engine.holds != adapter {
            engine.backend.load(tensors)?;
            engine.holds = adapter;
        }
        let switch = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let example = Example { text: text.into(), pair: pair.map(str::to_string), label: 0.0 };
        let rows = Dataset::new(saved.task, tokenizer, &[example])?;
        let logits = engine.backend.logits(&rows.batch(&[0], self.model.config.pad_token_id))?.concat();
        let forward = start.elapsed().as_secs_f64();
        let (label, probabilities) = match saved.task.labels() {
            LabelKind::Score { low, high } => {
                (format!("{:.3}", logits.first().copied().unwrap_or(f64::NAN).clamp(low, high)), Vec::new())
            }
            LabelKind::Classes(names) => {
                let all: Vec<(String, f64)> =
                    names.iter().zip(softmax(&logits)).map(|(name, p)| (name.to_string(), p)).collect();
                (names.get(argmax(&logits)).copied().unwrap_or_default().to_string(), all)
            }
        };
        Ok(Prediction { label, probabilities, switch, forward })
    }
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|l| (l - top).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|p| p / sum).collect()
}
