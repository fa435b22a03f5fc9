//! Markers that tell lines apart: circle, triangle, square, diamond, triangle on its tip; then the same hollow.

use super::{Canvas, ExportError};
use plotters::prelude::*;

/// Corners of each shape on a circle of radius 1, y downwards; none: the circle itself.
const CORNERS: [&[(f64, f64)]; 5] = [
    &[],
    &[(0.0, -1.1), (1.0, 0.8), (-1.0, 0.8)],
    &[(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
    &[(0.0, -1.2), (1.0, 0.0), (0.0, 1.2), (-1.0, 0.0)],
    &[(0.0, 1.1), (1.0, -0.8), (-1.0, -0.8)],
];

pub(super) fn draw<DB: DrawingBackend>(
    c: &Canvas<DB>,
    (x, y): (i32, i32),
    shape: usize,
    ink: RGBColor,
) -> Result<(), ExportError> {
    let radius = f64::from(c.points(2.6).max(3));
    let hollow = (shape / CORNERS.len()) % 2 == 1;
    let corners = CORNERS[shape % CORNERS.len()];
    if corners.is_empty() {
        if hollow {
            c.put(&Circle::new((x, y), radius as i32, WHITE.filled()))?;
            return c.put(&Circle::new((x, y), radius as i32, ink.stroke_width(c.points(0.9).max(1) as u32)));
        }
        return c.put(&Circle::new((x, y), radius as i32, ink.filled()));
    }
    let place = |(dx, dy): &(f64, f64)| (x + (dx * radius).round() as i32, y + (dy * radius).round() as i32);
    let mut path: Vec<(i32, i32)> = corners.iter().map(place).collect();
    c.put(&Polygon::new(path.clone(), if hollow { WHITE } else { ink }.filled()))?;
    path.extend(path.first().copied());
    c.line(path, ink, 0.9)
}
