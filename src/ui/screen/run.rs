//! One run: progress, curves, the layers as heatmaps with a cursor, the log, the device.

mod device;
mod layers;
mod log;

use super::ask::{self, ask};
use super::curves::{Curves, UNREAD};
use super::panes::{self, Pane as _};
use super::runs::status_style;
use super::{Effect, Kind, Scene, Screen};
use crate::chart::{self, Subject};
use crate::figure::Figure;
use crate::record::RunDetail;
use crate::ui::action::Action;
use crate::ui::clicks::is_click;
use crate::ui::plot;
use crate::ui::text::{duration, joined, number};
use crate::untrusted::harmless;
use crate::view::{Interest, Request};
use crossterm::event::{KeyEvent, MouseEvent, MouseEventKind};
use layers::Layers;
use log::Log;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

/// The parts of the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Pane {
    #[default]
    Loss,
    Score,
    Rate,
    Layers,
    Log,
    Device,
}

/// Below these sizes one pane at a time is shown.
const ROOMY: (u16, u16) = (100, 34);
/// Columns of the device's pane.
const DEVICE: u16 = 38;
/// Lines or records that a large step of a key goes.
const MANY: isize = 10;
const WHEEL: isize = 3;

#[derive(Default)]
pub struct RunScreen {
    pane: Pane,
    curves: Curves,
    layers: Layers,
    log: Log,
}

impl Pane {
    /// The chart that fills it.
    fn chart(self) -> Option<&'static str> {
        match self {
            Pane::Loss => Some("loss"),
            Pane::Score => Some("score"),
            Pane::Rate => Some("rate"),
            Pane::Layers => Some("layers"),
            Pane::Log | Pane::Device => None,
        }
    }

    fn has_curves(self) -> bool {
        matches!(self, Pane::Loss | Pane::Score | Pane::Rate)
    }
}

impl panes::Pane for Pane {
    const ALL: &'static [Self] = &[Pane::Loss, Pane::Score, Pane::Rate, Pane::Layers, Pane::Log, Pane::Device];

    fn title(self) -> &'static str {
        match self {
            Pane::Loss => "loss",
            Pane::Score => "validation score",
            Pane::Rate => "lr, gradient, rows/s",
            Pane::Layers => "layers",
            Pane::Log => "log",
            Pane::Device => "device",
        }
    }
}

/// The open run, once it was brought.
fn shown<'a>(scene: &'a Scene) -> Option<&'a RunDetail> {
    scene.view.open.as_deref().filter(|d| Some(&d.summary.id) == scene.open)
}

/// Place of the two lines on top, of the names of the panes where they are shown one at a time, and of each pane.
fn places(area: Rect, current: Pane) -> (Rect, Option<Rect>, Vec<(Pane, Rect)>) {
    let [head, body] = Layout::vertical([Constraint::Length(2), Constraint::Min(0)]).areas(area);
    if area.width < ROOMY.0 || area.height < ROOMY.1 {
        let (names, shown) = panes::one(body, current);
        return (head, names, shown);
    }
    let [top, middle, bottom] =
        Layout::vertical([Constraint::Fill(5), Constraint::Fill(6), Constraint::Fill(4)]).areas(body);
    let [loss, score] = Layout::horizontal([Constraint::Fill(1); 2]).areas(top);
    let [rate, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(bottom);
    let [log, device] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(DEVICE)]).areas(right);
    let panes = [
        (Pane::Loss, loss),
        (Pane::Score, score),
        (Pane::Layers, middle),
        (Pane::Rate, rate),
        (Pane::Log, log),
        (Pane::Device, device),
    ];
    (head, None, panes.into())
}

impl RunScreen {
    fn figure(&self, pane: Pane, detail: &RunDetail) -> Result<Figure, String> {
        let chart = pane.chart().and_then(chart::find).ok_or("no chart")?;
        chart.figure(&Subject::Run(detail), &self.curves.options).map_err(|e| e.to_string())
    }

    fn draw_head(&self, frame: &mut Frame, area: Rect, scene: &Scene, detail: &RunDetail) {
        let run = &detail.summary;
        let theme = scene.theme;
        let width = (area.width as usize).saturating_sub(62).clamp(6, 40);
        let full = (run.progress() * width as f64).round() as usize;
        let bar = format!("{}{}", "━".repeat(full), "─".repeat(width - full));
        let speed = detail.series.iter().find(|(s, _)| *s == crate::record::Series::SamplesPerSecond);
        let speed = speed.and_then(|(_, bins)| bins.last()).filter(|b| b.mean.is_finite());
        let speed = speed.map_or(String::new(), |b| format!("{:.0} rows/s", b.mean));
        let left = run.eta().map_or(String::new(), |s| format!("{} left", duration(s)));
        let mut first = Line::from(vec![
            Span::styled(format!("{} {} ", run.id, harmless(&run.name)), theme.title()),
            Span::styled(format!("{} ", run.status), status_style(run.status, theme)),
            Span::styled(bar, theme.good()),
        ]);
        // What does not fit is left out whole: half a number is a wrong number.
        let room = (area.width as usize).saturating_sub(first.width());
        let steps = format!(" step {}/{}", run.step, run.facts.total_steps);
        first.push_span(Span::raw(joined(&[steps, duration(run.seconds), left, speed], room)));
        let second = match &run.cause {
            Some(cause) => Line::styled(harmless(cause), theme.error()),
            None => {
                // Of what was imported little may be known: a 0 is left out there.
                let known = |known: bool, text: String| if known { text } else { String::new() };
                let parameters = run.facts.adapter_parameters;
                let kib = run.facts.adapter_bytes.div_ceil(1024);
                let parts = [
                    format!("{} on {}", run.spec.method, harmless(run.task_label())),
                    known(
                        !run.facts.metric.is_empty(),
                        format!(
                            "{} {} best {} at epoch {}",
                            run.facts.metric,
                            number(run.last, 4),
                            number(run.best, 4),
                            number(run.best_epoch, 0)
                        ),
                    ),
                    known(parameters > 0, format!("{parameters} params, {kib} KiB")),
                    format!("loss {}", number(run.loss, 4)),
                    known(run.spec.lr > 0.0, format!("lr {:e}", run.spec.lr)),
                    known(run.spec.rank > 0, format!("r {} α {}", run.spec.rank, run.spec.effective_alpha())),
                    detail.device.map_or(String::new(), |d| format!("{} {}", run.spec.device, d.in_words())),
                ];
                Line::styled(joined(&parts, area.width as usize), theme.faint())
            }
        };
        frame.render_widget(Paragraph::new(vec![first, second]), area);
    }

    fn draw_pane(&self, pane: Pane, frame: &mut Frame, area: Rect, scene: &Scene, detail: &RunDetail) {
        let focused = pane == self.pane;
        let theme = scene.theme;
        let style = if focused { theme.focused() } else { theme.title() };
        let mut title = vec![Span::styled(format!(" {} ", pane.title()), style)];
        let room = (area.width as usize).saturating_sub(title[0].width() + 2);
        let figure = self.figure(pane, detail);
        match (pane, &figure) {
            (Pane::Layers, Ok(figure)) => {
                title.push(Span::raw(self.layers.place(detail)));
                let reading = if focused { self.layers.reading(figure) } else { String::new() };
                title.push(Span::styled(reading, theme.focused()));
            }
            (Pane::Log, _) => title.push(Span::styled(self.log.title(detail), theme.focused())),
            (_, Ok(figure)) => title.extend(self.curves.title(figure, room, theme)),
            (_, Err(_)) => {}
        }
        let block = Block::bordered().title(Line::from(title));
        let block = if focused { block.border_style(theme.focused()) } else { block };
        let inner = block.inner(area);
        frame.render_widget(block, area);
        match (pane, figure) {
            (Pane::Log, _) => self.log.draw(frame, inner, detail, theme),
            (Pane::Device, _) => device::draw(frame, inner, detail, theme),
            (Pane::Layers, Ok(figure)) => {
                let [cells, track] = Layers::split(inner);
                let cursor = focused.then_some(self.layers.cursor);
                plot::draw(&figure, cursor, cells, frame.buffer_mut(), theme);
                self.layers.draw_track(frame, track, detail, theme);
            }
            (_, Ok(figure)) => plot::draw_lens(&figure, self.curves.lens(), inner, frame.buffer_mut(), theme),
            (_, Err(text)) => frame.render_widget(Paragraph::new(text).style(theme.faint()), inner),
        }
    }

    /// What a key does in the log's pane; none where it does nothing there.
    fn act_on_log(&mut self, action: Action, detail: &RunDetail) -> Option<Effect> {
        let all = detail.log.len() as isize;
        match action {
            Action::Up => self.log.scroll(1, detail),
            Action::Down => self.log.scroll(-1, detail),
            Action::HalfUp => self.log.scroll(MANY, detail),
            Action::HalfDown => self.log.scroll(-MANY, detail),
            Action::Top => self.log.scroll(all, detail),
            Action::Bottom => self.log.scroll(-all, detail),
            _ => return None,
        }
        Some(Effect::None)
    }

    /// What the cursor of the pane reads, for the clipboard.
    fn copy(&self, detail: &RunDetail) -> Effect {
        let figure = self.figure(self.pane, detail).ok();
        let value = match self.pane {
            Pane::Layers => figure.and_then(|f| plot::value_at(&f, self.layers.cursor)).map(|v| v.to_string()),
            _ => figure.and_then(|f| self.curves.read(&f)),
        };
        value.map_or_else(|| Effect::Say(UNREAD.into()), Effect::Copy)
    }

    /// Keys that mean the same in every pane.
    fn act_on_run(&mut self, action: Action, detail: &RunDetail) -> Option<Effect> {
        let run = &detail.summary;
        match action {
            Action::Stop | Action::Pause | Action::Resume | Action::CopySpec => return Some(ask(action, &[run])),
            Action::Copy => return Some(self.copy(detail)),
            Action::EarlierStep => self.layers.records.scrub(detail, -1),
            Action::LaterStep => self.layers.records.scrub(detail, 1),
            Action::MuchEarlierStep => self.layers.records.scrub(detail, -MANY),
            Action::MuchLaterStep => self.layers.records.scrub(detail, MANY),
            Action::Search => {
                self.pane = Pane::Log;
                self.log.search();
            }
            Action::NextMatch | Action::PreviousMatch => {
                self.pane = Pane::Log;
                return self.log.seek(action == Action::NextMatch, detail).map(Effect::Say).or(Some(Effect::None));
            }
            Action::Export => {
                let pane = if self.pane.chart().is_some() { self.pane } else { Pane::Loss };
                let stem = format!("{}-{}-{}", run.id, run.name, pane.chart().unwrap_or_default());
                return Some(match self.figure(pane, detail) {
                    Ok(figure) => Effect::Ask(Request::Export { file_stem: stem, figure }),
                    Err(text) => Effect::Say(text),
                });
            }
            _ => return None,
        }
        Some(Effect::None)
    }
}

impl Screen for RunScreen {
    fn kind(&self) -> Kind {
        Kind::Run
    }

    fn digit(&self) -> char {
        '2'
    }

    fn title(&self) -> &'static str {
        "Run"
    }

    fn interest(&self, scene: &Scene, width: u16) -> Interest {
        let steps = shown(scene).and_then(|detail| self.curves.steps(&[detail]));
        let norms_step = self.layers.records.0;
        Interest { open: scene.open.cloned(), norms_step, steps, width: width as usize, ..Interest::default() }
    }

    fn opened(&mut self) {
        self.curves.reset();
        (self.layers, self.log) = (Layers::default(), Log::default());
    }

    fn act(&mut self, action: Action, scene: &Scene) -> Effect {
        panes::step(&mut self.pane, action);
        if action == Action::Back {
            return Effect::Go(Kind::Runs);
        }
        let Some(detail) = shown(scene) else { return Effect::None };
        if let Some(effect) = self.act_on_run(action, detail) {
            return effect;
        }
        let figure = self.figure(self.pane, detail).ok();
        if let (Pane::Layers, Action::Left | Action::Right) = (self.pane, action) {
            figure.iter().for_each(|f| self.layers.cursor.step(action, f));
            return Effect::None;
        }
        let charted = figure.as_ref().filter(|_| self.pane.has_curves());
        if let Some(effect) = self.curves.act(action, &[detail], charted) {
            return effect;
        }
        match (self.pane, &figure) {
            (Pane::Log, _) => self.act_on_log(action, detail).unwrap_or(Effect::None),
            (Pane::Layers, Some(figure)) => {
                self.layers.cursor.step(action, figure);
                Effect::None
            }
            _ => Effect::None,
        }
    }

    fn idle(&self, action: Action, scene: &Scene) -> bool {
        let Some(detail) = shown(scene) else { return true };
        match action {
            Action::Stop | Action::Pause | Action::Resume => ask::idle(action, &[&detail.summary]),
            // Each pane has its own: of the others the line would only grow.
            Action::EarlierStep => self.pane != Pane::Layers,
            Action::ZoomIn | Action::Horizontal | Action::LogScale => !self.pane.has_curves(),
            Action::Smoothing => self.pane != Pane::Loss,
            _ => false,
        }
    }

    fn typed(&mut self, key: KeyEvent) -> bool {
        self.log.typed(key)
    }

    fn pasted(&mut self, text: &str) {
        self.log.pasted(text);
    }

    fn mouse(&mut self, event: MouseEvent, area: Rect, scene: &Scene) -> Option<Effect> {
        let detail = shown(scene)?;
        if matches!(event.kind, MouseEventKind::Up(_)) {
            self.curves.release(&[detail]);
            return Some(Effect::None);
        }
        let at = Position::new(event.column, event.row);
        let (_, names, shown) = places(area, self.pane);
        let pressed = matches!(event.kind, MouseEventKind::Down(_));
        if let Some(pane) = panes::named_at(names, at) {
            self.pane = if pressed { pane } else { self.pane };
            return Some(Effect::None);
        }
        let (pane, place) = shown.into_iter().find(|(_, place)| place.contains(at))?;
        self.pane = if pressed { pane } else { self.pane };
        let wheel = match event.kind {
            MouseEventKind::ScrollUp => 1,
            MouseEventKind::ScrollDown => -1,
            _ => 0,
        };
        match pane {
            Pane::Log => self.log.scroll(WHEEL * wheel, detail),
            Pane::Layers if is_click(event) => {
                let figure = self.figure(pane, detail).ok()?;
                self.layers.click(&figure, Block::bordered().inner(place), at);
            }
            Pane::Layers => self.layers.records.scrub(detail, wheel),
            Pane::Device => {}
            _ => {
                let figure = self.figure(pane, detail).ok()?;
                self.curves.mouse(event, &figure, Block::bordered().inner(place), &[detail]);
            }
        }
        Some(Effect::None)
    }

    fn draw(&self, frame: &mut Frame, area: Rect, scene: &Scene) {
        let Some(detail) = shown(scene) else {
            let text = "no run is open: 1 shows the table of runs, enter opens one";
            return frame.render_widget(Paragraph::new(text).style(scene.theme.faint()), area);
        };
        let (head, names, shown) = places(area, self.pane);
        self.draw_head(frame, head, scene, detail);
        panes::draw_names(frame, names, self.pane, scene);
        for (pane, place) in shown {
            self.draw_pane(pane, frame, place, scene, detail);
        }
    }
}
