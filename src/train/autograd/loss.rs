//! Mean cross-entropy and mean squared error with their gradients. Knows labels and logits only.

use crate::data::Labels;
use crate::model::real::Real;
use crate::train::BackendError;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use num_traits::Float;

/// The mean over the rows of logits [rows, outputs]; the slope of each logit is kept for the backward pass.
struct Mean<T> {
    loss: T,
    slope: Vec<T>,
}

impl<T: Real> CustomOp1 for Mean<T> {
    fn name(&self) -> &'static str {
        "mean-loss"
    }

    fn cpu_fwd(&self, _storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        if layout.shape().elem_count() != self.slope.len() {
            bail!("a loss of {} logits for {}", self.slope.len(), layout.shape().elem_count());
        }
        Ok((T::to_cpu_storage_owned(vec![self.loss]), Shape::from(())))
    }

    fn bwd(&self, arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let upstream = grad.to_scalar::<T>()?;
        let slope = self.slope.iter().map(|s| *s * upstream).collect();
        Tensor::from_vec(slope, arg.shape(), arg.device()).map(Some)
    }
}

/// torch's `cross_entropy` on classes or `mse_loss` on scores, both means, as a scalar.
pub fn mean<T: Real>(logits: &Tensor, labels: &Labels, regression: bool) -> std::result::Result<Tensor, BackendError> {
    let (rows, outputs) = logits.dims2()?;
    let x = logits.flatten_all()?.to_vec1::<T>()?;
    let wrong = |found: String, expected: String| Err(BackendError::Batch { found, expected });
    let share = T::one() / T::of(rows as f64);
    let mut loss = T::zero();
    let mut slope = Vec::with_capacity(x.len());
    match labels {
        Labels::Classes(classes) if !regression && classes.len() == rows => {
            for (row, class) in x.chunks_exact(outputs).zip(classes) {
                let class = *class as usize;
                if class >= outputs {
                    return wrong(format!("class {class}"), format!("0 to {}", outputs - 1));
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
            for (v, score) in x.iter().zip(scores) {
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
            return wrong(format!("{n} {kind}"), format!("{rows} {expected} for {outputs} outputs"));
        }
    }
    Ok(logits.apply_op1(Mean { loss: loss * share, slope })?)
}
