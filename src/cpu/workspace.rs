//! Buffers of one chunk of rows. They grow to the largest chunk seen and are used again. Knows no arithmetic.

use super::{attention, projection};

/// The first `len` elements of a buffer that grows where it must.
pub fn room<T: Copy + Default>(buffer: &mut Vec<T>, len: usize) -> &mut [T] {
    if buffer.len() < len {
        buffer.resize(len, T::default());
    }
    &mut buffer[..len]
}

/// What the way back needs of one layer.
#[derive(Default)]
pub struct Activations {
    /// Product of query, key and value with their adapters.
    pub z: Vec<f32>,
    pub qkv: Vec<f32>,
    pub probabilities: Vec<f32>,
    pub context: Vec<f32>,
    /// Product of the attention's output layer with its adapter, and what comes of it.
    pub z_output: Vec<f32>,
    pub attended: Vec<f32>,
    pub after_attention: Normed,
    /// Slope of GELU.
    pub slope: Vec<f32>,
    pub after_dense: Normed,
}

/// What a dropout + residual + layer norm leaves.
#[derive(Default)]
pub struct Normed {
    pub output: Vec<f32>,
    pub normal: Vec<f32>,
    pub scales: Vec<f32>,
    pub flags: Vec<u8>,
}

/// Buffers whose content no one needs later.
#[derive(Default)]
pub struct Scratch {
    pub attention: attention::Scratch,
    pub projection: projection::Scratch,
    pub flags: Vec<u8>,
    pub wide: Vec<f32>,
    pub narrow: Vec<f32>,
    pub residual: Vec<f32>,
    /// Gradient of the layer's output, then of its input.
    pub slope: Vec<f32>,
    pub dcontext: Vec<f32>,
    pub dz: Vec<f32>,
}

/// All buffers of one thread.
#[derive(Default)]
pub struct Workspace {
    pub embedded: Vec<f32>,
    pub layers: Vec<Activations>,
    pub scratch: Scratch,
}
