//! Neutral figures in terminal cells: braille lines with axes, heatmaps with numbers. Draws any figure; knows no runs.

mod heat;
mod lines;

use super::theme::Theme;
use crate::figure::{Figure, Mark, Panel};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};

/// A cell of a heatmap panel: panel, row from the top, column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub panel: usize,
    pub row: usize,
    pub column: usize,
}

/// Draws every panel of `figure` in its grid; a shared colour scale stands in the last line.
pub fn draw(figure: &Figure, cursor: Option<Cursor>, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let bar = u16::from(figure.scale.is_some() && area.height > 6);
    let [grid, scale_line] = Layout::vertical([Constraint::Min(0), Constraint::Length(bar)]).areas(area);
    let rows = Layout::vertical(vec![Constraint::Fill(1); figure.rows()]).split(grid);
    for (row, panels) in rows.iter().zip(figure.panels.chunks(figure.columns.max(1))) {
        let columns = Layout::horizontal(vec![Constraint::Fill(1); figure.columns.max(1)]).spacing(1).split(*row);
        for (place, panel) in columns.iter().zip(panels) {
            let index = figure.panels.iter().position(|p| std::ptr::eq(p, panel));
            let here = cursor.filter(|c| Some(c.panel) == index).map(|c| (c.row, c.column));
            draw_panel(figure, panel, here, *place, buf, theme);
        }
    }
    if let (Some(scale), 1) = (&figure.scale, bar) {
        heat::scale_line(scale, scale_line, buf, theme);
    }
}

fn draw_panel(
    figure: &Figure,
    panel: &Panel,
    cursor: Option<(usize, usize)>,
    area: Rect,
    buf: &mut Buffer,
    theme: &Theme,
) {
    let cells = panel.marks.iter().find_map(|m| if let Mark::Heatmap { cells } = m { Some(cells) } else { None });
    match (cells, figure.scale_of(panel)) {
        (Some(cells), Some(scale)) => heat::draw(panel, cells, scale, cursor, area, buf, theme),
        _ => lines::draw(panel, area, buf, theme),
    }
}

/// Value of the heatmap cell under the cursor.
pub fn value_at(figure: &Figure, cursor: Cursor) -> Option<f64> {
    let panel = figure.panels.get(cursor.panel)?;
    panel.marks.iter().find_map(|m| match m {
        Mark::Heatmap { cells } => cells.get(cursor.row)?.get(cursor.column).copied().flatten(),
        _ => None,
    })
}

/// Rows and columns of a panel's heatmap.
pub fn shape(figure: &Figure, panel: usize) -> (usize, usize) {
    let cells = figure
        .panels
        .get(panel)
        .and_then(|p| p.marks.iter().find_map(|m| if let Mark::Heatmap { cells } = m { Some(cells) } else { None }));
    cells.map_or((0, 0), |c| (c.len(), c.first().map_or(0, Vec::len)))
}
