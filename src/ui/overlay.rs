//! What frames every screen: the key and status lines, the help and the questions.

use super::keymap::{Bound, Keymap};
use super::screen::Kind;
use super::text::harmless;
use super::theme::Theme;
use crate::view::Message;
use ratatui::Frame;
use ratatui::layout::{Constraint, Flex, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Wrap};

/// Most rows of a notice.
const MOST_ROWS: usize = 4;

pub(super) fn key_line(frame: &mut Frame, area: Rect, screen: Kind, keymap: &Keymap, theme: &Theme) {
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
    for next in shown(false).map(entry) {
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

pub(super) fn help(frame: &mut Frame, area: Rect, screen: Kind, keymap: &Keymap, scroll: u16, theme: &Theme) {
    let line = |(keys, b): (Vec<&str>, &Bound)| {
        Line::from(vec![Span::styled(format!("{:>16}  ", keys.join(" ")), theme.title()), Span::raw(b.help)])
    };
    let lines: Vec<Line> = keymap.on(screen).map(line).collect();
    let height = (lines.len() as u16 + 2).min(area.height);
    let place = centred(area, 76.min(area.width), height);
    let most = (lines.len() as u16 + 2).saturating_sub(height);
    let title = if most > 0 { " Keys (j k scroll, any other key closes) " } else { " Keys (any key closes) " };
    let block = Block::bordered().title(Span::styled(title, theme.title()));
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).scroll((scroll.min(most), 0)).block(block), place);
}

pub(super) fn question(frame: &mut Frame, area: Rect, text: &str, keys: &str, theme: &Theme) {
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
