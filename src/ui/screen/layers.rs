//! The spectra of the open run's layers, with a cursor that reads values; it goes through the recorded steps.

use super::{Effect, Kind, Scene, Screen};
use crate::chart::{self, ChartOptions, Subject};
use crate::figure::{Figure, Range};
use crate::record::RunDetail;
use crate::ui::action::Action;
use crate::ui::plot::{self, Cursor};
use crate::ui::text::harmless;
use crate::view::{Interest, Request};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

pub struct LayersScreen {
    cursor: Cursor,
    /// Recorded step of the spectra; none: the newest.
    step: Option<u64>,
}

impl Default for LayersScreen {
    fn default() -> Self {
        Self { cursor: Cursor { panel: 0, row: 0, column: 0 }, step: None }
    }
}

impl LayersScreen {
    fn figure(&self, detail: &RunDetail) -> Result<Figure, String> {
        let chart = chart::find("spectrum").ok_or("no chart")?;
        chart.figure(&Subject::Run(detail), &ChartOptions::default()).map_err(|e| e.to_string())
    }

    /// Goes to another record, so many on.
    fn scrub(&mut self, detail: &RunDetail, by: isize) {
        let steps = &detail.norm_steps;
        let at = steps.iter().position(|s| *s == detail.norms_step).unwrap_or(steps.len().saturating_sub(1));
        let next = at.saturating_add_signed(by);
        // At the newest record it follows the run again.
        self.step = steps.get(next).copied().filter(|_| next + 1 < steps.len());
    }

    fn reading(&self, figure: &Figure) -> String {
        let Some(panel) = figure.panels.get(self.cursor.panel) else { return String::new() };
        let name = |range: &Range, i: usize| match range {
            Range::Names(names) => names.get(i).cloned().unwrap_or_default(),
            Range::Numbers { .. } => i.to_string(),
        };
        let value = plot::value_at(figure, self.cursor).map_or("none".into(), |v| format!("{v:.6}"));
        let (layer, place) = (name(&panel.y.range, self.cursor.row), name(&panel.x.range, self.cursor.column));
        format!("layer {layer} · {} · {} {place} = {value}", panel.title, panel.x.label)
    }
}

/// The open run, where it has been read.
fn open<'a>(scene: &'a Scene) -> Option<&'a RunDetail> {
    scene.view.open.as_deref().filter(|d| Some(&d.summary.id) == scene.open)
}

impl Screen for LayersScreen {
    fn kind(&self) -> Kind {
        Kind::Layers
    }

    fn digit(&self) -> char {
        '7'
    }

    fn title(&self) -> &'static str {
        "Layers"
    }

    fn interest(&self, scene: &Scene, width: u16) -> Interest {
        Interest { open: scene.open.cloned(), norms_step: self.step, width: width as usize, ..Interest::default() }
    }

    fn opened(&mut self) {
        *self = Self::default();
    }

    fn act(&mut self, action: Action, scene: &Scene) -> Effect {
        if action == Action::Back {
            return Effect::Go(Kind::Runs);
        }
        let Some(detail) = open(scene) else { return Effect::None };
        match action {
            Action::EarlierStep => self.scrub(detail, -1),
            Action::LaterStep => self.scrub(detail, 1),
            Action::MuchEarlierStep => self.scrub(detail, -10),
            Action::MuchLaterStep => self.scrub(detail, 10),
            Action::Copy => {
                let value = self.figure(detail).ok().and_then(|figure| plot::value_at(&figure, self.cursor));
                let none = || Effect::Say("there is no value under the cursor: h j k l move it".into());
                return value.map_or_else(none, |value| Effect::Copy(value.to_string()));
            }
            Action::Export => {
                let file_stem = format!("{}-{}-spectrum", detail.summary.id, detail.summary.name);
                return match self.figure(detail) {
                    Ok(figure) => Effect::Ask(Request::Export { file_stem, figure }),
                    Err(text) => Effect::Say(text),
                };
            }
            _ => {
                if let Ok(figure) = self.figure(detail) {
                    self.cursor.step(action, &figure);
                }
            }
        }
        Effect::None
    }

    fn draw(&self, frame: &mut Frame, area: Rect, scene: &Scene) {
        let theme = scene.theme;
        let say = |frame: &mut Frame, text: String| {
            frame.render_widget(Paragraph::new(text).style(theme.faint()).wrap(Wrap { trim: true }), area);
        };
        let Some(detail) = open(scene) else {
            return say(frame, "no run is open: 1 shows the table of runs, 7 there opens the selected one here".into());
        };
        let figure = match self.figure(detail) {
            Ok(figure) => figure,
            Err(text) => return say(frame, format!("{}: {}", detail.summary.id, text)),
        };
        let caption = harmless(&figure.caption);
        let caption = textwrap::wrap(&caption, usize::from(area.width.max(8)));
        let rows = (caption.len() as u16).min(if area.height < 30 { 2 } else { 3 });
        let [head, body, foot] =
            Layout::vertical([Constraint::Length(2), Constraint::Min(0), Constraint::Length(rows)]).areas(area);
        let run = &detail.summary;
        let records = detail.norm_steps.len();
        let at = detail.norm_steps.iter().position(|s| *s == detail.norms_step).map_or(0, |i| i + 1);
        let title = Line::from(vec![
            Span::styled(format!("{} {} ", run.id, harmless(&run.name)), theme.title()),
            Span::raw(format!(
                "{} r {} · step {} · record {at} of {records}",
                run.spec.method, run.spec.rank, detail.norms_step
            )),
        ]);
        let reading = Line::styled(self.reading(&figure), theme.focused());
        frame.render_widget(Paragraph::new(vec![title, reading]), head);
        plot::draw(&figure, Some(self.cursor), body, frame.buffer_mut(), theme);
        let lines: Vec<Line> = caption.into_iter().map(|row| Line::styled(row.into_owned(), theme.faint())).collect();
        frame.render_widget(Paragraph::new(lines), foot);
    }
}
