//! The mean loss as an operation of candle's graph. Knows its slope, not how it was found.

use crate::data::Labels;
use crate::model::real::Real;
use crate::train::{BackendError, loss};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

/// The slope of each logit is kept for the backward pass.
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

/// [`loss::mean`] of logits [rows, outputs] as a scalar.
pub fn mean<T: Real>(logits: &Tensor, labels: &Labels, regression: bool) -> std::result::Result<Tensor, BackendError> {
    let (_, outputs) = logits.dims2()?;
    let (loss, slope) = loss::mean(&logits.flatten_all()?.to_vec1::<T>()?, outputs, labels, regression)?;
    Ok(logits.apply_op1(Mean { loss, slope })?)
}
