//! Rows of text to batches of token ids. Knows tasks and tokenizers, not models.

/// Labels of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    Classes(Vec<u32>),
    Scores(Vec<f64>),
}

/// Token ids padded to the longest row; all of shape [rows, width], row by row.
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
