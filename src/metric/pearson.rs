//! Pearson's correlation, NaN where a side is constant.

use super::Metric;

pub struct Pearson;

impl Metric for Pearson {
    fn id(&self) -> &'static str {
        "pearson"
    }

    fn label(&self) -> &'static str {
        "Pearson"
    }

    fn fits(&self, classes: Option<usize>) -> bool {
        classes.is_none()
    }

    fn score(&self, predictions: &[f64], labels: &[f64]) -> f64 {
        correlation(predictions, labels)
    }
}

/// Pearson's correlation of two samples of one length.
pub(super) fn correlation(x: &[f64], y: &[f64]) -> f64 {
    let constant = |v: &[f64]| v.windows(2).all(|w| w[0] == w[1]);
    if x.len() < 2 || constant(x) || constant(y) {
        return f64::NAN;
    }
    let centred = |v: &[f64]| {
        let mean = v.iter().sum::<f64>() / v.len() as f64;
        let moved: Vec<f64> = v.iter().map(|a| a - mean).collect();
        // Scaling by the largest keeps squares of tiny or huge values in range.
        let top = moved.iter().fold(0.0f64, |m, a| m.max(a.abs()));
        let norm = moved.iter().map(|a| (a / top).powi(2)).sum::<f64>().sqrt();
        moved.into_iter().map(|a| a / top / norm).collect::<Vec<f64>>()
    };
    let product: f64 = centred(x).iter().zip(centred(y)).map(|(a, b)| a * b).sum();
    product.clamp(-1.0, 1.0)
}
