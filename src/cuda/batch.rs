//! A batch on its way to the device: packed without pads, in one copy. Its capacity is rounded up so that few graphs serve all
//! batches. Knows no weights.

use crate::data::{Batch, Labels};
use crate::model::Config;
use crate::train::pack::{self, Chunk};
use crate::train::{BackendError, loss};

/// Lengths are rounded up to this, so that the flags of a query are whole words and few shapes are met.
const STEP_OF_LENGTHS: usize = 64;

/// What the launches of a batch are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bucket {
    /// Tokens that there is room for.
    pub tokens: usize,
    pub rows: usize,
    /// Longest row, rounded up.
    pub most: usize,
}

impl Bucket {
    pub fn new(tokens: usize, rows: usize, longest: usize) -> Self {
        // At most an eighth of the tokens is for nothing.
        let step = (tokens.next_power_of_two() / 8).max(STEP_OF_LENGTHS);
        Self { tokens: tokens.next_multiple_of(step), rows, most: longest.next_multiple_of(STEP_OF_LENGTHS) }
    }

    /// Holds all of `other`.
    pub fn covers(&self, other: &Self) -> bool {
        self.tokens >= other.tokens && self.rows >= other.rows && self.most >= other.most
    }

    /// The smallest that covers both.
    pub fn with(&self, other: &Self) -> Self {
        Self { tokens: self.tokens.max(other.tokens), rows: self.rows.max(other.rows), most: self.most.max(other.most) }
    }

    /// Where each part of a batch begins, in words of 32 bits.
    pub fn places(&self) -> Places {
        let (t, r) = (self.tokens, self.rows);
        let first = STEP_WORDS + 6 * t;
        Places {
            ids: STEP_WORDS,
            types: STEP_WORDS + t,
            positions: STEP_WORDS + 2 * t,
            numbers: STEP_WORDS + 3 * t,
            columns: STEP_WORDS + 4 * t,
            row_of: STEP_WORDS + 5 * t,
            first,
            labels: first + r + 1,
            leads: first + 2 * r + 1,
            end: first + 2 * r + 1 + r.div_ceil(4),
        }
    }
}

/// Offsets in words; see the kernels for what each holds.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    pub ids: usize,
    pub types: usize,
    pub positions: usize,
    /// Number of each token in the padded batch.
    pub numbers: usize,
    pub columns: usize,
    pub row_of: usize,
    pub first: usize,
    pub labels: usize,
    pub leads: usize,
    pub end: usize,
}

/// Words of `Step` in prelude.cu.
pub const STEP_WORDS: usize = 8;

/// `Step` in prelude.cu: what one step brings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Step {
    pub step: u64,
    pub step_size: f32,
    pub root: f32,
    pub shrink: f32,
    pub rows: i32,
    pub tokens: i32,
    pub width: i32,
}

impl Step {
    /// Writes what an update needs alone.
    pub fn write_rates(words: &mut [u32], step_size: f32, root: f32, shrink: f32) {
        words[2..5].copy_from_slice(&[step_size, root, shrink].map(f32::to_bits));
    }

    pub fn write(&self, words: &mut [u32]) {
        words[..STEP_WORDS].copy_from_slice(&[
            self.step as u32,
            (self.step >> 32) as u32,
            self.step_size.to_bits(),
            self.root.to_bits(),
            self.shrink.to_bits(),
            self.rows as u32,
            self.tokens as u32,
            self.width as u32,
        ]);
    }
}

/// A batch without its pads.
pub struct Packed {
    chunk: Chunk,
    labels: Vec<f32>,
    pub bucket: Bucket,
}

impl Packed {
    /// Checks labels against what the head gives.
    pub fn new(config: &Config, batch: &Batch, outputs: usize, regression: bool) -> Result<Self, BackendError> {
        let chunk = pack::whole(config, batch)?;
        let labels = match &batch.labels {
            Labels::Classes(classes) => classes.iter().map(|c| *c as f32).collect(),
            Labels::Scores(scores) => scores.iter().map(|s| *s as f32).collect(),
        };
        loss::check(&batch.labels, batch.rows, outputs, regression)?;
        let longest = chunk.rows.iter().map(|r| r.len).max().unwrap_or(0);
        let bucket = Bucket::new(chunk.tokens(), batch.rows, longest);
        Ok(Self { chunk, labels, bucket })
    }

    pub fn step(&self) -> Step {
        Step {
            rows: self.bucket.rows as i32,
            tokens: self.chunk.tokens() as i32,
            width: self.chunk.width as i32,
            ..Step::default()
        }
    }

    /// Writes everything but the step.
    pub fn write(&self, words: &mut [u32]) {
        let at = self.bucket.places();
        let mut put = |from: usize, values: &mut dyn Iterator<Item = u32>| {
            for (word, value) in words[from..].iter_mut().zip(values) {
                *word = value;
            }
        };
        let chunk = &self.chunk;
        put(at.ids, &mut chunk.ids.iter().copied());
        put(at.types, &mut chunk.types.iter().copied());
        put(at.positions, &mut chunk.positions.iter().copied());
        put(at.numbers, &mut chunk.places().map(|p| p as u32));
        put(at.columns, &mut chunk.columns.iter().copied());
        put(at.row_of, &mut chunk.rows.iter().flat_map(|r| std::iter::repeat_n(r.source as u32, r.len)));
        let ends = std::iter::once(chunk.tokens() as u32);
        put(at.first, &mut chunk.rows.iter().map(|r| r.first as u32).chain(ends));
        put(at.labels, &mut self.labels.iter().map(|l| l.to_bits()));
        let leads = |rows: &[pack::Row]| {
            let byte = |i: usize| rows.get(i).map_or(0, |r| u8::from(r.first_is_key));
            u32::from_le_bytes(std::array::from_fn(byte))
        };
        put(at.leads, &mut chunk.rows.chunks(4).map(leads));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_waste_little() {
        for tokens in 1..5_000 {
            let bucket = Bucket::new(tokens, 32, 100);
            assert!(
                bucket.tokens >= tokens && bucket.tokens - tokens < (tokens / 4).max(STEP_OF_LENGTHS),
                "{tokens}: {bucket:?}"
            );
        }
        assert_eq!(Bucket::new(4096, 32, 128), Bucket { tokens: 4096, rows: 32, most: 128 });
        let places = Bucket::new(4096, 33, 128).places();
        assert_eq!(places.end - places.leads, 9);
    }
}
