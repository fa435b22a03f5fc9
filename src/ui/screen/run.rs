//! One run: progress, curves, the layers as heatmaps with a cursor, the log.

use super::runs::status_style;
use super::{Effect, Kind, Scene, Screen};
use crate::chart::{self, ChartOptions, Horizontal, Subject};
use crate::event::{Control, Level, RunId};
use crate::figure::{Figure, Range};
use crate::record::RunDetail;
use crate::ui::action::Action;
use crate::ui::plot::{self, Cursor};
use crate::ui::text::{duration, harmless, number};
use crate::view::{Interest, Request, View};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

/// The parts of the screen, in the order of tab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Pane {
    #[default]
    Loss,
    Score,
    Rate,
    Layers,
    Log,
}

const PANES: [Pane; 5] = [Pane::Loss, Pane::Score, Pane::Rate, Pane::Layers, Pane::Log];
const SMOOTHINGS: [f64; 5] = [0.0, 0.5, 0.9, 0.97, 0.99];
/// Below these sizes one pane at a time is shown.
const ROOMY: (u16, u16) = (100, 34);

pub struct RunScreen {
    pane: Pane,
    options: ChartOptions,
    /// Recorded step of the layer norms; none: the newest.
    norms_step: Option<u64>,
    cursor: Cursor,
    /// Lines scrolled up from the log's end.
    log_up: usize,
}

impl Default for RunScreen {
    fn default() -> Self {
        let cursor = Cursor { panel: 0, row: 0, column: 0 };
        Self { pane: Pane::Loss, options: ChartOptions::default(), norms_step: None, cursor, log_up: 0 }
    }
}

impl Pane {
    /// The chart that fills it; none for the log.
    fn chart(self) -> Option<&'static str> {
        match self {
            Pane::Loss => Some("loss"),
            Pane::Score => Some("score"),
            Pane::Rate => Some("rate"),
            Pane::Layers => Some("layers"),
            Pane::Log => None,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Pane::Loss => "loss (raw, smoothed)",
            Pane::Score => "validation score",
            Pane::Rate => "lr, gradient, rows/s",
            Pane::Layers => "layers",
            Pane::Log => "log",
        }
    }
}

impl RunScreen {
    fn figure(&self, pane: Pane, detail: &RunDetail) -> Result<Figure, String> {
        let chart = pane.chart().and_then(chart::find).ok_or("no chart")?;
        chart.figure(&Subject::Run(detail), &self.options).map_err(|e| e.to_string())
    }

    fn move_cursor(&mut self, action: Action, detail: &RunDetail) {
        let Ok(figure) = self.figure(Pane::Layers, detail) else { return };
        let (rows, columns) = plot::shape(&figure, self.cursor.panel);
        let c = &mut self.cursor;
        match action {
            Action::Up => c.row = c.row.saturating_sub(1),
            Action::Down => c.row = (c.row + 1).min(rows.saturating_sub(1)),
            Action::Top => c.row = 0,
            Action::Bottom => c.row = rows.saturating_sub(1),
            // Left and right go on into the neighbouring panel.
            Action::Left if c.column > 0 => c.column -= 1,
            Action::Left if c.panel > 0 => (c.panel, c.column) = (c.panel - 1, columns.saturating_sub(1)),
            Action::Right if c.column + 1 < columns => c.column += 1,
            Action::Right if c.panel + 1 < figure.panels.len() => (c.panel, c.column) = (c.panel + 1, 0),
            _ => {}
        }
    }

    fn scrub(&mut self, detail: &RunDetail, later: bool) {
        let steps = &detail.norm_steps;
        let at = steps.iter().position(|s| *s == detail.norms_step).unwrap_or(steps.len().saturating_sub(1));
        let next = if later { at + 1 } else { at.saturating_sub(1) };
        // At the newest record it follows the run again.
        self.norms_step = steps.get(next).copied().filter(|_| next + 1 < steps.len());
    }

    fn draw_head(&self, frame: &mut Frame, area: Rect, scene: &Scene, detail: &RunDetail) {
        let run = &detail.summary;
        let theme = scene.theme;
        let width = (area.width as usize).saturating_sub(62).clamp(6, 40);
        let full = (run.progress() * width as f64).round() as usize;
        let bar = format!("{}{}", "━".repeat(full), "─".repeat(width - full));
        let speed = detail.series.iter().find(|(s, _)| *s == crate::record::Series::SamplesPerSecond);
        let speed = speed.and_then(|(_, bins)| bins.last()).map_or(String::new(), |b| format!("{:.0} rows/s", b.mean));
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
                let parts = [
                    format!("{} on {}", run.spec.method, run.spec.task),
                    format!(
                        "{} {} best {} at epoch {}",
                        run.facts.metric,
                        number(run.last, 4),
                        number(run.best, 4),
                        number(run.best_epoch, 0)
                    ),
                    format!("{} params, {} KiB", run.facts.adapter_parameters, run.facts.adapter_bytes.div_ceil(1024)),
                    format!("loss {}", number(run.loss, 4)),
                    format!("lr {:e}", run.spec.lr),
                    format!("r {} α {}", run.spec.rank, run.spec.effective_alpha()),
                    detail.device.map_or(String::new(), |d| format!("{} {}", run.spec.device, d.in_words())),
                ];
                Line::styled(joined(&parts, area.width as usize), theme.faint())
            }
        };
        frame.render_widget(Paragraph::new(vec![first, second]), area);
    }

    fn draw_pane(&self, pane: Pane, frame: &mut Frame, area: Rect, scene: &Scene, detail: &RunDetail) {
        let focused = pane == self.pane;
        let style = if focused { scene.theme.focused() } else { scene.theme.title() };
        let mut title = vec![Span::styled(format!(" {} ", pane.title()), style)];
        let figure = self.figure(pane, detail);
        let cursor = (pane == Pane::Layers && focused).then_some(self.cursor);
        if let (Pane::Layers, Ok(figure)) = (pane, &figure) {
            title.push(Span::raw(format!("step {} ", detail.norms_step)));
            title.push(Span::styled(cursor.map_or(String::new(), |c| reading(figure, c)), scene.theme.focused()));
        }
        let block = Block::bordered().title(Line::from(title));
        let block = if focused { block.border_style(scene.theme.focused()) } else { block };
        let inner = block.inner(area);
        frame.render_widget(block, area);
        match (pane, figure) {
            (Pane::Log, _) => self.draw_log(frame, inner, scene, detail),
            (_, Ok(figure)) => plot::draw(&figure, cursor, inner, frame.buffer_mut(), scene.theme),
            (_, Err(text)) => frame.render_widget(Paragraph::new(text).style(scene.theme.faint()), inner),
        }
    }

    fn draw_log(&self, frame: &mut Frame, area: Rect, scene: &Scene, detail: &RunDetail) {
        let height = area.height as usize;
        // The newest lines that can be seen: each takes one row or more.
        let lines: Vec<Line> = detail.log[detail.log.len().saturating_sub(height + self.log_up)..]
            .iter()
            .flat_map(|l| {
                let style = match l.level {
                    Level::Error => scene.theme.error(),
                    Level::Warn => scene.theme.warning(),
                    Level::Info => ratatui::style::Style::new(),
                };
                let options = textwrap::Options::new(area.width.max(8).into()).subsequent_indent("  ");
                let text = harmless(&l.text);
                let rows = textwrap::wrap(&text, options);
                rows.into_iter().map(|row| Line::styled(row.into_owned(), style)).collect::<Vec<_>>()
            })
            .collect();
        let end = lines.len() - self.log_up.min(lines.len().saturating_sub(height));
        frame.render_widget(Paragraph::new(lines[end.saturating_sub(height)..end].to_vec()), area);
    }
}

/// Those of `parts` that fit into `room` columns, the first ones before the later ones.
fn joined(parts: &[String], room: usize) -> String {
    parts.iter().filter(|p| !p.is_empty()).fold(String::new(), |text, part| {
        let next = if text.is_empty() { part.clone() } else { format!("{text} · {part}") };
        if next.chars().count() <= room { next } else { text }
    })
}

/// What the cursor reads: layer, matrix, quantity and value.
fn reading(figure: &Figure, cursor: Cursor) -> String {
    let Some(panel) = figure.panels.get(cursor.panel) else { return String::new() };
    let name = |range: &Range, i: usize| match range {
        Range::Names(names) => names.get(i).cloned().unwrap_or_default(),
        Range::Numbers { .. } => i.to_string(),
    };
    let value = plot::value_at(figure, cursor).map_or("–".into(), |v| format!("{v:.6}"));
    format!(
        "layer {} {}: {} = {value} ",
        name(&panel.y.range, cursor.row),
        name(&panel.x.range, cursor.column),
        panel.title
    )
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

    fn interest(&self, _: &View, open: Option<&RunId>, width: u16) -> Interest {
        Interest { open: open.cloned(), norms_step: self.norms_step, width: width as usize, ..Interest::default() }
    }

    fn act(&mut self, action: Action, scene: &Scene) -> Effect {
        let at = PANES.iter().position(|p| *p == self.pane).unwrap_or(0);
        match action {
            Action::NextPane => self.pane = PANES[(at + 1) % PANES.len()],
            Action::PreviousPane => self.pane = PANES[(at + PANES.len() - 1) % PANES.len()],
            Action::LogScale => self.options.log_y = !self.options.log_y,
            Action::Horizontal => {
                self.options.horizontal = match self.options.horizontal {
                    Horizontal::Step => Horizontal::Epoch,
                    Horizontal::Epoch => Horizontal::Step,
                };
            }
            Action::Smoothing => {
                let now = SMOOTHINGS.iter().position(|s| *s == self.options.smoothing).unwrap_or(0);
                self.options.smoothing = SMOOTHINGS[(now + 1) % SMOOTHINGS.len()];
                return Effect::Say(format!("smoothing {}", self.options.smoothing));
            }
            Action::Back => return Effect::Go(Kind::Runs),
            _ => {}
        }
        let Some(detail) = &scene.view.open else { return Effect::None };
        let run = &detail.summary;
        let control = |control| Effect::Ask(Request::Control(run.id.clone(), control));
        match action {
            Action::Stop => return control(Control::Stop),
            Action::Pause => return control(Control::Pause),
            Action::Resume if run.status.is_live() => return control(Control::Resume),
            Action::Resume => return Effect::Ask(Request::Requeue(run.id.clone())),
            Action::EarlierStep => self.scrub(detail, false),
            Action::LaterStep => self.scrub(detail, true),
            Action::Export => {
                let pane = if self.pane == Pane::Log { Pane::Loss } else { self.pane };
                let stem = format!("{}-{}-{}", run.id, run.name, pane.chart().unwrap_or("log"));
                return match self.figure(pane, detail) {
                    Ok(figure) => Effect::Ask(Request::Export { file_stem: stem, figure }),
                    Err(text) => Effect::Say(text),
                };
            }
            Action::Up | Action::HalfUp if self.pane == Pane::Log => {
                self.log_up = (self.log_up + 1).min(detail.log.len());
            }
            Action::Down | Action::HalfDown if self.pane == Pane::Log => self.log_up = self.log_up.saturating_sub(1),
            _ if self.pane == Pane::Layers => self.move_cursor(action, detail),
            _ => {}
        }
        Effect::None
    }

    fn draw(&self, frame: &mut Frame, area: Rect, scene: &Scene) {
        let detail = scene.view.open.as_ref().filter(|d| Some(&d.summary.id) == scene.open);
        let Some(detail) = detail else {
            let text = "no run is open: 1 shows the table of runs, enter opens one";
            return frame.render_widget(Paragraph::new(text).style(scene.theme.faint()), area);
        };
        let [head, body] = Layout::vertical([Constraint::Length(2), Constraint::Min(0)]).areas(area);
        self.draw_head(frame, head, scene, detail);
        if area.width < ROOMY.0 || area.height < ROOMY.1 {
            let [tabs, pane] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(body);
            let tab = |p: &Pane| {
                let style = if *p == self.pane { scene.theme.selected() } else { scene.theme.faint() };
                Span::styled(format!(" {} ", p.title()), style)
            };
            frame.render_widget(Line::from(PANES.iter().map(tab).collect::<Vec<_>>()), tabs);
            return self.draw_pane(self.pane, frame, pane, scene, detail);
        }
        let [top, middle, bottom] =
            Layout::vertical([Constraint::Fill(5), Constraint::Fill(6), Constraint::Fill(3)]).areas(body);
        let [loss, score] = Layout::horizontal([Constraint::Fill(1); 2]).areas(top);
        let [rate, log] = Layout::horizontal([Constraint::Fill(1); 2]).areas(bottom);
        for (pane, place) in
            [(Pane::Loss, loss), (Pane::Score, score), (Pane::Layers, middle), (Pane::Rate, rate), (Pane::Log, log)]
        {
            self.draw_pane(pane, frame, place, scene, detail);
        }
    }
}
