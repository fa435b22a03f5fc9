//! The open run's layers: their spectra, going through the recorded steps, and what an analysis of the adapter found. A cursor
//! reads values.

use super::panes::{self, Pane};
use super::records::Records;
use super::{Effect, Kind, Scene, Screen};
use crate::chart::{self, ChartOptions, Subject};
use crate::figure::{Figure, Mark};
use crate::record::{AnalysisKind, RunDetail};
use crate::ui::action::Action;
use crate::ui::clicks::is_click;
use crate::ui::plot::{self, Cursor};
use crate::untrusted::harmless;
use crate::view::{Interest, Request};
use crossterm::event::MouseEvent;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

/// What is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Part {
    #[default]
    Spectra,
    Found(AnalysisKind),
}

impl Pane for Part {
    const ALL: &'static [Self] = &[
        Part::Spectra,
        Part::Found(AnalysisKind::Deletion),
        Part::Found(AnalysisKind::Rank),
        Part::Found(AnalysisKind::Symmetry),
    ];

    fn title(self) -> &'static str {
        match self {
            Part::Spectra => "spectra",
            Part::Found(kind) => kind.id(),
        }
    }
}

impl Part {
    fn chart(self) -> &'static str {
        match self {
            Part::Spectra => "spectrum",
            Part::Found(kind) => kind.id(),
        }
    }
}

#[derive(Default)]
pub struct LayersScreen {
    part: Part,
    cursor: Cursor,
    records: Records,
}

impl LayersScreen {
    fn figure(&self, detail: &RunDetail) -> Result<Figure, String> {
        let chart = chart::find(self.part.chart()).ok_or("no chart")?;
        chart.figure(&Subject::Run(detail), &ChartOptions::default()).map_err(|e| e.to_string())
    }

    fn reading(&self, figure: &Figure) -> String {
        let Some(panel) = figure.panels.get(self.cursor.panel) else { return String::new() };
        if !panel.marks.iter().any(|m| matches!(m, Mark::Heatmap { .. })) {
            return String::new();
        }
        let value = plot::value_at(figure, self.cursor).map_or("none".into(), |v| format!("{v:.6}"));
        let (layer, place) = (panel.y.range.name(self.cursor.row), panel.x.range.name(self.cursor.column));
        format!("layer {layer} · {} · {} {place} = {value}", panel.title, panel.x.label)
    }
}

/// The open run, where it has been read.
fn open<'a>(scene: &'a Scene) -> Option<&'a RunDetail> {
    scene.view.open.as_deref().filter(|d| Some(&d.summary.id) == scene.open)
}

/// Places of the names of what can be shown, and of what is.
fn parts(area: Rect) -> [Rect; 2] {
    Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area)
}

/// Places of what is read, of the spectra and of the caption, with its rows.
fn split(area: Rect, figure: &Figure) -> ([Rect; 3], Vec<String>) {
    let caption = harmless(&figure.caption);
    let caption = textwrap::wrap(&caption, usize::from(area.width.max(8)));
    let rows = (caption.len() as u16).min(if area.height < 30 { 2 } else { 3 });
    let parts = Layout::vertical([Constraint::Length(2), Constraint::Min(0), Constraint::Length(rows)]).areas(area);
    (parts, caption.into_iter().map(|row| row.into_owned()).collect())
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
        Interest { open: scene.open.cloned(), norms_step: self.records.0, width: width as usize, ..Interest::default() }
    }

    fn opened(&mut self) {
        *self = Self { part: self.part, ..Self::default() };
    }

    fn act(&mut self, action: Action, scene: &Scene) -> Effect {
        if action == Action::Back {
            return Effect::Go(Kind::Runs);
        }
        let Some(detail) = open(scene) else { return Effect::None };
        match action {
            Action::NextPane | Action::PreviousPane => {
                panes::step(&mut self.part, action);
                self.cursor = Cursor::default();
            }
            Action::Open => {
                let Part::Found(kind) = self.part else {
                    return Effect::Say("spectra are recorded while a run trains; tab shows the analyses".into());
                };
                return Effect::Ask(Request::Analyse(detail.summary.id.clone(), kind));
            }
            Action::EarlierStep => self.records.scrub(detail, -1),
            Action::LaterStep => self.records.scrub(detail, 1),
            Action::MuchEarlierStep => self.records.scrub(detail, -10),
            Action::MuchLaterStep => self.records.scrub(detail, 10),
            Action::Copy => {
                let value = self.figure(detail).ok().and_then(|figure| plot::value_at(&figure, self.cursor));
                let none = || Effect::Say("there is no value under the cursor: h j k l move it".into());
                return value.map_or_else(none, |value| Effect::Copy(value.to_string()));
            }
            Action::Export => {
                let file_stem = format!("{}-{}-{}", detail.summary.id, detail.summary.name, self.part.chart());
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

    fn idle(&self, action: Action, scene: &Scene) -> bool {
        match action {
            _ if open(scene).is_none() => true,
            Action::Open => self.part == Part::Spectra,
            Action::EarlierStep => self.part != Part::Spectra,
            _ => false,
        }
    }

    fn mouse(&mut self, event: MouseEvent, area: Rect, scene: &Scene) -> Option<Effect> {
        let detail = open(scene).filter(|_| is_click(event))?;
        let at = Position::new(event.column, event.row);
        let [names, area] = parts(area);
        if let Some(part) = panes::named_at(Some(names), at) {
            (self.part, self.cursor) = (part, Cursor::default());
            return Some(Effect::None);
        }
        let figure = self.figure(detail).ok()?;
        self.cursor = plot::cell_at(&figure, Some(self.cursor), split(area, &figure).0[1], at)?;
        Some(Effect::None)
    }

    fn draw(&self, frame: &mut Frame, area: Rect, scene: &Scene) {
        let theme = scene.theme;
        let say = |frame: &mut Frame, text: String| {
            frame.render_widget(Paragraph::new(text).style(theme.faint()).wrap(Wrap { trim: true }), area);
        };
        let Some(detail) = open(scene) else {
            return say(frame, "no run is open: 1 shows the table of runs, 7 there opens the selected one here".into());
        };
        let [names, area] = parts(area);
        panes::draw_names(frame, Some(names), self.part, scene);
        let figure = match self.figure(detail) {
            Ok(figure) => figure,
            Err(text) => {
                let enter = if self.part == Part::Spectra { "" } else { "\nenter takes them here" };
                let text = Paragraph::new(format!("{}: {text}{enter}", detail.summary.id));
                return frame.render_widget(text.style(theme.faint()).wrap(Wrap { trim: true }), area);
            }
        };
        let ([head, body, foot], caption) = split(area, &figure);
        let run = &detail.summary;
        let (at, records) = Records::place(detail);
        let record = match self.part {
            Part::Spectra => format!(" · step {} · record {at} of {records}", detail.norms_step),
            Part::Found(_) => " · the best adapter by validation".into(),
        };
        let title = Line::from(vec![
            Span::styled(format!("{} {} ", run.id, harmless(&run.name)), theme.title()),
            Span::raw(format!("{} r {}{record}", run.spec.method, run.spec.rank)),
        ]);
        let reading = Line::styled(self.reading(&figure), theme.focused());
        frame.render_widget(Paragraph::new(vec![title, reading]), head);
        plot::draw(&figure, Some(self.cursor), body, frame.buffer_mut(), theme);
        let lines: Vec<Line> = caption.into_iter().map(|row| Line::styled(row, theme.faint())).collect();
        frame.render_widget(Paragraph::new(lines), foot);
    }
}
