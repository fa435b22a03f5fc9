//! A question that is answered with one line of text. Knows which request an answer makes, not what becomes of it.

use super::edit::LineEdit;
use super::overlay;
use super::text::fit;
use super::theme::Theme;
use crate::event::RunId;
use crate::record::{Label, RunSummary};
use crate::untrusted::harmless;
use crate::view::Request;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

/// Columns of the box.
const WIDTH: u16 = 76;

/// What an answer changes.
#[derive(Clone, Debug, PartialEq)]
enum About {
    Name,
    Note,
    /// Tags that all the runs had.
    Tags(Vec<String>),
    /// Nothing: it is fetched from the hub.
    Fetch,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    runs: Vec<RunId>,
    title: String,
    about: About,
    line: LineEdit,
    /// Why the last answer was not taken.
    fault: Option<String>,
}

/// What a key led to.
pub enum Outcome {
    Open,
    Cancelled,
    Answered(Request),
}

impl Prompt {
    pub fn name(runs: &[&RunSummary]) -> Self {
        Self::new(runs, "name", About::Name, &shared(runs, |r| &r.name))
    }

    pub fn note(runs: &[&RunSummary]) -> Self {
        Self::new(runs, "note", About::Note, &shared(runs, |r| &r.note))
    }

    pub fn tags(runs: &[&RunSummary]) -> Self {
        let first = runs.first().map_or(&[][..], |r| &r.tags);
        let before: Vec<String> = first.iter().filter(|t| runs.iter().all(|r| r.tags.contains(t))).cloned().collect();
        let what = if runs.len() == 1 { "tags" } else { "tags that all have" };
        let text = before.iter().map(|t| format!("{t} ")).collect::<String>();
        Self::new(runs, what, About::Tags(before), &text)
    }

    /// What is to be fetched, with `text` to begin with.
    pub fn fetch(text: &str) -> Self {
        let title = "fetch from the hub".into();
        Self { runs: Vec::new(), title, about: About::Fetch, line: LineEdit::new(text), fault: None }
    }

    fn new(runs: &[&RunSummary], what: &str, about: About, text: &str) -> Self {
        let of = match runs {
            [only] => format!("{} {}", only.id, only.name),
            _ => format!("{} runs", runs.len()),
        };
        let ids = runs.iter().map(|r| r.id.clone()).collect();
        Self { runs: ids, title: format!("{what} · {of}"), about, line: LineEdit::new(text), fault: None }
    }

    pub fn key(&mut self, key: KeyEvent) -> Outcome {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => return Outcome::Cancelled,
            KeyCode::Char('c') if control => return Outcome::Cancelled,
            KeyCode::Enter => return self.answer(),
            _ if self.line.key(key) => self.fault = None,
            _ => {}
        }
        Outcome::Open
    }

    pub fn paste(&mut self, text: &str) {
        self.line.paste(text);
        self.fault = None;
    }

    fn answer(&mut self) -> Outcome {
        let text = self.line.text();
        let label = match &self.about {
            About::Name => Label::Name(text),
            About::Note => Label::Note(text),
            About::Tags(before) => Label::tags(before, &text),
            About::Fetch if text.trim().is_empty() => return Outcome::Cancelled,
            About::Fetch => return Outcome::Answered(Request::Fetch(text.trim().into())),
        };
        match label.checked() {
            Ok(label) => Outcome::Answered(Request::Label(self.runs.clone(), label)),
            Err(error) => {
                self.fault = Some(error.to_string());
                Outcome::Open
            }
        }
    }

    pub fn draw(&self, frame: &mut Frame, area: Rect, theme: &Theme) {
        let place = overlay::centred(area, WIDTH.min(area.width), 4.min(area.height));
        let inside = usize::from(place.width.saturating_sub(2));
        let hint = match (&self.fault, &self.about) {
            (Some(fault), _) => Line::styled(harmless(fault), theme.error()),
            (None, About::Tags(_)) => Line::styled("spaces between tags · enter keeps · esc cancels", theme.faint()),
            (None, About::Fetch) => {
                let text = "a model's id, such as roberta-base, or glue [TASK...] · enter fetches";
                Line::styled(text, theme.faint())
            }
            (None, _) => Line::styled("enter keeps · esc cancels", theme.faint()),
        };
        let title = fit(&harmless(&self.title), inside.saturating_sub(2));
        let block =
            Block::bordered().border_style(theme.focused()).title(Span::styled(format!(" {title} "), theme.title()));
        frame.render_widget(Clear, place);
        frame.render_widget(Paragraph::new(vec![self.line.line(inside, theme), hint]).block(block), place);
    }
}

/// The text that all the runs share; empty where they differ.
fn shared(runs: &[&RunSummary], text: fn(&RunSummary) -> &String) -> String {
    match runs {
        [first, rest @ ..] if rest.iter().all(|r| text(r) == text(first)) => text(first).clone(),
        _ => String::new(),
    }
}
