//! A pass over validation rows: logits, mean loss and the task's metrics. Knows no files and no threads.

use super::{Backend, BackendError};
use crate::data::{Dataset, Labels};
use crate::task::Task;

/// Outcome of one pass; logits in the order of the rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    pub loss: f64,
    /// Metric id and value, the main metric first.
    pub metrics: Vec<(String, f64)>,
    pub logits: Vec<Vec<f64>>,
}

/// Tokens of a batch: enough that threads seldom wait for one another, few enough that activations stay small.
pub const BATCH_TOKENS: usize = 1 << 13;

/// Runs `data` through `backend` in batches of rows of like length; `progress` hears how many rows of all are done.
pub fn evaluate(
    backend: &mut dyn Backend,
    task: &dyn Task,
    data: &Dataset,
    pad_id: u32,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Scores, BackendError> {
    Ok(score(task, data.labels(), logits(backend, data, pad_id, progress)?))
}

/// Logits of every row, in the order of the rows.
pub fn logits(
    backend: &mut dyn Backend,
    data: &Dataset,
    pad_id: u32,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Vec<f64>>, BackendError> {
    let mut logits = vec![Vec::new(); data.len()];
    let mut done = 0;
    for indices in data.by_length(BATCH_TOKENS) {
        let out = backend.logits(&data.batch(&indices, pad_id))?;
        for (row, values) in indices.iter().zip(out) {
            logits[*row] = values;
        }
        done += indices.len();
        progress(done, data.len());
    }
    Ok(logits)
}

/// Loss and metrics of given logits.
pub fn score(task: &dyn Task, labels: &Labels, logits: Vec<Vec<f64>>) -> Scores {
    let (predictions, wanted, losses): (Vec<f64>, Vec<f64>, Vec<f64>) = match labels {
        Labels::Classes(classes) => (
            logits.iter().map(|l| argmax(l) as f64).collect(),
            classes.iter().map(|&c| f64::from(c)).collect(),
            logits.iter().zip(classes).map(|(l, &c)| cross_entropy(l, c as usize)).collect(),
        ),
        Labels::Scores(scores) => (
            logits.iter().map(|l| l[0]).collect(),
            scores.clone(),
            logits.iter().zip(scores).map(|(l, s)| (l[0] - s).powi(2)).collect(),
        ),
    };
    let metrics = task.metrics().iter().map(|m| (m.id().to_string(), m.score(&predictions, &wanted))).collect();
    let loss = losses.iter().sum::<f64>() / losses.len().max(1) as f64;
    Scores { loss, metrics, logits }
}

/// The first of the largest.
pub fn argmax(values: &[f64]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

fn cross_entropy(logits: &[f64], class: usize) -> f64 {
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + logits.iter().map(|l| (l - top).exp()).sum::<f64>().ln() - logits[class]
}
