//! Neutral figures in terminal cells: braille lines with axes, heatmaps with numbers. Draws any figure; knows no runs.

mod heat;
mod lines;
mod uprights;

pub use lines::{symbol, value};

use super::action::Action;
use super::theme::Theme;
use crate::figure::{Figure, Mark, Panel};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Position, Rect};

/// A cell of a heatmap panel: panel, row from the top, column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    pub panel: usize,
    pub row: usize,
    pub column: usize,
}

/// What lies over panels of lines, in the horizontal axis's unit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Lens {
    /// A line upright through all that is read there.
    pub at: Option<f64>,
    /// A range that is being selected.
    pub band: Option<(f64, f64)>,
    /// The names stand elsewhere.
    pub unnamed: bool,
}

impl Cursor {
    /// Moves over the heatmaps of `figure`; at the end of a panel it goes on into the neighbouring one.
    pub fn step(&mut self, action: Action, figure: &Figure) {
        let (rows, columns) = shape(figure, self.panel);
        let across = figure.columns.max(1);
        match action {
            Action::Up if self.row > 0 => self.row -= 1,
            Action::Up if self.panel >= across => {
                self.panel -= across;
                self.row = shape(figure, self.panel).0.saturating_sub(1);
            }
            Action::Down if self.row + 1 < rows => self.row += 1,
            Action::Down if self.panel + across < figure.panels.len() => {
                (self.panel, self.row) = (self.panel + across, 0)
            }
            Action::Left if self.column > 0 => self.column -= 1,
            Action::Left if !self.panel.is_multiple_of(across) => {
                self.panel -= 1;
                self.column = shape(figure, self.panel).1.saturating_sub(1);
            }
            Action::Right if self.column + 1 < columns => self.column += 1,
            Action::Right if !(self.panel + 1).is_multiple_of(across) && self.panel + 1 < figure.panels.len() => {
                (self.panel, self.column) = (self.panel + 1, 0);
            }
            Action::Top => self.row = 0,
            Action::Bottom => self.row = rows.saturating_sub(1),
            _ => {}
        }
        // A neighbour above or below may be narrower.
        let (rows, columns) = shape(figure, self.panel);
        self.row = self.row.min(rows.saturating_sub(1));
        self.column = self.column.min(columns.saturating_sub(1));
    }
}

/// Draws every panel of `figure` in its grid; a shared colour scale stands in the last line.
pub fn draw(figure: &Figure, cursor: Option<Cursor>, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let (places, scale_line) = grid(figure, area);
    for (i, (place, panel)) in places.into_iter().zip(&figure.panels).enumerate() {
        match (cells(panel), figure.scale_of(panel)) {
            (Some(cells), Some(scale)) => {
                let here = cursor.filter(|c| c.panel == i).map(|c| (c.row, c.column));
                heat::draw(panel, cells, scale, here, place, buf, theme);
            }
            (_, scale) => lines::draw(panel, scale, Lens::default(), place, buf, theme),
        }
    }
    if let (Some(scale), 1..) = (&figure.scale, scale_line.height) {
        heat::scale_line(scale, scale_line, buf, theme);
    }
}

/// Draws a figure of lines with what lies over them.
pub fn draw_lens(figure: &Figure, lens: Lens, area: Rect, buf: &mut Buffer, theme: &Theme) {
    for (place, panel) in grid(figure, area).0.into_iter().zip(&figure.panels) {
        lines::draw(panel, None, lens, place, buf, theme);
    }
}

/// Place of each panel, and of the shared colour scale.
fn grid(figure: &Figure, area: Rect) -> (Vec<Rect>, Rect) {
    let bar = u16::from(figure.scale.is_some() && area.height > 6);
    let [grid, scale_line] = Layout::vertical([Constraint::Min(0), Constraint::Length(bar)]).areas(area);
    let across = figure.columns.max(1);
    let rows = Layout::vertical(vec![Constraint::Fill(1); figure.rows()]).split(grid);
    let columns = |row: &Rect| Layout::horizontal(vec![Constraint::Fill(1); across]).spacing(1).split(*row).to_vec();
    (rows.iter().flat_map(columns).take(figure.panels.len()).collect(), scale_line)
}

/// The panel of lines under a cell of the terminal, and the place on its horizontal axis.
pub fn locate(figure: &Figure, area: Rect, at: Position) -> Option<(usize, f64)> {
    let places = grid(figure, area).0;
    let index = places.iter().position(|place| place.contains(at))?;
    Some((index, lines::x_at(figure.panels.get(index)?, places[index], at.x)?))
}

/// The cell of a heatmap at a place of the terminal, where the figure was drawn with this cursor.
pub fn cell_at(figure: &Figure, cursor: Option<Cursor>, area: Rect, at: Position) -> Option<Cursor> {
    let places = grid(figure, area).0;
    let panel = places.iter().position(|place| place.contains(at))?;
    let row = cursor.filter(|c| c.panel == panel).map(|c| c.row);
    let of = figure.panels.get(panel)?;
    let (row, column) = heat::Grid::of(of, cells(of)?, row, places[panel])?.at(at)?;
    Some(Cursor { panel, row, column })
}

fn cells(panel: &Panel) -> Option<&[Vec<Option<f64>>]> {
    panel.marks.iter().find_map(|m| if let Mark::Heatmap { cells } = m { Some(&cells[..]) } else { None })
}

/// Value of the heatmap cell under the cursor.
pub fn value_at(figure: &Figure, cursor: Cursor) -> Option<f64> {
    cells(figure.panels.get(cursor.panel)?)?.get(cursor.row)?.get(cursor.column).copied().flatten()
}

/// Rows and columns of a panel's heatmap.
pub fn shape(figure: &Figure, panel: usize) -> (usize, usize) {
    figure.panels.get(panel).and_then(cells).map_or((0, 0), |c| (c.len(), c.first().map_or(0, Vec::len)))
}
