//! A method beside SymLoRA on one task: whether they are tied, as the paper says it and by a test. Pure.

use super::Seeds;
use crate::stats::{self, PairedTest};
use serde::Serialize;

/// The method that the others are compared with.
pub const REFERENCE: &str = "symlora";
/// Differences that chance makes at least this often are ties.
pub const LEVEL: f64 = 0.05;

/// SymLoRA beside another method.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Against {
    /// The other's mean minus SymLoRA's.
    pub difference: f64,
    /// Their intervals over rows overlap, which is what the paper calls a tie; none where the rows are not known.
    pub overlap: Option<bool>,
    /// Over the seeds that both have; none for fewer than two.
    pub paired: Option<PairedTest>,
}

impl Against {
    pub(super) fn of(other: &Seeds, reference: &Seeds) -> Self {
        let difference = other.mean - reference.mean;
        let overlap = match (other.over_rows, reference.over_rows) {
            (Some(a), Some(b)) => Some(difference.abs() <= a + b),
            _ => None,
        };
        let score = |of: &Seeds, seed: u64| of.seeds.iter().position(|s| *s == Some(seed)).map(|i| of.scores[i]);
        let both =
            other.seeds.iter().flatten().filter_map(|seed| Some((score(other, *seed)?, score(reference, *seed)?)));
        Self { difference, overlap, paired: stats::paired_test(&both.collect::<Vec<_>>()) }
    }

    /// `tied` where the intervals overlap.
    pub fn overlap_text(&self) -> String {
        match self.overlap {
            None => "–".into(),
            Some(true) => "tied".into(),
            Some(false) => self.side(),
        }
    }

    /// `p 0.312 n=3, tied`.
    pub fn paired_text(&self) -> String {
        self.paired.map_or("–".into(), |test| {
            let side = if test.p >= LEVEL { "tied".into() } else { self.side() };
            format!("p {:.3} n={}, {side}", test.p, test.pairs)
        })
    }

    fn side(&self) -> String {
        if self.difference > 0.0 { "higher".into() } else { "lower".into() }
    }
}
