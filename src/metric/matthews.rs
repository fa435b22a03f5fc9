//! Matthews' correlation for any number of classes (Gorodkin's R_K, as in scikit-learn), 0 where it is undefined.

use super::Metric;
use std::collections::BTreeMap;

pub struct Matthews;

impl Metric for Matthews {
    fn id(&self) -> &'static str {
        "matthews"
    }

    fn label(&self) -> &'static str {
        "Matthews"
    }

    fn score(&self, predictions: &[f64], labels: &[f64]) -> f64 {
        // Class numbers are small whole numbers, so their bits make good keys.
        let mut classes: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
        let mut right = 0.0;
        for (p, l) in predictions.iter().zip(labels) {
            classes.entry(p.to_bits()).or_default().0 += 1.0;
            classes.entry(l.to_bits()).or_default().1 += 1.0;
            right += f64::from(u8::from(p == l));
        }
        let all = labels.len() as f64;
        let sum = |f: fn(&(f64, f64)) -> f64| classes.values().map(f).sum::<f64>();
        let covariance = right * all - sum(|(p, l)| p * l);
        let spread = (all * all - sum(|(p, _)| p * p)) * (all * all - sum(|(_, l)| l * l));
        if spread == 0.0 { 0.0 } else { covariance / spread.sqrt() }
    }
}
