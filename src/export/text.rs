//! Bitmap text and strokes. plotters' own ab_glyph drawing drops each glyph's left bearing, so a decimal point sticks to the
//! digit before it; this back end draws text and sloped strokes itself and passes everything else on.

use super::stroke;

use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};
use plotters::prelude::{BitMapBackend, DrawingBackend};
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind, FontTransform};

/// The font that is compiled in, so that a picture is alike on every machine.
pub(super) const FONT: &[u8] = include_bytes!("../../assets/fonts/DejaVuSans.ttf");

/// A bitmap whose text stands where the font says and whose strokes have one width.
pub(super) struct Bitmap<'a> {
    inner: BitMapBackend<'a>,
    font: FontRef<'static>,
}

impl<'a> Bitmap<'a> {
    /// None where the embedded font cannot be read.
    pub fn new(inner: BitMapBackend<'a>) -> Option<Self> {
        FontRef::try_from_slice(FONT).ok().map(|font| Self { inner, font })
    }

    /// Glyphs of a line from x = 0 with their kerning, and the line's width, ascent and height.
    fn layout(&self, text: &str, size: f64) -> (Vec<Glyph>, f32, f32, f32) {
        // plotters counts a font's size as its em; ab_glyph's scale is the height from ascent to descent.
        let units = self.font.units_per_em().unwrap_or(1_000.0);
        let scale = PxScale::from(size as f32 * self.font.height_unscaled() / units);
        let font = self.font.as_scaled(scale);
        let (mut glyphs, mut x, mut before) = (Vec::new(), 0.0, None);
        for c in text.chars() {
            let id = font.glyph_id(c);
            x += before.map_or(0.0, |b| font.kern(b, id));
            glyphs.push(id.with_scale_and_position(scale, point(x, font.ascent())));
            x += font.h_advance(id);
            before = Some(id);
        }
        (glyphs, x, font.ascent(), font.height())
    }
}

impl DrawingBackend for Bitmap<'_> {
    type ErrorType = <BitMapBackend<'static> as DrawingBackend>::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.inner.get_size()
    }

    fn ensure_prepared(&mut self) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.inner.ensure_prepared()
    }

    fn present(&mut self) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.inner.present()
    }

    fn draw_pixel(&mut self, at: BackendCoord, colour: BackendColor) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.inner.draw_pixel(at, colour)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        lower_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.inner.draw_rect(upper_left, lower_right, style, fill)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        let path: Vec<BackendCoord> = path.into_iter().collect();
        // Upright and level strokes are sharpest on whole pixels.
        if path.windows(2).all(|p| p[0].0 == p[1].0 || p[0].1 == p[1].1) {
            return self.inner.draw_path(path, style);
        }
        let colour = style.color();
        let (width, height) = self.get_size();
        for ((x, y), covered) in stroke::coverage(&path, f64::from(style.stroke_width().max(1))) {
            if (0..width as i32).contains(&x) && (0..height as i32).contains(&y) {
                self.inner.draw_pixel((x, y), BackendColor { alpha: colour.alpha * covered, rgb: colour.rgb })?;
            }
        }
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Self::ErrorType>> {
        let (_, width, _, height) = self.layout(text, style.size());
        Ok((width.ceil() as u32, height.ceil() as u32))
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        at: BackendCoord,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        let (glyphs, width, _, height) = self.layout(text, style.size());
        let across = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Center => width / 2.0,
            HPos::Right => width,
        };
        let down = match style.anchor().v_pos {
            VPos::Top => 0.0,
            VPos::Center => height / 2.0,
            VPos::Bottom => height,
        };
        let upward = matches!(style.transform(), FontTransform::Rotate270);
        let colour = style.color();
        for glyph in glyphs {
            let Some(outline) = self.font.outline_glyph(glyph) else { continue };
            let bounds = outline.px_bounds();
            let mut dots = Vec::new();
            outline.draw(|x, y, coverage| {
                if coverage > 0.0 {
                    let x = (bounds.min.x + x as f32 - across).round() as i32;
                    let y = (bounds.min.y + y as f32 - down).round() as i32;
                    let place = if upward { (at.0 + y, at.1 - x) } else { (at.0 + x, at.1 + y) };
                    dots.push((place, f64::from(coverage.min(1.0))));
                }
            });
            let (width, height) = self.get_size();
            for ((x, y), coverage) in dots {
                if (0..width as i32).contains(&x) && (0..height as i32).contains(&y) {
                    self.inner.draw_pixel((x, y), BackendColor { alpha: colour.alpha * coverage, rgb: colour.rgb })?;
                }
            }
        }
        Ok(())
    }
}
