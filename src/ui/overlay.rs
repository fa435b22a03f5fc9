//! What frames every screen, the key and status lines, and what lies over it and takes the keys: the help, the questions, the
//! palette, a picture.

use super::action::Action;
use super::graphics::Graphics;
use super::keymap::{Bound, Keymap, key_name};
use super::palette::{Answer, Palette};
use super::preview::Preview;
use super::prompt::{Outcome, Prompt};
use super::screen::Kind;
use super::theme::Theme;
use crate::untrusted::harmless;
use crate::view::{Message, Request, View, file_size};
use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::{Constraint, Flex, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Wrap};

/// What lies over the screen and takes the keys.
pub(super) enum Overlay {
    None,
    Palette(Palette),
    /// Lines scrolled down.
    Help(u16),
    Confirm {
        question: String,
        request: Request,
    },
    Prompt(Box<Prompt>),
    Preview(Box<Preview>),
    Quit,
}

/// What a key in an overlay leads to.
pub(super) enum Reply {
    Stay,
    Close,
    /// Close and do this.
    Act(Action),
    /// Close and ask for this.
    Ask(Request),
    AskAndStay(Request),
    /// Leave the program.
    Leave,
}

/// What an overlay may look at while it is drawn.
pub(super) struct About<'a> {
    pub view: &'a View,
    /// Runs that train or wait to go on.
    pub active: usize,
    pub kind: Kind,
    pub keymap: &'a Keymap,
    pub graphics: Option<Graphics>,
    pub theme: &'a Theme,
}

impl Overlay {
    pub fn is_none(&self) -> bool {
        matches!(self, Overlay::None)
    }

    pub fn is_preview(&self) -> bool {
        matches!(self, Overlay::Preview(_))
    }

    pub fn pasted(&mut self, text: &str) {
        match self {
            Overlay::Palette(palette) => palette.pasted(text),
            Overlay::Prompt(prompt) => prompt.paste(text),
            _ => {}
        }
    }

    pub fn wheel(&mut self, down: bool) {
        match self {
            Overlay::Help(scroll) if down => *scroll = scroll.saturating_add(1),
            Overlay::Help(scroll) => *scroll = scroll.saturating_sub(1),
            Overlay::Palette(palette) => palette.scroll(down),
            _ => {}
        }
    }

    /// Takes a key; `action` is what it means on the screen below.
    pub fn key(&mut self, key: KeyEvent, action: Option<Action>) -> Reply {
        let name = key_name(key).unwrap_or_default();
        match self {
            Overlay::None => Reply::Close,
            Overlay::Help(scroll) => {
                *scroll = match name.as_str() {
                    "j" | "down" => scroll.saturating_add(1),
                    "k" | "up" => scroll.saturating_sub(1),
                    "ctrl-d" | "pagedown" | "space" => scroll.saturating_add(HELP_PAGE),
                    "ctrl-u" | "pageup" => scroll.saturating_sub(HELP_PAGE),
                    "g" | "home" => 0,
                    "G" | "end" => u16::MAX,
                    _ => return Reply::Close,
                };
                Reply::Stay
            }
            Overlay::Palette(palette) => match palette.key(key) {
                Answer::Open => Reply::Stay,
                Answer::Close => Reply::Close,
                Answer::Run(action) => Reply::Act(action),
            },
            Overlay::Confirm { request, .. } if name == "y" => Reply::Ask(request.clone()),
            Overlay::Confirm { .. } => Reply::Close,
            Overlay::Prompt(prompt) => match prompt.key(key) {
                Outcome::Open => Reply::Stay,
                Outcome::Cancelled => Reply::Close,
                Outcome::Answered(request) => Reply::Ask(request),
            },
            Overlay::Preview(preview) => match action {
                Some(Action::Export) => Reply::AskAndStay(preview.export()),
                Some(Action::Preview | Action::Back | Action::Quit) => Reply::Close,
                _ => Reply::Stay,
            },
            Overlay::Quit if matches!(name.as_str(), "s" | "y" | "q" | "ctrl-c") => Reply::Leave,
            Overlay::Quit => Reply::Close,
        }
    }

    pub fn draw(&mut self, frame: &mut Frame, area: Rect, about: &About) {
        let theme = about.theme;
        match self {
            Overlay::None => {}
            Overlay::Palette(palette) => palette.draw(frame, area, theme),
            Overlay::Help(scroll) => *scroll = help(frame, area, about.kind, about.keymap, *scroll, theme),
            Overlay::Confirm { question: text, request } => {
                let text = format!("{text}{}", freed(request, about.view));
                question(frame, area, &text, "y yes · any other key no", theme);
            }
            Overlay::Prompt(prompt) => prompt.draw(frame, area, theme),
            Overlay::Preview(preview) => preview.draw(frame, area, about.graphics, theme),
            Overlay::Quit => {
                let text = match about.active {
                    1 => "1 run is active; quitting saves it, and r resumes it later".into(),
                    n => format!("{n} runs are active; quitting saves them, and r resumes them later"),
                };
                question(frame, area, &text, "s stop, save and quit · any other key stay", theme);
            }
        }
    }
}

/// What a deletion gives back to the disk, once it is counted.
fn freed(request: &Request, view: &View) -> String {
    match request {
        Request::Delete(ids) if view.disk.of == *ids => format!("\nthat frees {}", file_size(view.disk.bytes)),
        Request::Delete(_) => "\ncounting what that frees".into(),
        _ => String::new(),
    }
}

/// Lines that a large step of a key goes in the help.
const HELP_PAGE: u16 = 10;
/// Most rows of a notice.
const MOST_ROWS: usize = 4;

/// `idle` says of an action that it does nothing now: there is no need to name its key.
pub(super) fn key_line(
    frame: &mut Frame,
    area: Rect,
    (screen, keymap): (Kind, &Keymap),
    idle: &dyn Fn(Action) -> bool,
    theme: &Theme,
) {
    let entry = |(keys, b): (Vec<&str>, &Bound)| {
        [Span::styled(format!(" {}", keys[0]), theme.title()), Span::raw(format!(" {} ", b.short))]
    };
    let width = |spans: &[Span]| spans.iter().map(Span::width).sum::<usize>();
    // The screen's own keys give way before the general ones, help and quit among them.
    let shown =
        |general: bool| keymap.on(screen).filter(move |(_, b)| !b.short.is_empty() && b.on.is_empty() == general);
    let general: Vec<Span> = shown(true).flat_map(entry).collect();
    let room = (area.width as usize).saturating_sub(width(&general));
    let mut spans = Vec::new();
    for next in shown(false).filter(|(_, b)| !idle(b.action)).map(entry) {
        if width(&spans) + width(&next) <= room {
            spans.extend(next);
        }
    }
    spans.extend(general);
    frame.render_widget(Line::from(spans), area);
}

/// The rows of a notice: what to do about an error often stands at its end, so it is not cut at the first.
pub(super) fn status_rows(message: Option<&Message>, width: u16) -> Vec<String> {
    let Some(message) = message else { return Vec::new() };
    let options = textwrap::Options::new(width.max(8).into()).initial_indent(" ").subsequent_indent(" ");
    let text = harmless(&message.text);
    let rows = textwrap::wrap(&text, options);
    rows.into_iter().take(MOST_ROWS).map(|row| row.into_owned()).collect()
}

pub(super) fn status_line(frame: &mut Frame, area: Rect, rows: Vec<String>, error: bool, theme: &Theme) {
    let style = if error { theme.error() } else { theme.faint() };
    let lines: Vec<Line> = rows.into_iter().map(|row| Line::styled(row, style)).collect();
    frame.render_widget(Paragraph::new(lines), area);
}

/// Gives the lines that it is scrolled down in truth.
fn help(frame: &mut Frame, area: Rect, screen: Kind, keymap: &Keymap, scroll: u16, theme: &Theme) -> u16 {
    let line = |(keys, b): (Vec<&str>, &Bound)| {
        Line::from(vec![Span::styled(format!("{:>16}  ", keys.join(" ")), theme.title()), Span::raw(b.help)])
    };
    let lines: Vec<Line> = keymap.on(screen).map(line).collect();
    let height = (lines.len() as u16 + 2).min(area.height);
    let place = centred(area, 76.min(area.width), height);
    let most = (lines.len() as u16 + 2).saturating_sub(height);
    let scroll = scroll.min(most);
    let (first, last) = (scroll + 1, scroll + height.saturating_sub(2));
    let title = match most {
        0 => " Keys (any key closes) ".to_string(),
        _ => format!(" Keys {first} to {last} of {} (j k g G scroll, esc closes) ", lines.len()),
    };
    let block = Block::bordered().title(Span::styled(title, theme.title()));
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).scroll((scroll, 0)).block(block), place);
    scroll
}

fn question(frame: &mut Frame, area: Rect, text: &str, keys: &str, theme: &Theme) {
    let rows: u16 = text.lines().map(|line| textwrap::wrap(line, 66).len() as u16).sum();
    let place = centred(area, 70.min(area.width), (rows + 4).min(area.height));
    let answers = [Line::raw(""), Line::styled(keys.to_string(), theme.title())];
    let lines: Vec<Line> = text.lines().map(Line::raw).chain(answers).collect();
    frame.render_widget(Clear, place);
    let block = Block::bordered().border_style(theme.focused());
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: true }).block(block), place);
}

pub(super) fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let [line] = Layout::vertical([Constraint::Length(height)]).flex(Flex::Center).areas(area);
    let [place] = Layout::horizontal([Constraint::Length(width)]).flex(Flex::Center).areas(line);
    place
}
