//! Tokenised rows, and batches of them padded to their longest row.

use super::{DataError, Encoded, Example, Tokenizer};
use crate::task::{LabelKind, Task};
use rayon::prelude::*;

/// Labels of a batch or a data set.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    Classes(Vec<u32>),
    Scores(Vec<f64>),
}

impl Labels {
    /// Labels of the rows at `indices`.
    pub fn pick(&self, indices: &[usize]) -> Labels {
        match self {
            Labels::Classes(all) => Labels::Classes(indices.iter().map(|&i| all[i]).collect()),
            Labels::Scores(all) => Labels::Scores(indices.iter().map(|&i| all[i]).collect()),
        }
    }
}

/// Token ids padded on the right to the longest row; all of shape [rows, width], row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    pub rows: usize,
    pub width: usize,
    pub ids: Vec<u32>,
    pub type_ids: Vec<u32>,
    /// 1 at tokens, 0 at pads.
    pub mask: Vec<u8>,
    pub labels: Labels,
}

/// Indices of rows of these lengths, shortest first, in batches of at most `tokens` tokens with their pads: neighbours of like
/// length waste little. A longer row stands alone.
pub fn by_length(lengths: &[usize], tokens: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&i| lengths[i]);
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for i in order {
        match batches.last_mut() {
            Some(batch) if (batch.len() + 1) * lengths[i] <= tokens => batch.push(i),
            _ => batches.push(vec![i]),
        }
    }
    batches
}

/// Tokenised rows with their labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    rows: Vec<Encoded>,
    labels: Labels,
}

impl Dataset {
    /// Tokenises the rows, on as many threads as there are for mathematics.
    pub fn new(task: &dyn Task, tokenizer: &Tokenizer, examples: &[Example]) -> Result<Self, DataError> {
        let rows = examples.par_iter().map(|e| tokenizer.encode_example(e)).collect::<Result<_, _>>()?;
        let labels = match task.labels() {
            LabelKind::Classes(_) => Labels::Classes(examples.iter().map(|e| e.label as u32).collect()),
            LabelKind::Score { .. } => Labels::Scores(examples.iter().map(|e| e.label).collect()),
        };
        Ok(Self { rows, labels })
    }

    /// Rows that were tokenised elsewhere; as many labels as rows.
    pub fn from_encoded(rows: Vec<Encoded>, labels: Labels) -> Self {
        Self { rows, labels }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn rows(&self) -> &[Encoded] {
        &self.rows
    }

    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Indices of all rows in batches, see [`by_length`].
    pub fn by_length(&self, tokens: usize) -> Vec<Vec<usize>> {
        let lengths: Vec<usize> = self.rows.iter().map(|r| r.ids.len()).collect();
        by_length(&lengths, tokens)
    }

    /// The rows at `indices` as one batch.
    pub fn batch(&self, indices: &[usize], pad_id: u32) -> Batch {
        let width = indices.iter().map(|&i| self.rows[i].ids.len()).max().unwrap_or(0);
        let size = indices.len() * width;
        let (mut ids, mut type_ids, mut mask) = (vec![pad_id; size], vec![0; size], vec![0; size]);
        for (row, &index) in indices.iter().enumerate() {
            let encoded = &self.rows[index];
            let (from, to) = (row * width, row * width + encoded.ids.len());
            ids[from..to].copy_from_slice(&encoded.ids);
            type_ids[from..to].copy_from_slice(&encoded.type_ids);
            mask[from..to].fill(1);
        }
        Batch { rows: indices.len(), width, ids, type_ids, mask, labels: self.labels.pick(indices) }
    }
}
