//! Figures to files: pictures and data. The only place that knows plotters.

mod csv;
mod draw;
mod json;
mod png;
mod stroke;
mod svg;
mod text;

use crate::figure::Figure;
use crate::whole;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Size of a picture in pixels. Text and lines scale with the dots per inch. By default the width of a page with two columns,
/// in print quality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub width: u32,
    pub height: u32,
    pub dpi: u32,
}

impl Default for Size {
    fn default() -> Self {
        Self { width: 2_100, height: 1_290, dpi: 300 }
    }
}

impl Size {
    /// Inches below which titles, ticks and legends leave no room for what they name.
    pub const SMALLEST: (u32, u32) = (3, 2);

    /// Refuses a picture that would be too small to read.
    pub fn check(self) -> Result<Self, ExportError> {
        let (wide, high) = Self::SMALLEST;
        let fits = self.width >= wide * self.dpi && self.height >= high * self.dpi;
        if fits { Ok(self) } else { Err(ExportError::Small { size: self }) }
    }

    fn inches(&self) -> String {
        let inches = |pixels: u32| f64::from(pixels) / f64::from(self.dpi);
        format!("{:.2} x {:.2} inches", inches(self.width), inches(self.height))
    }
}

#[derive(Debug, Error)]
pub enum ExportError {
    #[error(
        "size: found {} x {} pixels at {} dots per inch, which is {}, expected at least {} x {} inches ({} x {} pixels); a smaller --dpi makes the text smaller",
        size.width, size.height, size.dpi, size.inches(), Size::SMALLEST.0, Size::SMALLEST.1,
        Size::SMALLEST.0 * size.dpi, Size::SMALLEST.1 * size.dpi
    )]
    Small { size: Size },
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{path}: found ending {found:?}, expected one of {}", endings())]
    Ending { path: PathBuf, found: String },
    #[error("cannot draw the figure: {0}")]
    Draw(String),
}

/// A file format.
pub trait Exporter: Sync {
    /// The file name's ending, without the dot.
    fn ending(&self) -> &'static str;
    fn bytes(&self, figure: &Figure, size: &Size) -> Result<Vec<u8>, ExportError>;
}

/// Every format.
pub static ALL: &[&dyn Exporter] = &[&png::Png, &svg::Svg, &csv::Csv, &json::Json];

fn endings() -> String {
    ALL.iter().map(|e| e.ending()).collect::<Vec<_>>().join(", ")
}

/// A line's name in data files: one without a label is a series as it was recorded.
fn series(label: &str) -> &str {
    if label.is_empty() { "raw" } else { label }
}

/// Red, green and blue of every pixel of the picture that [`write`] puts into a PNG file.
pub fn pixels(figure: &Figure, size: &Size) -> Result<Vec<u8>, ExportError> {
    png::pixels(figure, size)
}

/// The format that the ending of `path` names.
pub fn format_of(path: &Path) -> Result<&'static dyn Exporter, ExportError> {
    let found = path.extension().map_or_else(String::new, |e| e.to_string_lossy().to_lowercase());
    let exporter = ALL.iter().copied().find(|e| e.ending() == found);
    exporter.ok_or_else(|| ExportError::Ending { path: path.into(), found })
}

/// Writes `figure` in the format that the ending of `path` names. The file appears whole or not at all.
pub fn write(figure: &Figure, size: &Size, path: &Path) -> Result<(), ExportError> {
    let bytes = format_of(path)?.bytes(figure, size)?;
    whole::write(path, &bytes).map_err(|source| ExportError::Io { path: path.into(), source })
}

/// The first of `stem.ending`, `stem-2.ending`, ... that does not exist in `folder`.
pub fn free_path(folder: &Path, stem: &str, ending: &str) -> PathBuf {
    let safe: String = stem.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect();
    let name = |n: usize| if n == 1 { format!("{safe}.{ending}") } else { format!("{safe}-{n}.{ending}") };
    (1..).map(|n| folder.join(name(n))).find(|p| !p.exists()).unwrap_or_else(|| folder.join(name(1)))
}
