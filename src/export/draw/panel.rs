//! One panel: title, axes with ticks, and its marks.

use super::{Canvas, ExportError, FAINT, Hang, INK, Rect, bar, colour, heat, shape};
use crate::figure::colour::{Rgb, paler, series};
use crate::figure::{Axis, Mark, Panel, Range, Scale, Stroke, ticks};
use plotters::prelude::*;

/// Draws `panel` into `place`, axes and labels included.
pub(super) fn draw<DB: DrawingBackend>(
    c: &Canvas<DB>,
    place: Rect,
    panel: &Panel,
    scale: Option<&Scale>,
) -> Result<(), ExportError> {
    let y_ticks = ticks::ticks(&panel.y.range, most(c, place.h, 14.0));
    let widest = y_ticks.iter().map(|(_, t)| c.width(t, 6.5)).max().unwrap_or(0);
    let (left, top) = (c.points(15.0) + widest, c.points(if panel.title.is_empty() { 4.0 } else { 15.0 }));
    // A panel with a scale of its own has its own bar.
    let own = if panel.scale.is_some() { c.points(50.0) } else { 0 };
    let inner = Rect {
        x: place.x + left,
        y: place.y + top,
        w: (place.w - left - c.points(8.0) - own).max(1),
        h: (place.h - top - c.points(28.0)).max(1),
    };
    // A title wider than its panel would run into the next one's.
    let share = f64::from(place.w - c.points(4.0)) / f64::from(c.width(&panel.title, 8.0).max(1));
    let size = 8.0 * share.clamp(0.6, 1.0);
    c.text(&panel.title, (inner.x + inner.w / 2, place.y + c.points(7.0)), size, Hang::Centre, INK)?;
    y_axis(c, inner, place.x, &panel.y, &y_ticks)?;
    x_axis(c, inner, &panel.x)?;
    for mark in &panel.marks {
        draw_mark(c, inner, panel, mark, scale)?;
    }
    c.frame(inner)?;
    legend(c, inner, panel)?;
    match &panel.scale {
        Some(scale) => {
            let place = Rect { x: inner.x + inner.w + c.points(5.0), y: inner.y, w: c.points(6.0), h: inner.h };
            bar::draw(c, place, scale)
        }
        None => Ok(()),
    }
}

/// How many ticks fit into `length` pixels at `points` each.
fn most<DB: DrawingBackend>(c: &Canvas<DB>, length: i32, points: f64) -> usize {
    (length / c.points(points).max(1)).clamp(2, 24) as usize
}

fn y_axis<DB: DrawingBackend>(
    c: &Canvas<DB>,
    r: Rect,
    left: i32,
    axis: &Axis,
    ticks: &[(f64, String)],
) -> Result<(), ExportError> {
    let named = matches!(axis.range, Range::Names(_));
    for (value, text) in ticks {
        let Some(share) = axis.range.share(*value) else { continue };
        let down = if named { share } else { 1.0 - share };
        let y = r.y + (down * f64::from(r.h)).round() as i32;
        if !named {
            c.line(vec![(r.x, y), (r.x + r.w, y)], RGBColor(0xe8, 0xe8, 0xe8), 0.3)?;
        }
        c.line(vec![(r.x - c.points(2.0), y), (r.x, y)], INK, 0.5)?;
        c.text(text, (r.x - c.points(4.0), y), 6.5, Hang::Right, INK)?;
    }
    c.upward_text(&axis.label, (left + c.points(5.0), r.y + r.h / 2), 7.0)
}

fn x_axis<DB: DrawingBackend>(c: &Canvas<DB>, r: Rect, axis: &Axis) -> Result<(), ExportError> {
    let low = r.y + r.h;
    let count = if let Range::Names(n) = &axis.range { n.len().max(1) } else { most(c, r.w, 38.0) };
    let ticks = ticks::ticks(&axis.range, count);
    // Names that are too long for their cells stand on two levels in turn.
    let room = r.w / ticks.len().max(1) as i32 - c.points(2.0);
    let crowded = ticks.iter().any(|(_, t)| c.width(t, 6.5) > room);
    for (i, (value, text)) in ticks.iter().enumerate() {
        let Some(share) = axis.range.share(*value) else { continue };
        let x = r.x + (share * f64::from(r.w)).round() as i32;
        let drop = if crowded && i % 2 == 1 { 14.0 } else { 7.0 };
        c.line(vec![(x, low), (x, low + c.points(drop - 5.0))], INK, 0.4)?;
        c.text(text, (x, low + c.points(drop)), 6.5, Hang::Centre, INK)?;
    }
    c.text(&axis.label, (r.x + r.w / 2, low + c.points(22.0)), 7.0, Hang::Centre, INK)
}

/// Where a point of the panel lies; none outside of it.
fn pixel(r: Rect, panel: &Panel, x: f64, y: f64) -> Option<(i32, i32)> {
    let (x, y) = (panel.x.range.share(x)?, panel.y.range.share(y)?);
    let inside = (-0.001..=1.001).contains(&x) && (-0.001..=1.001).contains(&y);
    inside.then(|| (r.x + (x * f64::from(r.w)).round() as i32, r.y + ((1.0 - y) * f64::from(r.h)).round() as i32))
}

/// Colour and width in points of a line.
fn look(index: usize, stroke: Stroke) -> (Rgb, f64) {
    match stroke {
        Stroke::Raw => (paler(series(index), 0.6), 0.6),
        Stroke::Solid | Stroke::Points | Stroke::Marked(_) => (series(index), 1.2),
    }
}

fn draw_mark<DB: DrawingBackend>(
    c: &Canvas<DB>,
    r: Rect,
    panel: &Panel,
    mark: &Mark,
    scale: Option<&Scale>,
) -> Result<(), ExportError> {
    let at = |x: f64, y: f64| pixel(r, panel, x, y);
    match mark {
        Mark::Heatmap { cells } => scale.map_or(Ok(()), |scale| heat::draw(c, r, cells, scale)),
        Mark::Gaps { colour: index, at: places, .. } => places.iter().try_for_each(|x| {
            let share = panel.x.range.share(*x).filter(|s| (0.0..=1.0).contains(s));
            let Some(share) = share else { return Ok(()) };
            let (x, y, arm) = (r.x + (share * f64::from(r.w)).round() as i32, r.y + r.h - c.points(5.0), c.points(2.5));
            let ink = colour(series(*index));
            c.line(vec![(x - arm, y - arm), (x + arm, y + arm)], ink, 0.9)?;
            c.line(vec![(x - arm, y + arm), (x + arm, y - arm)], ink, 0.9)
        }),
        Mark::Span { colour: index, bars, .. } => {
            bars.iter().try_for_each(|(x, low, high)| match (at(*x, *low), at(*x, *high)) {
                (Some(a), Some(b)) => c.line(vec![a, b], colour(paler(series(*index), 0.75)), 0.6),
                _ => Ok(()),
            })
        }
        Mark::Line { colour: index, stroke, points, .. } => {
            let (ink, width) = look(*index, *stroke);
            let places: Vec<Option<(i32, i32)>> = points.iter().map(|(x, y)| at(*x, *y)).collect();
            // A point that cannot be shown is a gap in the line.
            for part in places.split(Option::is_none) {
                let path: Vec<(i32, i32)> = part.iter().flatten().copied().collect();
                if path.len() > 1 {
                    c.line(path, colour(ink), width)?;
                }
            }
            if let Stroke::Marked(shape) = stroke {
                for place in panel.markers(points, *shape).into_iter().filter_map(|(x, y)| at(x, y)) {
                    shape::draw(c, place, *shape, colour(ink))?;
                }
            }
            if *stroke == Stroke::Points {
                for place in places.into_iter().flatten() {
                    c.put(&Circle::new(place, c.points(1.8).max(2), colour(ink).filled()))?;
                }
            }
            Ok(())
        }
        Mark::Upright { x, name, ticks } => {
            let (Some(foot), Some(head)) = (at(*x, 0.0), at(*x, 1.0)) else { return Ok(()) };
            c.line(vec![foot, head], INK, 0.6)?;
            c.text(name, (foot.0, foot.1 + c.points(7.0)), 7.0, Hang::Left, INK)?;
            let mut taken: Vec<i32> = Vec::new();
            for tick in ticks {
                let text = format!("{} {}", tick.name, tick.more);
                let Some((x, y)) = at(*x, tick.at) else { continue };
                if taken.iter().any(|t| (t - y).abs() < c.points(7.0)) {
                    continue;
                }
                taken.push(y);
                c.line(vec![(x - c.points(2.0), y), (x + c.points(2.0), y)], INK, 0.6)?;
                // Inside the frame also at its ends.
                let y = y.clamp(r.y + c.points(4.0), r.y + r.h - c.points(4.0));
                c.text(text.trim_end(), (x + c.points(4.0), y), 6.5, Hang::Left, INK)?;
            }
            Ok(())
        }
        Mark::Track { value, points, .. } => {
            let ink = scale.and_then(|s| s.colour(*value)).map_or(INK, colour);
            c.line(points.iter().filter_map(|(x, y)| at(*x, *y)).collect(), ink, 1.4)
        }
        Mark::Marker { colour: index, at: (x, y), .. } => match at(*x, *y) {
            Some(place) => c.put(&Circle::new(
                place,
                c.points(3.5).max(3),
                colour(series(*index)).stroke_width(c.points(1.0).max(1) as u32),
            )),
            None => Ok(()),
        },
    }
}

/// Names of the marks that have one, in the corner where they hide the least.
fn legend<DB: DrawingBackend>(c: &Canvas<DB>, r: Rect, panel: &Panel) -> Result<(), ExportError> {
    let many = panel.has_many();
    let named: Vec<(&str, usize, Stroke)> = panel
        .marks
        .iter()
        .filter_map(|m| match m {
            Mark::Line { stroke: Stroke::Raw, .. } if many => None,
            Mark::Line { label, colour, stroke, .. } => Some((label.as_str(), *colour, *stroke)),
            Mark::Marker { label, colour, .. } => Some((label.as_str(), *colour, Stroke::Solid)),
            Mark::Span { .. } | Mark::Gaps { .. } | Mark::Heatmap { .. } => None,
            Mark::Upright { .. } | Mark::Track { .. } => None,
        })
        .filter(|(label, ..)| !label.is_empty())
        .collect();
    let Some(widest) = named.iter().map(|(t, ..)| c.width(t, 7.0)).max() else { return Ok(()) };
    let line = c.points(10.0);
    let (w, h, gap) = (widest + c.points(22.0), line * named.len() as i32 + c.points(4.0), c.points(4.0));
    let (left, right, low) = (r.x + gap, r.x + r.w - w - gap, r.y + r.h - h - gap);
    let corners = [(right, r.y + gap), (left, r.y + gap), (right, low), (left, low)];
    let drawn = drawn(r, panel);
    let hidden = |(x, y): &(i32, i32)| {
        let inside = |p: &&(i32, i32)| (x - gap..=x + w + gap).contains(&p.0) && (y - gap..=y + h + gap).contains(&p.1);
        drawn.iter().filter(inside).count()
    };
    let (x, y) = corners.into_iter().min_by_key(hidden).unwrap_or(corners[0]);
    let place = Rect { x, y, w, h };
    c.fill(place, WHITE)?;
    let corner = (place.x + place.w, place.y + place.h);
    let outline = [(place.x, place.y), (corner.0, place.y), corner, (place.x, corner.1), (place.x, place.y)];
    c.line(outline.into(), FAINT, 0.4)?;
    for (i, (text, index, stroke)) in named.into_iter().enumerate() {
        let (ink, width) = look(index, stroke);
        let y = place.y + c.points(2.0) + line * i as i32 + line / 2;
        let x = place.x + c.points(3.0);
        c.line(vec![(x, y), (x + c.points(12.0), y)], colour(ink), 1.25 * width)?;
        if let Stroke::Marked(shape) = stroke {
            shape::draw(c, (x + c.points(6.0), y), shape, colour(ink))?;
        }
        c.text(text, (x + c.points(16.0), y), 7.0, Hang::Left, INK)?;
    }
    Ok(())
}

/// Places along the lines and markers of a panel, close enough to tell what a legend would cover.
fn drawn(r: Rect, panel: &Panel) -> Vec<(i32, i32)> {
    const BETWEEN: i32 = 16;
    let between = |a: (i32, i32), b: (i32, i32)| {
        (0..=BETWEEN).map(move |i| (a.0 + (b.0 - a.0) * i / BETWEEN, a.1 + (b.1 - a.1) * i / BETWEEN))
    };
    let of = |mark: &Mark| -> Vec<(i32, i32)> {
        match mark {
            Mark::Line { points, .. } => {
                let places: Vec<(i32, i32)> = points.iter().filter_map(|(x, y)| pixel(r, panel, *x, *y)).collect();
                places.windows(2).flat_map(|p| between(p[0], p[1])).collect()
            }
            Mark::Marker { at, .. } => pixel(r, panel, at.0, at.1).into_iter().collect(),
            Mark::Span { .. } | Mark::Gaps { .. } | Mark::Heatmap { .. } => Vec::new(),
            Mark::Upright { .. } | Mark::Track { .. } => Vec::new(),
        }
    };
    panel.marks.iter().flat_map(of).collect()
}
