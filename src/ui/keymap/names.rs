//! Names of keys and of screens as the table of keys and the settings file write them.

use crate::ui::screen::Kind;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Keys that have a word for a name.
const WORDS: [&str; 15] = [
    "space",
    "enter",
    "esc",
    "tab",
    "backtab",
    "backspace",
    "delete",
    "up",
    "down",
    "left",
    "right",
    "home",
    "end",
    "pageup",
    "pagedown",
];

/// A key as the table writes it: `x`, `X`, `ctrl-s`, `alt-x`, `shift-up`, `f5`.
pub fn key_name(event: KeyEvent) -> Option<String> {
    let base = match event.code {
        KeyCode::Char(' ') => "space".into(),
        KeyCode::Char(c) => c.to_string(),
        KeyCode::F(n) => format!("f{n}"),
        KeyCode::Enter => "enter".into(),
        KeyCode::Esc => "esc".into(),
        KeyCode::Tab => "tab".into(),
        KeyCode::BackTab => "backtab".into(),
        KeyCode::Backspace => "backspace".into(),
        KeyCode::Delete => "delete".into(),
        KeyCode::Up => "up".into(),
        KeyCode::Down => "down".into(),
        KeyCode::Left => "left".into(),
        KeyCode::Right => "right".into(),
        KeyCode::Home => "home".into(),
        KeyCode::End => "end".into(),
        KeyCode::PageUp => "pageup".into(),
        KeyCode::PageDown => "pagedown".into(),
        _ => return None,
    };
    let with = |modifier| event.modifiers.contains(modifier);
    // Shift is in the letter itself, and terminals tell it of few other keys.
    let shift =
        with(KeyModifiers::SHIFT) && matches!(event.code, KeyCode::Up | KeyCode::Down | KeyCode::Left | KeyCode::Right);
    let prefix = match (with(KeyModifiers::CONTROL), with(KeyModifiers::ALT), shift) {
        (true, ..) => "ctrl-",
        (_, true, _) => "alt-",
        (.., true) => "shift-",
        _ => "",
    };
    Some(format!("{prefix}{base}"))
}

/// Whether [`key_name`] can give this name.
pub fn is_key(name: &str) -> bool {
    let one = |text: &str| {
        let mut letters = text.chars();
        matches!((letters.next(), letters.next()), (Some(c), None) if !c.is_control() && c != ' ')
    };
    let function =
        |text: &str| text.strip_prefix('f').is_some_and(|n| n.parse().is_ok_and(|n: u8| (1..=12).contains(&n)));
    let plain = |text: &str| one(text) || WORDS.contains(&text) || function(text);
    // Terminals do not tell ctrl-X from ctrl-x.
    let small = |text: &str| plain(text) && !text.chars().any(char::is_uppercase);
    name.strip_prefix("ctrl-").is_some_and(small)
        || name.strip_prefix("alt-").is_some_and(plain)
        || name.strip_prefix("shift-").is_some_and(|rest| ["up", "down", "left", "right"].contains(&rest))
        || plain(name)
}

/// A screen's name in the settings file: `runs`, `figure1`.
pub fn kind_name(kind: Kind) -> String {
    format!("{kind:?}").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named_as_the_file_may_write_them() {
        let named = |code, modifiers| key_name(KeyEvent::new(code, modifiers)).expect("a name");
        for (code, modifiers, name) in [
            (KeyCode::Char('S'), KeyModifiers::SHIFT, "S"),
            (KeyCode::Char('s'), KeyModifiers::CONTROL, "ctrl-s"),
            (KeyCode::Char('x'), KeyModifiers::ALT, "alt-x"),
            (KeyCode::Up, KeyModifiers::SHIFT, "shift-up"),
            (KeyCode::BackTab, KeyModifiers::SHIFT, "backtab"),
            (KeyCode::F(5), KeyModifiers::NONE, "f5"),
            (KeyCode::Char(' '), KeyModifiers::NONE, "space"),
        ] {
            assert_eq!(named(code, modifiers), name);
            assert!(is_key(name), "{name}");
        }
        for wrong in ["", "xx", "ctrl-", "ctrl-S", "shift-x", "f13", "Tab", "control-x", " "] {
            assert!(!is_key(wrong), "{wrong:?}");
        }
    }
}
