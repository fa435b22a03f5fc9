//! A figure as PNG, with its dots per inch in the file.

use super::text::Bitmap;
use super::{ExportError, Exporter, Size, draw};
use crate::figure::Figure;
use plotters::prelude::{BitMapBackend, IntoDrawingArea};

pub struct Png;

impl Exporter for Png {
    fn ending(&self) -> &'static str {
        "png"
    }

    fn bytes(&self, figure: &Figure, size: &Size) -> Result<Vec<u8>, ExportError> {
        let pixels = pixels(figure, size)?;
        let mut bytes = Vec::new();
        let mut encoder = ::png::Encoder::new(&mut bytes, size.width, size.height);
        encoder.set_color(::png::ColorType::Rgb);
        encoder.set_depth(::png::BitDepth::Eight);
        let per_metre = (f64::from(size.dpi) / 0.0254).round() as u32;
        encoder.set_pixel_dims(Some(::png::PixelDimensions {
            xppu: per_metre,
            yppu: per_metre,
            unit: ::png::Unit::Meter,
        }));
        let failed = |e: ::png::EncodingError| ExportError::Draw(e.to_string());
        let mut writer = encoder.write_header().map_err(failed)?;
        writer.write_image_data(&pixels).map_err(failed)?;
        writer.finish().map_err(failed)?;
        Ok(bytes)
    }
}

/// Red, green and blue of every pixel, row by row.
pub(super) fn pixels(figure: &Figure, size: &Size) -> Result<Vec<u8>, ExportError> {
    let mut pixels = vec![255; size.width as usize * size.height as usize * 3];
    {
        let bitmap = BitMapBackend::with_buffer(&mut pixels, (size.width, size.height));
        let bitmap = Bitmap::new(bitmap).ok_or_else(|| ExportError::Draw("the embedded font cannot be read".into()))?;
        let area = bitmap.into_drawing_area();
        draw::figure(&area, figure, size)?;
        area.present().map_err(|e| ExportError::Draw(e.to_string()))?;
    }
    Ok(pixels)
}
