//! The list of rows, a search that leaves those that hold a text, and the selected row whole with its tokens.

use crate::record::Sample;
use crate::ui::clicks::first_shown;
use crate::ui::edit::LineEdit;
use crate::ui::text::fit;
use crate::ui::theme::Theme;
use crate::untrusted::{brief, harmless};
use crate::view::RowsView;
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// Rows are asked for anew each time the selection has gone so far.
const STRIDE: usize = 100;
/// Letters of a row that its line may hold, and of a text that is shown whole.
const LINE: usize = 400;
const WHOLE: usize = 20_000;

#[derive(Default)]
pub struct Examples {
    /// Place of the selected row among those found.
    pub at: usize,
    query: LineEdit,
    typing: bool,
}

impl Examples {
    pub fn query(&self) -> String {
        self.query.text().trim().to_string()
    }

    /// What is asked for: it does not change with every step.
    pub fn near(&self) -> usize {
        (self.at + STRIDE / 2) / STRIDE * STRIDE
    }

    pub fn step(&mut self, rows: isize, view: &RowsView) {
        self.at = self.at.saturating_add_signed(rows).min(view.found.saturating_sub(1));
    }

    pub fn search(&mut self) {
        self.typing = true;
    }

    /// Takes the search away; false where there is none.
    pub fn forget(&mut self) -> bool {
        let there = !self.query.text().is_empty();
        if there {
            (self.query, self.at) = (LineEdit::default(), 0);
        }
        there
    }

    pub fn typed(&mut self, key: KeyEvent) -> bool {
        if !self.typing {
            return false;
        }
        match key.code {
            KeyCode::Enter => self.typing = false,
            KeyCode::Esc => {
                self.typing = false;
                self.forget();
            }
            _ => {
                let before = self.query.text();
                let used = self.query.key(key);
                if before != self.query.text() {
                    self.at = 0;
                }
                return used;
            }
        }
        true
    }

    pub fn pasted(&mut self, text: &str) {
        if self.typing {
            self.query.paste(text);
            self.at = 0;
        }
    }

    /// The selected row, once it was brought.
    pub fn selected<'a>(&self, view: &'a RowsView, split: usize) -> Option<&'a Sample> {
        self.fits(view, split).then(|| view.samples.get(self.at.min(view.found.max(1) - 1).checked_sub(view.first)?))?
    }

    /// What was brought is of this split and search.
    fn fits(&self, view: &RowsView, split: usize) -> bool {
        view.split == split && view.query == self.query()
    }

    /// Which row is selected, and of how many.
    pub fn title(&self, view: &RowsView) -> String {
        let place = match view.found {
            0 => "none".to_string(),
            n => format!("{} of {n}", self.at.min(n - 1) + 1),
        };
        match (self.typing, self.query.text().is_empty()) {
            (true, _) => format!("/{}▏ {place} ", harmless(&self.query.text())),
            (false, false) => format!("/{} {place} ", harmless(&self.query.text())),
            (false, true) => format!("{place} "),
        }
    }

    /// Places of the title where there is no frame for it, of the list and of the selected row.
    fn split(area: Rect, alone: bool) -> [Rect; 3] {
        let below = (area.height * 3 / 5).max(6);
        Layout::vertical([Constraint::Length(u16::from(alone)), Constraint::Min(1), Constraint::Length(below)])
            .areas(area)
    }

    pub fn click(&mut self, view: &RowsView, area: Rect, alone: bool, at: Position) {
        let [_, list, _] = Self::split(area, alone);
        if list.contains(at) {
            let first = first_shown(self.at, list.height.into(), view.found);
            self.at = (first + usize::from(at.y - list.y)).min(view.found.saturating_sub(1));
        }
    }

    pub fn draw(&self, frame: &mut Frame, area: Rect, theme: &Theme, view: &RowsView, split: usize, alone: bool) {
        let [title, list, below] = Self::split(area, alone);
        frame.render_widget(Line::styled(self.title(view), theme.faint()), title);
        if !self.fits(view, split) {
            return frame.render_widget(Line::styled("the rows are being searched", theme.faint()), list);
        }
        if view.found == 0 {
            let text = format!("no row holds {:?}; esc shows all again", self.query());
            return frame.render_widget(Line::styled(harmless(&text), theme.faint()), list);
        }
        let at = self.at.min(view.found - 1);
        let height = usize::from(list.height);
        let first = first_shown(at, height, view.found);
        let wide = view.samples.iter().map(|s| s.label.chars().count()).max().unwrap_or(0).min(16);
        let line = |i: usize| {
            let Some(sample) = i.checked_sub(view.first).and_then(|i| view.samples.get(i)) else {
                return Line::styled("…", theme.faint());
            };
            let pair = sample.pair.as_ref().map_or(String::new(), |pair| format!(" | {}", brief(pair, LINE)));
            let text = format!("{}{pair}", brief(&sample.text, LINE));
            let label = fit(&harmless(&sample.label), wide);
            let room = usize::from(list.width).saturating_sub(wide + 3);
            let mark = if i == at { "> " } else { "  " };
            let style = if i == at { theme.selected() } else { Style::new() };
            Line::styled(format!("{mark}{label:wide$} {}", fit(&text, room)), style)
        };
        let lines: Vec<Line> = (first..view.found).take(height).map(line).collect();
        frame.render_widget(Paragraph::new(lines), list);
        if let Some(sample) = self.selected(view, split) {
            draw_whole(frame, below, theme, view, sample);
        }
    }
}

/// A row with all its texts and tokens.
fn draw_whole(frame: &mut Frame, area: Rect, theme: &Theme, view: &RowsView, sample: &Sample) {
    let width = usize::from(area.width.max(8));
    let cut = sample.whole.saturating_sub(sample.tokens.len());
    let tokens = match (&view.no_tokens, cut) {
        (Some(_), _) => "no tokens: the model is not here".to_string(),
        (None, 0) => format!("{} tokens", sample.whole),
        (None, cut) => format!("{} of {} tokens, {cut} cut off", sample.tokens.len(), sample.whole),
    };
    let head = format!("─ {} · label {} · {tokens} ", sample.place, brief(&sample.label, 40));
    let rule = "─".repeat(width.saturating_sub(head.chars().count()));
    let mut lines = vec![Line::styled(format!("{}{rule}", fit(&head, width)), theme.focused())];
    let mut wrapped = |text: &str, style: Style| {
        let text = brief(text, WHOLE);
        let rows = textwrap::wrap(&text, width).into_iter().map(|row| Line::styled(row.into_owned(), style));
        lines.extend(rows);
    };
    wrapped(&sample.text, Style::new());
    if let Some(pair) = &sample.pair {
        wrapped(pair, theme.good());
    }
    // Tokens with their ids keep a place where texts are long.
    let pieces = token_lines(sample, width, theme);
    let room = usize::from(area.height).saturating_sub(lines.len());
    let kept = room.max(pieces.len().min(usize::from(area.height) / 2));
    let texts = usize::from(area.height).saturating_sub(kept);
    if lines.len() > texts && texts > 1 {
        lines.truncate(texts - 1);
        lines.push(Line::styled("…", theme.faint()));
    }
    lines.extend(pieces.into_iter().take(kept));
    frame.render_widget(Paragraph::new(lines), area);
}

/// `piece id` one after the other, never parted.
fn token_lines(sample: &Sample, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let mut spans: Vec<Span> = Vec::new();
    let mut used = 0;
    for token in &sample.tokens {
        let (piece, id) = (brief(&token.piece, 40), format!(" {}  ", token.id));
        let wide = Span::raw(&piece).width() + id.len();
        if used > 0 && used + wide > width {
            lines.push(Line::from(std::mem::take(&mut spans)));
            used = 0;
        }
        spans.push(Span::raw(piece));
        spans.push(Span::styled(id, theme.faint()));
        used += wide;
    }
    lines.push(Line::from(spans));
    lines
}
