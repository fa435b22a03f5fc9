//! Texts for the screen: numbers, durations, and names cut to fit.

/// At most `width` characters, with an ellipsis where something is cut.
pub fn fit(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.into();
    }
    text.chars().take(width.saturating_sub(1)).chain(std::iter::once('…').take(width.min(1))).collect()
}

/// Those of `parts` that fit into `room` columns, the first ones before the later ones.
pub fn joined(parts: &[String], room: usize) -> String {
    parts.iter().filter(|p| !p.is_empty()).fold(String::new(), |text, part| {
        let next = if text.is_empty() { part.clone() } else { format!("{text} · {part}") };
        if next.chars().count() <= room { next } else { text }
    })
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

/// A value with five digits or so.
pub fn exact(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if !(1e-2..1e6).contains(&size) => format!("{value:.3e}"),
        size if size >= 100.0 => format!("{value:.1}"),
        size if size >= 10.0 => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}

/// How long ago in one unit: 42s, 3m, 5h, 12d.
pub fn ago(seconds: f64) -> String {
    let s = seconds.max(0.0) as u64;
    match s {
        0..60 => format!("{s}s ago"),
        60..3_600 => format!("{}m ago", s / 60),
        3_600..86_400 => format!("{}h ago", s / 3_600),
        _ => format!("{}d ago", s / 86_400),
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
    fn values_keep_their_digits() {
        assert_eq!([0.0, 0.12345, 12.3456, 123.456, 4.5e-5].map(exact), ["0", "0.1235", "12.346", "123.5", "4.500e-5"]);
    }

    #[test]
    fn durations_and_cuts() {
        assert_eq!([41.6, 185.0, 7_620.0, f64::NAN].map(duration), ["42s", "3m05s", "2h07m", "–"]);
        assert_eq!([59.9, 61.0, 7_300.0, 200_000.0].map(ago), ["59s ago", "1m ago", "2h ago", "2d ago"]);
        assert_eq!([fit("abcdef", 4), fit("abc", 4), fit("abc", 0)], ["abc…", "abc", ""]);
    }
}
