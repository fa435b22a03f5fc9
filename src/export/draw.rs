//! One drawing routine for every picture format: the grid of panels, titles, colour bar and caption.

mod bar;
mod heat;
mod panel;
mod shape;

use super::{ExportError, Size};
use crate::figure::Figure;
use crate::figure::colour::Rgb;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::sync::Once;

/// The embedded font's name.
const FONT: &str = "DejaVu Sans";
const INK: RGBColor = RGBColor(0x20, 0x20, 0x20);
const FAINT: RGBColor = RGBColor(0xb0, 0xb0, 0xb0);

/// A rectangle in pixels.
#[derive(Clone, Copy, Debug)]
struct Rect {
    x: i32,
    y: i32,
    w: i32,
    h: i32,
}

/// A canvas with lengths in points.
struct Canvas<'a, DB: DrawingBackend> {
    area: &'a DrawingArea<DB, Shift>,
    dpi: f64,
}

/// Where a text hangs on its position.
#[derive(Clone, Copy)]
enum Hang {
    Left,
    Centre,
    Right,
}

/// Draws the whole figure.
pub(super) fn figure<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    figure: &Figure,
    size: &Size,
) -> Result<(), ExportError> {
    register()?;
    let canvas = Canvas { area, dpi: f64::from(size.dpi) };
    area.fill(&WHITE).map_err(|e| ExportError::Draw(e.to_string()))?;
    let (width, height) = (size.width as i32, size.height as i32);
    let margin = canvas.points(8.0);
    canvas.text(&figure.title, (width / 2, margin + canvas.points(5.0)), 10.0, Hang::Centre, INK)?;
    let caption = canvas.wrapped(&figure.caption, width - 2 * margin, 6.0);
    let line = canvas.points(8.0);
    let below = line * caption.len().max(1) as i32 + canvas.points(10.0);
    for (i, text) in caption.iter().rev().enumerate() {
        canvas.text(text, (margin, height - line * (i as i32 + 1)), 6.0, Hang::Left, INK)?;
    }
    let bar = if figure.scale.is_some() { canvas.points(52.0) } else { 0 };
    let top = margin + canvas.points(14.0);
    let inner = Rect { x: margin, y: top, w: width - 2 * margin - bar, h: height - top - below };
    let (rows, columns) = (figure.rows().max(1) as i32, figure.columns.max(1) as i32);
    for (index, panel) in figure.panels.iter().enumerate() {
        let (row, column) = (index as i32 / columns, index as i32 % columns);
        let place = Rect {
            x: inner.x + inner.w * column / columns,
            y: inner.y + inner.h * row / rows,
            w: inner.w / columns,
            h: inner.h / rows,
        };
        panel::draw(&canvas, place, panel, figure.scale_of(panel))?;
    }
    if let Some(scale) = &figure.scale {
        let place = Rect {
            x: inner.x + inner.w + canvas.points(6.0),
            y: inner.y + canvas.points(20.0),
            w: canvas.points(10.0),
            h: inner.h - canvas.points(50.0),
        };
        bar::draw(&canvas, place, scale)?;
    }
    Ok(())
}

fn register() -> Result<(), ExportError> {
    static ONCE: Once = Once::new();
    let mut result = Ok(());
    ONCE.call_once(|| {
        result = register_font(FONT, FontStyle::Normal, super::text::FONT);
    });
    result.map_err(|_| ExportError::Draw("the embedded font cannot be read".into()))
}

fn colour((r, g, b): Rgb) -> RGBColor {
    RGBColor(r, g, b)
}

impl<DB: DrawingBackend> Canvas<'_, DB> {
    /// Points (1/72 inch) as pixels.
    fn points(&self, points: f64) -> i32 {
        (points * self.dpi / 72.0).round() as i32
    }

    /// Width of a text in pixels.
    fn width(&self, text: &str, size: f64) -> i32 {
        let style = self.style(size, Hang::Left, INK);
        self.area.estimate_text_size(text, &style).map_or(0, |(w, _)| w as i32)
    }

    /// A text in lines that are not wider than `room` pixels, where its words allow that.
    fn wrapped(&self, text: &str, room: i32, size: f64) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for word in text.split_whitespace() {
            match lines.last_mut() {
                Some(line) if self.width(&format!("{line} {word}"), size) <= room => line.extend([" ", word]),
                _ => lines.push(word.into()),
            }
        }
        lines
    }

    fn style(&self, size: f64, hang: Hang, ink: RGBColor) -> TextStyle<'static> {
        let across = match hang {
            Hang::Left => HPos::Left,
            Hang::Centre => HPos::Center,
            Hang::Right => HPos::Right,
        };
        // The height that plotters takes is the em in pixels.
        let font = (FONT, (size * self.dpi / 72.0).max(1.0)).into_font();
        TextStyle { font, color: ink.to_backend_color(), pos: Pos::new(across, VPos::Center) }
    }

    /// A line of text, its middle at the height of `at`.
    fn text(&self, text: &str, at: (i32, i32), size: f64, hang: Hang, ink: RGBColor) -> Result<(), ExportError> {
        if text.is_empty() {
            return Ok(());
        }
        self.put(&Text::new(text, at, self.style(size, hang, ink)))
    }

    /// Text that reads upwards, centred on `at`.
    fn upward_text(&self, text: &str, at: (i32, i32), size: f64) -> Result<(), ExportError> {
        let style = self.style(size, Hang::Centre, INK).transform(FontTransform::Rotate270);
        self.put(&Text::new(text, at, style))
    }

    fn line(&self, points: Vec<(i32, i32)>, ink: RGBColor, width: f64) -> Result<(), ExportError> {
        let stroke = self.points(width).max(1) as u32;
        self.put(&PathElement::new(points, ink.stroke_width(stroke)))
    }

    fn fill(&self, r: Rect, ink: RGBColor) -> Result<(), ExportError> {
        self.put(&Rectangle::new([(r.x, r.y), (r.x + r.w, r.y + r.h)], ink.filled()))
    }

    fn frame(&self, r: Rect) -> Result<(), ExportError> {
        let (right, low) = (r.x + r.w, r.y + r.h);
        self.line(vec![(r.x, r.y), (right, r.y), (right, low), (r.x, low), (r.x, r.y)], INK, 0.5)
    }

    fn put<'b, E>(&self, element: &'b E) -> Result<(), ExportError>
    where
        &'b E: plotters::element::PointCollection<'b, (i32, i32)>,
        E: plotters::element::Drawable<DB>,
    {
        self.area.draw(element).map_err(|e| ExportError::Draw(e.to_string()))
    }
}
