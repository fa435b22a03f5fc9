//! Table 1 as text: for a terminal, as Markdown, as LaTeX with booktabs, and its numbers as CSV.

use super::{Cell, Row, Seeds, Table1};
use crate::adapter;

/// A format of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Terminal,
    Markdown,
    Csv,
    Latex,
    Json,
}

/// Every format with its name and the ending of its files.
pub const FORMATS: [(Format, &str, &str); 5] = [
    (Format::Terminal, "terminal", "txt"),
    (Format::Markdown, "markdown", "md"),
    (Format::Csv, "csv", "csv"),
    (Format::Latex, "latex", "tex"),
    (Format::Json, "json", "json"),
];

const NONE: &str = "–";
/// Columns that a table for a terminal may take, where its methods can stand below each other.
const WIDE: usize = 120;

/// A column of a method: its title and what stands in it.
type Column = (&'static str, fn(&Cell) -> Option<String>);

/// Columns of a method in their order; those without any entry are left out, the first stays.
const COLUMNS: [Column; 9] = [
    ("validation ± seeds", |c| c.ours.as_ref().map(Seeds::text)),
    ("± rows", |c| c.ours.as_ref()?.over_rows.map(|h| format!("{:.1}", 100.0 * h))),
    ("paper ± rows", |c| c.paper.map(|p| p.text())),
    ("paper at 128", |c| c.paper_short.map(|s| format!("{:.2}", 100.0 * s))),
    ("test ± rows", |c| c.test.map(|t| t.text())),
    ("paper test ± rows", |c| c.paper_test.map(|p| p.text())),
    ("− SymLoRA", |c| c.against.map(|a| format!("{:+.1}", 100.0 * a.difference))),
    ("by rows", |c| c.against.map(|a| a.overlap_text())),
    ("by pairs", |c| c.against.map(|a| a.paired_text())),
];

/// A method with the columns that it shows.
struct Group {
    label: &'static str,
    columns: Vec<&'static Column>,
    /// Place of its cell in a row.
    place: usize,
}

impl Table1 {
    /// The table in a format, ended by a line break.
    pub fn in_format(&self, format: Format) -> Result<String, String> {
        match format {
            Format::Terminal => Ok(self.terminal()),
            Format::Markdown => Ok(format!("{}\n\n{}\n", self.markdown(), self.caption())),
            Format::Latex => Ok(self.latex()),
            Format::Csv => self.csv(),
            Format::Json => serde_json::to_string_pretty(self).map(|t| t + "\n").map_err(|e| e.to_string()),
        }
    }

    /// The methods that have something to show.
    fn groups(&self) -> Vec<Group> {
        let filled = |place: usize, column: &Column| self.rows.iter().any(|r| column.1(&r.cells[place]).is_some());
        let group = |(place, method): (usize, &&'static dyn adapter::Method)| {
            let any = COLUMNS.iter().any(|c| filled(place, c));
            let columns = COLUMNS.iter().enumerate().filter(|(i, c)| *i == 0 || filled(place, c)).map(|(_, c)| c);
            any.then(|| Group { label: method.label(), columns: columns.collect(), place })
        };
        adapter::ALL.iter().enumerate().filter_map(group).collect()
    }

    fn cells(row: &Row, groups: &[Group]) -> Vec<String> {
        let of =
            |g: &Group| g.columns.iter().map(|c| c.1(&row.cells[g.place]).unwrap_or(NONE.into())).collect::<Vec<_>>();
        [row.label.clone(), row.metric.into()].into_iter().chain(groups.iter().flat_map(of)).collect()
    }

    /// Methods side by side where that is not too wide, else one below the other.
    fn terminal(&self) -> String {
        let groups = self.groups();
        let whole = self.block(&groups);
        let wide = whole.iter().any(|line| line.chars().count() > WIDE);
        let blocks: Vec<Vec<String>> = match wide {
            true => groups.iter().map(|g| self.block(std::slice::from_ref(g))).collect(),
            false => vec![whole],
        };
        let mut out: Vec<String> = blocks.into_iter().flat_map(|b| b.into_iter().chain([String::new()])).collect();
        out.extend(textwrap::wrap(&self.caption(), WIDE).into_iter().map(|l| l.into_owned()));
        out.join("\n") + "\n"
    }

    /// Some methods side by side: a line of their names, one of titles, a rule, the rows.
    fn block(&self, groups: &[Group]) -> Vec<String> {
        let titles = groups.iter().flat_map(|g| g.columns.iter().map(|c| c.0.to_string()));
        let mut lines = vec![["task".to_string(), "metric".into()].into_iter().chain(titles).collect::<Vec<_>>()];
        lines.extend(self.rows.iter().map(|row| Self::cells(row, groups)));
        let widths = widths(&lines);
        let padded = |line: &Vec<String>| pad(line, &widths).join("  ").trim_end().to_string();
        let mut over = " ".repeat(widths[0] + widths[1] + 4);
        let mut at = 2;
        for group in groups {
            let width: usize = widths[at..at + group.columns.len()].iter().map(|w| w + 2).sum();
            over += &format!("{:width$}", group.label);
            at += group.columns.len();
        }
        let rule = widths.iter().map(|w| "─".repeat(*w)).collect::<Vec<_>>().join("──");
        let mut out = vec![over.trim_end().to_string(), padded(&lines[0]), rule];
        out.extend(lines[1..].iter().map(padded));
        out
    }

    /// Its cells: a line of titles, then a line for each task.
    pub fn grid(&self) -> Vec<Vec<String>> {
        let groups = self.groups();
        let titles = groups.iter().flat_map(|g| g.columns.iter().map(|c| format!("{} {}", g.label, c.0)));
        let mut lines = vec![["task".to_string(), "metric".into()].into_iter().chain(titles).collect::<Vec<_>>()];
        lines.extend(self.rows.iter().map(|row| Self::cells(row, &groups)));
        lines
    }

    /// As a table of Markdown that also reads well as it is.
    pub fn markdown(&self) -> String {
        let lines = self.grid();
        let widths = widths(&lines);
        let text = |line: &Vec<String>| format!("| {} |", pad(line, &widths).join(" | "));
        let rule = widths.iter().map(|w| "-".repeat(w + 2)).collect::<Vec<_>>().join("|");
        let mut out = vec![text(&lines[0]), format!("|{rule}|")];
        out.extend(lines[1..].iter().map(text));
        out.join("\n")
    }

    /// For a document with `\usepackage{booktabs}`.
    fn latex(&self) -> String {
        let groups = self.groups();
        let columns: usize = groups.iter().map(|g| g.columns.len()).sum();
        let mut out = vec![
            "% \\usepackage{booktabs}".to_string(),
            "\\begin{table}".into(),
            "\\centering\\small".into(),
            format!("\\begin{{tabular}}{{ll{}}}", "r".repeat(columns)),
            "\\toprule".into(),
        ];
        let over = groups.iter().map(|g| format!("\\multicolumn{{{}}}{{c}}{{{}}}", g.columns.len(), escaped(g.label)));
        out.push(format!(" & & {} \\\\", over.collect::<Vec<_>>().join(" & ")));
        let mut first = 3;
        let mut rules = String::new();
        for group in &groups {
            let last = first + group.columns.len() - 1;
            rules += &format!("\\cmidrule(lr){{{first}-{last}}}");
            first = last + 1;
        }
        out.push(rules);
        let titles = groups.iter().flat_map(|g| g.columns.iter().map(|c| escaped(c.0)));
        out.push(format!("Task & Metric & {} \\\\", titles.collect::<Vec<_>>().join(" & ")));
        out.push("\\midrule".into());
        for row in &self.rows {
            let cells: Vec<String> = Self::cells(row, &groups).iter().map(|c| escaped(c)).collect();
            out.push(format!("{} \\\\", cells.join(" & ")));
        }
        out.extend(["\\bottomrule".to_string(), "\\end{tabular}".into()]);
        out.push(format!("\\caption{{{}}}", escaped(&self.caption())));
        out.push("\\end{table}\n".into());
        out.join("\n")
    }

    /// A line for each task and method that has something: every number by itself, scores from 0 to 1.
    fn csv(&self) -> Result<String, String> {
        const HEAD: [&str; 25] = [
            "task",
            "method",
            "metric",
            "model",
            "data",
            "mean",
            "seeds",
            "half_width_over_seeds",
            "rows",
            "half_width_over_rows",
            "test",
            "test_rows",
            "test_half_width_over_rows",
            "paper",
            "paper_half_width_over_rows",
            "paper_test",
            "paper_test_half_width_over_rows",
            "paper_at_128",
            "minus_symlora",
            "tied_by_rows",
            "paired_seeds",
            "paired_t",
            "paired_p",
            "tied_by_pairs",
            "lr",
        ];
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(HEAD).map_err(|e| e.to_string())?;
        let text = |v: Option<f64>| v.map_or(String::new(), |v| v.to_string());
        // Printed with one digit: no more is known of them.
        let points = |v: Option<f64>| text(v.map(|p| (p * 10.0).round() / 1_000.0));
        let count = |v: Option<u64>| v.map_or(String::new(), |v| v.to_string());
        let (model, data) = self.source.as_ref().map_or(("", ""), |s| (&s.model, &s.data));
        for row in &self.rows {
            for cell in row.cells.iter().filter(|c| COLUMNS.iter().any(|column| column.1(c).is_some())) {
                let (ours, test, against) = (cell.ours.as_ref(), cell.test, cell.against);
                let paired = against.and_then(|a| a.paired);
                writer
                    .write_record([
                        row.task.clone(),
                        cell.method.into(),
                        row.metric.into(),
                        model.into(),
                        data.into(),
                        text(ours.map(|o| o.mean)),
                        count(ours.map(|o| o.seeds.len() as u64)),
                        text(ours.and_then(|o| o.half_width)),
                        count(ours.and_then(|o| o.rows)),
                        text(ours.and_then(|o| o.over_rows)),
                        text(test.map(|t| t.score)),
                        count(test.and_then(|t| t.rows)),
                        text(test.and_then(|t| t.over_rows)),
                        text(cell.paper.map(|p| p.score)),
                        points(cell.paper.and_then(|p| p.points)),
                        text(cell.paper_test.map(|p| p.score)),
                        points(cell.paper_test.and_then(|p| p.points)),
                        text(cell.paper_short),
                        text(against.map(|a| a.difference)),
                        against.and_then(|a| a.overlap).map_or(String::new(), |o| o.to_string()),
                        count(paired.map(|p| p.pairs as u64)),
                        text(paired.map(|p| p.t)),
                        text(paired.map(|p| p.p)),
                        paired.map_or(String::new(), |p| (p.p >= super::LEVEL).to_string()),
                        text(ours.map(|o| o.setting.lr)),
                    ])
                    .map_err(|e| e.to_string())?;
            }
        }
        let bytes = writer.into_inner().map_err(|e| e.to_string())?;
        String::from_utf8(bytes).map_err(|e| e.to_string())
    }
}

fn widths(lines: &[Vec<String>]) -> Vec<usize> {
    (0..lines[0].len()).map(|i| lines.iter().map(|l| l[i].chars().count()).max().unwrap_or(0)).collect()
}

fn pad(line: &[String], widths: &[usize]) -> Vec<String> {
    line.iter().zip(widths).map(|(t, w)| format!("{t}{}", " ".repeat(w - t.chars().count()))).collect()
}

/// Text as LaTeX prints it.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '±' => out += "$\\pm$",
            '√' => out += "$\\surd$",
            'λ' => out += "$\\lambda$",
            '–' => out += "--",
            '−' => out += "$-$",
            '\\' => out += "\\textbackslash{}",
            '~' => out += "\\textasciitilde{}",
            '^' => out += "\\textasciicircum{}",
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}
