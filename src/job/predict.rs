//! What an adapter says of rows without labels, as GLUE's website wants it written.

use super::{JobError, Saved};
use crate::data::{Dataset, Example};
use crate::model::Checkpoint;
use crate::task::LabelKind;
use crate::train::Backend;
use crate::train::checkpoint::CheckpointError;
use crate::train::evaluate::{argmax, logits};

/// A class's name, or a score within its range with three decimals, for each row; `progress` hears how many rows of all are
/// done.
pub fn predict(
    saved: &Saved,
    model: &Checkpoint,
    backend: &mut dyn Backend,
    rows: &[Example],
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<String>, JobError> {
    let rows = Dataset::new(saved.task, &saved.tokenizer(model)?, rows)?;
    let all = logits(backend, &rows, model.config.pad_token_id, progress)?;
    let text = |(row, values): (usize, Vec<f64>)| {
        if values.is_empty() || values.iter().any(|v| !v.is_finite()) {
            let what = format!("its logits of row {row} are {values:?}");
            return Err(CheckpointError::Content { path: saved.path.clone(), what }.into());
        }
        Ok(match saved.task.labels() {
            LabelKind::Classes(names) => names.get(argmax(&values)).copied().unwrap_or_default().to_string(),
            // The sum makes a 0 of -0.
            LabelKind::Score { low, high } => format!("{:.3}", values[0].clamp(low, high) + 0.0),
        })
    };
    all.into_iter().enumerate().map(text).collect()
}
