//! Mean cross-entropy and mean squared error with their gradients. Knows labels and logits only.

use super::BackendError;
use crate::data::Labels;
use crate::model::real::Real;
use num_traits::Float;

/// torch's `cross_entropy` on classes or `mse_loss` on scores for logits [rows, outputs], both means over the rows; with it
/// the slope of every logit.
pub fn mean<T: Real>(
    logits: &[T],
    outputs: usize,
    labels: &Labels,
    regression: bool,
) -> Result<(T, Vec<T>), BackendError> {
    let rows = logits.len() / outputs.max(1);
    check(labels, rows, outputs, regression)?;
    let share = T::one() / T::of(rows as f64);
    let mut loss = T::zero();
    let mut slope = Vec::with_capacity(logits.len());
    match labels {
        Labels::Classes(classes) => {
            for (row, class) in logits.chunks_exact(outputs).zip(classes) {
                let class = *class as usize;
                let top = row.iter().fold(<T as Float>::neg_infinity(), |a, b| Float::max(a, *b));
                let total = row.iter().fold(T::zero(), |sum, v| sum + Float::exp(*v - top));
                let log = top + Float::ln(total);
                loss += log - row[class];
                slope.extend(row.iter().enumerate().map(|(i, v)| {
                    let p = Float::exp(*v - log);
                    share * if i == class { p - T::one() } else { p }
                }));
            }
        }
        Labels::Scores(scores) => {
            for (v, score) in logits.iter().zip(scores) {
                let miss = *v - T::of(*score);
                loss += miss * miss;
                slope.push(T::of(2.0) * share * miss);
            }
        }
    }
    Ok((loss * share, slope))
}

/// Whether `labels` are `rows` classes under `outputs`, or for `regression` as many scores for one output.
pub fn check(labels: &Labels, rows: usize, outputs: usize, regression: bool) -> Result<(), BackendError> {
    let (kind, found) = match labels {
        Labels::Classes(l) => ("classes", l.len()),
        Labels::Scores(l) => ("scores", l.len()),
    };
    let expected = if regression { "scores" } else { "classes" };
    if kind != expected || found != rows || (regression && outputs != 1) {
        return Err(wrong(format!("{found} {kind}"), format!("{rows} {expected} for {outputs} outputs")));
    }
    match labels {
        Labels::Classes(classes) => match classes.iter().find(|c| **c as usize >= outputs) {
            Some(class) => Err(wrong(format!("class {class}"), format!("0 to {}", outputs - 1))),
            None => Ok(()),
        },
        Labels::Scores(_) => Ok(()),
    }
}

fn wrong(found: String, expected: String) -> BackendError {
    BackendError::Batch { found, expected }
}
