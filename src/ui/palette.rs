//! The command palette: every action of the current screen by its help text, found by a few of its letters in order.

use super::action::Action;
use super::keymap::Keymap;
use super::overlay::centred;
use super::screen::Kind;
use super::text::fit;
use super::theme::Theme;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

/// Rows of entries that are shown at most.
const ROWS: u16 = 14;

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    action: Action,
    text: String,
    keys: String,
}

/// What was typed, what fits it, and where the cursor is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Palette {
    all: Vec<Entry>,
    typed: String,
    /// Places in `all`, the best first.
    found: Vec<usize>,
    at: usize,
}

/// What a key in the palette came to.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    Open,
    Close,
    Run(Action),
}

impl Palette {
    /// The actions that mean something on `screen`, its own first, and every screen of `titles`.
    pub fn new(keymap: &Keymap, screen: Kind, titles: &[(char, &str)]) -> Self {
        let shown = |a: Action| !matches!(a, Action::Palette);
        let entry = |(keys, b): (Vec<&str>, &super::keymap::Bound)| {
            let text = match b.action {
                Action::Screen(digit) => {
                    let title = titles.iter().find(|(d, _)| *d == digit).map_or("", |(_, title)| *title);
                    format!("go to {title}: {}", b.help)
                }
                _ => b.help.to_string(),
            };
            Entry { action: b.action, text, keys: keys.join(" ") }
        };
        let all: Vec<Entry> = keymap.actions(screen).filter(|(_, b)| shown(b.action)).map(entry).collect();
        let found = (0..all.len()).collect();
        Self { all, typed: String::new(), found, at: 0 }
    }

    pub fn key(&mut self, key: KeyEvent) -> Answer {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let last = self.found.len().saturating_sub(1);
        match key.code {
            KeyCode::Enter => {
                return self.found.get(self.at).map_or(Answer::Close, |i| Answer::Run(self.all[*i].action));
            }
            KeyCode::Esc => return Answer::Close,
            KeyCode::Char('c' | 'g') if control => return Answer::Close,
            KeyCode::Up | KeyCode::BackTab => self.at = self.at.saturating_sub(1),
            KeyCode::Char('p' | 'k') if control => self.at = self.at.saturating_sub(1),
            KeyCode::Down | KeyCode::Tab => self.at = (self.at + 1).min(last),
            KeyCode::Char('n' | 'j') if control => self.at = (self.at + 1).min(last),
            KeyCode::Char('u') if control => self.change(String::clear),
            KeyCode::Backspace if self.typed.is_empty() => return Answer::Close,
            KeyCode::Backspace => self.change(|typed| {
                typed.pop();
            }),
            KeyCode::Char(c) if !control => self.change(|typed| typed.push(c)),
            _ => {}
        }
        Answer::Open
    }

    pub fn pasted(&mut self, text: &str) {
        self.change(|typed| typed.extend(text.chars().filter(|c| !c.is_control())));
    }

    pub fn scroll(&mut self, down: bool) {
        let last = self.found.len().saturating_sub(1);
        self.at = if down { (self.at + 1).min(last) } else { self.at.saturating_sub(1) };
    }

    /// Changes what is typed and finds what fits it.
    fn change(&mut self, change: impl FnOnce(&mut String)) {
        change(&mut self.typed);
        self.at = 0;
        let pattern = Pattern::parse(&self.typed, CaseMatching::Ignore, Normalization::Smart);
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut room = Vec::new();
        // A key finds its action too, below those whose text fits.
        let mut score = |entry: &Entry| {
            let text = pattern.score(Utf32Str::new(&entry.text, &mut room), &mut matcher);
            let by_key = entry.keys.split(' ').any(|key| key == self.typed);
            text.or(by_key.then_some(0))
        };
        let mut found: Vec<(u32, usize)> =
            self.all.iter().enumerate().filter_map(|(i, entry)| Some((score(entry)?, i))).collect();
        found.sort_by_key(|(score, i)| (std::cmp::Reverse(*score), *i));
        self.found = found.into_iter().map(|(_, i)| i).collect();
    }

    pub fn draw(&self, frame: &mut Frame, area: Rect, theme: &Theme) {
        let rows = ROWS.min(self.all.len() as u16).min(area.height.saturating_sub(4));
        let place = centred(area, 76.min(area.width), (rows + 3).min(area.height));
        let title = Span::styled(" Actions (enter runs, esc closes) ", theme.title());
        let block = Block::bordered().title(title).border_style(theme.focused());
        let inner = block.inner(place);
        let width = usize::from(inner.width);
        let mut lines =
            vec![Line::from(vec![Span::styled(": ", theme.title()), Span::raw(format!("{}▏", self.typed))])];
        if self.found.is_empty() {
            lines.push(Line::styled("  nothing is called so; backspace takes a letter away", theme.faint()));
        }
        let first = self.at.saturating_sub(usize::from(rows).saturating_sub(1));
        for (row, entry) in self.found.iter().map(|i| &self.all[*i]).enumerate().skip(first).take(rows.into()) {
            let keys = fit(&entry.keys, width / 3);
            let room = width.saturating_sub(keys.chars().count() + 3);
            let text = format!("{} {:room$} ", if row == self.at { '>' } else { ' ' }, fit(&entry.text, room));
            let line = Line::from(vec![Span::raw(text), Span::styled(keys, theme.title())]);
            lines.push(if row == self.at { line.style(theme.selected()) } else { line });
        }
        frame.render_widget(Clear, place);
        frame.render_widget(Paragraph::new(lines).block(block), place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Palette {
        let mut palette = Palette::new(&Keymap::default(), Kind::Runs, &[('0', "Queue"), ('4', "Figure 1")]);
        text.chars().for_each(|c| {
            assert_eq!(palette.key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)), Answer::Open);
        });
        palette
    }

    fn runs(palette: &mut Palette) -> Answer {
        palette.key(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE))
    }

    #[test]
    fn a_few_letters_find_an_action() {
        assert_eq!(runs(&mut typed("delete")), Answer::Run(Action::Delete));
        assert_eq!(runs(&mut typed("dlt files")), Answer::Run(Action::Delete));
        assert_eq!(runs(&mut typed("go queue")), Answer::Run(Action::Screen('0')));
        assert_eq!(runs(&mut typed("filt")), Answer::Run(Action::Filter));
        assert_eq!(runs(&mut typed("?")), Answer::Run(Action::Help), "a key finds what it does");
        assert_eq!(runs(&mut typed("zzzz")), Answer::Close);
    }

    #[test]
    fn only_what_the_screen_can_do_is_offered() {
        let of = |screen| {
            Palette::new(&Keymap::default(), screen, &[]).all.into_iter().map(|e| e.action).collect::<Vec<_>>()
        };
        assert!(of(Kind::Runs).contains(&Action::Filter) && !of(Kind::Figure1).contains(&Action::Filter));
        assert!(of(Kind::Launch).contains(&Action::Quit), "a form has no key for it, and yet it works");
        let mut twice = of(Kind::Run);
        let all = twice.len();
        twice.dedup();
        assert_eq!(twice.len(), all);
    }
}
