//! The pane of a run's log: scrolling, and a search that goes from match to match.

use crate::event::Level;
use crate::record::{LogLine, RunDetail};
use crate::ui::theme::Theme;
use crate::untrusted::harmless;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

#[derive(Default)]
pub struct Log {
    /// Lines below the last one that is shown.
    up: usize,
    /// Shows the newest match, whatever it is by now.
    at_match: bool,
    query: String,
    pub typing: bool,
}

impl Log {
    /// Scrolls by lines, up where positive.
    pub fn scroll(&mut self, lines: isize, detail: &RunDetail) {
        self.up = self.below(detail).saturating_add_signed(lines).min(detail.log.len().saturating_sub(1));
        self.at_match = false;
    }

    /// Lines below the last one that is shown.
    fn below(&self, detail: &RunDetail) -> usize {
        let newest = || detail.log.iter().rev().position(|l| self.matches(&l.text));
        let found = if self.at_match { newest() } else { None };
        found.unwrap_or(self.up.min(detail.log.len().saturating_sub(1)))
    }

    /// Starts to take a query; the log follows it to its newest match.
    pub fn search(&mut self) {
        (self.typing, self.at_match) = (true, true);
        self.query.clear();
    }

    /// Goes to the next match below or above the last line that is shown, round the ends; a text where there is none.
    pub fn seek(&mut self, down: bool, detail: &RunDetail) -> Option<String> {
        if self.query.is_empty() {
            return Some("/ searches the log".into());
        }
        let count = detail.log.len();
        let now = count.saturating_sub(self.below(detail) + 1);
        let turned = (1..=count).map(|i| if down { (now + i) % count } else { (now + count - i) % count });
        match turned.into_iter().find(|i| self.matches(&detail.log[*i].text)) {
            Some(found) => {
                (self.up, self.at_match) = (count - 1 - found, false);
                None
            }
            None => Some(format!("{:?} is not in the log", self.query)),
        }
    }

    /// Upper and lower case matter only where the query has upper case.
    fn matches(&self, text: &str) -> bool {
        !self.query.is_empty() && !self.found(text).is_empty()
    }

    /// Byte ranges of the matches.
    fn found(&self, text: &str) -> Vec<(usize, usize)> {
        if self.query.is_empty() {
            return Vec::new();
        }
        let exact = self.query.chars().any(char::is_uppercase);
        // ASCII only, so that places in the folded text are places in the text.
        let (text, query) = if exact {
            (text.to_string(), self.query.clone())
        } else {
            (text.to_ascii_lowercase(), self.query.to_ascii_lowercase())
        };
        text.match_indices(&query).map(|(at, word)| (at, at + word.len())).collect()
    }

    /// Takes a key of the search; true where it was one.
    pub fn typed(&mut self, key: KeyEvent) -> bool {
        if !self.typing {
            return false;
        }
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Enter => self.typing = false,
            KeyCode::Esc => {
                self.typing = false;
                self.query.clear();
            }
            KeyCode::Backspace => drop(self.query.pop()),
            KeyCode::Char('u') if ctrl => self.query.clear(),
            KeyCode::Char(c) if !ctrl => self.query.push(c),
            _ => return false,
        }
        true
    }

    pub fn pasted(&mut self, text: &str) {
        if self.typing {
            self.query.extend(text.chars().filter(|c| !c.is_control()));
        }
    }

    /// The search, and where in the log one is.
    pub fn title(&self, detail: &RunDetail) -> String {
        let search = match (self.typing, self.query.is_empty()) {
            (true, _) => format!("/{}▏", harmless(&self.query)),
            (false, true) => String::new(),
            (false, false) => {
                let count = detail.log.iter().filter(|l| self.matches(&l.text)).count();
                format!("/{} in {count} of {} lines ", harmless(&self.query), detail.log.len())
            }
        };
        let (below, count) = (self.below(detail), detail.log.len());
        let place = if below > 0 { format!("line {} of {count} ", count - below) } else { String::new() };
        format!("{search}{place}")
    }

    pub fn draw(&self, frame: &mut Frame, area: Rect, detail: &RunDetail, theme: &Theme) {
        let height = area.height as usize;
        let end = detail.log.len() - self.below(detail);
        // The newest lines that can be seen: each takes one row or more.
        let lines = &detail.log[end.saturating_sub(height)..end];
        let rows: Vec<Line> = lines.iter().flat_map(|l| self.rows(l, area.width, theme)).collect();
        let shown = rows[rows.len().saturating_sub(height)..].to_vec();
        frame.render_widget(Paragraph::new(shown), area);
    }

    fn rows(&self, line: &LogLine, width: u16, theme: &Theme) -> Vec<Line<'static>> {
        let style = match line.level {
            Level::Error => theme.error(),
            Level::Warn => theme.warning(),
            Level::Info => Style::new(),
        };
        let options = textwrap::Options::new(width.max(8).into()).subsequent_indent("  ");
        let text = harmless(&line.text);
        let rows = textwrap::wrap(&text, options);
        rows.into_iter().map(|row| Line::from(self.highlighted(&row, style)).style(style)).collect()
    }

    fn highlighted(&self, row: &str, style: Style) -> Vec<Span<'static>> {
        let mut spans = Vec::new();
        let mut from = 0;
        for (start, end) in self.found(row) {
            spans.push(Span::styled(row[from..start].to_string(), style));
            spans.push(Span::styled(row[start..end].to_string(), style.add_modifier(Modifier::REVERSED)));
            from = end;
        }
        spans.push(Span::styled(row[from..].to_string(), style));
        spans
    }
}
