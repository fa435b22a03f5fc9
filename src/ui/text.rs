//! Texts for the screen: numbers, durations, and names made harmless.

/// Control, bidirectional and invisible characters as visible escapes, so that a name cannot rewrite the screen.
pub fn harmless(text: &str) -> String {
    let hides = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{061c}')
    };
    text.chars().map(|c| if hides(c) { format!("\\u{{{:x}}}", c as u32) } else { c.to_string() }).collect()
}

/// At most `width` characters, with an ellipsis where something is cut.
pub fn fit(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.into();
    }
    text.chars().take(width.saturating_sub(1)).chain(std::iter::once('…').take(width.min(1))).collect()
}

/// 42s, 3m05s, 2h07m.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "–".into();
    }
    let s = seconds.round() as u64;
    match s {
        0..60 => format!("{s}s"),
        60..3_600 => format!("{}m{:02}s", s / 60, s % 60),
        _ => format!("{}h{:02}m", s / 3_600, s % 3_600 / 60),
    }
}

/// A number with `decimals`, or a dash.
pub fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or("–".into(), |v| format!("{v:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_become_visible() {
        assert_eq!(harmless("a\u{1b}[2Jb\u{202e}c\u{200b}"), "a\\u{1b}[2Jb\\u{202e}c\\u{200b}");
        assert_eq!(harmless("λ‖W₀‖ naïve"), "λ‖W₀‖ naïve");
    }

    #[test]
    fn durations_and_cuts() {
        assert_eq!([41.6, 185.0, 7_620.0, f64::NAN].map(duration), ["42s", "3m05s", "2h07m", "–"]);
        assert_eq!([fit("abcdef", 4), fit("abc", 4), fit("abc", 0)], ["abc…", "abc", ""]);
    }
}
