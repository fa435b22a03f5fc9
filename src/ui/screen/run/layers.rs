//! The pane of a run's layers: a cursor over the heatmaps, and a place among the recorded steps.

use crate::figure::{Figure, Range};
use crate::record::RunDetail;
use crate::ui::action::Action;
use crate::ui::plot::{self, Cursor};
use crate::ui::theme::Theme;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

pub struct Layers {
    /// Recorded step whose norms are shown; none: the newest.
    pub step: Option<u64>,
    pub cursor: Cursor,
}

impl Default for Layers {
    fn default() -> Self {
        Self { step: None, cursor: Cursor { panel: 0, row: 0, column: 0 } }
    }
}

impl Layers {
    pub fn move_cursor(&mut self, action: Action, figure: &Figure) {
        let (rows, columns) = plot::shape(figure, self.cursor.panel);
        let c = &mut self.cursor;
        match action {
            Action::Up => c.row = c.row.saturating_sub(1),
            Action::Down => c.row = (c.row + 1).min(rows.saturating_sub(1)),
            Action::Top => c.row = 0,
            Action::Bottom => c.row = rows.saturating_sub(1),
            // Left and right go on into the neighbouring panel.
            Action::Left if c.column > 0 => c.column -= 1,
            Action::Left if c.panel > 0 => (c.panel, c.column) = (c.panel - 1, columns.saturating_sub(1)),
            Action::Right if c.column + 1 < columns => c.column += 1,
            Action::Right if c.panel + 1 < figure.panels.len() => (c.panel, c.column) = (c.panel + 1, 0),
            _ => {}
        }
    }

    /// Goes by so many records, later where positive.
    pub fn scrub(&mut self, detail: &RunDetail, by: isize) {
        let steps = &detail.norm_steps;
        let last = steps.len().saturating_sub(1);
        // From the record that was asked for: the one that is shown may be on its way.
        let at = self.step.and_then(|step| steps.iter().position(|s| *s == step)).unwrap_or(last);
        let next = at.saturating_add_signed(by).min(last);
        // At the newest record it follows the run again.
        self.step = steps.get(next).copied().filter(|_| next < last);
    }

    /// Which record this is.
    pub fn place(&self, detail: &RunDetail) -> String {
        let steps = &detail.norm_steps;
        let at = steps.iter().position(|s| *s == detail.norms_step).map_or(0, |i| i + 1);
        format!("step {} ({at}/{}) ", detail.norms_step, steps.len())
    }

    /// The records as a line with the present one's place.
    pub fn draw_track(&self, frame: &mut Frame, area: Rect, detail: &RunDetail, theme: &Theme) {
        let steps = &detail.norm_steps;
        let (Some(first), Some(last)) = (steps.first(), steps.last()) else { return };
        let (left, right) = (format!("step {first} "), format!(" {last}"));
        let end = if self.step.is_none() { "  newest" } else { "  ] } later" };
        let used = left.len() + right.len() + end.len();
        let width = (area.width as usize).saturating_sub(used);
        if width < 10 {
            return;
        }
        let at = steps.iter().position(|s| *s == detail.norms_step).unwrap_or(0);
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
        let name = |range: &Range, i: usize| match range {
            Range::Names(names) => names.get(i).cloned().unwrap_or_default(),
            Range::Numbers { .. } => i.to_string(),
        };
        let value = plot::value_at(figure, self.cursor).map_or("–".into(), |v| format!("{v:.6}"));
        format!(
            "layer {} {}: {} = {value} ",
            name(&panel.y.range, self.cursor.row),
            name(&panel.x.range, self.cursor.column),
            panel.title
        )
    }
}
