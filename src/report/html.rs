//! A report as one HTML file: style and pictures inside, no script, nothing loaded from anywhere.

use super::{Block, Document, Picture, ReportError, Table};
use crate::export::{self, ExportError};
use std::path::Path;

const STYLE: &str = "
body { font: 15px/1.5 system-ui, sans-serif; color: #202020; background: #fff; max-width: 76rem; margin: 2rem auto; padding: 0 1.5rem; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ddd; padding-bottom: .3rem; }
nav { columns: 14rem; } nav a { display: block; color: #1f5fa8; text-decoration: none; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: left; vertical-align: top; border-bottom: 1px solid #eee; }
th { border-bottom: 1px solid #888; vertical-align: bottom; } .n { text-align: right; } td.n, td:first-child { white-space: nowrap; }
figure { margin: 1rem 0; } svg { max-width: 100%; height: auto; } svg text { font-family: 'DejaVu Sans', Verdana, sans-serif; }
@page { size: A4 landscape; margin: 12mm; }
@media print { body { max-width: none; margin: 0; padding: 0; } .wide { overflow: visible; } table { font-size: .6rem; } th, td { padding: .15rem .3rem; } figure, tr { break-inside: avoid; } }
";

/// The whole document.
pub(super) fn text(document: &Document) -> Result<String, ReportError> {
    let title = escaped(&document.title);
    let sections = document.blocks.iter().filter_map(|b| if let Block::Section(t) = b { Some(t) } else { None });
    let links: String = sections.enumerate().map(|(i, t)| format!("<a href=\"#s{i}\">{}</a>\n", escaped(t))).collect();
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n<nav>\n{links}</nav>\n"
    );
    let mut section = 0;
    for block in &document.blocks {
        out += &match block {
            Block::Section(title) => {
                section += 1;
                format!("<h2 id=\"s{}\">{}</h2>\n", section - 1, escaped(title))
            }
            Block::Subsection(title) => format!("<h3>{}</h3>\n", escaped(title)),
            Block::Text(text) => format!("<p>{}</p>\n", escaped(text)),
            Block::Table(table) => of_table(table),
            Block::Picture(picture) => of_picture(picture)?,
        };
    }
    Ok(out + "</body>\n</html>\n")
}

fn of_table(table: &Table) -> String {
    let line = |tag: &str, cells: &[String]| {
        let cell = |(i, text): (usize, &String)| {
            let class = if table.is_numeric(i) { " class=\"n\"" } else { "" };
            format!("<{tag}{class}>{}</{tag}>", escaped(text))
        };
        format!("<tr>{}</tr>\n", cells.iter().enumerate().map(cell).collect::<String>())
    };
    let rows: String = table.rows.iter().map(|row| line("td", row)).collect();
    let head = line("th", &table.titles);
    format!("<div class=\"wide\"><table>\n<thead>\n{head}</thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n")
}

fn of_picture(picture: &Picture) -> Result<String, ReportError> {
    let bytes = export::format_of(Path::new("picture.svg"))?.bytes(&picture.figure, &picture.size)?;
    let svg = String::from_utf8(bytes).map_err(|e| ExportError::Draw(e.to_string()))?;
    let svg: String = svg.chars().filter(|c| !c.is_control() || *c == '\n').collect();
    let label = escaped(&format!("{}: {}", picture.figure.title, picture.figure.caption));
    Ok(format!(
        "<figure>{}</figure>\n",
        svg.trim_end().replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{label}\" "), 1)
    ))
}

/// Text in which no sign has a meaning, between tags and in a quoted attribute.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
