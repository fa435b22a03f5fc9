//! AdamW over one flat buffer with segments, and gradient clipping. Knows no model and no schedule.

use crate::model::real::Real;

/// First and second betas of `torch.optim.AdamW`.
const BETAS: (f64, f64) = (0.9, 0.999);

/// A range of the flat buffer and whether weight decay applies there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    pub range: std::ops::Range<usize>,
    pub decay: bool,
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
    /// Segments lie behind one another from 0.
    pub fn new(segments: Vec<Segment>, eps: f64, weight_decay: f64) -> Self {
        let len = segments.last().map_or(0, |s| s.range.end);
        Self { eps, weight_decay, segments, steps: 0, first: vec![T::zero(); len], second: vec![T::zero(); len] }
    }

    /// One update of `values` at learning rate `lr`; `gradients` are clipped already. Buffers are as long as the segments.
    pub fn update(&mut self, values: &mut [T], gradients: &[T], lr: f64) {
        self.steps += 1;
        let t = self.steps as f64;
        let (b1, b2) = BETAS;
        let step_size = T::of(lr / (1.0 - b1.powf(t)));
        let root = T::of((1.0 - b2.powf(t)).sqrt());
        let (keep1, new1, keep2, new2) = (T::of(b1), T::of(1.0 - b1), T::of(b2), T::of(1.0 - b2));
        let eps = T::of(self.eps);
        for segment in &self.segments {
            let shrink = T::of(if segment.decay { 1.0 - lr * self.weight_decay } else { 1.0 });
            for i in segment.range.clone() {
                let g = gradients[i];
                self.first[i] = keep1 * self.first[i] + new1 * g;
                self.second[i] = keep2 * self.second[i] + new2 * g * g;
                let denominator = self.second[i].sqrt() / root + eps;
                values[i] = values[i] * shrink - step_size * (self.first[i] / denominator);
            }
        }
    }
}

/// One L2 norm over all gradients, then `torch.nn.utils.clip_grad_norm_`: g *= min(1, max / (norm + 1e-6)); `max` 0 leaves
/// them. Returns the norm before.
pub fn clip<T: Real>(gradients: &mut [T], max: f64) -> f64 {
    let norm = gradients.iter().map(|g| g.wide() * g.wide()).sum::<f64>().sqrt();
    let factor = (max / (norm + 1e-6)).min(1.0);
    if max > 0.0 && factor < 1.0 {
        gradients.iter_mut().for_each(|g| *g *= T::of(factor));
    }
    norm
}
