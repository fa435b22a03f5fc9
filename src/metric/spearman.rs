//! Spearman's correlation: Pearson's of the ranks, ties at their mean rank. NaN where a side is constant.

use super::{Metric, pearson};

pub struct Spearman;

impl Metric for Spearman {
    fn id(&self) -> &'static str {
        "spearman"
    }

    fn label(&self) -> &'static str {
        "Spearman"
    }

    fn fits(&self, classes: Option<usize>) -> bool {
        classes.is_none()
    }

    fn score(&self, predictions: &[f64], labels: &[f64]) -> f64 {
        if predictions.iter().chain(labels).any(|v| v.is_nan()) {
            return f64::NAN;
        }
        pearson::correlation(&ranks(predictions), &ranks(labels))
    }
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let first = order.partition_point(|&i| values[i] < values[tied[0]]);
        let mean = first as f64 + (tied.len() as f64 + 1.0) / 2.0;
        tied.iter().for_each(|&i| ranks[i] = mean);
    }
    ranks
}
