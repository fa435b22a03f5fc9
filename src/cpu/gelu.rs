//! Bias and exact GELU in one pass; the slope is kept, so that the way back is one product. Knows no weights.

use super::lane::exp;
use crate::model::real::Real;
use multiversion::multiversion;
use std::f32::consts::FRAC_1_SQRT_2;

/// 1 / sqrt(2 pi)
const PEAK: f32 = 0.398_942_3;

/// `x = gelu(x + bias)` in rows [n], torch.nn.functional.gelu with no approximation.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
pub fn forward(x: &mut [f32], bias: &[f32]) {
    for row in x.chunks_exact_mut(bias.len()) {
        for (x, b) in row.iter_mut().zip(bias) {
            let u = *x + b;
            *x = u * (0.5 * (1.0 + Real::erf(u * FRAC_1_SQRT_2)));
        }
    }
}

/// The same; `slope` receives Phi(u) + u phi(u).
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
pub fn forward_with_slope(x: &mut [f32], bias: &[f32], slope: &mut [f32]) {
    let n = bias.len();
    for (row, slope) in x.chunks_exact_mut(n).zip(slope.chunks_exact_mut(n)) {
        for i in 0..n {
            let u = row[i] + bias[i];
            let below = 0.5 * (1.0 + Real::erf(u * FRAC_1_SQRT_2));
            row[i] = u * below;
            slope[i] = below + u * PEAK * exp(-0.5 * u * u);
        }
    }
}

/// `x *= y`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
pub fn times(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x *= y;
    }
}
