//! The colour bar: the scale's colours with ticks and label.

use super::{Canvas, ExportError, Hang, INK, Rect, colour};
use crate::figure::{Range, Scale, Spacing, ticks};
use plotters::prelude::DrawingBackend;

pub(super) fn draw<DB: DrawingBackend>(c: &Canvas<DB>, r: Rect, scale: &Scale) -> Result<(), ExportError> {
    for y in 0..r.h {
        let share = 1.0 - (f64::from(y) + 0.5) / f64::from(r.h);
        if let Some(rgb) = scale.colour(scale.low + share * (scale.high - scale.low)) {
            c.fill(Rect { x: r.x, y: r.y + y, w: r.w, h: 1 }, colour(rgb))?;
        }
    }
    c.frame(r)?;
    let range = Range::Numbers { low: scale.low, high: scale.high, spacing: Spacing::Linear };
    let mut widest = 0;
    for (value, text) in ticks::ticks(&range, 7) {
        let Some(share) = range.share(value) else { continue };
        let y = r.y + r.h - (share * f64::from(r.h)).round() as i32;
        c.line(vec![(r.x + r.w, y), (r.x + r.w + c.points(2.0), y)], INK, 0.5)?;
        c.text(&text, (r.x + r.w + c.points(4.0), y), 6.5, Hang::Left, INK)?;
        widest = widest.max(c.width(&text, 6.5));
    }
    c.upward_text(&scale.label, (r.x + r.w + c.points(10.0) + widest, r.y + r.h / 2), 7.0)
}
