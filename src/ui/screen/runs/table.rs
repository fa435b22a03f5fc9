//! Draws the table of runs: which columns fit, how wide each is, and what stands in its cells.

use super::columns::Column;
use super::rows::{GROUPINGS, Group, Row};
use super::shown::{Shown, is_constant, is_empty};
use crate::event::{RunId, Status};
use crate::ui::clicks::first_shown;
use crate::ui::screen::Scene;
use crate::ui::text::{fit, number};
use crate::ui::theme::Theme;
use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Cell, Row as Cells, Table, TableState};
use std::collections::HashSet;

/// Borders, and the sign of the selected row.
const EDGES: u16 = 4;
/// A column of words that may be wider than this has half of its most width first, and more where room is left.
const PROSE: u16 = 20;

/// A column as it is drawn: groups have two of their own in place of the best score.
#[derive(Clone, Copy)]
enum Face {
    Plain(&'static Column),
    Mean(&'static Column),
    Range,
}

struct Drawn {
    face: Face,
    title: String,
    width: u16,
    /// Cells of the lines in sight.
    cells: Vec<String>,
}

/// What is drawn: `columns` as chosen, `rows` of which the one `at` is selected.
pub struct Shape<'a> {
    pub shown: &'a Shown,
    pub columns: Vec<&'static Column>,
    pub rows: &'a [Row<'a>],
    pub at: usize,
    /// Unix time in seconds.
    pub now: f64,
}

pub fn draw(frame: &mut Frame, area: Rect, block: Block, shape: &Shape, scene: &Scene) {
    let theme = scene.theme;
    // Only the lines around the selection become cells: a table of ten thousand runs costs as much as one of fifty.
    let height = super::lines_of(area);
    let first = first_shown(shape.at, height, shape.rows.len());
    let lines = &shape.rows[first..shape.rows.len().min(first + height)];
    let marked: HashSet<&RunId> = scene.marked.iter().collect();
    let all = faces(shape).into_iter().map(|face| drawn(face, lines, shape, &marked)).collect();
    let columns = fitting(all, shape.shown.sort, area.width.saturating_sub(EDGES));
    let cell = |text: String, column: &Drawn| {
        let line = Line::raw(fit(&text, column.width.into()));
        Cell::from(if column.face.is_figure() { line.right_aligned() } else { line })
    };
    let header = Cells::new(columns.iter().map(|c| cell(c.title.clone(), c))).style(theme.faint());
    let body = lines.iter().enumerate().map(|(i, row)| {
        let styled = |c: &Drawn| cell(c.cells[i].clone(), c).style(style(c.face, row, theme));
        let bold = if matches!(row, Row::Group(_)) { Modifier::BOLD } else { Modifier::empty() };
        Cells::new(columns.iter().map(styled)).style(Style::new().add_modifier(bold))
    });
    let table = Table::new(body, columns.iter().map(|c| Constraint::Length(c.width)))
        .header(header)
        .block(block)
        .row_highlight_style(theme.selected())
        .highlight_symbol("> ");
    let mut state = TableState::new().with_selected((!shape.rows.is_empty()).then(|| shape.at - first));
    frame.render_stateful_widget(table, area, &mut state);
}

pub(in crate::ui::screen) fn status_style(status: Status, theme: &Theme) -> Style {
    match status {
        Status::Running | Status::Done => theme.good(),
        Status::Failed => theme.error(),
        Status::Interrupted | Status::Paused => theme.warning(),
        _ => theme.faint(),
    }
}

/// Grouped, the name is always there, for it tells what the runs of a group share, and columns of that are not.
fn faces(shape: &Shape) -> Vec<Face> {
    let grouped = shape.shown.grouping.is_some();
    let fields = shape.shown.grouping.map_or(&[][..], |g| GROUPINGS[g]);
    let name = Column::find("name").filter(|name| grouped && !shape.columns.contains(name));
    let face = |column: &'static Column| match (grouped, column.id) {
        (true, "best") => vec![Face::Mean(column), Face::Range],
        _ if fields.contains(&column.id) && *column != *shape.shown.sort => Vec::new(),
        _ => vec![Face::Plain(column)],
    };
    name.into_iter().chain(shape.columns.iter().copied()).flat_map(face).collect()
}

impl Face {
    fn is(self, column: &Column) -> bool {
        matches!(self, Face::Plain(own) | Face::Mean(own) if own == column)
    }

    fn is_figure(self) -> bool {
        matches!(self, Face::Plain(column) if column.is_figure())
    }

    fn title(self) -> &'static str {
        match self {
            Face::Plain(column) => column.title,
            Face::Mean(_) => "best ±95% over seeds",
            Face::Range => "min..max",
        }
    }

    /// Least width, and most.
    fn widths(self) -> (u16, u16) {
        match self {
            Face::Plain(column) if column.is_figure() => (column.width, u16::MAX),
            Face::Plain(column) => (column.width, column.most),
            Face::Mean(_) | Face::Range => (6, PROSE),
        }
    }
}

fn drawn(face: Face, lines: &[Row], shape: &Shape, marked: &HashSet<&RunId>) -> Drawn {
    let sorted = face.is(shape.shown.sort);
    let arrow = match (sorted, shape.shown.reversed) {
        (false, _) => "",
        (true, false) => "▾",
        (true, true) => "▴",
    };
    let title = format!("{}{arrow}", face.title());
    let cells: Vec<String> = lines.iter().map(|row| text(face, row, shape.now, marked)).collect();
    let (least, most) = face.widths();
    let widest = cells.iter().map(|c| Line::raw(c.as_str()).width() as u16).max().unwrap_or(0);
    let least = least.max(title.chars().count() as u16);
    let first = if (PROSE + 1..u16::MAX).contains(&most) { most / 2 } else { most };
    let width = widest.clamp(least, first.max(least));
    Drawn { face, title, width, cells }
}

/// The columns from the left that fit into `room`, the one that sorts in any case; prose takes what is left.
fn fitting(all: Vec<Drawn>, sort: &Column, room: u16) -> Vec<Drawn> {
    let sorting = |c: &Drawn| c.face.is(sort);
    let mut left = i32::from(room) + 1;
    left -= all.iter().find(|c| sorting(c)).map_or(0, |c| i32::from(c.width) + 1);
    let mut columns: Vec<Drawn> = Vec::new();
    for column in all {
        let takes = i32::from(column.width) + 1;
        if sorting(&column) || takes <= left {
            left -= if sorting(&column) { 0 } else { takes };
            columns.push(column);
        }
    }
    let mut spare = left.clamp(0, i32::from(u16::MAX)) as u16;
    for column in &mut columns {
        let widest = column.cells.iter().map(|c| Line::raw(c.as_str()).width() as u16).max().unwrap_or(0);
        let more = widest.min(column.face.widths().1).saturating_sub(column.width).min(spare);
        column.width += more;
        spare -= more;
    }
    columns
}

fn text(face: Face, row: &Row, now: f64, marked: &HashSet<&RunId>) -> String {
    match (row, face) {
        (Row::Run { run, .. }, Face::Plain(column)) if column.id == "status" && marked.contains(&run.id) => {
            format!("●{}", (column.text)(run, now))
        }
        (Row::Run { run, inside: true }, Face::Plain(column)) if column.id == "name" => {
            format!("  {}", (column.text)(run, now))
        }
        (Row::Run { run, .. }, Face::Plain(column) | Face::Mean(column)) => (column.text)(run, now),
        (Row::Run { .. }, Face::Range) => String::new(),
        (Row::Group(group), Face::Plain(column)) => of_group(group, column, now, marked),
        (Row::Group(group), Face::Mean(_)) => match group.spread {
            Some(s) if s.n > 1 => format!("{:.4} ±{:.4} n={}", s.mean.centre, s.mean.half_width, s.n),
            Some(s) => format!("{:.4} n=1", s.mean.centre),
            None => number(None, 4),
        },
        (Row::Group(group), Face::Range) => {
            group.spread.filter(|s| s.n > 1).map_or(String::new(), |s| format!("{:.4}..{:.4}", s.low, s.high))
        }
    }
}

/// What the runs of a group share, nothing where they differ.
fn of_group(group: &Group, column: &'static Column, now: f64, marked: &HashSet<&RunId>) -> String {
    match column.id {
        "status" => {
            let mark = if group.runs.iter().all(|r| marked.contains(&r.id)) { "●" } else { "" };
            match (group.done(), group.runs.len()) {
                (done, all) if done == all => format!("{mark}✓ {done} done"),
                (done, all) => format!("{mark}{done}/{all} done"),
            }
        }
        "name" => {
            let sign = if group.open { "▾" } else { "▸" };
            let differing = group.differing();
            let also = if differing.is_empty() { String::new() } else { format!(" ({} differ)", differing.join(", ")) };
            format!("{sign} {}{also}", group.key)
        }
        _ if is_empty(column, &group.runs) => String::new(),
        _ if group.runs.len() == 1 || is_constant(column, &group.runs) => (column.text)(group.runs[0], now),
        _ => String::new(),
    }
}

fn style(face: Face, row: &Row, theme: &Theme) -> Style {
    match (face, row) {
        (Face::Plain(column), Row::Run { run, .. }) if column.id == "status" => status_style(run.status, theme),
        (Face::Plain(column), Row::Group(_)) if column.id == "status" => theme.faint(),
        (_, Row::Run { run, .. }) if run.archived => theme.faint(),
        _ => Style::new(),
    }
}
