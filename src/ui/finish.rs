//! What is done to a whole frame once it is drawn: the theme's own text and ground colours, and plain characters for
//! terminals that have no others. Knows nothing of what was drawn.

use super::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::style::Color;

pub(super) fn finish(buffer: &mut Buffer, theme: &Theme, ascii: bool) {
    let base = theme.base();
    if base.is_none() && !ascii {
        return;
    }
    for cell in &mut buffer.content {
        if let Some((ink, ground)) = base {
            if cell.fg == Color::Reset {
                cell.fg = ink;
            }
            if cell.bg == Color::Reset {
                cell.bg = ground;
            }
        }
        if ascii && !cell.symbol().is_ascii() {
            let plain = plain(cell.symbol());
            cell.set_char(plain);
        }
    }
}

/// The character of ASCII that is nearest to a cell's symbol.
fn plain(symbol: &str) -> char {
    let Some(c) = symbol.chars().next() else { return ' ' };
    match c {
        '\u{2800}'..='\u{28ff}' => dots(c as u32 - 0x2800),
        '─' | '━' | '╌' | '┄' | '–' | '—' | '−' | '‾' => '-',
        '│' | '┃' | '┆' | '▏' | '▕' | '‖' | '║' => '|',
        '═' => '=',
        '\u{2500}'..='\u{257f}' if c != '╱' && c != '╲' => '+',
        '╱' => '/',
        '╲' => '\\',
        '▁' => '_',
        '▂' | '░' | '·' | '∙' => '.',
        '▃' | '▄' | '▒' => ':',
        '▅' | '▆' | '▓' | '•' | '●' => '*',
        '◆' => '@',
        '◇' => '%',
        '△' => 'A',
        '▽' => 'V',
        '□' => '0',
        '■' | '▇' | '█' | '▉' | '▊' | '▋' | '▌' | '▍' | '▎' | '▐' | '▀' => '#',
        '○' | '◌' => 'o',
        '▶' | '▸' | '►' | '→' | '›' | '»' => '>',
        '◀' | '◂' | '◄' | '←' | '‹' | '«' => '<',
        '▴' | '▲' | '↑' => '^',
        '▾' | '▼' | '↓' => 'v',
        '✓' | '✔' => '+',
        '✗' | '✘' | '×' => 'x',
        '↯' => '!',
        '…' => '~',
        '±' | '≈' => '~',
        '≤' => '<',
        '≥' => '>',
        '°' => '\'',
        'λ' => 'L',
        'Λ' => 'L',
        'Δ' | '∆' => 'D',
        'α' => 'a',
        'β' => 'b',
        'μ' | 'µ' => 'u',
        'σ' => 's',
        'ᵀ' => 'T',
        '²' => '2',
        '³' => '3',
        '₀'..='₉' => char::from(b'0' + (c as u32 - '₀' as u32) as u8),
        _ => '?',
    }
}

/// A character for a braille cell by where its dots are: bits 0 to 2 and 6 are the left column from the top, 3 to 5 and 7 the
/// right one.
fn dots(bits: u32) -> char {
    let rows = [bits & 0b0000_1001, bits & 0b0001_0010, bits & 0b0010_0100, bits & 0b1100_0000];
    let full = bits.count_ones();
    match (rows[0] > 0, rows[1] > 0 || rows[2] > 0, rows[3] > 0) {
        (false, false, false) => ' ',
        _ if full >= 6 => '#',
        (true, false, false) => '\'',
        (false, true, false) => '-',
        (false, false, true) => '.',
        (true, true, false) => '"',
        (false, true, true) => ',',
        (true, _, true) => ':',
    }
}

/// Whether the environment says that only plain characters are safe: a locale that is not UTF-8, or a terminal known to have
/// no fonts for more. Where no locale is named nothing is known.
pub(super) fn is_plain(variable: impl Fn(&str) -> Option<String>) -> bool {
    let set = |name: &str| variable(name).filter(|v| !v.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
    let utf8 = |locale: &String| {
        let locale = locale.to_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    };
    let terminal = set("TERM").is_some_and(|t| ["linux", "vt100", "vt220", "dumb"].contains(&t.as_str()));
    terminal || locale.is_some_and(|l| !utf8(&l))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_dots_keep_their_height() {
        assert_eq!(['⠀', '⠉', '⠒', '⣀', '⣿', '⡇'].map(|c| plain(&c.to_string())), [' ', '\'', '-', '.', '#', ':']);
        assert_eq!(["╭", "─", "│", "▶", "λ", "₀", "漢"].map(plain), ['+', '-', '|', '>', 'L', '0', '?']);
    }

    #[test]
    fn the_locale_decides_whether_characters_are_plain() {
        let given = |pairs: &'static [(&str, &str)]| {
            is_plain(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_string()))
        };
        assert!(!given(&[]) && !given(&[("LANG", "de_DE.UTF-8")]) && !given(&[("LANG", "C"), ("LC_ALL", "C.utf8")]));
        assert!(given(&[("LANG", "C")]) && given(&[("LANG", "en_GB.UTF-8"), ("LC_ALL", "POSIX")]));
        assert!(given(&[("TERM", "linux"), ("LANG", "en_GB.UTF-8")]));
    }
}
