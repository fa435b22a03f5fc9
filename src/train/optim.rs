//! AdamW over one flat buffer with segments, and gradient clipping. Knows no model and no schedule.

use crate::model::real::Real;

/// First and second betas of `torch.optim.AdamW`.
pub const BETAS: (f64, f64) = (0.9, 0.999);

/// A range of the flat buffer and whether weight decay applies there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    pub range: std::ops::Range<usize>,
    pub decay: bool,
}

/// What learning rate and bias correction come to at one step: a value becomes value x shrink - step_size m / (sqrt(v) / root
/// + eps), without the shrinking where nothing decays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    pub step_size: f64,
    pub root: f64,
    pub shrink: f64,
}

/// The rates of step `t`, counted from 1.
pub fn rates(t: u64, lr: f64, weight_decay: f64) -> Rates {
    let (b1, b2) = BETAS;
    let t = t as f64;
    Rates { step_size: lr / (1.0 - b1.powf(t)), root: (1.0 - b2.powf(t)).sqrt(), shrink: 1.0 - lr * weight_decay }
}

/// `torch.optim.AdamW`: decoupled weight decay, bias-corrected moments.
#[derive(Clone, Debug)]
pub struct AdamW<T> {
    eps: f64,
    weight_decay: f64,
    segments: Vec<Segment>,
    pub steps: u64,
    /// Exponential mean of the gradient, one for each value.
    pub first: Vec<T>,
    /// Exponential mean of its square.
    pub second: Vec<T>,
}

impl<T: Real> AdamW<T> {
    /// For a buffer of `len` values, of which those of the segments change.
    pub fn new(len: usize, segments: Vec<Segment>, eps: f64, weight_decay: f64) -> Self {
        Self { eps, weight_decay, segments, steps: 0, first: vec![T::zero(); len], second: vec![T::zero(); len] }
    }

    /// One update of `values` at learning rate `lr` with `gradients` times `factor`. Buffers have the length told to `new`.
    pub fn update(&mut self, values: &mut [T], gradients: &[T], factor: f64, lr: f64) {
        self.steps += 1;
        let (b1, b2) = BETAS;
        let rates = rates(self.steps, lr, self.weight_decay);
        let (step_size, root) = (T::of(rates.step_size), T::of(rates.root));
        let (keep1, new1, keep2, new2) = (T::of(b1), T::of(1.0 - b1), T::of(b2), T::of(1.0 - b2));
        let (eps, factor) = (T::of(self.eps), T::of(factor));
        for Segment { range, decay } in &self.segments {
            let shrink = T::of(if *decay { rates.shrink } else { 1.0 });
            let moments = self.first[range.clone()].iter_mut().zip(&mut self.second[range.clone()]);
            let slopes = values[range.clone()].iter_mut().zip(&gradients[range.clone()]);
            for ((value, gradient), (first, second)) in slopes.zip(moments) {
                let g = *gradient * factor;
                *first = keep1 * *first + new1 * g;
                *second = keep2 * *second + new2 * g * g;
                let denominator = second.sqrt() / root + eps;
                *value = *value * shrink - step_size * (*first / denominator);
            }
        }
    }
}

/// What clipping does to gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clipped {
    /// One L2 norm over all gradients, before.
    pub norm: f64,
    /// What each is multiplied by.
    pub factor: f64,
}

/// `torch.nn.utils.clip_grad_norm_`: min(1, max / (norm + 1e-6)); `max` 0 leaves the gradients as they are.
pub fn clip<T: Real>(gradients: &[T], max: f64) -> Clipped {
    let norm = gradients.iter().map(|g| g.wide() * g.wide()).sum::<f64>().sqrt();
    let factor = max / (norm + 1e-6);
    Clipped { norm, factor: if max > 0.0 && factor < 1.0 { factor } else { 1.0 } }
}
