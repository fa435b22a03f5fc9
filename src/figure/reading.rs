//! What the lines of a panel hold at one place of its horizontal axis: what a cursor reads.

use super::{Mark, Panel, Stroke};

/// A line's value at a place.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub label: String,
    pub colour: usize,
    pub stroke: Stroke,
    /// NaN where what was recorded there is not finite.
    pub value: f64,
    /// Extremes of the bin, where it holds several values.
    pub extremes: Option<(f64, f64)>,
}

/// Places that a cursor can take: those of the line with the most points.
fn places(panel: &Panel) -> Vec<f64> {
    let lines = panel.marks.iter().filter_map(|m| if let Mark::Line { points, .. } = m { Some(points) } else { None });
    let longest = lines.max_by_key(|points| points.len());
    let inside = |x: &f64| panel.x.range.share(*x).is_some_and(|s| (0.0..=1.0).contains(&s));
    longest.map_or(Vec::new(), |points| points.iter().map(|p| p.0).filter(inside).collect())
}

/// The place nearest to `x`.
pub fn nearest(panel: &Panel, x: f64) -> Option<f64> {
    let share = |x: f64| panel.x.range.share(x).unwrap_or(0.0);
    let far = |a: f64| (share(a) - share(x)).abs();
    places(panel).into_iter().min_by(|a, b| far(*a).total_cmp(&far(*b)))
}

/// The next place to the right or left of `x`, at least a `part` of the axis away where there is one.
pub fn next(panel: &Panel, x: f64, right: bool, part: f64) -> Option<f64> {
    let share = |x: f64| panel.x.range.share(x).unwrap_or(0.0);
    let all = places(panel);
    let away = |p: &&f64| if right { share(**p) - share(x) } else { share(x) - share(**p) };
    let beyond: Vec<&f64> = all.iter().filter(|p| away(p) > 1e-12).collect();
    let far = beyond.iter().copied().filter(|p| away(p) >= 0.999 * part);
    let close = |a: &&f64, b: &&f64| away(a).total_cmp(&away(b));
    far.min_by(close).or_else(|| beyond.into_iter().max_by(close)).copied()
}

/// Values at `x` of every line that has a name or a panel with one. A line that does not reach `x` is left out.
pub fn read(panel: &Panel, x: f64) -> Vec<Reading> {
    // Of many lines the smoothed ones are enough.
    let many = panel.has_many();
    let mut all = Vec::new();
    for mark in &panel.marks {
        let Mark::Line { label, colour, stroke, points } = mark else { continue };
        let name = if label.is_empty() { &panel.title } else { label };
        if name.is_empty() || (many && *stroke == Stroke::Raw) {
            continue;
        }
        let Some((at, value)) = nearest_point(points, x) else { continue };
        let extremes = panel.marks.iter().find_map(|m| match m {
            Mark::Span { label: of, bars, .. } if of == label => bars.iter().find(|b| b.0 == at),
            _ => None,
        });
        all.push(Reading {
            label: name.clone(),
            colour: *colour,
            stroke: *stroke,
            value,
            extremes: extremes.map(|b| (b.1, b.2)),
        });
    }
    all
}

/// The point nearest to `x`, unless `x` lies beyond the ends by more than the points lie apart.
fn nearest_point(points: &[(f64, f64)], x: f64) -> Option<(f64, f64)> {
    let (first, last) = (points.first()?.0, points.last()?.0);
    let apart = if points.len() > 1 { (last - first) / (points.len() - 1) as f64 } else { 0.0 };
    let inside = x >= first - 1.001 * apart && x <= last + 1.001 * apart;
    let far = |p: &(f64, f64)| (p.0 - x).abs();
    points.iter().min_by(|a, b| far(a).total_cmp(&far(b))).filter(|_| inside).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{Axis, Range, Spacing};

    fn panel() -> Panel {
        let range = |high| Range::Numbers { low: 0.0, high, spacing: Spacing::Linear };
        let axis = |high| Axis { label: String::new(), range: range(high) };
        let line = |label: &str, stroke, points| Mark::Line { label: label.into(), colour: 0, stroke, points };
        let raw: Vec<(f64, f64)> = (1..=100).map(|i| (f64::from(i), if i == 7 { f64::NAN } else { 0.5 })).collect();
        Panel {
            title: String::new(),
            x: axis(100.0),
            y: axis(1.0),
            marks: vec![
                Mark::Span { label: "raw".into(), colour: 0, bars: vec![(50.0, 0.25, 0.75)] },
                line("raw", Stroke::Raw, raw.clone()),
                line("smooth", Stroke::Solid, raw),
                line("validation", Stroke::Points, vec![(32.0, 0.9), (64.0, 0.8)]),
            ],
            scale: None,
        }
    }

    #[test]
    fn the_cursor_reads_every_line_with_the_extremes_of_the_bin() {
        let panel = panel();
        let told: Vec<_> = read(&panel, 50.0).into_iter().map(|r| (r.label, r.value, r.extremes)).collect();
        let of = |label: &str, value, extremes| (label.to_string(), value, extremes);
        let wanted = [of("raw", 0.5, Some((0.25, 0.75))), of("smooth", 0.5, None), of("validation", 0.8, None)];
        assert_eq!(told, wanted);
        assert!(read(&panel, 7.0)[0].value.is_nan(), "a gap is read as one");
        assert_eq!(read(&panel, 100.0).len(), 2, "validation does not reach the end");
    }

    #[test]
    fn the_cursor_goes_from_point_to_point() {
        let panel = panel();
        assert_eq!(nearest(&panel, 41.3), Some(41.0));
        assert_eq!(next(&panel, 41.0, true, 0.0), Some(42.0));
        assert_eq!(next(&panel, 41.0, false, 0.1), Some(31.0));
        assert_eq!(next(&panel, 99.0, true, 0.1), Some(100.0), "the last one");
        assert_eq!(next(&panel, 100.0, true, 0.1), None);
    }
}
