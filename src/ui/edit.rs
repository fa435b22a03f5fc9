//! One line of text that is being typed: its keys, and how it is drawn with its cursor. Knows nothing of what the text is for.

use super::theme::Theme;
use crate::untrusted::harmless;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::text::{Line, Span};

/// The text and the place of the cursor in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LineEdit {
    text: Vec<char>,
    /// Characters before the cursor.
    at: usize,
}

impl LineEdit {
    /// With the cursor at the end.
    pub fn new(text: &str) -> Self {
        let text: Vec<char> = text.chars().filter(|c| !c.is_control()).collect();
        Self { at: text.len(), text }
    }

    pub fn text(&self) -> String {
        self.text.iter().collect()
    }

    /// Takes a key; true where it is one of editing.
    pub fn key(&mut self, key: KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Char('a') if control => self.at = 0,
            KeyCode::Char('e') if control => self.at = self.text.len(),
            KeyCode::Char('u') if control => self.cut(0),
            KeyCode::Char('k') if control => self.text.truncate(self.at),
            KeyCode::Char('w') if control => self.cut(self.word_before()),
            KeyCode::Char('b') if alt => self.at = self.word_before(),
            KeyCode::Char('f') if alt => self.at = self.word_after(),
            KeyCode::Char(c) if !control && !alt => {
                self.text.insert(self.at, c);
                self.at += 1;
            }
            KeyCode::Backspace => self.cut(self.at.saturating_sub(1)),
            KeyCode::Delete if self.at < self.text.len() => drop(self.text.remove(self.at)),
            KeyCode::Left if control => self.at = self.word_before(),
            KeyCode::Right if control => self.at = self.word_after(),
            KeyCode::Left => self.at = self.at.saturating_sub(1),
            KeyCode::Right => self.at = (self.at + 1).min(self.text.len()),
            KeyCode::Home => self.at = 0,
            KeyCode::End => self.at = self.text.len(),
            _ => return false,
        }
        true
    }

    /// Puts pasted text at the cursor; ends of lines become spaces.
    pub fn paste(&mut self, text: &str) {
        let line = text.trim_end_matches(['\r', '\n']).replace("\r\n", " ").replace(['\r', '\n', '\t'], " ");
        let new: Vec<char> = line.chars().filter(|c| !c.is_control()).collect();
        let count = new.len();
        self.text.splice(self.at..self.at, new);
        self.at += count;
    }

    /// The text with its cursor in at most `width` columns; the cursor stays in sight.
    pub fn line(&self, width: usize, theme: &Theme) -> Line<'static> {
        let part = |chars: &[char]| harmless(&chars.iter().collect::<String>());
        let mut first = 0;
        while first < self.at && Span::raw(part(&self.text[first..self.at])).width() >= width.max(1) {
            first += 1;
        }
        let under = self.text.get(self.at).map_or(" ".into(), |c| part(&[*c]));
        let after = part(self.text.get(self.at + 1..).unwrap_or_default());
        Line::from(vec![
            Span::raw(part(&self.text[first..self.at])),
            Span::styled(under, theme.selected()),
            Span::raw(after),
        ])
    }

    /// Removes what lies between `from` and the cursor.
    fn cut(&mut self, from: usize) {
        self.text.drain(from..self.at);
        self.at = from;
    }

    /// Where the word before the cursor begins.
    fn word_before(&self) -> usize {
        let before = &self.text[..self.at];
        let end = before.iter().rposition(|c| !parts_words(*c)).map_or(0, |i| i + 1);
        before[..end].iter().rposition(|c| parts_words(*c)).map_or(0, |i| i + 1)
    }

    /// Where the word at or after the cursor ends.
    fn word_after(&self) -> usize {
        let from = |at: usize, ends: bool| self.text[at..].iter().position(|c| parts_words(*c) == ends).map(|i| at + i);
        from(self.at, false).and_then(|start| from(start, true)).unwrap_or(self.text.len())
    }
}

/// Between words, items of a list, folders of a path and names of targets.
fn parts_words(c: char) -> bool {
    c.is_whitespace() || matches!(c, ',' | '/' | '+')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::{Colours, theme::Scheme};

    fn press(line: &mut LineEdit, code: KeyCode, modifiers: KeyModifiers) {
        assert!(line.key(KeyEvent::new(code, modifiers)));
    }

    #[test]
    fn keys_edit_at_the_cursor() {
        let mut line = LineEdit::new("one two");
        press(&mut line, KeyCode::Char('w'), KeyModifiers::CONTROL);
        assert_eq!(line.text(), "one ");
        line.paste("λ\nx\r\n");
        assert_eq!(line.text(), "one λ x");
        press(&mut line, KeyCode::Left, KeyModifiers::NONE);
        press(&mut line, KeyCode::Backspace, KeyModifiers::NONE);
        press(&mut line, KeyCode::Delete, KeyModifiers::NONE);
        press(&mut line, KeyCode::Char('!'), KeyModifiers::NONE);
        assert_eq!(line.text(), "one λ!");
        press(&mut line, KeyCode::Left, KeyModifiers::CONTROL);
        press(&mut line, KeyCode::Char('u'), KeyModifiers::CONTROL);
        assert_eq!(line.text(), "λ!");
        press(&mut line, KeyCode::Right, KeyModifiers::NONE);
        press(&mut line, KeyCode::Char('k'), KeyModifiers::CONTROL);
        assert_eq!(line.text(), "λ");
        assert!(!line.key(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE)));
        assert!(!line.key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)));
    }

    #[test]
    fn words_end_at_commas_and_slashes_too() {
        let mut line = LineEdit::new("1e-3,5e-3 /a/bc");
        let mut after = |code: char| {
            press(&mut line, KeyCode::Char(code), KeyModifiers::ALT);
            line.at
        };
        assert_eq!([after('b'), after('b'), after('b'), after('b')], [13, 11, 5, 0]);
        assert_eq!([after('f'), after('f'), after('f'), after('f')], [4, 9, 12, 15]);
        press(&mut line, KeyCode::Char('w'), KeyModifiers::CONTROL);
        assert_eq!(line.text(), "1e-3,5e-3 /a/");
    }

    #[test]
    fn the_cursor_stays_in_sight() {
        let theme = Theme::new(Colours::None, Scheme::Mono);
        let line = LineEdit::new("abcdefghij");
        let shown: String = line.line(5, &theme).spans.iter().map(|s| s.content.to_string()).collect();
        assert_eq!(shown, "ghij ");
        for width in 0..4 {
            LineEdit::new("λ\u{202e}字").line(width, &theme);
        }
    }
}
