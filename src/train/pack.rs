//! A batch without its pads, whole or cut into chunks of whole rows that threads work on side by side. A pad changes no other
//! token and no score, so leaving it out is exact. Knows no weights.

use crate::data::Batch;
use crate::model::Config;
use crate::model::encoder::position_ids;
use crate::train::BackendError;

/// Tokens of a chunk where the batch is large enough: activations of one layer then stay in the cache.
const CHUNK_TOKENS: usize = 256;

/// Scores of one query are padded to whole vector registers of at most this many values.
const LANES: usize = 16;

/// Scores of one query, with padding.
pub fn padded(keys: usize) -> usize {
    keys.next_multiple_of(LANES)
}

/// One row of the batch: its first token and all that are not masked.
pub struct Row {
    /// Its first token among the chunk's.
    pub first: usize,
    pub len: usize,
    /// Its number in the batch.
    pub source: usize,
    /// Where its attention probabilities begin: [heads, len, padded(len)].
    pub scores: usize,
    /// The first token takes part as a key; false in a row that is padded on the left.
    pub first_is_key: bool,
}

/// Rows that one thread works on.
pub struct Chunk {
    pub rows: Vec<Row>,
    /// Token, token type and position ids of every token; all of type 0 in a model without types.
    pub ids: Vec<u32>,
    pub types: Vec<u32>,
    pub positions: Vec<u32>,
    /// Column of every token in the batch.
    pub columns: Vec<u32>,
    /// Width of the batch.
    pub width: usize,
    /// Length of the attention probabilities.
    pub scores: usize,
}

impl Chunk {
    pub fn tokens(&self) -> usize {
        self.ids.len()
    }

    /// Number of each token in the whole batch: `row * width + column`.
    pub fn places(&self) -> impl Iterator<Item = u64> {
        self.rows.iter().flat_map(|row| {
            let columns = &self.columns[row.first..row.first + row.len];
            columns.iter().map(|column| (row.source * self.width) as u64 + u64::from(*column))
        })
    }

    /// Number of each row's first token in the whole batch.
    pub fn first_places(&self) -> impl Iterator<Item = u64> {
        self.rows.iter().map(|r| (r.source * self.width) as u64)
    }

    fn new(width: usize) -> Self {
        Self {
            rows: Vec::new(),
            ids: Vec::new(),
            types: Vec::new(),
            positions: Vec::new(),
            columns: Vec::new(),
            width,
            scores: 0,
        }
    }

    fn push(&mut self, config: &Config, batch: &Batch, positions: &[u32], row: usize) {
        let (heads, typed) = (config.num_attention_heads, config.type_vocab_size > 0);
        let from = row * self.width;
        let first = self.ids.len();
        for column in (0..self.width).filter(|c| *c == 0 || batch.mask[from + c] != 0) {
            self.ids.push(batch.ids[from + column]);
            self.types.push(if typed { batch.type_ids[from + column] } else { 0 });
            self.positions.push(positions[from + column]);
            self.columns.push(column as u32);
        }
        let len = self.ids.len() - first;
        let scores = self.scores;
        self.rows.push(Row { first, len, source: row, scores, first_is_key: batch.mask[from] != 0 });
        self.scores += heads * len * padded(len);
    }
}

/// Tokens of each row that are not masked: at least one.
fn lengths(batch: &Batch) -> Result<Vec<usize>, BackendError> {
    let lengths: Vec<usize> =
        batch.mask.chunks(batch.width.max(1)).map(|m| m.iter().filter(|k| **k != 0).count()).collect();
    match lengths.iter().position(|l| *l == 0) {
        Some(row) => {
            let (found, expected) = (format!("row {row} without a token"), "at least one in each row".into());
            Err(BackendError::Batch { found, expected })
        }
        None => Ok(lengths),
    }
}

/// The batch as one chunk.
pub fn whole(config: &Config, batch: &Batch) -> Result<Chunk, BackendError> {
    let rows = lengths(batch)?.len();
    let positions = position_ids(config, &batch.ids, batch.width);
    let mut chunk = Chunk::new(batch.width);
    (0..rows).for_each(|row| chunk.push(config, batch, &positions, row));
    Ok(chunk)
}

/// The chunks of a batch for `threads` threads: a function of both alone, so sums over chunks repeat bit for bit.
pub fn pack(config: &Config, batch: &Batch, threads: usize) -> Result<Vec<Chunk>, BackendError> {
    let lengths = lengths(batch)?;
    let positions = position_ids(config, &batch.ids, batch.width);
    let total: usize = lengths.iter().sum();
    let threads = threads.max(1);
    let count = total.div_ceil(CHUNK_TOKENS).next_multiple_of(threads).clamp(1, batch.rows.max(1));
    let mut chunks = Vec::with_capacity(count);
    let mut chunk = Chunk::new(batch.width);
    let mut done = 0;
    for (row, length) in lengths.iter().enumerate() {
        chunk.push(config, batch, &positions, row);
        done += length;
        // The end of this chunk when all are alike.
        if done * count >= total * (chunks.len() + 1) {
            chunks.push(std::mem::replace(&mut chunk, Chunk::new(batch.width)));
        }
    }
    if !chunk.rows.is_empty() {
        chunks.push(chunk);
    }
    Ok(chunks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Labels;
    use crate::model::ModelSource;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_token_is_in_one_chunk(
            masks in proptest::collection::vec(proptest::collection::vec(0u8..2, 7), 1..40),
            threads in 1usize..9,
        ) {
            let mut masks = masks;
            masks.iter_mut().for_each(|m| m[3] = 1);
            let rows = masks.len();
            let ids: Vec<u32> = (0..rows as u32 * 7).map(|i| i + 5).collect();
            let batch = Batch {
                rows,
                width: 7,
                type_ids: vec![0; ids.len()],
                mask: masks.concat(),
                labels: Labels::Classes(vec![0; rows]),
                ids,
            };
            let config = ModelSource::Embedded.config().expect("the embedded model");
            let chunks = pack(&config, &batch, threads).expect("packed");
            prop_assert!(chunks.len() >= threads.min(rows) / 2 && chunks.iter().all(|c| !c.rows.is_empty()));
            let sources: Vec<usize> = chunks.iter().flat_map(|c| c.rows.iter().map(|r| r.source)).collect();
            prop_assert_eq!(sources, (0..rows).collect::<Vec<_>>());
            let found: Vec<u32> = chunks.iter().flat_map(|c| c.ids.clone()).collect();
            let kept = |i: usize| i.is_multiple_of(7) || batch.mask[i] != 0;
            let expected: Vec<u32> = (0..batch.ids.len()).filter(|i| kept(*i)).map(|i| batch.ids[i]).collect();
            prop_assert_eq!(found, expected);
            for chunk in &chunks {
                for (place, id) in chunk.places().zip(&chunk.ids) {
                    prop_assert_eq!(batch.ids[place as usize], *id);
                }
            }
        }
    }
}
