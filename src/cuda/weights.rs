//! Frozen weights on the device in the engine's storage type. Knows where they are used, not how.

use super::Precision;
use super::device::{Gpu, Memory};
use super::error::CudaError;
use crate::model::weights::Weights;
use crate::model::{Checkpoint, ModelError};
use crate::train::BackendError;
use half::bf16;
use half::slice::HalfFloatSliceExt;

/// Copies f32 values in the storage type.
pub fn upload(gpu: &Gpu, precision: Precision, values: &[f32]) -> Result<Memory, CudaError> {
    match precision {
        Precision::Bf16 => {
            let mut narrow = vec![bf16::ZERO; values.len()];
            narrow.convert_from_f32_slice(values);
            gpu.copy_of(&narrow)
        }
        Precision::Tf32 => {
            let rounded: Vec<f32> = values.iter().map(|v| tf32(*v)).collect();
            gpu.copy_of(&rounded)
        }
        Precision::F32 => gpu.copy_of(values),
    }
}

/// The nearest value of 11 bits, halves away from 0: PTX's `cvt.rna.tf32`. TF32 would cut the others off.
fn tf32(value: f32) -> f32 {
    if value.is_finite() { f32::from_bits((value.to_bits() + 0x1000) & !0x1fff) } else { value }
}

/// A frozen linear layer: weight [out, in] in the storage type, bias [out] in f32.
pub struct Dense {
    pub weight: Memory,
    pub bias: Memory,
}

impl Dense {
    /// Reads `path.weight` and `path.bias`.
    pub fn new(
        gpu: &Gpu,
        precision: Precision,
        weights: &Weights,
        path: &str,
        output: usize,
        input: usize,
    ) -> Result<Self, BackendError> {
        let weight: Vec<f32> = weights.values(&format!("{path}.weight"), &[output, input])?;
        Ok(Self {
            weight: upload(gpu, precision, &weight)?,
            bias: floats(gpu, weights, &format!("{path}.bias"), output)?,
        })
    }
}

/// Weight and bias of a layer norm, f32.
pub struct Norm {
    pub weight: Memory,
    pub bias: Memory,
    pub eps: f32,
}

impl Norm {
    /// Reads `path.weight` and `path.bias`, both [n].
    pub fn new(gpu: &Gpu, weights: &Weights, path: &str, n: usize, eps: f64) -> Result<Self, BackendError> {
        let get = |name: &str| floats(gpu, weights, &format!("{path}.{name}"), n);
        Ok(Self { weight: get("weight")?, bias: get("bias")?, eps: eps as f32 })
    }
}

/// A vector in f32.
pub fn floats(gpu: &Gpu, weights: &Weights, name: &str, len: usize) -> Result<Memory, BackendError> {
    let values: Vec<f32> = weights.values(name, &[len])?;
    Ok(gpu.copy_of(&values)?)
}

/// Word, token type and position tables with their layer norm.
pub struct Embedding {
    pub word: Memory,
    pub token_type: Memory,
    pub position: Memory,
    pub norm: Norm,
}

impl Embedding {
    pub fn new(gpu: &Gpu, precision: Precision, checkpoint: &Checkpoint) -> Result<Self, BackendError> {
        let (config, weights) = (&checkpoint.config, &checkpoint.weights);
        let n = config.hidden_size;
        let path = |name: &str| format!("{}.embeddings.{name}", config.family.prefix());
        // Rows are looked up and added, not multiplied: TF32 has no reason to round them.
        let precision = if precision == Precision::Tf32 { Precision::F32 } else { precision };
        let table = |name: &str, rows: usize| -> Result<Memory, BackendError> {
            let values: Result<Vec<f32>, ModelError> = weights.values(&path(&format!("{name}.weight")), &[rows, n]);
            Ok(upload(gpu, precision, &values?)?)
        };
        Ok(Self {
            word: table("word_embeddings", config.vocab_size)?,
            token_type: table("token_type_embeddings", config.type_vocab_size)?,
            position: table("position_embeddings", config.max_position_embeddings)?,
            norm: Norm::new(gpu, weights, &path("LayerNorm"), n, config.layer_norm_eps)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::tf32;

    #[test]
    fn tf32_is_the_nearest_of_eleven_bits() {
        let step = 2f32.powi(-10);
        for (value, rounded) in [(1.0, 1.0), (1.0 + 0.4 * step, 1.0), (1.0 + 0.5 * step, 1.0 + step), (-3.0, -3.0)] {
            assert_eq!(tf32(value), rounded, "{value}");
        }
        assert!(tf32(f32::NAN).is_nan() && tf32(f32::INFINITY) == f32::INFINITY);
    }
}
