//! A figure as SVG, text kept as text.

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
        Ok(text.into_bytes())
    }
}
