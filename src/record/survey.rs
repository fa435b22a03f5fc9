//! What the rows of a task are like: counts, labels, lengths, and what a person should know before training on them. Pure data.

use crate::spec::RunSpec;
use serde::Serialize;

/// Which rows to look at, and as which model reads them: fields of a spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowsOf {
    pub task: String,
    pub data: String,
    pub model: String,
    pub max_length: usize,
}

impl RowsOf {
    pub fn spec(spec: &RunSpec) -> Self {
        let RunSpec { task, data, model, max_length, .. } = spec.clone();
        Self { task, data, model, max_length }
    }
}

impl Default for RowsOf {
    fn default() -> Self {
        Self::spec(&RunSpec::default())
    }
}

/// The rows of a task, split by split.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Survey {
    /// As papers print it.
    pub task: String,
    pub splits: Vec<SplitSurvey>,
    /// What is odd about the rows, each in a sentence with its numbers.
    pub warnings: Vec<String>,
}

/// One split.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SplitSurvey {
    /// `train`, `validation`, `test`.
    pub name: String,
    /// Where its rows come from.
    pub files: Vec<String>,
    pub rows: u64,
    /// Rows of each class, or of each range of scores.
    pub labels: Vec<(String, u64)>,
    /// Of scores.
    pub mean: Option<f64>,
    /// Rows without a letter in their text, or in their second text.
    pub empty: u64,
    /// Rows that repeat the texts of an earlier one, and how many of them have another label.
    pub repeated: u64,
    pub contradicting: u64,
    /// Rows whose texts stand in the training rows too; of those none.
    pub leaked: u64,
    /// Known a little later than the rest.
    pub lengths: Option<Lengths>,
}

/// How long rows are in tokens, special tokens included.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Lengths {
    /// Rows that were measured: all, or a sample.
    pub measured: u64,
    pub mean: f64,
    pub longest: u64,
    /// What rows are cut at, and how many of the measured ones are longer.
    pub max_length: u64,
    pub cut: u64,
    /// First length of each range, and its rows; all ranges are `width` lengths wide.
    pub width: u64,
    pub bins: Vec<(u64, u64)>,
}

impl Lengths {
    /// Ranges of a histogram at most.
    const BINS: u64 = 24;

    /// A range of so many lengths in words: `40 to 49`, `7`.
    pub fn range(from: u64, width: u64) -> String {
        if width == 1 { from.to_string() } else { format!("{from} to {}", from + width - 1) }
    }

    /// Of measured lengths.
    pub fn of(lengths: &[u64], max_length: u64) -> Self {
        let longest = lengths.iter().copied().max().unwrap_or(0);
        // Round widths are easier to read.
        let width = [1, 2, 4, 5, 8, 10, 16, 20, 25, 32, 40, 50, 64, 100, 128, 200, 250, 500]
            .into_iter()
            .find(|w| longest / w < Self::BINS)
            .unwrap_or_else(|| longest.div_ceil(Self::BINS).max(1) + 1);
        let mut bins: Vec<(u64, u64)> = (0..=longest / width).map(|i| (i * width, 0)).collect();
        for length in lengths {
            if let Some(bin) = bins.get_mut((length / width) as usize) {
                bin.1 += 1;
            }
        }
        let sum: u64 = lengths.iter().sum();
        Self {
            measured: lengths.len() as u64,
            mean: sum as f64 / lengths.len().max(1) as f64,
            longest,
            max_length,
            cut: lengths.iter().filter(|l| **l > max_length).count() as u64,
            width,
            bins,
        }
    }

    /// `12 of 1000 rows (1.2%) are longer than 128 tokens and are cut`.
    pub fn cut_in_words(&self) -> String {
        match self.cut {
            0 => format!("no row is longer than {} tokens", self.max_length),
            n => {
                let share = 100.0 * n as f64 / self.measured.max(1) as f64;
                let be = if n == 1 { "is longer" } else { "are longer" };
                format!("{n} of {} rows ({share:.1}%) {be} than {} tokens: cut there", self.measured, self.max_length)
            }
        }
    }
}

impl SplitSurvey {
    /// Share of the rows, in percent.
    pub fn percent(&self, rows: u64) -> f64 {
        100.0 * rows as f64 / self.rows.max(1) as f64
    }
}

/// A row as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sample {
    pub text: String,
    pub pair: Option<String>,
    /// Name of the class, or the score.
    pub label: String,
    /// Where it stands: `line 12`.
    pub place: String,
    /// As the model gets it, and how many there were before it was cut; empty where the model is not here.
    pub tokens: Vec<Token>,
    pub whole: usize,
}

/// A token of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Token {
    pub id: u32,
    /// As the vocabulary writes it.
    pub piece: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_fall_into_ranges_and_none_is_lost() {
        let lengths: Vec<u64> = (1..=130).collect();
        let of = Lengths::of(&lengths, 128);
        assert_eq!((of.measured, of.longest, of.cut, of.width), (130, 130, 2, 8));
        assert_eq!(of.bins.iter().map(|(_, n)| n).sum::<u64>(), 130);
        assert_eq!((of.bins[0], of.bins[16]), ((0, 7), (128, 3)));
        assert!(of.bins.len() <= 24);
        assert_eq!(of.cut_in_words(), "2 of 130 rows (1.5%) are longer than 128 tokens: cut there");
        let huge = Lengths::of(&[1, 100_000], 512);
        assert!(huge.bins.len() <= 25 && huge.bins.iter().map(|(_, n)| n).sum::<u64>() == 2, "{huge:?}");
        assert_eq!(Lengths::of(&[], 8).bins, [(0, 0)]);
    }
}
