//! One series of one run as places on the panel: line, smoothed line, extremes of bins and gaps, narrowed to the window.

use super::{ChartOptions, Ruler};
use crate::record::{Bin, RunDetail, Series};

/// Points that lie in the window, and one more on each side so that a line runs on to the frame.
pub(super) struct Curve {
    pub raw: Vec<(f64, f64)>,
    pub smooth: Vec<(f64, f64)>,
    /// Lowest and highest of each bin that holds several values.
    pub bars: Vec<(f64, f64, f64)>,
    /// Where a value is NaN or infinite.
    pub gaps: Vec<f64>,
    /// Every extreme inside the window.
    pub heights: Vec<f64>,
}

impl Curve {
    /// None where nothing is recorded: an imported run may lack any series, while a loss that was never a number is one.
    pub fn of(run: &RunDetail, series: Series, options: &ChartOptions) -> Option<Self> {
        let bins = run.series.iter().find(|(s, _)| *s == series).map(|(_, b)| b).filter(|b| !b.is_empty())?;
        if series != Series::Loss && bins.iter().all(|b| b.count == 0) {
            return None;
        }
        let ruler = Ruler::new(run, options.horizontal);
        let all: Vec<(f64, &Bin, f64)> = bins
            .iter()
            .zip(smoothed(bins, options.smoothing))
            .map(|(b, s)| (ruler.at((b.from + b.to) as f64 / 2.0), b, s))
            .collect();
        let shown = &all[within(all.iter().map(|p| p.0), options.window)];
        let inside = |x: f64| options.window.is_none_or(|(low, high)| (low..=high).contains(&x));
        Some(Self {
            raw: shown.iter().map(|(x, b, _)| (*x, b.mean)).collect(),
            smooth: shown.iter().map(|(x, _, s)| (*x, *s)).collect(),
            bars: shown.iter().filter(|(_, b, _)| b.max > b.min).map(|(x, b, _)| (*x, b.min, b.max)).collect(),
            gaps: shown.iter().filter(|(x, b, _)| b.gaps > 0 && inside(*x)).map(|(x, ..)| *x).collect(),
            heights: shown.iter().filter(|(x, ..)| inside(*x)).flat_map(|(_, b, _)| [b.min, b.max]).collect(),
        })
    }
}

/// Indices of ascending places inside the window, one more on each side.
pub(super) fn within(places: impl Iterator<Item = f64>, window: Option<(f64, f64)>) -> std::ops::Range<usize> {
    let places: Vec<f64> = places.collect();
    let Some((low, high)) = window else { return 0..places.len() };
    let first = places.partition_point(|x| *x < low).saturating_sub(1);
    let last = (places.partition_point(|x| *x <= high) + 1).min(places.len());
    first.min(last)..last
}

/// Exponential moving average per step, corrected for its start, so that a constant stays a constant. A gap stays a gap.
pub fn smoothed(bins: &[Bin], weight: f64) -> Vec<f64> {
    let (mut sum, mut norm) = (0.0, 0.0);
    bins.iter()
        .map(|bin| {
            if !bin.mean.is_finite() {
                return f64::NAN;
            }
            // A bin of n steps weighs as n steps do.
            let keep = weight.powi(bin.count.clamp(1, 1_000_000) as i32);
            sum = keep * sum + (1.0 - keep) * bin.mean;
            norm = keep * norm + (1.0 - keep);
            if norm > 0.0 { sum / norm } else { bin.mean }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bin(step: u64, mean: f64) -> Bin {
        Bin { from: step, to: step, min: mean, max: mean, mean, count: u64::from(mean.is_finite()), gaps: 0 }
    }

    #[test]
    fn a_constant_does_not_wobble_and_a_gap_stays() {
        let mut bins: Vec<Bin> = (1..50).map(|s| bin(s, 0.3)).collect();
        bins.insert(20, bin(99, f64::NAN));
        for (i, v) in smoothed(&bins, 0.97).into_iter().enumerate() {
            if i == 20 { assert!(v.is_nan()) } else { assert!((v - 0.3).abs() < 1e-12, "{i}: {v}") }
        }
    }

    #[test]
    fn no_smoothing_gives_the_means() {
        let bins: Vec<Bin> = (1..9).map(|s| bin(s, s as f64)).collect();
        assert_eq!(smoothed(&bins, 0.0), bins.iter().map(|b| b.mean).collect::<Vec<_>>());
    }

    #[test]
    fn a_window_keeps_a_neighbour_on_each_side() {
        let places = || (1..=9).map(f64::from);
        assert_eq!(within(places(), None), 0..9);
        assert_eq!(within(places(), Some((3.0, 5.0))), 1..6);
        assert_eq!(within(places(), Some((0.0, 100.0))), 0..9);
        assert_eq!(within(places(), Some((4.2, 4.8))), 3..5);
        assert_eq!(within(std::iter::empty(), Some((4.2, 4.8))), 0..0);
    }
}
