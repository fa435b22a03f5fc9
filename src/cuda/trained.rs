//! All of a model that training changes, as regions of the device: values, gradients and the optimizer's state. Knows no kernel.

use super::device::{Gpu, Memory};
use super::error::CudaError;
use crate::train::optim::Segment;
use crate::train::parameters::Parameters;

/// Blocks that sum squares of gradients.
pub const BLOCKS: usize = 264;

/// All that training changes, on the device.
pub struct Trained {
    /// f32, as all here but the flags of decay.
    pub values: Memory,
    pub gradients: Memory,
    pub first: Memory,
    pub second: Memory,
    /// One byte a value: weight decay applies.
    pub decays: Memory,
    /// f64 sums of squares of each block.
    pub squares: Memory,
    /// Norm and loss.
    pub report: Memory,
}

impl Trained {
    pub fn new(gpu: &Gpu, parameters: &Parameters<f32>) -> Result<Self, CudaError> {
        let len = parameters.values.len();
        let mut decays = vec![0u8; len];
        for Segment { range, decay } in parameters.segments() {
            decays[range].fill(u8::from(decay));
        }
        Ok(Self {
            values: gpu.copy_of(&parameters.values)?,
            gradients: gpu.zeros(4 * len)?,
            first: gpu.zeros(4 * len)?,
            second: gpu.zeros(4 * len)?,
            decays: gpu.copy_of(&decays)?,
            squares: gpu.zeros(8 * BLOCKS)?,
            report: gpu.zeros(8)?,
        })
    }
}
