//! The paper's Figure 1 from the runs in the store, with a cursor that reads values.

use super::{Effect, Kind, Scene, Screen};
use crate::chart::{self, ChartOptions, Norm, Pick, Subject};
use crate::figure::{Figure, Range};
use crate::ui::action::Action;
use crate::ui::plot::{self, Cursor};
use crate::view::{Interest, Request, View};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};

/// Most rows of the caption.
const MOST_ROWS: u16 = 2;

pub struct Figure1Screen {
    options: ChartOptions,
    cursor: Cursor,
}

impl Default for Figure1Screen {
    fn default() -> Self {
        Self { options: ChartOptions::default(), cursor: Cursor { panel: 0, row: 0, column: 0 } }
    }
}

impl Figure1Screen {
    fn figure(&self, view: &View) -> Result<Figure, String> {
        let chart = chart::find("figure1").ok_or("no chart")?;
        chart.figure(&Subject::Norms(&view.figure1), &self.options).map_err(|e| e.to_string())
    }

    /// Mean of all, then each target that some run adapts.
    fn next_target(&self, view: &View) -> Option<String> {
        let mut names: Vec<&str> =
            view.figure1.iter().flat_map(|r| r.norms.iter().map(|n| n.target.as_str())).collect();
        names.sort_unstable();
        names.dedup();
        let next = match &self.options.target {
            None => 0,
            Some(now) => names.iter().position(|n| n == now).map_or(names.len(), |i| i + 1),
        };
        names.get(next).map(|n| (*n).to_string())
    }

    fn move_cursor(&mut self, action: Action, figure: &Figure) {
        let (rows, columns) = plot::shape(figure, self.cursor.panel);
        let across = figure.columns.max(1);
        let c = &mut self.cursor;
        match action {
            Action::Up if c.row > 0 => c.row -= 1,
            Action::Up if c.panel >= across => (c.panel, c.row) = (c.panel - across, rows.saturating_sub(1)),
            Action::Down if c.row + 1 < rows => c.row += 1,
            Action::Down if c.panel + across < figure.panels.len() => (c.panel, c.row) = (c.panel + across, 0),
            Action::Left if c.column > 0 => c.column -= 1,
            Action::Left if !c.panel.is_multiple_of(across) => {
                (c.panel, c.column) = (c.panel - 1, columns.saturating_sub(1))
            }
            Action::Right if c.column + 1 < columns => c.column += 1,
            Action::Right if !(c.panel + 1).is_multiple_of(across) => (c.panel, c.column) = (c.panel + 1, 0),
            Action::Top => c.row = 0,
            Action::Bottom => c.row = rows.saturating_sub(1),
            _ => {}
        }
    }

    fn reading(&self, figure: &Figure) -> String {
        let Some(panel) = figure.panels.get(self.cursor.panel) else { return String::new() };
        let name = |range: &Range, i: usize| match range {
            Range::Names(names) => names.get(i).cloned().unwrap_or_default(),
            Range::Numbers { .. } => i.to_string(),
        };
        let value = plot::value_at(figure, self.cursor).map_or("no run yet".into(), |v| format!("{v:.6}"));
        let (task, layer) = (name(&panel.x.range, self.cursor.column), name(&panel.y.range, self.cursor.row));
        format!("{} · {task} · layer {layer} = {value}", panel.title)
    }
}

impl Screen for Figure1Screen {
    fn kind(&self) -> Kind {
        Kind::Figure1
    }

    fn digit(&self) -> char {
        '4'
    }

    fn title(&self) -> &'static str {
        "Figure 1"
    }

    fn interest(&self, scene: &Scene, width: u16) -> Interest {
        Interest { open: scene.open.cloned(), width: width as usize, figure1: true, ..Interest::default() }
    }

    fn act(&mut self, action: Action, scene: &Scene) -> Effect {
        match action {
            Action::Target => {
                self.options.target = self.next_target(scene.view);
                Effect::None
            }
            Action::Norm => {
                self.options.norm = match self.options.norm {
                    Norm::Frobenius => Norm::EntrywiseL1,
                    Norm::EntrywiseL1 => Norm::Frobenius,
                };
                Effect::None
            }
            Action::Pick => {
                self.options.pick = match self.options.pick {
                    Pick::Best => Pick::Last,
                    Pick::Last => Pick::Mean,
                    Pick::Mean => Pick::Best,
                };
                Effect::None
            }
            Action::Reverse => {
                self.options.reversed = !self.options.reversed;
                Effect::None
            }
            Action::Back => Effect::Go(Kind::Runs),
            Action::Copy => match self.figure(scene.view).map(|figure| plot::value_at(&figure, self.cursor)) {
                Ok(Some(value)) => Effect::Copy(value.to_string()),
                _ => Effect::Say("there is no value under the cursor: h j k l move it".into()),
            },
            Action::Export => match self.figure(scene.view) {
                Ok(figure) => Effect::Ask(Request::Export { file_stem: "figure1".into(), figure }),
                Err(text) => Effect::Say(text),
            },
            _ => {
                if let Ok(figure) = self.figure(scene.view) {
                    self.move_cursor(action, &figure);
                }
                Effect::None
            }
        }
    }

    fn draw(&self, frame: &mut Frame, area: Rect, scene: &Scene) {
        match self.figure(scene.view) {
            Ok(figure) => {
                let caption = textwrap::wrap(&figure.caption, usize::from(area.width.max(8)));
                let rows = (caption.len() as u16).clamp(1, MOST_ROWS);
                let [head, body, foot] =
                    Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(rows)]).areas(area);
                frame.render_widget(Line::styled(self.reading(&figure), scene.theme.focused()), head);
                plot::draw(&figure, Some(self.cursor), body, frame.buffer_mut(), scene.theme);
                let lines: Vec<Line> =
                    caption.into_iter().map(|row| Line::styled(row.into_owned(), scene.theme.faint())).collect();
                frame.render_widget(Paragraph::new(lines), foot);
            }
            Err(text) => {
                let text = format!(
                    "{text}\n\nIt fills while runs of SymLoRA and LoRA train: d on the table of runs (1) launches the demo."
                );
                frame.render_widget(Paragraph::new(text).style(scene.theme.faint()).wrap(Wrap { trim: true }), area);
            }
        }
    }
}
