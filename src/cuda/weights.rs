//! Frozen weights on the device in the engine's storage type. Knows where they are used, not how.

use super::Precision;
use super::device::{Gpu, Memory};
use super::error::CudaError;
use crate::model::weights::Weights;
use crate::model::{Checkpoint, ModelError};
use crate::train::BackendError;
use half::bf16;
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

/// Copies f32 values in the storage type.
fn upload(gpu: &Gpu, precision: Precision, values: &[f32]) -> Result<Memory, CudaError> {
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

/// A matrix [out, in] as products take it.
pub struct Weight {
    /// In the storage type. For TF32 turned, [in, out], and only for the way back: at full speed the tensor cores read only
    /// operands whose rows run along the sum.
    pub stored: Memory,
    /// TF32 takes it on the way there as [out, 3, in]: high, low and high halves, see `store8_split` in kernels/prelude.cu.
    pub split: Option<Memory>,
}

impl Weight {
    /// Copies `values`, row by row of `columns`.
    pub fn new(gpu: &Gpu, precision: Precision, values: &[f32], columns: usize) -> Result<Self, CudaError> {
        if precision != Precision::Tf32 {
            return Ok(Self { stored: upload(gpu, precision, values)?, split: None });
        }
        let split = Some(gpu.copy_of(&halves(values, columns))?);
        Ok(Self { stored: upload(gpu, precision, &turned(values, columns))?, split })
    }

    /// Values in a row of [`Weight::split`] for one of the matrix.
    pub const COPIES: usize = 3;
}

/// Columns of a turned matrix that are read at a time: a cache line of each row.
const LINE: usize = 16;

/// The matrix with rows of `columns` values, column by column.
fn turned(values: &[f32], columns: usize) -> Vec<f32> {
    let rows = values.len() / columns.max(1);
    let mut to = vec![0f32; rows * columns];
    to.par_chunks_mut((LINE * rows).max(1)).enumerate().for_each(|(i, block)| {
        for (row, from) in values.chunks_exact(columns).enumerate() {
            let line = &from[i * LINE..columns.min((i + 1) * LINE)];
            for (j, value) in line.iter().enumerate() {
                block[j * rows + row] = *value;
            }
        }
    });
    to
}

/// Each row's high halves, its low ones, and the high ones again.
fn halves(values: &[f32], columns: usize) -> Vec<bf16> {
    let mut all = Vec::with_capacity(Weight::COPIES * values.len());
    let mut high = vec![bf16::ZERO; columns];
    let mut low = high.clone();
    let mut rest = vec![0f32; columns];
    for row in values.chunks_exact(columns.max(1)) {
        high.convert_from_f32_slice(row);
        for ((rest, value), high) in rest.iter_mut().zip(row).zip(&high) {
            *rest = value - high.to_f32();
        }
        low.convert_from_f32_slice(&rest);
        all.extend([&high, &low, &high].into_iter().flatten());
    }
    all
}

/// A frozen linear layer: weight [out, in], bias [out] in f32.
pub struct Dense {
    pub weight: Weight,
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
            weight: Weight::new(gpu, precision, &weight, input)?,
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

/// Word, token type and position tables with their layer norm, and what leads to the layers' width.
pub struct Embedding {
    pub word: Memory,
    /// One row of zeros where tokens have no types.
    pub token_type: Memory,
    pub position: Memory,
    pub norm: Norm,
    pub projection: Option<Dense>,
}

impl Embedding {
    pub fn new(gpu: &Gpu, precision: Precision, checkpoint: &Checkpoint) -> Result<Self, BackendError> {
        let (config, weights) = (&checkpoint.config, &checkpoint.weights);
        let n = config.embedding_size;
        let path = |name: &str| config.path(&format!("embeddings.{name}"));
        let projection = config
            .projection()
            .map(|path| Dense::new(gpu, precision, weights, &path, config.hidden_size, n))
            .transpose()?;
        // Rows are looked up and added, not multiplied: TF32 has no reason to round them.
        let precision = if precision == Precision::Tf32 { Precision::F32 } else { precision };
        let table = |name: &str, rows: usize| -> Result<Memory, BackendError> {
            let values: Result<Vec<f32>, ModelError> = weights.values(&path(&format!("{name}.weight")), &[rows, n]);
            Ok(upload(gpu, precision, &values?)?)
        };
        Ok(Self {
            word: table("word_embeddings", config.vocab_size)?,
            token_type: match config.type_vocab_size {
                0 => upload(gpu, precision, &vec![0.0; n])?,
                types => table("token_type_embeddings", types)?,
            },
            position: table("position_embeddings", config.max_position_embeddings)?,
            norm: Norm::new(gpu, weights, &path("LayerNorm"), n, config.layer_norm_eps)?,
            projection,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{halves, tf32, turned};

    #[test]
    fn tf32_is_the_nearest_of_eleven_bits() {
        let step = 2f32.powi(-10);
        for (value, rounded) in [(1.0, 1.0), (1.0 + 0.4 * step, 1.0), (1.0 + 0.5 * step, 1.0 + step), (-3.0, -3.0)] {
            assert_eq!(tf32(value), rounded, "{value}");
        }
        assert!(tf32(f32::NAN).is_nan() && tf32(f32::INFINITY) == f32::INFINITY);
    }

    #[test]
    fn turned_matrices_have_their_columns_as_rows() {
        for (rows, columns) in [(3, 40), (40, 3), (1, 1), (17, 16)] {
            let values: Vec<f32> = (0..rows * columns).map(|i| i as f32).collect();
            let to = turned(&values, columns);
            for (i, value) in to.iter().enumerate() {
                assert_eq!(*value, values[i % rows * columns + i / rows], "{rows} x {columns}, {i}");
            }
        }
    }

    #[test]
    fn two_halves_hold_sixteen_bits() {
        let values: Vec<f32> = (1..=12).map(|i| 1.0 / i as f32 - 0.3).collect();
        let all = halves(&values, 4);
        assert_eq!(all.len(), 36);
        for (row, split) in values.chunks(4).zip(all.chunks(12)) {
            for (i, value) in row.iter().enumerate() {
                let sum = split[i].to_f32() + split[4 + i].to_f32();
                assert!((sum - value).abs() <= value.abs() * 2f32.powi(-17), "{value}: {sum}");
                assert_eq!(split[i], split[8 + i]);
            }
        }
    }
}
