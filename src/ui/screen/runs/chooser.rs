//! The chooser of the table's columns, over the table: which are shown and in which order.

use super::columns::{COLUMNS, Column};
use super::shown::{Shown, is_constant, is_empty};
use crate::record::RunSummary;
use crate::ui::action::Action;
use crate::ui::overlay;
use crate::ui::theme::Theme;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};
use std::sync::Arc;

const WIDTH: u16 = 72;

pub struct Chooser {
    /// Every column and whether it is shown; those that are not stay where they are while it is open.
    columns: Vec<(&'static Column, bool)>,
    /// Line of the cursor: 0 is the switch that hides constant columns, then the columns.
    at: usize,
}

impl Chooser {
    pub fn open(shown: &Shown) -> Self {
        let others = COLUMNS.iter().filter(|c| !shown.columns.contains(c));
        let columns = shown.columns.iter().map(|c| (*c, true)).chain(others.map(|c| (c, false))).collect();
        Self { columns, at: 1 }
    }

    /// Carries out an action; true where it changed what is shown.
    pub fn act(&mut self, action: Action, shown: &mut Shown) -> bool {
        let last = self.columns.len();
        match action {
            Action::Up => self.at = self.at.saturating_sub(1),
            Action::Down => self.at = (self.at + 1).min(last),
            Action::HalfUp => self.at = self.at.saturating_sub(10),
            Action::HalfDown => self.at = (self.at + 10).min(last),
            Action::Top => self.at = 0,
            Action::Bottom => self.at = last,
            Action::Mark if self.at == 0 => {
                shown.hide_constant = !shown.hide_constant;
                return true;
            }
            Action::Mark => return self.toggle(shown),
            Action::MoveUp if self.at > 1 => {
                self.columns.swap(self.at - 1, self.at - 2);
                self.at -= 1;
                return self.apply(shown);
            }
            Action::MoveDown if (1..last).contains(&self.at) => {
                self.columns.swap(self.at - 1, self.at);
                self.at += 1;
                return self.apply(shown);
            }
            _ => {}
        }
        false
    }

    /// The last column stays.
    fn toggle(&mut self, shown: &mut Shown) -> bool {
        let lonely = self.columns.iter().filter(|(_, on)| *on).count() == 1;
        match self.columns.get_mut(self.at - 1) {
            Some((_, on)) if !(*on && lonely) => *on = !*on,
            _ => return false,
        }
        self.apply(shown)
    }

    fn apply(&self, shown: &mut Shown) -> bool {
        shown.columns = self.columns.iter().filter(|(_, on)| *on).map(|(c, _)| *c).collect();
        true
    }

    pub fn draw(&self, frame: &mut Frame, area: Rect, shown: &Shown, runs: &[&Arc<RunSummary>], theme: &Theme) {
        let lines = self.columns.len() + 1;
        let place = overlay::centred(area, WIDTH.min(area.width), (lines as u16 + 2).min(area.height));
        let block = Block::bordered()
            .border_style(theme.focused())
            .title(Span::styled(" Columns ", theme.title()))
            .title_bottom(Span::styled(" space shows or hides · J K move · esc closes ", theme.faint()));
        let inner = block.inner(place);
        let height = inner.height.max(1) as usize;
        let first = self.at.saturating_sub(height / 2).min(lines.saturating_sub(height));
        let boxed = |on: bool| if on { "[x]" } else { "[ ]" };
        let line = |i: usize| {
            let cursor = if i == self.at { "> " } else { "  " };
            let style = if i == self.at { theme.selected() } else { ratatui::style::Style::new() };
            let Some((column, on)) = i.checked_sub(1).and_then(|i| self.columns.get(i)) else {
                let text = "hide columns whose value is the same in all runs shown";
                return Line::styled(format!("{cursor}{} {text}", boxed(shown.hide_constant)), style);
            };
            let state = match () {
                () if is_empty(column, runs) => " (none yet)",
                () if is_constant(column, runs) => " (same in all)",
                () => "",
            };
            Line::from(vec![
                Span::styled(format!("{cursor}{} {:11}", boxed(*on), column.title), style),
                Span::raw(column.help),
                Span::styled(state, theme.faint()),
            ])
        };
        let lines: Vec<Line> = (first..lines).take(height).map(line).collect();
        frame.render_widget(Clear, place);
        frame.render_widget(Paragraph::new(lines).block(block), place);
    }
}
