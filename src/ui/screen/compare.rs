//! The marked runs beside each other: their curves overlaid, their settings in a table, their methods paired.

mod differences;
mod settings;

use super::curves::{Curves, UNREAD};
use super::panes::{self, Pane as _};
use super::{Effect, Kind, Scene, Screen};
use crate::chart::{self, Subject};
use crate::event::RunId;
use crate::figure::{Figure, SHAPES};
use crate::record::{RunDetail, RunSummary};
use crate::ui::action::Action;
use crate::ui::plot::{self, Lens};
use crate::ui::text::number;
use crate::ui::theme::Theme;
use crate::untrusted::harmless;
use crate::view::{Interest, Request};
use crossterm::event::{MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Wrap};
use settings::Settings;

/// The parts of the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Pane {
    #[default]
    Loss,
    Score,
    Settings,
    Parallel,
    Differences,
}

/// Below these sizes one pane at a time is shown.
const ROOMY: (u16, u16) = (100, 28);
/// Columns from which all panes are shown.
const WIDE: u16 = 150;
/// Most rows of the runs' names.
const NAMES: usize = 3;
/// Columns of the pane of differences.
const DIFFERENCES: u16 = 56;
const WHEEL: isize = 3;

#[derive(Default)]
pub struct CompareScreen {
    pane: Pane,
    curves: Curves,
    settings: Settings,
}

impl Pane {
    fn chart(self) -> Option<&'static str> {
        match self {
            Pane::Loss => Some("loss"),
            Pane::Score => Some("score"),
            Pane::Parallel => Some("parallel"),
            Pane::Settings | Pane::Differences => None,
        }
    }

    fn has_curves(self) -> bool {
        matches!(self, Pane::Loss | Pane::Score)
    }
}

impl panes::Pane for Pane {
    const ALL: &'static [Self] = &[Pane::Loss, Pane::Score, Pane::Settings, Pane::Parallel, Pane::Differences];

    fn title(self) -> &'static str {
        match self {
            Pane::Loss => "loss",
            Pane::Score => "validation score",
            Pane::Settings => "settings",
            Pane::Parallel => "parallel",
            Pane::Differences => "paired difference",
        }
    }
}

/// The marked runs that were brought, in the order of marking: a run's place is its colour and shape.
fn shown<'a>(scene: &'a Scene) -> Vec<&'a RunDetail> {
    let brought = |id: &RunId| scene.view.compare.iter().map(|d| &**d).find(|d| &d.summary.id == id);
    scene.marked.iter().filter_map(brought).collect()
}

/// The newest summaries of the marked runs.
fn summaries<'a>(scene: &'a Scene) -> Vec<&'a RunSummary> {
    scene.marked.iter().filter_map(|id| scene.view.run(id)).map(|r| &**r).collect()
}

/// Place of the panes' names where they are shown one at a time, and of each pane.
fn places(area: Rect, current: Pane) -> (Option<Rect>, Vec<(Pane, Rect)>) {
    if area.width < ROOMY.0 || area.height < ROOMY.1 {
        return panes::one(area, current);
    }
    let [top, bottom] = Layout::vertical([Constraint::Fill(3), Constraint::Fill(2)]).areas(area);
    let [loss, score] = Layout::horizontal([Constraint::Fill(1); 2]).areas(top);
    let right = DIFFERENCES.min(area.width / 2);
    let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(right)]).areas(bottom);
    let mut panes = vec![(Pane::Loss, loss), (Pane::Score, score)];
    if area.width >= WIDE {
        let [settings, parallel] = Layout::horizontal([Constraint::Fill(1); 2]).areas(left);
        panes.extend([(Pane::Settings, settings), (Pane::Parallel, parallel), (Pane::Differences, right)]);
    } else {
        // The two share a place.
        let other = if current == Pane::Parallel { Pane::Parallel } else { Pane::Differences };
        panes.extend([(Pane::Settings, left), (other, right)]);
    }
    (None, panes)
}

/// Sign and colour of the run at this place among the marked ones.
fn sign(index: usize, theme: &Theme) -> Span<'static> {
    Span::styled(plot::symbol(index % SHAPES), theme.series(index))
}

/// Signs, names and best scores of the runs, in at most [`NAMES`] rows of `width` columns.
fn names(runs: &[&RunSummary], width: u16, theme: &Theme) -> Vec<Line<'static>> {
    let mut lines = vec![Line::default()];
    for (i, run) in runs.iter().enumerate() {
        let text = format!(" {} {} {}   ", run.id, harmless(&run.name), number(run.best, 4));
        let last = lines.len() - 1;
        let full = lines[last].width() + text.chars().count() + 1 > width as usize;
        if full && lines.len() == NAMES {
            // Room for this stands at the end of each row: names are followed by three blanks.
            lines[last].push_span(Span::styled(format!("+{}", runs.len() - i), theme.faint()));
            break;
        }
        if full && lines[last].width() > 0 {
            lines.push(Line::default());
        }
        let line = lines.len() - 1;
        lines[line].push_span(sign(i, theme));
        lines[line].push_span(Span::styled(text, theme.series(i)));
    }
    lines
}

impl CompareScreen {
    fn figure(&self, pane: Pane, runs: &[&RunDetail]) -> Result<Figure, String> {
        let chart = pane.chart().and_then(chart::find).ok_or("no chart")?;
        chart.figure(&Subject::Runs(runs), &self.curves.options).map_err(|e| e.to_string())
    }

    fn draw_pane(&self, pane: Pane, frame: &mut Frame, area: Rect, scene: &Scene, runs: &[&RunDetail]) {
        let focused = pane == self.pane;
        let theme = scene.theme;
        let style = if focused { theme.focused() } else { theme.title() };
        let mut title = vec![Span::styled(format!(" {} ", pane.title()), style)];
        let room = (area.width as usize).saturating_sub(title[0].width() + 2);
        let figure = self.figure(pane, runs);
        let summaries = summaries(scene);
        match (pane, &figure) {
            (Pane::Settings, _) => title.push(Span::styled(self.settings.title(&summaries), theme.faint())),
            (pane, Ok(figure)) if pane.has_curves() => title.extend(self.curves.title(figure, room, theme)),
            (_, Ok(figure)) => title.push(Span::styled(format!("{} ", figure.title), theme.faint())),
            _ => {}
        }
        let block = Block::bordered().title(Line::from(title));
        let block = if focused { block.border_style(theme.focused()) } else { block };
        let inner = block.inner(area);
        frame.render_widget(block, area);
        match (pane, figure) {
            (Pane::Settings, _) => self.settings.draw(frame, inner, &summaries, theme),
            (Pane::Differences, _) => differences::draw(frame, inner, &summaries, theme),
            (Pane::Parallel, Ok(figure)) => plot::draw(&figure, None, inner, frame.buffer_mut(), theme),
            (_, Ok(figure)) => {
                // The names stand above the panes.
                let lens = Lens { unnamed: true, ..self.curves.lens() };
                plot::draw_lens(&figure, lens, inner, frame.buffer_mut(), theme);
            }
            (_, Err(text)) => {
                frame.render_widget(Paragraph::new(text).style(theme.faint()).wrap(Wrap { trim: true }), inner);
            }
        }
    }

    /// Rows of the names, and what is left for the panes.
    fn split(&self, area: Rect, scene: &Scene) -> (Vec<Line<'static>>, Rect, Rect) {
        let lines = names(&summaries(scene), area.width, scene.theme);
        let rows = lines.len() as u16;
        let [head, body] = Layout::vertical([Constraint::Length(rows), Constraint::Min(0)]).areas(area);
        (lines, head, body)
    }
}

impl Screen for CompareScreen {
    fn kind(&self) -> Kind {
        Kind::Compare
    }

    fn digit(&self) -> char {
        '3'
    }

    fn title(&self) -> &'static str {
        "Compare"
    }

    fn interest(&self, scene: &Scene, width: u16) -> Interest {
        let steps = self.curves.steps(&shown(scene));
        let compare = if scene.marked.len() < 2 { Vec::new() } else { scene.marked.to_vec() };
        Interest { open: scene.open.cloned(), compare, steps, width: width as usize, ..Interest::default() }
    }

    fn act(&mut self, action: Action, scene: &Scene) -> Effect {
        panes::step(&mut self.pane, action);
        match action {
            Action::Back => return Effect::Go(Kind::Runs),
            Action::AllFields => {
                self.pane = Pane::Settings;
                self.settings.toggle();
            }
            _ => {}
        }
        if self.pane == Pane::Settings && self.settings.act(action, &summaries(scene)) {
            return Effect::None;
        }
        let runs = shown(scene);
        if action == Action::Export {
            let pane = if self.pane.chart().is_some() { self.pane } else { Pane::Loss };
            let ids: Vec<&str> = runs.iter().map(|r| r.summary.id.as_str()).take(4).collect();
            let more = if runs.len() > ids.len() { format!("-and-{}", runs.len() - ids.len()) } else { String::new() };
            let file_stem = format!("compare-{}{more}-{}", ids.join("-"), pane.chart().unwrap_or_default());
            return match self.figure(pane, &runs) {
                Ok(figure) => Effect::Ask(Request::Export { file_stem, figure }),
                Err(text) => Effect::Say(text),
            };
        }
        let figure = Some(self.pane).filter(|p| p.has_curves()).and_then(|pane| self.figure(pane, &runs).ok());
        if action == Action::Copy {
            let read = figure.and_then(|f| self.curves.read(&f));
            return read.map_or_else(|| Effect::Say(UNREAD.into()), Effect::Copy);
        }
        self.curves.act(action, &runs, figure.as_ref()).unwrap_or(Effect::None)
    }

    fn idle(&self, action: Action, scene: &Scene) -> bool {
        match action {
            _ if scene.marked.len() < 2 => true,
            Action::Right | Action::ZoomIn | Action::Horizontal | Action::LogScale => !self.pane.has_curves(),
            Action::Smoothing => self.pane != Pane::Loss,
            Action::AllFields => self.pane != Pane::Settings,
            _ => false,
        }
    }

    fn mouse(&mut self, event: MouseEvent, area: Rect, scene: &Scene) -> Option<Effect> {
        let runs = shown(scene);
        if matches!(event.kind, MouseEventKind::Up(_)) {
            self.curves.release(&runs);
            return Some(Effect::None);
        }
        let at = Position::new(event.column, event.row);
        let (names, shown) = places(self.split(area, scene).2, self.pane);
        let pressed = matches!(event.kind, MouseEventKind::Down(_));
        if let Some(pane) = panes::named_at(names, at) {
            self.pane = if pressed { pane } else { self.pane };
            return Some(Effect::None);
        }
        let (pane, place) = shown.into_iter().find(|(_, place)| place.contains(at))?;
        self.pane = if pressed { pane } else { self.pane };
        match (pane, event.kind) {
            (Pane::Settings, MouseEventKind::ScrollUp) => self.settings.scroll(-WHEEL, &summaries(scene)),
            (Pane::Settings, MouseEventKind::ScrollDown) => self.settings.scroll(WHEEL, &summaries(scene)),
            (Pane::Settings | Pane::Parallel | Pane::Differences, _) => {}
            _ => {
                let figure = self.figure(pane, &runs).ok()?;
                self.curves.mouse(event, &figure, Block::bordered().inner(place), &runs);
            }
        }
        Some(Effect::None)
    }

    fn draw(&self, frame: &mut Frame, area: Rect, scene: &Scene) {
        if scene.marked.len() < 2 {
            let text = format!(
                "{} marked: two or more are compared.\n\nOn the table of runs (1), space marks the selected run and c comes back here.",
                match scene.marked.len() {
                    0 => "No run is".to_string(),
                    _ => format!("Only {} is", scene.marked[0]),
                }
            );
            return frame
                .render_widget(Paragraph::new(text).style(scene.theme.faint()).wrap(Wrap { trim: true }), area);
        }
        let runs = shown(scene);
        let (lines, head, body) = self.split(area, scene);
        frame.render_widget(Paragraph::new(lines), head);
        let (names, shown) = places(body, self.pane);
        panes::draw_names(frame, names, self.pane, scene);
        for (pane, place) in shown {
            self.draw_pane(pane, frame, place, scene, &runs);
        }
    }
}
