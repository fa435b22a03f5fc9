//! Training loss, raw under smoothed, with each bin's extremes and the validation loss.

use super::{Chart, ChartError, ChartOptions, Subject, caption, run_of, to_horizontal};
use crate::figure::{Axis, Figure, Mark, Panel, Range, Spacing, Stroke};
use crate::record::{Bin, Series};

pub struct Loss;

impl Chart for Loss {
    fn id(&self) -> &'static str {
        "loss"
    }

    fn title(&self) -> &'static str {
        "loss"
    }

    fn figure(&self, subject: &Subject, options: &ChartOptions) -> Result<Figure, ChartError> {
        let run = run_of(subject, self.id())?;
        let bins = run.series.iter().find(|(s, _)| *s == Series::Loss).map_or(&[][..], |(_, b)| b);
        if bins.is_empty() {
            return Err(ChartError::Empty { chart: self.id(), hint: "the run has no steps" });
        }
        let x = to_horizontal(run, options.horizontal);
        let at = |b: &Bin| x((b.from + b.to) / 2);
        let raw: Vec<(f64, f64)> = bins.iter().map(|b| (at(b), b.mean)).collect();
        let smooth: Vec<(f64, f64)> = bins.iter().map(at).zip(smoothed(bins, options.smoothing)).collect();
        let bars: Vec<(f64, f64, f64)> = bins.iter().filter(|b| b.max > b.min).map(|b| (at(b), b.min, b.max)).collect();
        let validation: Vec<(f64, f64)> = run.evaluations.iter().map(|e| (x(e.step), e.loss)).collect();
        let spacing = if options.log_y { Spacing::Log } else { Spacing::Linear };
        let heights = bins.iter().flat_map(|b| [b.min, b.max]).chain(validation.iter().map(|p| p.1));
        let y = Axis { label: "loss".into(), range: Range::over(heights, spacing) };
        let last = bins.last().map_or(1.0, |b| x(b.to));
        let first = bins.first().map_or(0.0, |b| x(b.from.saturating_sub(1)));
        let low = if first < last { first } else { first - 1.0 };
        let horizontal = Range::Numbers { low, high: last, spacing: Spacing::Linear };
        let line = |label: &str, colour, stroke, points| Mark::Line { label: label.into(), colour, stroke, points };
        let mut marks = vec![Mark::Span { colour: 0, bars }, line("raw", 0, Stroke::Raw, raw)];
        // The smoothed line comes last: in a terminal the last one to touch a cell gives it its colour.
        if !validation.is_empty() {
            marks.push(line("validation", 1, Stroke::Points, validation));
        }
        marks.push(line("train (smoothed)", 0, Stroke::Solid, smooth));
        let x = Axis { label: options.horizontal.label().into(), range: horizontal };
        Ok(Figure {
            title: "loss".into(),
            row_titles: vec![String::new()],
            columns: 1,
            panels: vec![Panel { title: String::new(), x, y, marks, scale: None }],
            scale: None,
            caption: caption(run),
        })
    }
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
}
