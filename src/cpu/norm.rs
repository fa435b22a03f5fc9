//! Dropout, residual and layer norm in one pass over each row, forward and backward. Knows nothing of what came before.

use super::dropout::Mask;
use super::lane::{sum, sum2};
use crate::model::ModelError;
use crate::model::weights::Weights;
use multiversion::multiversion;

/// The frozen weight and bias of a layer norm.
pub struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
    eps: f32,
}

/// What a layer norm writes: [rows, n] its output and the normalised input, [rows] the reciprocal deviations.
pub struct Normed<'a> {
    pub output: &'a mut [f32],
    pub normal: &'a mut [f32],
    pub scales: &'a mut [f32],
}

impl Norm {
    /// Reads `path.weight` and `path.bias`, both [n].
    pub fn new(weights: &Weights, path: &str, n: usize, eps: f64) -> Result<Self, ModelError> {
        let get = |name: &str| weights.values(&format!("{path}.{name}"), &[n]);
        Ok(Self { weight: get("weight")?, bias: get("bias")?, eps: eps as f32 })
    }

    /// LayerNorm(mask (x + bias) + residual) of rows [n].
    pub fn forward(&self, x: &[f32], bias: &[f32], mask: Option<Mask>, residual: &[f32], to: Normed) {
        match mask {
            Some(m) => add_dropped(x, bias, m.flags, m.scale, residual, to.normal),
            None => add(x, bias, residual, to.normal),
        }
        normalise(to.normal, to.scales, to.output, &self.weight, &self.bias, self.eps);
    }

    /// LayerNorm(x) of rows [n], without anything kept; `x` is overwritten.
    pub fn plain(&self, x: &mut [f32], scales: &mut [f32], output: &mut [f32]) {
        normalise(x, scales, output, &self.weight, &self.bias, self.eps);
    }

    /// From the gradient of the output those of the residual and of x.
    pub fn backward(
        &self,
        dy: &[f32],
        normal: &[f32],
        scales: &[f32],
        mask: Option<Mask>,
        dres: &mut [f32],
        dx: &mut [f32],
    ) {
        slope(dy, normal, scales, &self.weight, dres);
        match mask {
            Some(m) => dropped(dres, m.flags, m.scale, dx),
            None => dx.copy_from_slice(dres),
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn add(x: &[f32], bias: &[f32], residual: &[f32], to: &mut [f32]) {
    let n = bias.len();
    for ((x, r), to) in x.chunks_exact(n).zip(residual.chunks_exact(n)).zip(to.chunks_exact_mut(n)) {
        for i in 0..n {
            to[i] = x[i] + bias[i] + r[i];
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn add_dropped(x: &[f32], bias: &[f32], flags: &[u8], scale: f32, residual: &[f32], to: &mut [f32]) {
    let n = bias.len();
    let rows = x.chunks_exact(n).zip(residual.chunks_exact(n)).zip(flags.chunks_exact(n)).zip(to.chunks_exact_mut(n));
    for (((x, r), k), to) in rows {
        for i in 0..n {
            to[i] = (x[i] + bias[i]) * (f32::from(k[i]) * scale) + r[i];
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
pub fn dropped(x: &[f32], flags: &[u8], scale: f32, to: &mut [f32]) {
    for ((to, x), k) in to.iter_mut().zip(x).zip(flags) {
        *to = x * (f32::from(*k) * scale);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn normalise(x: &mut [f32], scales: &mut [f32], output: &mut [f32], weight: &[f32], bias: &[f32], eps: f32) {
    let n = weight.len();
    for ((x, scale), y) in x.chunks_exact_mut(n).zip(scales).zip(output.chunks_exact_mut(n)) {
        let mean = sum(x, |x| x) / n as f32;
        let variance = sum(x, |x| (x - mean) * (x - mean)) / n as f32;
        *scale = 1.0 / (variance + eps).sqrt();
        for i in 0..n {
            x[i] = (x[i] - mean) * *scale;
            y[i] = x[i] * weight[i] + bias[i];
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn slope(dy: &[f32], normal: &[f32], scales: &[f32], weight: &[f32], dx: &mut [f32]) {
    let n = weight.len();
    let rows = dy.chunks_exact(n).zip(normal.chunks_exact(n)).zip(scales).zip(dx.chunks_exact_mut(n));
    for (((dy, x), scale), dx) in rows {
        for i in 0..n {
            dx[i] = dy[i] * weight[i];
        }
        let flat = sum(dx, |d| d) / n as f32;
        let along = sum2(dx, x, |d, x| d * x) / n as f32;
        for i in 0..n {
            dx[i] = scale * (dx[i] - flat - x[i] * along);
        }
    }
}
