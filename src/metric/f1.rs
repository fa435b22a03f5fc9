//! F1 of class 1: 2 TP / (2 TP + FP + FN), 0 where that is undefined (scikit-learn's zero_division = 0).

use super::Metric;

pub struct F1;

impl Metric for F1 {
    fn id(&self) -> &'static str {
        "f1"
    }

    fn label(&self) -> &'static str {
        "F1"
    }

    fn fits(&self, classes: Option<usize>) -> bool {
        classes == Some(2)
    }

    fn score(&self, predictions: &[f64], labels: &[f64]) -> f64 {
        let count = |p: bool, l: bool| {
            predictions.iter().zip(labels).filter(|(a, b)| (**a == 1.0) == p && (**b == 1.0) == l).count() as f64
        };
        let hits = 2.0 * count(true, true);
        let all = hits + count(true, false) + count(false, true);
        if all == 0.0 { 0.0 } else { hits / all }
    }
}
