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
    let share = T::one() / T::of(rows as f64);
    let mut loss = T::zero();
    let mut slope = Vec::with_capacity(logits.len());
    match labels {
        Labels::Classes(classes) if !regression && classes.len() == rows => {
            for (row, class) in logits.chunks_exact(outputs).zip(classes) {
                let class = *class as usize;
                if class >= outputs {
                    return Err(wrong(format!("class {class}"), format!("0 to {}", outputs - 1)));
                }
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
        Labels::Scores(scores) if regression && outputs == 1 && scores.len() == rows => {
            for (v, score) in logits.iter().zip(scores) {
                let miss = *v - T::of(*score);
                loss += miss * miss;
                slope.push(T::of(2.0) * share * miss);
            }
        }
        other => {
            let (kind, n) = match other {
                Labels::Classes(l) => ("classes", l.len()),
                Labels::Scores(l) => ("scores", l.len()),
            };
            let expected = if regression { "scores" } else { "classes" };
            return Err(wrong(format!("{n} {kind}"), format!("{rows} {expected} for {outputs} outputs")));
        }
    }
    Ok((loss * share, slope))
}

fn wrong(found: String, expected: String) -> BackendError {
    BackendError::Batch { found, expected }
}
