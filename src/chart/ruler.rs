//! The horizontal axis of a run's curves: from steps to epochs or seconds and back. Knows no series.

use super::{ChartOptions, Horizontal};
use crate::figure::{Axis, Range, Spacing};
use crate::record::RunDetail;

/// Places of steps on the chosen axis; both ways ascend.
pub struct Ruler<'a> {
    horizontal: Horizontal,
    per_epoch: f64,
    clock: &'a [(u64, f64)],
    /// The run's newest step.
    newest: f64,
}

impl<'a> Ruler<'a> {
    pub fn new(run: &'a RunDetail, horizontal: Horizontal) -> Self {
        let facts = &run.summary.facts;
        let per_epoch = facts.total_steps as f64 / facts.epochs.max(1) as f64;
        let binned = run.series.iter().filter_map(|(_, bins)| bins.last()).map(|b| b.to).max().unwrap_or(0);
        let newest = run.summary.step.max(binned) as f64;
        Self { horizontal, per_epoch: if per_epoch > 0.0 { per_epoch } else { 1.0 }, clock: &run.clock, newest }
    }

    /// Where a step stands.
    pub fn at(&self, step: f64) -> f64 {
        match self.horizontal {
            Horizontal::Step => step,
            Horizontal::Epoch => step / self.per_epoch,
            Horizontal::Time => between(self.clock.iter().map(|(s, t)| (*s as f64, *t)), step),
        }
    }

    /// The step at a place.
    pub fn step(&self, x: f64) -> f64 {
        match self.horizontal {
            Horizontal::Step => x,
            Horizontal::Epoch => x * self.per_epoch,
            Horizontal::Time => between(self.clock.iter().map(|(s, t)| (*t, *s as f64)), x),
        }
    }

    /// Place of the newest step.
    pub fn end(&self) -> f64 {
        self.at(self.newest)
    }
}

/// Straight lines through the origin and ascending points, the last one drawn on.
fn between(points: impl Iterator<Item = (f64, f64)>, x: f64) -> f64 {
    let (mut before, mut last) = ((0.0, 0.0), (0.0, 0.0));
    for point in points.filter(|p| p.0 > 0.0) {
        (before, last) = (last, point);
        if point.0 >= x {
            break;
        }
    }
    let span = last.0 - before.0;
    if span > 0.0 { before.1 + (x - before.0) / span * (last.1 - before.1) } else { last.1 }
}

impl Horizontal {
    pub fn label(self) -> &'static str {
        match self {
            Horizontal::Step => "step",
            Horizontal::Epoch => "epoch",
            Horizontal::Time => "seconds",
        }
    }

    pub fn next(self) -> Self {
        match self {
            Horizontal::Step => Horizontal::Epoch,
            Horizontal::Epoch => Horizontal::Time,
            Horizontal::Time => Horizontal::Step,
        }
    }
}

/// The whole horizontal axis of these runs, without a window: (low, high).
pub fn whole(runs: &[&RunDetail], options: &ChartOptions) -> (f64, f64) {
    let rulers: Vec<Ruler> = runs.iter().map(|r| Ruler::new(r, options.horizontal)).collect();
    let high = rulers.iter().map(Ruler::end).fold(0.0, f64::max);
    let first = rulers.iter().map(|r| r.at(1.0)).filter(|x| *x > 0.0).fold(f64::INFINITY, f64::min);
    let low = if options.log_x && first.is_finite() { first } else { 0.0 };
    (low, if high > low { high } else { low + 1.0 })
}

/// The axis from `low` to `high`, or what the window leaves of it.
pub(super) fn axis(options: &ChartOptions, (low, high): (f64, f64)) -> Axis {
    let (low, high) = options.window.unwrap_or((low, high));
    let spacing = if options.log_x && low > 0.0 { Spacing::Log } else { Spacing::Linear };
    Axis { label: options.horizontal.label().into(), range: Range::Numbers { low, high, spacing } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn time_is_interpolated_from_the_start_and_drawn_on() {
        let clock = [(10.0, 5.0), (20.0, 25.0)];
        let at = |x| between(clock.into_iter(), x);
        assert_eq!([at(0.0), at(5.0), at(10.0), at(15.0), at(25.0)], [0.0, 2.5, 5.0, 15.0, 35.0]);
        assert_eq!(between(std::iter::empty(), 7.0), 0.0);
    }

    proptest! {
        #[test]
        fn back_from_time_leads_to_the_step(gaps in prop::collection::vec((1u64..50, 0.01f64..9.0), 1..20), share in 0.0f64..1.2) {
            let (mut step, mut time) = (0, 0.0);
            let clock: Vec<(u64, f64)> = gaps.iter().map(|(s, t)| { step += s; time += t; (step, time) }).collect();
            let ruler = Ruler { horizontal: Horizontal::Time, per_epoch: 1.0, clock: &clock, newest: step as f64 };
            let wanted = share * step as f64;
            prop_assert!((ruler.step(ruler.at(wanted)) - wanted).abs() < 1e-6 * step as f64);
        }
    }
}
