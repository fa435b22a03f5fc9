//! A report as Markdown, GitHub's tables among it, with pictures beside the file. Whatever stands in a text stays text.

use super::{Block, Document, Table};

/// The whole document.
pub(super) fn text(document: &Document) -> String {
    let mut out = format!("# {}\n", escaped(&document.title));
    for block in &document.blocks {
        out.push('\n');
        out += &match block {
            Block::Section(title) => format!("## {}\n", escaped(title)),
            Block::Subsection(title) => format!("### {}\n", escaped(title)),
            Block::Text(text) => format!("{}\n", paragraph(text)),
            Block::Table(table) => of_table(table),
            Block::Picture(p) => format!("![{}]({}.png)\n", escaped(&p.figure.title), p.stem),
        };
    }
    out
}

fn of_table(table: &Table) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.iter().map(|c| escaped(c)).collect::<Vec<_>>().join(" | "));
    let side = |i: usize| if table.is_numeric(i) { "---:" } else { "---" };
    let rule: Vec<&str> = (0..table.titles.len()).map(side).collect();
    let rows: String = table.rows.iter().map(|row| line(row)).collect();
    format!("{}| {} |\n{rows}", line(&table.titles), rule.join(" | "))
}

/// A line that begins no list, heading or rule.
fn paragraph(text: &str) -> String {
    let text = escaped(text.trim());
    // A number ends where a sign makes an item of it.
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    match text[digits..].starts_with(|c| "#+-=.)".contains(c)) {
        true => format!("{}\\{}", &text[..digits], &text[digits..]),
        false => text,
    }
}

/// Text of one line in which no sign has a meaning.
fn escaped(text: &str) -> String {
    let chars: Vec<char> = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut out = String::new();
    for (i, &c) in chars.iter().enumerate() {
        // Between letters an underscore is one, and names are full of them.
        let inside = |at: Option<&char>| at.is_some_and(|c| c.is_alphanumeric());
        let plain = c == '_' && i > 0 && inside(chars.get(i - 1)) && inside(chars.get(i + 1));
        if !plain && "\\`*_[]<>|&~$!@".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_text() {
        assert_eq!(
            escaped("a|b\n<c> *d* `e` [f](g) max_length _h_"),
            "a\\|b \\<c\\> \\*d\\* \\`e\\` \\[f\\](g) max_length \\_h\\_"
        );
        assert_eq!(escaped("-1.0"), "-1.0");
        let lines = ["# x", "- x", "1. x", "12) x", "1.5", "x - 1."].map(paragraph);
        assert_eq!(lines, ["\\# x", "\\- x", "1\\. x", "12\\) x", "1\\.5", "x - 1."]);
    }
}
