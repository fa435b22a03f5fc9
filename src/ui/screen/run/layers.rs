//! The pane of a run's layers: a cursor over the heatmaps, and a place among the recorded steps.

use crate::figure::Figure;
use crate::record::RunDetail;
use crate::ui::plot::{self, Cursor};
use crate::ui::screen::records::Records;
use crate::ui::theme::Theme;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::text::{Line, Span};

#[derive(Default)]
pub struct Layers {
    pub records: Records,
    pub cursor: Cursor,
}

impl Layers {
    /// Which record this is.
    pub fn place(&self, detail: &RunDetail) -> String {
        let (at, of) = Records::place(detail);
        format!("step {} ({at}/{of}) ", detail.norms_step)
    }

    /// Places of the heatmaps and of the line of records.
    pub fn split(area: Rect) -> [Rect; 2] {
        let track = u16::from(area.height > 6);
        Layout::vertical([Constraint::Min(0), Constraint::Length(track)]).areas(area)
    }

    /// The cursor goes to the cell at this place of the pane.
    pub fn click(&mut self, figure: &Figure, area: Rect, at: Position) {
        let cell = plot::cell_at(figure, Some(self.cursor), Self::split(area)[0], at);
        self.cursor = cell.unwrap_or(self.cursor);
    }

    /// The records as a line with the present one's place.
    pub fn draw_track(&self, frame: &mut Frame, area: Rect, detail: &RunDetail, theme: &Theme) {
        let steps = &detail.norm_steps;
        let (Some(first), Some(last)) = (steps.first(), steps.last()) else { return };
        let (left, right) = (format!("step {first} "), format!(" {last}"));
        let end = if self.records.0.is_none() { "  newest" } else { "  ] } later" };
        let used = left.len() + right.len() + end.len();
        let width = (area.width as usize).saturating_sub(used);
        if width < 10 {
            return;
        }
        let at = Records::place(detail).0.saturating_sub(1);
        let place = at * (width - 1) / steps.len().saturating_sub(1).max(1);
        let line = Line::from(vec![
            Span::styled(left, theme.faint()),
            Span::styled("━".repeat(place), theme.good()),
            Span::styled("●", theme.focused()),
            Span::styled("─".repeat(width - 1 - place), theme.faint()),
            Span::styled(format!("{right}{end}"), theme.faint()),
        ]);
        frame.render_widget(line, area);
    }

    /// What the cursor reads: layer, matrix, quantity and value.
    pub fn reading(&self, figure: &Figure) -> String {
        let Some(panel) = figure.panels.get(self.cursor.panel) else { return String::new() };
        let value = plot::value_at(figure, self.cursor).map_or("–".into(), |v| format!("{v:.6}"));
        format!(
            "layer {} {}: {} = {value} ",
            panel.y.range.name(self.cursor.row),
            panel.x.range.name(self.cursor.column),
            panel.title
        )
    }
}
