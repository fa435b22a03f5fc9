//! The filter line of the table of runs: what is typed, what it means, and what is wrong with it.

use crate::ui::edit::LineEdit;
use crate::ui::filter::{Filter, FilterError, Known, complete};
use crate::ui::text::fit;
use crate::ui::theme::Theme;
use crate::untrusted::harmless;
use crate::view::View;
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::text::{Line, Span};

#[derive(Default)]
pub struct Search {
    line: LineEdit,
    filter: Filter,
    fault: Option<FilterError>,
    typing: Option<Typing>,
}

/// Completion while the line is being typed.
struct Typing {
    known: Known,
    /// What tab goes through, and the one that it takes next; empty until it is pressed.
    candidates: Vec<String>,
    next: usize,
}

impl Search {
    pub fn start(&mut self, view: &View) {
        let known = Known::of(view.runs.iter().map(|r| &**r));
        self.typing = Some(Typing { known, candidates: Vec::new(), next: 0 });
    }

    pub fn is_typing(&self) -> bool {
        self.typing.is_some()
    }

    pub fn is_empty(&self) -> bool {
        self.line.text().is_empty()
    }

    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Takes over a whole filter.
    pub fn set(&mut self, text: &str) {
        *self = Self { line: LineEdit::new(text), ..Self::default() };
        self.read();
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes a key while the line is being typed; true where it used it.
    pub fn key(&mut self, key: KeyEvent) -> bool {
        let Some(typing) = &mut self.typing else { return false };
        match key.code {
            KeyCode::Enter => self.typing = None,
            KeyCode::Esc => self.clear(),
            KeyCode::Tab => {
                if typing.candidates.is_empty() {
                    typing.candidates = complete(&self.line.text(), &typing.known);
                    typing.next = 0;
                }
                if let Some(text) = typing.candidates.get(typing.next) {
                    self.line = LineEdit::new(text);
                    typing.next = (typing.next + 1) % typing.candidates.len();
                    // The only one is taken: the next tab goes on from it.
                    if typing.candidates.len() == 1 {
                        typing.candidates.clear();
                    }
                }
                self.read();
            }
            _ if self.line.key(key) => {
                typing.candidates.clear();
                self.read();
            }
            _ => return false,
        }
        true
    }

    pub fn paste(&mut self, text: &str) {
        if let Some(typing) = &mut self.typing {
            typing.candidates.clear();
            self.line.paste(text);
            self.read();
        }
    }

    fn read(&mut self) {
        (self.filter, self.fault) = Filter::read(&self.line.text());
    }

    /// What stands in the table's title.
    pub fn title(&self, width: usize, theme: &Theme) -> Line<'static> {
        let style = if self.fault.is_some() { theme.error() } else { theme.focused() };
        let mut spans = vec![Span::raw("/")];
        match (&self.typing, self.is_empty()) {
            (Some(_), _) => spans.extend(self.line.line(width.saturating_sub(2), theme).spans),
            (None, true) => return Line::default(),
            (None, false) => spans.push(Span::raw(fit(&harmless(&self.line.text()), width.saturating_sub(2)))),
        }
        spans.push(Span::raw(" "));
        Line::from(spans).style(style)
    }

    /// What stands under the table: what is wrong, else what tab would bring.
    pub fn foot(&self, width: usize, theme: &Theme) -> Option<Line<'static>> {
        let room = width.saturating_sub(4);
        if let Some(fault) = &self.fault {
            return Some(Line::styled(format!(" {} ", fit(&harmless(&fault.to_string()), room)), theme.error()));
        }
        let typing = self.typing.as_ref()?;
        let text = self.line.text();
        let start = text.rfind(|c: char| c.is_whitespace() || c == '|').map_or(0, |i| i + 1);
        let candidates = complete(&text, &typing.known);
        let ends: Vec<&str> = candidates.iter().filter_map(|c| c.get(start..)).collect();
        let hint = match ends.is_empty() {
            true => "enter keeps · esc clears · -term not · | or".to_string(),
            false => format!("tab: {}", harmless(&ends.join(" "))),
        };
        Some(Line::styled(format!(" {} ", fit(&hint, room)), theme.faint()))
    }
}
