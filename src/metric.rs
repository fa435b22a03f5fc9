//! GLUE's metrics over predictions and labels. Knows no tasks and no models.

mod accuracy;
mod f1;
mod matthews;
mod pearson;
mod spearman;

/// A score of predictions against labels; both are class numbers or real values.
pub trait Metric: Sync {
    fn id(&self) -> &'static str;
    fn label(&self) -> &'static str;
    /// Whether it is one of labels of so many classes; none: of real numbers.
    fn fits(&self, classes: Option<usize>) -> bool {
        classes.is_some()
    }
    /// NaN where the score is not defined. Both slices are of one length.
    fn score(&self, predictions: &[f64], labels: &[f64]) -> f64;
}

/// Every metric.
pub static ALL: &[&dyn Metric] =
    &[&accuracy::Accuracy, &f1::F1, &matthews::Matthews, &pearson::Pearson, &spearman::Spearman];

pub fn find(id: &str) -> Option<&'static dyn Metric> {
    ALL.iter().copied().find(|m| m.id() == id)
}
