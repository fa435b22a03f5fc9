//! What runs, what waits for its turn and what could go on, beside what each device is doing.

use super::ask::{self, ask};
use super::runs::{status, status_style};
use super::{Effect, Kind, Scene, Screen};
use crate::event::{RunId, Status};
use crate::record::RunSummary;
use crate::ui::action::Action;
use crate::ui::clicks::{Clicks, first_shown, is_click};
use crate::ui::text::{duration, fit};
use crate::untrusted::harmless;
use crate::view::{Device, Interest, Request, View};
use crossterm::event::MouseEvent;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Paragraph, Row, Sparkline, Table, TableState, Wrap};
use std::sync::Arc;

/// Rows of a device's panel at least; with fewer each device has a line.
const PANEL: u16 = 5;
/// Columns that the list takes at most.
const WIDE: u16 = 84;
/// Columns of the list that leave room for the device's.
const ROOMY: u16 = 56;

#[derive(Default)]
pub struct QueueScreen {
    /// Kept by id: it goes with the run that is moved.
    selected: Option<RunId>,
    /// Its row when a key last came, for when the run has left the list.
    row: usize,
    clicks: Clicks,
}

/// Live runs by start, the queue in its order, then what can go on, the last that ended first.
fn rows(view: &View) -> Vec<&Arc<RunSummary>> {
    let of = |holds: fn(Status) -> bool| view.runs.iter().filter(move |r| holds(r.status));
    let mut live: Vec<_> = of(Status::is_live).collect();
    live.sort_by(|a, b| a.started.unwrap_or(0.0).total_cmp(&b.started.unwrap_or(0.0)).then_with(|| a.id.cmp(&b.id)));
    let mut queued: Vec<_> = of(|s| s == Status::Queued).collect();
    queued.sort_by_key(|r| (r.position, &r.id));
    let mut resumable: Vec<_> = of(Status::is_resumable).collect();
    resumable.sort_by(|a, b| b.ended.unwrap_or(0.0).total_cmp(&a.ended.unwrap_or(0.0)).then_with(|| b.id.cmp(&a.id)));
    [live, queued, resumable].concat()
}

/// Where a run stands, and how long it has left.
fn state(run: &RunSummary) -> String {
    match (run.status, run.eta()) {
        (Status::Running, Some(left)) => format!("{} {}", status(run), duration(left)),
        _ => status(run),
    }
}

impl QueueScreen {
    fn at(&self, rows: &[&Arc<RunSummary>]) -> usize {
        let found = self.selected.as_ref().and_then(|id| rows.iter().position(|r| &r.id == id));
        found.unwrap_or(self.row).min(rows.len().saturating_sub(1))
    }

    fn select(&mut self, rows: &[&Arc<RunSummary>], row: usize) {
        self.row = row;
        self.selected = rows.get(row).map(|r| r.id.clone());
    }

    fn draw_list(&self, frame: &mut Frame, area: Rect, scene: &Scene, rows: &[&Arc<RunSummary>]) {
        let count = |holds: fn(Status) -> bool| rows.iter().filter(|r| holds(r.status)).count();
        let (running, queued) = (count(Status::is_live), count(|s| s == Status::Queued));
        let block = Block::bordered()
            .title(Span::styled(format!(" Queue ({running} running, {queued} queued) "), scene.theme.title()));
        if rows.is_empty() {
            let text = "Nothing runs and nothing waits.\n\na launches a run, d on the table of runs (1) the demo.";
            let text = Paragraph::new(text).style(scene.theme.faint()).wrap(Wrap { trim: true });
            return frame.render_widget(text.block(block), area);
        }
        // The name before the device: the panels tell what runs where.
        let several = scene.view.devices.len() > 1 || rows.iter().any(|r| r.spec.device != rows[0].spec.device);
        let many = several && area.width >= ROOMY;
        let mut widths =
            vec![Constraint::Length(3), Constraint::Length(6), Constraint::Fill(1), Constraint::Length(14)];
        let mut titles = vec!["  #", "id", "name", "state, left"];
        if many {
            widths.insert(3, Constraint::Length(7));
            titles.insert(3, "device");
        }
        let names = usize::from(area.width).saturating_sub(if many { 40 } else { 32 });
        let at = self.at(rows);
        let height = lines_of(area);
        let first = first_shown(at, height, rows.len());
        let turn = |row: usize| match rows[row].status {
            Status::Queued => (row - running + 1).to_string(),
            _ => String::new(),
        };
        let lines = rows.iter().enumerate().skip(first).take(height).map(|(row, run)| {
            let style = status_style(run.status, scene.theme);
            let mut cells = vec![
                Cell::from(format!("{:>3}", turn(row))),
                Cell::from(run.id.to_string()),
                Cell::from(fit(&harmless(&run.name), names)),
                Cell::from(state(run)).style(style),
            ];
            if many {
                cells.insert(3, Cell::from(run.spec.device.clone()));
            }
            Row::new(cells)
        });
        let table = Table::new(lines, widths)
            .header(Row::new(titles).style(scene.theme.faint()))
            .block(block)
            .row_highlight_style(scene.theme.selected())
            .highlight_symbol("> ");
        let mut state = TableState::new().with_selected(Some(at - first));
        frame.render_stateful_widget(table, area, &mut state);
    }

    fn draw_devices(frame: &mut Frame, area: Rect, scene: &Scene) {
        let devices = &scene.view.devices;
        let absent = absent(scene.view);
        let [panels, missing] =
            Layout::vertical([Constraint::Min(0), Constraint::Length(absent.len().min(3) as u16)]).areas(area);
        let lines: Vec<Line> = absent.into_iter().map(|text| Line::styled(text, scene.theme.warning())).collect();
        frame.render_widget(Paragraph::new(lines), missing);
        if devices.is_empty() {
            return frame.render_widget(Line::styled("the devices are being asked", scene.theme.faint()), panels);
        }
        if usize::from(panels.height) < devices.len() * usize::from(PANEL) {
            let lines: Vec<Line> = devices.iter().flat_map(|d| short(d, scene, panels.width)).collect();
            return frame.render_widget(Paragraph::new(lines), panels);
        }
        let places = Layout::vertical(vec![Constraint::Fill(1); devices.len()]).split(panels);
        for (device, place) in devices.iter().zip(places.iter()) {
            panel(device, frame, *place, scene);
        }
    }
}

/// Runs that a table of this size shows: the rest is its frame and its header.
fn lines_of(table: Rect) -> usize {
    table.height.saturating_sub(3).max(1).into()
}

/// Places of the list and of the devices.
fn split(area: Rect) -> [Rect; 2] {
    let list = (area.width * 3 / 5).min(WIDE);
    Layout::horizontal([Constraint::Length(list), Constraint::Min(0)]).areas(area)
}

/// Devices that queued runs wait for and this machine does not have.
fn absent(view: &View) -> Vec<String> {
    let mut names: Vec<&str> = Vec::new();
    if !view.devices.is_empty() {
        let queued = view.runs.iter().filter(|r| r.status == Status::Queued).map(|r| r.spec.device.as_str());
        names.extend(queued.filter(|name| view.devices.iter().all(|d| d.id != *name)));
    }
    names.sort_unstable();
    let text = |same: &[&str]| format!("{} is not here ({} queued)", harmless(same[0]), same.len());
    names.chunk_by(|a, b| a == b).map(text).collect()
}

fn figures(device: &Device) -> String {
    device.figures.map_or("no figures: the system does not tell".into(), |f| f.in_words())
}

/// Live runs of a device as lines, and how many wait for it.
fn work(device: &Device, scene: &Scene, width: u16) -> Vec<Line<'static>> {
    let of = |holds: fn(Status) -> bool| {
        scene.view.runs.iter().filter(move |r| holds(r.status) && r.spec.device == device.id)
    };
    let line = |r: &Arc<RunSummary>| {
        let state = state(r);
        let room = usize::from(width).saturating_sub(state.chars().count() + 1);
        let name = fit(&format!("{} {}", r.id, harmless(&r.name)), room);
        Line::from(vec![Span::styled(state, status_style(r.status, scene.theme)), Span::raw(format!(" {name}"))])
    };
    let mut lines: Vec<Line> = of(Status::is_live).map(line).collect();
    if lines.is_empty() {
        lines.push(Line::styled("idle", scene.theme.faint()));
    }
    match of(|s| s == Status::Queued).count() {
        0 => {}
        n => lines.push(Line::styled(format!("{n} queued"), scene.theme.faint())),
    }
    lines
}

/// A device where there is no room for a panel.
fn short(device: &Device, scene: &Scene, width: u16) -> Vec<Line<'static>> {
    let head = fit(&format!("{} {}", device.id, figures(device)), width.into());
    let work = work(device, scene, width.saturating_sub(2)).into_iter().take(1).map(|line| {
        let spans = std::iter::once(Span::raw("  ")).chain(line.spans).collect::<Vec<_>>();
        Line::from(spans).style(line.style)
    });
    std::iter::once(Line::styled(head, scene.theme.title())).chain(work).collect()
}

fn panel(device: &Device, frame: &mut Frame, area: Rect, scene: &Scene) {
    let title = fit(&format!(" {} · {} ", device.id, device.name), area.width.saturating_sub(2).into());
    let block = Block::bordered().title(Span::styled(title, scene.theme.title()));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let work = work(device, scene, inner.width);
    let spare = usize::from(inner.height).saturating_sub(work.len() + 1).min(3) as u16;
    let chart = if device.history.is_empty() { 0 } else { spare };
    let [head, history, list] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(chart), Constraint::Min(0)]).areas(inner);
    frame.render_widget(Line::raw(figures(device)), head);
    let newest = device.history.len().saturating_sub(history.width.into());
    let percent: Vec<u64> = device.history[newest..].iter().map(|u| (100.0 * u).round() as u64).collect();
    frame.render_widget(Sparkline::default().data(&percent).max(100).style(scene.theme.good()), history);
    frame.render_widget(Paragraph::new(work), list);
}

impl Screen for QueueScreen {
    fn kind(&self) -> Kind {
        Kind::Queue
    }

    fn digit(&self) -> char {
        '0'
    }

    fn title(&self) -> &'static str {
        "Queue"
    }

    fn interest(&self, scene: &Scene, width: u16) -> Interest {
        Interest { open: scene.open.cloned(), width: width.into(), devices: true, ..Interest::default() }
    }

    fn act(&mut self, action: Action, scene: &Scene) -> Effect {
        let rows = rows(scene.view);
        let at = self.at(&rows);
        let last = rows.len().saturating_sub(1);
        let go = match action {
            Action::Up => at.saturating_sub(1),
            Action::Down => (at + 1).min(last),
            Action::HalfUp => at.saturating_sub(10),
            Action::HalfDown => (at + 10).min(last),
            Action::Top => 0,
            Action::Bottom => last,
            Action::Back => return Effect::Go(Kind::Runs),
            _ => at,
        };
        self.select(&rows, go);
        let Some(run) = rows.get(at) else { return Effect::None };
        match action {
            Action::Earlier | Action::Later if run.status != Status::Queued => {
                Effect::Say(format!("{} is {}: only queued runs have a place in the queue", run.id, run.status))
            }
            Action::Earlier => Effect::Ask(Request::Shift(run.id.clone(), -1)),
            Action::Later => Effect::Ask(Request::Shift(run.id.clone(), 1)),
            Action::Open => Effect::Open(run.id.clone()),
            _ => ask(action, &[run]),
        }
    }

    fn idle(&self, action: Action, scene: &Scene) -> bool {
        let rows = rows(scene.view);
        match (rows.get(self.at(&rows)), action) {
            (None, _) => true,
            (Some(run), Action::Earlier | Action::Later) => run.status != Status::Queued,
            (Some(run), _) => ask::idle(action, &[run]),
        }
    }

    fn mouse(&mut self, event: MouseEvent, area: Rect, scene: &Scene) -> Option<Effect> {
        let [list, _] = split(area);
        let header = list.y + 2;
        let inside = event.column < list.right() && event.row >= header && event.row + 1 < list.bottom();
        if !is_click(event) || !inside {
            return None;
        }
        let rows = rows(scene.view);
        let row = first_shown(self.at(&rows), lines_of(list), rows.len()) + usize::from(event.row - header);
        let id = rows.get(row)?.id.clone();
        self.select(&rows, row);
        Some(if self.clicks.is_double(event) { Effect::Open(id) } else { Effect::None })
    }

    fn draw(&self, frame: &mut Frame, area: Rect, scene: &Scene) {
        let [list, devices] = split(area);
        self.draw_list(frame, list, scene, &rows(scene.view));
        Self::draw_devices(frame, devices, scene);
    }
}
