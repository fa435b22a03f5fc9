//! A heatmap's cells: the scale's colours, numbers where all of them fit, hatches where there is no value.

use super::{Canvas, ExportError, FAINT, Hang, Rect, colour};
use crate::figure::{Scale, colour::ink_on, ticks::Digits};
use plotters::prelude::{DrawingBackend, WHITE};

pub(super) fn draw<DB: DrawingBackend>(
    c: &Canvas<DB>,
    r: Rect,
    cells: &[Vec<Option<f64>>],
    scale: &Scale,
) -> Result<(), ExportError> {
    let rows = cells.len().max(1) as i32;
    let values = || cells.iter().flatten().flatten().copied();
    let digits = Digits::of(values());
    // Numbers in some cells alone would look as if those were special.
    let columns = cells.iter().map(Vec::len).max().unwrap_or(1).max(1) as i32;
    let widest = values().map(|v| c.width(&digits.text(v), 6.0)).max().unwrap_or(0);
    let numbers = widest + c.points(2.0) < r.w / columns && c.points(7.0) < r.h / rows;
    for (i, line) in cells.iter().enumerate() {
        let columns = line.len().max(1) as i32;
        for (j, value) in line.iter().enumerate() {
            let (i, j) = (i as i32, j as i32);
            let (x, y) = (r.x + r.w * j / columns, r.y + r.h * i / rows);
            let cell = Rect { x, y, w: r.x + r.w * (j + 1) / columns - x, h: r.y + r.h * (i + 1) / rows - y };
            match value.and_then(|v| scale.colour(v).map(|rgb| (v, rgb))) {
                Some((value, rgb)) => {
                    c.fill(cell, colour(rgb))?;
                    if numbers {
                        let middle = (cell.x + cell.w / 2, cell.y + cell.h / 2);
                        c.text(&digits.text(value), middle, 6.0, Hang::Centre, colour(ink_on(rgb)))?;
                    }
                }
                None => hatch(c, cell)?,
            }
        }
    }
    Ok(())
}

/// White with slanted lines: no run covers this cell.
fn hatch<DB: DrawingBackend>(c: &Canvas<DB>, r: Rect) -> Result<(), ExportError> {
    c.fill(r, WHITE)?;
    let step = c.points(4.0).max(3);
    let mut offset = step;
    while offset < r.w + r.h {
        // From the left or lower edge up to the upper or right edge.
        let from = if offset <= r.h { (r.x, r.y + offset) } else { (r.x + offset - r.h, r.y + r.h) };
        let to = if offset <= r.w { (r.x + offset, r.y) } else { (r.x + r.w, r.y + offset - r.w) };
        c.line(vec![from, to], FAINT, 0.4)?;
        offset += step;
    }
    Ok(())
}
