//! The table of all runs, live, with a preview of the selected one.

use super::ask::ask;
use super::{Effect, Kind, Scene, Screen};
use crate::chart::{self, ChartOptions, Subject};
use crate::event::{RunId, Status};
use crate::record::RunSummary;
use crate::ui::action::Action;
use crate::ui::clicks::{Clicks, first_shown, is_click};
use crate::ui::filter::Filter;
use crate::ui::plot;
use crate::ui::text::{duration, harmless, number};
use crate::ui::theme::Theme;
use crate::view::{Interest, Request, View};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseEvent};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Paragraph, Row, Table, TableState, Wrap};
use std::cell::RefCell;
use std::cmp::Ordering;
use std::sync::Arc;

#[derive(Default)]
pub struct RunsScreen {
    /// Kept by id, so that it stays while runs come and go.
    selected: Option<RunId>,
    /// Row of the selection when a key last came, and the run to select should the selected one be deleted.
    row: usize,
    heir: Option<RunId>,
    sort: usize,
    reversed: bool,
    filter: String,
    typing: bool,
    clicks: Clicks,
    order: RefCell<Option<Order>>,
}

/// The order of the rows as it was last made, and what of: ten thousand runs are not sorted anew for each key.
struct Order {
    watermark: i64,
    runs: usize,
    sort: usize,
    reversed: bool,
    filter: String,
    /// Places in the view's runs.
    rows: Vec<usize>,
}

/// A column: title, width, text, and order where the column can be sorted by.
struct Column {
    title: &'static str,
    width: u16,
    text: fn(&RunSummary) -> String,
    order: fn(&RunSummary, &RunSummary) -> Ordering,
}

fn numbers(a: Option<f64>, b: Option<f64>) -> Ordering {
    // The largest first; what is missing last.
    b.unwrap_or(f64::NEG_INFINITY).total_cmp(&a.unwrap_or(f64::NEG_INFINITY))
}

/// What is under way first, then the queue in its order, then what ended, newest first.
fn by_status(a: &RunSummary, b: &RunSummary) -> Ordering {
    let rank = |r: &RunSummary| match r.status {
        Status::Running | Status::Paused => 0,
        Status::Queued => 1,
        _ => 2,
    };
    let in_turn = a.created.total_cmp(&b.created).then_with(|| a.id.cmp(&b.id));
    rank(a).cmp(&rank(b)).then_with(|| match rank(a) {
        0 => in_turn,
        1 => a.position.cmp(&b.position).then(in_turn),
        _ => in_turn.reverse(),
    })
}

/// A static, not a const: the sorted column is told by its address.
static COLUMNS: &[Column] = &[
    Column { title: "status", width: 13, text: status, order: by_status },
    Column { title: "name", width: 22, text: |r| harmless(&r.name), order: |a, b| a.name.cmp(&b.name) },
    Column { title: "task", width: 6, text: |r| r.spec.task.clone(), order: |a, b| a.spec.task.cmp(&b.spec.task) },
    Column {
        title: "method",
        width: 8,
        text: |r| r.spec.method.clone(),
        order: |a, b| a.spec.method.cmp(&b.spec.method),
    },
    Column { title: "best", width: 7, text: |r| number(r.best, 4), order: |a, b| numbers(a.best, b.best) },
    Column { title: "loss", width: 7, text: |r| number(r.loss, 4), order: |a, b| numbers(b.loss, a.loss) },
    Column { title: "epoch", width: 8, text: epoch, order: |a, b| b.epoch.total_cmp(&a.epoch) },
    Column { title: "time", width: 7, text: |r| duration(r.seconds), order: |a, b| b.seconds.total_cmp(&a.seconds) },
    Column {
        title: "lr",
        width: 6,
        text: |r| format!("{:.0e}", r.spec.lr),
        order: |a, b| b.spec.lr.total_cmp(&a.spec.lr),
    },
    Column { title: "seed", width: 5, text: |r| r.spec.seed.to_string(), order: |a, b| a.spec.seed.cmp(&b.spec.seed) },
    Column {
        title: "λ̄",
        width: 6,
        text: |r| number(r.lambda.filter(|_| r.spec.method != "lora"), 3),
        order: |a, b| numbers(a.lambda, b.lambda),
    },
    Column {
        title: "params",
        width: 8,
        text: |r| r.facts.adapter_parameters.to_string(),
        order: |a, b| b.facts.adapter_parameters.cmp(&a.facts.adapter_parameters),
    },
    Column { title: "id", width: 7, text: |r| r.id.to_string(), order: |a, b| b.id.cmp(&a.id) },
];

pub(super) fn status(run: &RunSummary) -> String {
    let percent = || format!("{:.0}%", 100.0 * run.progress());
    match run.status {
        Status::Queued => "· queued".into(),
        Status::Running => format!("▶ {}", percent()),
        Status::Paused => format!("‖ {} paused", percent()),
        Status::Done => "✓ done".into(),
        Status::Stopped => format!("■ {} saved", percent()),
        Status::Cancelled => "✗ cancelled".into(),
        Status::Failed => "! failed".into(),
        Status::Interrupted => "↯ interrupted".into(),
    }
}

fn epoch(run: &RunSummary) -> String {
    format!("{:.1}/{}", run.epoch, run.spec.epochs)
}

pub(super) fn status_style(status: Status, theme: &Theme) -> Style {
    match status {
        Status::Running | Status::Done => theme.good(),
        Status::Failed => theme.error(),
        Status::Interrupted | Status::Paused => theme.warning(),
        _ => theme.faint(),
    }
}

impl RunsScreen {
    fn rows<'a>(&self, view: &'a View) -> Vec<&'a Arc<RunSummary>> {
        let mut order = self.order.borrow_mut();
        let same = |o: &Order| {
            (o.watermark, o.runs, o.sort, o.reversed) == (view.watermark, view.runs.len(), self.sort, self.reversed)
                && o.filter == self.filter
        };
        let order = match order.take().filter(same) {
            Some(known) => order.insert(known),
            None => order.insert(self.ordered(view)),
        };
        order.rows.iter().map(|i| &view.runs[*i]).collect()
    }

    fn ordered(&self, view: &View) -> Order {
        let filter = Filter::parse(&self.filter);
        let mut rows: Vec<usize> = (0..view.runs.len()).filter(|i| filter.holds(&view.runs[*i])).collect();
        rows.sort_by(|a, b| (COLUMNS[self.sort].order)(&view.runs[*a], &view.runs[*b]));
        if self.reversed {
            rows.reverse();
        }
        let (watermark, runs, sort, reversed) = (view.watermark, view.runs.len(), self.sort, self.reversed);
        Order { watermark, runs, sort, reversed, filter: self.filter.clone(), rows }
    }

    /// Row of the selection: where its run is deleted, the run that took its row.
    fn position(&self, view: &View, rows: &[&Arc<RunSummary>]) -> usize {
        let Some(selected) = &self.selected else { return 0 };
        let row_of = |id: &RunId| rows.iter().position(|r| &r.id == id);
        let deleted = || view.run(selected).is_none();
        let heir = || self.heir.as_ref().and_then(row_of).unwrap_or(self.row).min(rows.len().saturating_sub(1));
        row_of(selected).unwrap_or_else(|| if deleted() { heir() } else { 0 })
    }

    /// Holds on to the run at `row`, and to its neighbour.
    fn select(&mut self, rows: &[&Arc<RunSummary>], row: usize) {
        let id = |row: usize| rows.get(row).map(|r| r.id.clone());
        self.row = row;
        self.selected = id(row);
        self.heir = id(row + 1).or_else(|| id(row.checked_sub(1)?));
    }

    fn draw_table(&self, frame: &mut Frame, area: Rect, scene: &Scene, rows: &[&Arc<RunSummary>]) {
        let mut shown: Vec<&Column> = Vec::new();
        let mut used = 4;
        for column in COLUMNS {
            if used + column.width < area.width {
                used += column.width + 1;
                shown.push(column);
            }
        }
        let spare = area.width.saturating_sub(used).min(20);
        let arrow = if self.reversed { "▴" } else { "▾" };
        let title = |c: &&Column| {
            let sorted = std::ptr::eq(*c, &COLUMNS[self.sort]);
            if sorted { format!("{}{arrow}", c.title) } else { c.title.to_string() }
        };
        let header = Row::new(shown.iter().map(title)).style(scene.theme.faint());
        let widths =
            shown.iter().map(|c| Constraint::Length(if c.title == "name" { c.width + spare } else { c.width }));
        // Only the lines around the selection become cells: a table of ten thousand runs costs as much as one of fifty.
        let at = self.position(scene.view, rows);
        let height = lines_of(area);
        let first = first_shown(at, height, rows.len());
        let lines = rows.iter().skip(first).take(height).map(|run| {
            let marked = scene.marked.contains(&run.id);
            Row::new(shown.iter().map(|c| {
                let text = (c.text)(run);
                if c.title != "status" {
                    return Cell::from(text);
                }
                let text = if marked { format!("●{text}") } else { text };
                Cell::from(text).style(status_style(run.status, scene.theme))
            }))
        });
        let count = format!(" Runs ({}/{}) ", rows.len(), scene.view.runs.len());
        let filter = match (self.typing, self.filter.is_empty()) {
            (true, _) => format!("/{}▏", self.filter),
            (false, true) => String::new(),
            (false, false) => format!("/{} ", self.filter),
        };
        let block = Block::bordered().title(Line::from(vec![
            Span::styled(count, scene.theme.title()),
            Span::styled(harmless(&filter), scene.theme.focused()),
        ]));
        let table = Table::new(lines, widths)
            .header(header)
            .block(block)
            .row_highlight_style(scene.theme.selected())
            .highlight_symbol("> ");
        let mut state = TableState::new().with_selected((!rows.is_empty()).then(|| at - first));
        frame.render_stateful_widget(table, area, &mut state);
    }
}

impl Screen for RunsScreen {
    fn kind(&self) -> Kind {
        Kind::Runs
    }

    fn digit(&self) -> char {
        '1'
    }

    fn title(&self) -> &'static str {
        "Runs"
    }

    fn interest(&self, scene: &Scene, width: u16) -> Interest {
        let rows = self.rows(scene.view);
        let open = rows.get(self.position(scene.view, &rows)).map(|r| r.id.clone());
        Interest { open, width: width as usize, ..Interest::default() }
    }

    fn act(&mut self, action: Action, scene: &Scene) -> Effect {
        let rows = self.rows(scene.view);
        let at = self.position(scene.view, &rows);
        let last = rows.len().saturating_sub(1);
        let go = match action {
            Action::Up => at.saturating_sub(1),
            Action::Down => (at + 1).min(last),
            Action::HalfUp => at.saturating_sub(10),
            Action::HalfDown => (at + 10).min(last),
            Action::Top => 0,
            Action::Bottom => last,
            Action::NextSort => {
                self.sort = (self.sort + 1) % COLUMNS.len();
                return Effect::None;
            }
            Action::ReverseSort => {
                self.reversed = !self.reversed;
                return Effect::None;
            }
            Action::Filter => {
                self.typing = true;
                return Effect::None;
            }
            Action::Back => {
                self.filter.clear();
                return Effect::None;
            }
            Action::Demo => return Effect::Ask(Request::Demo),
            Action::Mark => {
                // On to the next run, as file managers do.
                self.select(&rows, (at + 1).min(last));
                return rows.get(at).map_or(Effect::None, |r| Effect::Mark(r.id.clone()));
            }
            Action::Open if rows.is_empty() && scene.view.runs.is_empty() => return Effect::Ask(Request::Demo),
            Action::Open => return rows.get(at).map_or(Effect::None, |r| Effect::Open(r.id.clone())),
            _ => {
                self.select(&rows, at);
                return rows.get(at).map_or(Effect::None, |run| ask(run, action));
            }
        };
        self.select(&rows, go);
        Effect::None
    }

    fn typed(&mut self, key: KeyEvent) -> bool {
        if !self.typing {
            return false;
        }
        match key.code {
            KeyCode::Enter => self.typing = false,
            KeyCode::Esc => {
                self.typing = false;
                self.filter.clear();
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => self.filter.clear(),
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return false,
            KeyCode::Char(c) => self.filter.push(c),
            _ => return false,
        }
        true
    }

    fn filter(&mut self, text: &str) {
        self.filter = text.into();
        self.typing = false;
    }

    fn pasted(&mut self, text: &str) {
        if self.typing {
            self.filter.extend(text.chars().filter(|c| !c.is_control()));
        }
    }

    fn mouse(&mut self, event: MouseEvent, area: Rect, scene: &Scene) -> Option<Effect> {
        let rows = self.rows(scene.view);
        let [table, _] = split(area);
        let header = table.y + 2;
        if !is_click(event) || event.row < header || event.row + 1 >= table.bottom() {
            return None;
        }
        let first = first_shown(self.position(scene.view, &rows), lines_of(table), rows.len());
        let row = first + usize::from(event.row - header);
        let id = rows.get(row)?.id.clone();
        self.select(&rows, row);
        Some(if self.clicks.is_double(event) { Effect::Open(id) } else { Effect::None })
    }

    fn draw(&self, frame: &mut Frame, area: Rect, scene: &Scene) {
        if scene.view.runs.is_empty() {
            return welcome(frame, area, scene.theme);
        }
        let rows = self.rows(scene.view);
        let [table, below] = split(area);
        self.draw_table(frame, table, scene, &rows);
        let selected = rows.get(self.position(scene.view, &rows)).map(|r| &r.id);
        let detail = scene.view.open.as_ref().filter(|d| Some(&d.summary.id) == selected);
        if let (true, Some(detail)) = (below.height > 4, detail) {
            let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(below);
            for (id, place) in [("loss", left), ("score", right)] {
                let Some(chart) = chart::find(id) else { continue };
                let block = Block::bordered().title(Span::styled(format!(" {} ", chart.title()), scene.theme.title()));
                let inner = block.inner(place);
                frame.render_widget(block, place);
                match chart.figure(&Subject::Run(detail), &ChartOptions::default()) {
                    Ok(figure) => plot::draw(&figure, None, inner, frame.buffer_mut(), scene.theme),
                    Err(error) => {
                        frame.render_widget(Paragraph::new(error.to_string()).style(scene.theme.faint()), inner)
                    }
                }
            }
        }
    }
}

/// Places of the table and of the preview under it.
fn split(area: Rect) -> [Rect; 2] {
    let preview = if area.height >= 24 { area.height * 2 / 5 } else { 0 };
    Layout::vertical([Constraint::Min(4), Constraint::Length(preview)]).areas(area)
}

/// Runs that a table of this size shows: the rest is its frame and its header.
fn lines_of(table: Rect) -> usize {
    table.height.saturating_sub(3).max(1).into()
}

fn welcome(frame: &mut Frame, area: Rect, theme: &Theme) {
    let key = |k: &'static str, text: &'static str| {
        Line::from(vec![Span::styled(format!("  {k:7}"), theme.title()), Span::raw(text)])
    };
    let text = vec![
        Line::styled("No runs yet.", theme.title()),
        Line::raw(""),
        key("enter", "start the demo: SymLoRA and LoRA on SST-2 (10 epochs), then on the"),
        key("", "other seven GLUE tasks (3 epochs), with an embedded encoder and rows;"),
        key("", "about 4 s a run on SST-2 and a minute in all, on two cores"),
        key("a", "launch a run of your own"),
        key("4", "Figure 1, filling as the demo's runs end"),
        key("?", "all keys"),
        Line::raw(""),
        Line::styled("The demo shows the program at work on any machine; its scores are not GLUE", theme.faint()),
        Line::styled("scores. For science, give a real model: --model FOLDER of roberta-base.", theme.faint()),
    ];
    let block = Block::bordered().title(Span::styled(" Welcome to eigenscope ", theme.title()));
    frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: false }).block(block), area);
}
