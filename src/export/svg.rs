//! A figure as SVG, text kept as text, with its size on paper.

use super::{ExportError, Exporter, Size, draw};
use crate::figure::Figure;
use plotters::prelude::{IntoDrawingArea, SVGBackend};

pub struct Svg;

impl Exporter for Svg {
    fn ending(&self) -> &'static str {
        "svg"
    }

    fn bytes(&self, figure: &Figure, size: &Size) -> Result<Vec<u8>, ExportError> {
        let mut text = String::new();
        {
            let area = SVGBackend::with_string(&mut text, (size.width, size.height)).into_drawing_area();
            draw::figure(&area, figure, size)?;
            area.present().map_err(|e| ExportError::Draw(e.to_string()))?;
        }
        // plotters writes pixels; a page needs to know how large that is.
        let inches = |pixels: u32| f64::from(pixels) / f64::from(size.dpi);
        let pixels = format!("width=\"{}\" height=\"{}\"", size.width, size.height);
        let physical = format!("width=\"{:.4}in\" height=\"{:.4}in\"", inches(size.width), inches(size.height));
        Ok(text.replacen(&pixels, &physical, 1).into_bytes())
    }
}
