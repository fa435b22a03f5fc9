//! Dropout flags of the tokens that are kept, each at its element's number in the padded batch: every engine draws the same.
//! Knows no layer.

use crate::model::encoder::Dropout;
use crate::random::{Stream, keep_scale};

/// One site of dropout at one step.
#[derive(Clone, Copy)]
pub struct Site {
    stream: Stream,
    p: f64,
}

impl Site {
    /// `None` where nothing is dropped.
    pub fn new(dropout: Option<&Dropout>, p: impl Fn(&Dropout) -> f64, site: u32) -> Option<Self> {
        let dropout = dropout?;
        let p = p(dropout);
        (p > 0.0).then(|| Self { stream: Stream::new(dropout.seed, dropout.step, site), p })
    }

    /// What kept elements are multiplied by.
    pub fn scale(&self) -> f32 {
        keep_scale(self.p)
    }

    /// Flags of rows of `columns` elements; row i is number `places[i]` of its tensor.
    pub fn rows(&self, places: impl Iterator<Item = u64>, columns: usize, flags: &mut [u8]) {
        for (row, place) in flags.chunks_exact_mut(columns).zip(places) {
            self.stream.kept(self.p, place * columns as u64, row);
        }
    }

    /// Flags from element `first` on.
    pub fn from(&self, first: u64, flags: &mut [u8]) {
        self.stream.kept(self.p, first, flags);
    }
}

/// Flags and scale of a pass, where it drops.
#[derive(Clone, Copy)]
pub struct Mask<'a> {
    /// One for each element: 0 dropped, 1 kept.
    pub flags: &'a [u8],
    pub scale: f32,
}
