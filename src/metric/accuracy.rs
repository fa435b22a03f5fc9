//! Share of equal classes.

use super::Metric;

pub struct Accuracy;

impl Metric for Accuracy {
    fn id(&self) -> &'static str {
        "accuracy"
    }

    fn label(&self) -> &'static str {
        "accuracy"
    }

    fn score(&self, predictions: &[f64], labels: &[f64]) -> f64 {
        let right = predictions.iter().zip(labels).filter(|(p, l)| p == l).count();
        right as f64 / labels.len() as f64
    }
}
