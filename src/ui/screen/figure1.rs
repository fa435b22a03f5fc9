//! The paper's Figure 1 from the runs in the store, with a cursor that reads values.

use super::{Effect, Kind, Scene, Screen};
use crate::chart::{self, ChartOptions, Norm, Pick, Subject};
use crate::figure::Figure;
use crate::record::RunNorms;
use crate::ui::action::Action;
use crate::ui::clicks::is_click;
use crate::ui::plot::{self, Cursor};
use crate::view::{Interest, Request, View};
use crossterm::event::MouseEvent;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// Most rows of the caption.
const MOST_ROWS: u16 = 2;

#[derive(Default)]
pub struct Figure1Screen {
    /// Lambda alone in place of the figure.
    lambda: bool,
    options: ChartOptions,
    cursor: Cursor,
    made: RefCell<Option<Made>>,
}

/// The figure as it was last made, and what of: of ten thousand runs it is not made anew for each key.
struct Made {
    norms: Arc<Vec<Arc<RunNorms>>>,
    chart: &'static str,
    options: ChartOptions,
    figure: Rc<Result<Figure, String>>,
}

impl Figure1Screen {
    fn figure(&self, view: &View) -> Rc<Result<Figure, String>> {
        let mut made = self.made.borrow_mut();
        let same =
            |m: &&Made| Arc::ptr_eq(&m.norms, &view.figure1) && m.options == self.options && m.chart == self.chart();
        if let Some(made) = made.as_ref().filter(same) {
            return made.figure.clone();
        }
        let figure = chart::find(self.chart())
            .ok_or("no chart".to_string())
            .and_then(|chart| chart.figure(&Subject::Norms(&view.figure1), &self.options).map_err(|e| e.to_string()));
        let figure = Rc::new(figure);
        let (norms, options) = (view.figure1.clone(), self.options.clone());
        *made = Some(Made { norms, chart: self.chart(), options, figure: figure.clone() });
        figure
    }

    fn chart(&self) -> &'static str {
        if self.lambda { "lambda" } else { "figure1" }
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

    fn reading(&self, figure: &Figure) -> String {
        let Some(panel) = figure.panels.get(self.cursor.panel) else { return String::new() };
        let value = plot::value_at(figure, self.cursor).map_or("no run yet".into(), |v| format!("{v:.6}"));
        let (task, layer) = (panel.x.range.name(self.cursor.column), panel.y.range.name(self.cursor.row));
        format!("{} · {task} · layer {layer} = {value}", panel.title)
    }
}

/// Places of what is read, of the figure and of the caption, with its rows.
fn split(area: Rect, figure: &Figure) -> ([Rect; 3], Vec<String>) {
    let caption = textwrap::wrap(&figure.caption, usize::from(area.width.max(8)));
    let rows = (caption.len() as u16).clamp(1, MOST_ROWS);
    let parts = Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(rows)]).areas(area);
    (parts, caption.into_iter().map(|row| row.into_owned()).collect())
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
            Action::Absolute => {
                self.options.unsigned = !self.options.unsigned;
                Effect::None
            }
            Action::Lambda => {
                self.lambda = !self.lambda;
                self.cursor = Cursor::default();
                Effect::None
            }
            Action::Back => Effect::Go(Kind::Runs),
            Action::Copy => {
                match self.figure(scene.view).as_ref().as_ref().map(|figure| plot::value_at(figure, self.cursor)) {
                    Ok(Some(value)) => Effect::Copy(value.to_string()),
                    _ => Effect::Say("there is no value under the cursor: h j k l move it".into()),
                }
            }
            Action::Export => match self.figure(scene.view).as_ref() {
                Ok(figure) => Effect::Ask(Request::Export { file_stem: self.chart().into(), figure: figure.clone() }),
                Err(text) => Effect::Say(text.clone()),
            },
            _ => {
                if let Ok(figure) = self.figure(scene.view).as_ref() {
                    self.cursor.step(action, figure);
                }
                Effect::None
            }
        }
    }

    fn mouse(&mut self, event: MouseEvent, area: Rect, scene: &Scene) -> Option<Effect> {
        let made = is_click(event).then(|| self.figure(scene.view))?;
        let figure = made.as_ref().as_ref().ok()?;
        let at = Position::new(event.column, event.row);
        self.cursor = plot::cell_at(figure, Some(self.cursor), split(area, figure).0[1], at)?;
        Some(Effect::None)
    }

    fn draw(&self, frame: &mut Frame, area: Rect, scene: &Scene) {
        match self.figure(scene.view).as_ref() {
            Ok(figure) => {
                let ([head, body, foot], caption) = split(area, figure);
                frame.render_widget(Line::styled(self.reading(figure), scene.theme.focused()), head);
                plot::draw(figure, Some(self.cursor), body, frame.buffer_mut(), scene.theme);
                let lines: Vec<Line> = caption.into_iter().map(|row| Line::styled(row, scene.theme.faint())).collect();
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
