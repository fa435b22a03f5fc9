//! The paper's Table 1 from the finished runs, with a cursor: a filled cell leads to its runs, an empty one to the launch form.

use super::{Effect, Kind, Scene, Screen};
use crate::adapter;
use crate::chart::table1::{Cell, Row, Seeds, Source, Table1};
use crate::spec::{self, RunSpec, preset};
use crate::ui::action::Action;
use crate::ui::clicks::{Clicks, is_click};
use crate::ui::text::fit;
use crate::untrusted::harmless;
use crate::view::{Interest, View};
use crossterm::event::MouseEvent;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Wrap};
use std::cell::RefCell;
use std::rc::Rc;

/// Columns of a method: its runs' numbers and, where there are some, the paper's.
const OURS: usize = 17;
const PAPER: usize = 8;
/// Columns of scores on test rows, entered and the paper's.
const TEST: usize = 10;
/// Columns of the tasks' names, of longer ones at most, and of their metrics where there is room.
const TASK: usize = 7;
const LONG_TASK: usize = 20;
const METRIC: usize = 14;
/// Columns of the screen from which on metrics are shown.
const ROOMY: usize = 100;

#[derive(Default)]
pub struct Table1Screen {
    row: usize,
    column: usize,
    source: Option<Source>,
    clicks: Clicks,
    made: RefCell<Option<Made>>,
}

/// The table as it was last made, and what of.
struct Made {
    watermark: i64,
    runs: usize,
    source: Option<Source>,
    table: Rc<Table1>,
}

impl Table1Screen {
    fn table(&self, view: &View) -> Rc<Table1> {
        let mut made = self.made.borrow_mut();
        let same = |m: &&Made| m.watermark == view.watermark && m.runs == view.runs.len() && m.source == self.source;
        if let Some(made) = made.as_ref().filter(same) {
            return made.table.clone();
        }
        let table = Rc::new(Table1::of(
            view.runs.iter().map(|r| &**r).filter(|r| !r.archived),
            &view.tests,
            self.source.as_ref(),
        ));
        let (watermark, runs, source) = (view.watermark, view.runs.len(), self.source.clone());
        *made = Some(Made { watermark, runs, source, table: table.clone() });
        table
    }

    /// What is shown of the table in its frame.
    fn grid(&self, table: &Table1, inner: Rect) -> Grid {
        let across = usize::from(inner.width);
        let metric = if across >= ROOMY { METRIC } else { 0 };
        let shown = window(table, self.column, across.saturating_sub(task_width(table, across) + metric));
        let height = usize::from(inner.height).saturating_sub(HEAD).max(1);
        Grid { metric, shown, first: self.row.saturating_sub(height - 1), height }
    }

    /// Row and column of the cell at a place of the terminal.
    fn cell_at(&self, table: &Table1, area: Rect, at: Position) -> Option<(usize, usize)> {
        let row = table.rows.get(self.row)?;
        let reading = harmless(&self.reading(row, row.cells.get(self.column)?));
        let inner = Block::bordered().inner(split(area, &reading, &harmless(&table.brief()))[0]);
        if !inner.contains(at) {
            return None;
        }
        let grid = self.grid(table, inner);
        let line = usize::from(at.y - inner.y).checked_sub(HEAD)?;
        let row = Some(grid.first + line).filter(|r| line < grid.height && *r < table.rows.len())?;
        let mut left = task_width(table, inner.width.into()) + grid.metric;
        let x = usize::from(at.x - inner.x);
        for column in grid.shown {
            let width = width_of(table, adapter::ALL.get(column)?.id());
            if (left..left + width).contains(&x) {
                return Some((row, column));
            }
            left += width;
        }
        None
    }

    /// What stands under the cursor, whole.
    fn reading(&self, row: &Row, cell: &Cell) -> String {
        let label = adapter::ALL.get(self.column).map_or(cell.method, |m| m.label());
        let paper = cell.paper.map_or(String::new(), |p| format!(" · paper {}", p.text()));
        let test = cell.test.map_or(String::new(), |t| format!(" · test {} over rows", t.text()));
        let paper_test = cell.paper_test.map_or(String::new(), |p| format!(" · paper's test {}", p.text()));
        let against = cell.against.map_or(String::new(), |a| {
            let (by_rows, by_pairs) = (a.overlap_text(), a.paired_text());
            format!(" · beside SymLoRA by rows {by_rows}, by pairs {by_pairs}")
        });
        let ours = match &cell.ours {
            None => "no finished run · enter fills in the launch form".into(),
            Some(ours) => {
                let s = &ours.setting;
                let seeds: Vec<String> =
                    ours.seeds.iter().take(10).map(|seed| seed.map_or("–".into(), |n| n.to_string())).collect();
                let more = if ours.seeds.len() > 10 { " …" } else { "" };
                let of = ours.finished - ours.seeds.len();
                let others = if of > 0 { format!(" · {of} more finished") } else { String::new() };
                let rows = ours.over_rows.zip(ours.rows);
                let rows = rows.map_or(String::new(), |(h, n)| format!(" · ±{:.1} over {n} rows", 100.0 * h));
                format!(
                    "{} over seeds {}{more}{rows}{against} · lr {:e} r {} α {} batch {} epochs {}{others} · enter shows the runs",
                    ours.text(),
                    seeds.join(" "),
                    s.lr,
                    s.rank,
                    s.effective_alpha(),
                    s.batch_size,
                    s.epochs
                )
            }
        };
        format!("{} · {label} · {}: {ours}{paper}{test}{paper_test}", row.label, row.metric)
    }

    /// Where the work of an empty cell begins: the paper's settings on a real model, the demo's on the embedded one.
    fn missing(&self, table: &Table1, task: &str, method: &str) -> RunSpec {
        let Source { model, data } = table.source.clone().unwrap_or_else(|| {
            let RunSpec { model, data, .. } = RunSpec::default();
            Source { model, data }
        });
        let demo = || preset::demo(&[task]).into_iter().next();
        let start = if model == RunSpec::default().model { demo() } else { preset::paper(task, method, &model) };
        // It names its own files.
        let data = if spec::is_task_file(task) { String::new() } else { data };
        RunSpec { task: task.into(), method: method.into(), model, data, ..start.unwrap_or_default() }
    }
}

/// What a filter takes of a name: words are told apart by spaces.
fn first_word(name: &str) -> &str {
    name.split_whitespace().next().unwrap_or_default()
}

/// Columns of the tasks' names on a screen of so many: GLUE's are short, one's own have what there is room for.
fn task_width(table: &Table1, across: usize) -> usize {
    let longest = table.rows.iter().map(|r| harmless(&r.label).chars().count() + 1).max().unwrap_or(TASK);
    longest.clamp(TASK, if across >= ROOMY { LONG_TASK } else { TASK + 5 })
}

fn width_of(table: &Table1, method: &str) -> usize {
    let paper = if table.has_paper(method) { PAPER } else { 0 };
    OURS + paper + if table.has_test(method) { TEST + PAPER } else { 0 }
}

/// The columns that fit into `room`, the one of the cursor among them.
fn window(table: &Table1, cursor: usize, room: usize) -> std::ops::Range<usize> {
    let widths: Vec<usize> = adapter::ALL.iter().map(|m| width_of(table, m.id())).collect();
    let fits = |from: usize, to: usize| widths[from..to].iter().sum::<usize>() <= room;
    let first = (0..=cursor).find(|first| fits(*first, cursor + 1)).unwrap_or(cursor);
    let last = (cursor + 1..=widths.len()).rev().find(|last| fits(first, *last)).unwrap_or(cursor + 1);
    first..last
}

/// Places of the table, of what is read and of the caption.
fn split(area: Rect, reading: &str, caption: &str) -> [Rect; 3] {
    let rows_of = |text: &str| textwrap::wrap(text, usize::from(area.width.max(8))).len() as u16;
    Layout::vertical([
        Constraint::Min(4),
        Constraint::Length(rows_of(reading).min(3)),
        Constraint::Length(rows_of(caption).min(3)),
    ])
    .areas(area)
}

/// What is shown of the table.
struct Grid {
    /// Columns of the metrics.
    metric: usize,
    shown: std::ops::Range<usize>,
    /// First row, and how many have room.
    first: usize,
    height: usize,
}

/// Lines of the methods' names and of what stands below them.
const HEAD: usize = 2;

impl Screen for Table1Screen {
    fn kind(&self) -> Kind {
        Kind::Table1
    }

    fn digit(&self) -> char {
        '5'
    }

    fn title(&self) -> &'static str {
        "Table 1"
    }

    fn interest(&self, scene: &Scene, width: u16) -> Interest {
        Interest { open: scene.open.cloned(), width: width as usize, ..Interest::default() }
    }

    fn act(&mut self, action: Action, scene: &Scene) -> Effect {
        let table = self.table(scene.view);
        let (rows, columns) = (table.rows.len(), adapter::ALL.len());
        match action {
            Action::Up => self.row = self.row.saturating_sub(1),
            Action::Down => self.row = (self.row + 1).min(rows - 1),
            Action::Left => self.column = self.column.saturating_sub(1),
            Action::Right => self.column = (self.column + 1).min(columns - 1),
            Action::Top => self.row = 0,
            Action::Bottom => self.row = rows - 1,
            Action::Source => {
                let now = table.source.as_ref().and_then(|s| table.sources.iter().position(|x| x == s));
                let next = now.map(|i| (i + 1) % table.sources.len().max(1));
                self.source = next.and_then(|i| table.sources.get(i).cloned());
                return match table.sources.len() {
                    0 => Effect::Say("no finished runs yet: d on the table of runs (1) launches the demo".into()),
                    1 => Effect::Say("all finished runs are of one model and its rows".into()),
                    _ => Effect::None,
                };
            }
            Action::Open => {
                let Some(row) = table.rows.get(self.row) else { return Effect::None };
                let Some(cell) = row.cells.get(self.column) else { return Effect::None };
                return match &cell.ours {
                    Some(_) => Effect::Filter(format!(
                        "task:{} method:{}",
                        first_word(spec::task_name(&row.task)),
                        cell.method
                    )),
                    None => Effect::Fill(Box::new(self.missing(&table, &row.task, cell.method))),
                };
            }
            Action::Copy => {
                let cell = table.rows.get(self.row).and_then(|row| row.cells.get(self.column));
                let text = cell.and_then(|cell| cell.ours.as_ref()).map(Seeds::text);
                return text.map_or(Effect::Say("the cell is empty".into()), Effect::Copy);
            }
            Action::Back => return Effect::Go(Kind::Runs),
            _ => {}
        }
        Effect::None
    }

    fn mouse(&mut self, event: MouseEvent, area: Rect, scene: &Scene) -> Option<Effect> {
        let table = is_click(event).then(|| self.table(scene.view))?;
        let cell = self.cell_at(&table, area, Position::new(event.column, event.row))?;
        let again = self.clicks.is_double(event) && cell == (self.row, self.column);
        (self.row, self.column) = cell;
        Some(if again { self.act(Action::Open, scene) } else { Effect::None })
    }

    fn draw(&self, frame: &mut Frame, area: Rect, scene: &Scene) {
        let theme = scene.theme;
        let table = self.table(scene.view);
        let Some(row) = table.rows.get(self.row) else { return };
        let Some(cell) = row.cells.get(self.column) else { return };
        let reading = harmless(&self.reading(row, cell));
        let caption = harmless(&table.brief());
        let [body, read, foot] = split(area, &reading, &caption);
        let inner = Block::bordered().inner(body);
        let Grid { metric, shown, first, height } = self.grid(&table, inner);
        let mut more =
            if table.sources.len() > 1 { format!("({} models, m) ", table.sources.len()) } else { String::new() };
        if shown.len() < adapter::ALL.len() {
            let of = adapter::ALL.len();
            more += &format!("(methods {} to {} of {of}, h l) ", shown.start + 1, shown.end);
        }
        let block = Block::bordered().title(Line::from(vec![
            Span::styled(" Table 1: scores x 100 over seeds ", theme.title()),
            Span::styled(more, theme.faint()),
        ]));
        frame.render_widget(block, body);
        let padded =
            |text: &str, width: usize| format!("{text}{}", " ".repeat(width.saturating_sub(text.chars().count())));
        let of_metric = |text: &str| if metric > 0 { padded(text, metric) } else { String::new() };
        let names = task_width(&table, inner.width.into());
        let left = names + metric;
        let mut head = vec![Span::raw(" ".repeat(left))];
        let mut below = vec![Span::styled(padded("task", names), theme.faint())];
        below.push(Span::styled(of_metric("metric"), theme.faint()));
        for i in shown.clone() {
            let method = adapter::ALL[i];
            head.push(Span::styled(padded(method.label(), width_of(&table, method.id())), theme.title()));
            below.push(Span::styled(padded("here", OURS), theme.faint()));
            if table.has_paper(method.id()) {
                below.push(Span::styled(padded("paper", PAPER), theme.faint()));
            }
            if table.has_test(method.id()) {
                below.push(Span::styled(padded("test", TEST), theme.faint()));
                below.push(Span::styled(padded("paper", PAPER), theme.faint()));
            }
        }
        let mut lines = vec![Line::from(head), Line::from(below)];
        for (i, row) in table.rows.iter().enumerate().skip(first).take(height) {
            let mut line = vec![
                Span::raw(padded(&fit(&harmless(&row.label), names - 1), names)),
                Span::styled(of_metric(row.metric), theme.faint()),
            ];
            for j in shown.clone() {
                let cell = &row.cells[j];
                let here = (i, j) == (self.row, self.column);
                let text = cell.ours.as_ref().map_or("–".into(), Seeds::text);
                let style = if here { theme.selected() } else { ratatui::style::Style::new() };
                line.push(Span::styled(padded(&text, OURS - 1), style));
                line.push(Span::raw(" "));
                if table.has_paper(cell.method) {
                    let text = cell.paper.map_or("–".into(), |p| p.text());
                    line.push(Span::styled(padded(&text, PAPER), theme.faint()));
                }
                if table.has_test(cell.method) {
                    line.push(Span::raw(padded(&cell.test.map_or("–".into(), |t| t.text()), TEST)));
                    let text = cell.paper_test.map_or("–".into(), |p| p.text());
                    line.push(Span::styled(padded(&text, PAPER), theme.faint()));
                }
            }
            lines.push(Line::from(line));
        }
        frame.render_widget(Paragraph::new(lines), inner);
        frame.render_widget(Paragraph::new(reading).style(theme.focused()).wrap(Wrap { trim: true }), read);
        frame.render_widget(Paragraph::new(caption).style(theme.faint()).wrap(Wrap { trim: true }), foot);
    }
}
