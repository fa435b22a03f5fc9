//! The rows of a task before anything is trained on them: splits and what is odd about them, labels, lengths in tokens, examples.

mod bars;
mod examples;

use super::panes::{self, Pane as _};
use super::{Effect, Kind, Scene, Screen};
use crate::record::{RowsOf, SplitSurvey, Survey};
use crate::spec;
use crate::ui::action::Action;
use crate::ui::clicks::is_click;
use crate::ui::text::fit;
use crate::untrusted::{brief, harmless};
use crate::view::{Interest, RowsLook, RowsView, View};
use crossterm::event::{KeyEvent, MouseEvent, MouseEventKind};
use examples::Examples;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Wrap};
use std::cell::Cell;

/// The parts of the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Pane {
    #[default]
    Splits,
    Labels,
    Lengths,
    Examples,
}

impl panes::Pane for Pane {
    const ALL: &'static [Self] = &[Pane::Splits, Pane::Labels, Pane::Lengths, Pane::Examples];

    fn title(self) -> &'static str {
        match self {
            Pane::Splits => "splits",
            Pane::Labels => "labels",
            Pane::Lengths => "lengths",
            Pane::Examples => "examples",
        }
    }
}

/// Below these sizes one pane at a time is shown.
const ROOMY: (u16, u16) = (110, 34);
/// Lines that a large step of a key goes.
const MANY: isize = 10;
const WHEEL: isize = 3;

pub struct DataScreen {
    of: RowsOf,
    /// The screen that it was reached from, where esc leads.
    from: Kind,
    pane: Pane,
    split: usize,
    /// Lines that the pane in the middle is scrolled down.
    down: Cell<usize>,
    examples: Examples,
}

impl Default for DataScreen {
    fn default() -> Self {
        let (of, from) = (RowsOf::default(), Kind::Runs);
        Self { of, from, pane: Pane::default(), split: 0, down: Cell::new(0), examples: Examples::default() }
    }
}

/// Place of the two lines on top, of the names of the panes where they are shown one at a time, and of each pane.
fn places(area: Rect, current: Pane) -> (Rect, Option<Rect>, Vec<(Pane, Rect)>) {
    let [head, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    if area.width < ROOMY.0 || area.height < ROOMY.1 {
        let (names, shown) = panes::one(body, current);
        return (head, names, shown);
    }
    let [left, right] = Layout::horizontal([Constraint::Fill(4), Constraint::Fill(5)]).areas(body);
    let [splits, labels, lengths] =
        Layout::vertical([Constraint::Fill(5), Constraint::Fill(3), Constraint::Fill(6)]).areas(left);
    let panes = [(Pane::Splits, splits), (Pane::Labels, labels), (Pane::Lengths, lengths), (Pane::Examples, right)];
    (head, None, panes.into())
}

impl DataScreen {
    /// What was brought, where it is of the rows that are asked for.
    fn brought<'a>(&self, view: &'a View) -> Option<&'a RowsView> {
        view.rows.as_deref().filter(|rows| rows.of == self.of)
    }

    fn split<'a>(&self, survey: &'a Survey) -> Option<&'a SplitSurvey> {
        survey.splits.get(self.split)
    }

    /// Goes to another split.
    fn turn(&mut self, forward: bool, view: &View) {
        let count = self.brought(view).map_or(0, |rows| rows.survey.splits.len());
        if count > 0 {
            self.split = (self.split + if forward { 1 } else { count - 1 }) % count;
            self.down.set(0);
            self.examples.at = 0;
        }
    }

    fn scroll(&mut self, lines: isize, view: &View) {
        if self.pane != Pane::Examples {
            self.down.set(self.down.get().saturating_add_signed(lines));
        } else if let Some(rows) = self.brought(view) {
            self.examples.step(lines, rows);
        }
    }

    /// First line that a pane shows, where `last` is the largest that there is to be. Being scrolled beyond it ends here.
    fn first(&self, pane: Pane, last: usize) -> usize {
        if self.pane != pane {
            return 0;
        }
        self.down.set(self.down.get().min(last));
        self.down.get()
    }

    /// What all is about: task, rows, model.
    fn draw_head(&self, frame: &mut Frame, area: Rect, scene: &Scene) {
        let name = match self.brought(scene.view).map(|rows| rows.survey.task.as_str()) {
            Some(label) if !label.is_empty() => label,
            _ => spec::task_name(&self.of.task),
        };
        let from = match (self.of.data.as_str(), spec::is_task_file(&self.of.task)) {
            ("", true) => &self.of.task,
            ("", false) => "the embedded sample",
            (data, _) => data,
        };
        let about =
            format!("{} · read by {} up to {} tokens", harmless(from), harmless(&self.of.model), self.of.max_length);
        let room = usize::from(area.width).saturating_sub(brief(name, 40).chars().count() + 1);
        let line = Line::from(vec![
            Span::styled(format!("{} ", brief(name, 40)), scene.theme.title()),
            Span::styled(fit(&about, room), scene.theme.faint()),
        ]);
        frame.render_widget(line, area);
    }

    fn draw_splits(&self, frame: &mut Frame, area: Rect, scene: &Scene, survey: &Survey) {
        let theme = scene.theme;
        let count = |n: u64| if n == 0 { "–".to_string() } else { n.to_string() };
        let line = |name: &str, cells: [String; 5]| {
            let [rows, empty, repeated, conflicting, leaked] = cells;
            format!("{name:<11}{rows:>9}{empty:>8}{repeated:>10}{conflicting:>13}{leaked:>10}")
        };
        let title = line("", ["rows", "empty", "repeated", "conflicting", "in train"].map(String::from));
        let mut lines = vec![Line::styled(title, theme.faint())];
        for (i, split) in survey.splits.iter().enumerate() {
            let leaked = if i == 0 { String::new() } else { count(split.leaked) };
            let cells =
                [split.rows.to_string(), count(split.empty), count(split.repeated), count(split.contradicting), leaked];
            let text = line(&split.name, cells);
            let style = if i == self.split { theme.selected() } else { Style::new() };
            lines.push(Line::styled(text, style));
        }
        lines.push(Line::raw(""));
        let width = usize::from(area.width.max(8));
        if survey.warnings.is_empty() {
            let text = "no warnings: no empty texts, no repeated rows, no row of training in another split";
            lines.extend(wrapped(text, width, theme.good()));
        }
        for warning in &survey.warnings {
            let options = textwrap::Options::new(width).initial_indent("! ").subsequent_indent("  ");
            let text = harmless(warning);
            lines.extend(
                textwrap::wrap(&text, options).into_iter().map(|row| Line::styled(row.into_owned(), theme.warning())),
            );
        }
        for split in &survey.splits {
            let files = split.files.iter().map(|file| harmless(file)).collect::<Vec<_>>().join(", ");
            let from = if files.is_empty() { "compiled in".into() } else { files };
            lines.extend(wrapped(&format!("{}: {from}", split.name), width, theme.faint()));
        }
        let most = lines.len().saturating_sub(area.height.into());
        let first = self.first(Pane::Splits, most);
        frame.render_widget(Paragraph::new(lines.split_off(first)), area);
    }

    fn draw_pane(&self, pane: Pane, frame: &mut Frame, area: Rect, scene: &Scene, alone: bool) {
        let theme = scene.theme;
        let Some(rows) = self.brought(scene.view) else { return };
        let Some(split) = self.split(&rows.survey) else { return };
        let name = if pane == Pane::Splits { String::new() } else { format!(" of {}", split.name) };
        let more = match pane {
            Pane::Examples => self.examples.title(rows),
            _ => String::new(),
        };
        let inner = if alone {
            area
        } else {
            let style = if pane == self.pane { theme.focused() } else { theme.faint() };
            let block = Block::bordered().border_style(style).title(Line::from(vec![
                Span::styled(format!(" {}{name} ", pane.title()), theme.title()),
                Span::styled(more, theme.faint()),
            ]));
            let inner = block.inner(area);
            frame.render_widget(block, area);
            inner
        };
        match pane {
            Pane::Splits => self.draw_splits(frame, inner, scene, &rows.survey),
            Pane::Labels => {
                let lines = bars::labels(theme, split, inner.width.into());
                let height = usize::from(inner.height);
                // The last line tells which ones are shown.
                let most = if lines.len() > height { lines.len() - height.saturating_sub(1) } else { 0 };
                bars::window(frame, inner, theme, lines, self.first(Pane::Labels, most));
            }
            Pane::Lengths => match (&split.lengths, &rows.no_tokens) {
                (Some(lengths), _) => bars::lengths(frame, inner, theme, split, lengths),
                (None, Some(why)) => say(frame, inner, theme.warning(), &format!("no tokens: {}", harmless(why))),
                (None, None) => say(frame, inner, theme.faint(), "the rows are being measured"),
            },
            Pane::Examples => self.examples.draw(frame, inner, theme, rows, self.split, alone),
        }
    }
}

fn wrapped(text: &str, width: usize, style: Style) -> Vec<Line<'static>> {
    textwrap::wrap(text, width).into_iter().map(|row| Line::styled(row.into_owned(), style)).collect()
}

fn say(frame: &mut Frame, area: Rect, style: Style, text: &str) {
    frame.render_widget(Paragraph::new(text).style(style).wrap(Wrap { trim: true }), area);
}

impl Screen for DataScreen {
    fn kind(&self) -> Kind {
        Kind::Data
    }

    fn digit(&self) -> char {
        '9'
    }

    fn title(&self) -> &'static str {
        "Data"
    }

    fn interest(&self, scene: &Scene, width: u16) -> Interest {
        let look = RowsLook {
            of: self.of.clone(),
            split: self.split,
            query: self.examples.query(),
            near: self.examples.near(),
        };
        Interest { open: scene.open.cloned(), width: width.into(), rows: Some(look), ..Interest::default() }
    }

    fn look_at(&mut self, of: &RowsOf, from: Kind) {
        self.from = from;
        if self.of != *of {
            *self = Self { of: of.clone(), from, pane: self.pane, ..Self::default() };
        }
    }

    fn act(&mut self, action: Action, scene: &Scene) -> Effect {
        match action {
            Action::NextPane | Action::PreviousPane => {
                panes::step(&mut self.pane, action);
                self.down.set(0);
            }
            Action::Left => self.turn(false, scene.view),
            Action::Right => self.turn(true, scene.view),
            Action::Up => self.scroll(-1, scene.view),
            Action::Down => self.scroll(1, scene.view),
            Action::HalfUp => self.scroll(-MANY, scene.view),
            Action::HalfDown => self.scroll(MANY, scene.view),
            Action::Top => self.scroll(isize::MIN / 2, scene.view),
            Action::Bottom => self.scroll(isize::MAX / 2, scene.view),
            Action::Search => {
                self.pane = Pane::Examples;
                self.examples.search();
            }
            Action::Copy => {
                let sample = self.brought(scene.view).and_then(|rows| self.examples.selected(rows, self.split));
                return match sample {
                    None => Effect::Say("there is no example to copy".into()),
                    Some(sample) => {
                        let pair = sample.pair.as_ref().map_or(String::new(), |pair| format!("\t{pair}"));
                        Effect::Copy(format!("{}{pair}", sample.text))
                    }
                };
            }
            Action::Back if !self.examples.forget() => return Effect::Go(self.from),
            _ => {}
        }
        Effect::None
    }

    fn idle(&self, action: Action, scene: &Scene) -> bool {
        match (self.brought(scene.view), action) {
            (_, Action::NextPane | Action::PreviousPane) => false,
            (Some(rows), _) => rows.survey.splits.is_empty(),
            (None, _) => true,
        }
    }

    fn typed(&mut self, key: KeyEvent) -> bool {
        self.examples.typed(key)
    }

    fn pasted(&mut self, text: &str) {
        self.examples.pasted(text);
    }

    fn mouse(&mut self, event: MouseEvent, area: Rect, scene: &Scene) -> Option<Effect> {
        let (_, names, panes) = places(area, self.pane);
        let at = Position::new(event.column, event.row);
        let pane = panes.iter().find(|(_, place)| place.contains(at)).copied();
        match event.kind {
            MouseEventKind::ScrollDown | MouseEventKind::ScrollUp => {
                self.pane = pane?.0;
                let lines = if event.kind == MouseEventKind::ScrollDown { WHEEL } else { -WHEEL };
                self.scroll(lines, scene.view);
            }
            _ if is_click(event) => {
                if let Some(named) = panes::named_at(names, at) {
                    self.pane = named;
                    self.down.set(0);
                    return Some(Effect::None);
                }
                let (pane, place) = pane?;
                self.pane = pane;
                let alone = names.is_some();
                if let (Pane::Examples, Some(rows)) = (pane, self.brought(scene.view)) {
                    let inner = if alone { place } else { Block::bordered().inner(place) };
                    self.examples.click(rows, inner, alone, at);
                }
            }
            _ => return None,
        }
        Some(Effect::None)
    }

    fn draw(&self, frame: &mut Frame, area: Rect, scene: &Scene) {
        let (head, names, shown) = places(area, self.pane);
        self.draw_head(frame, head, scene);
        panes::draw_names(frame, names, self.pane, scene);
        let body = Rect { y: head.bottom(), height: area.height.saturating_sub(head.height), ..area };
        let below = Rect { y: body.y + u16::from(names.is_some()), height: body.height.saturating_sub(1), ..body };
        let rows = self.brought(scene.view);
        if let Some(why) = rows.and_then(|rows| rows.failed.as_ref()) {
            let hint = "a task's file and its rows are read anew when you come back to this screen";
            return say(frame, below, scene.theme.error(), &format!("{}\n{hint}", harmless(why)));
        }
        if rows.is_none_or(|rows| rows.survey.splits.is_empty()) {
            return say(frame, below, scene.theme.faint(), "the rows are being read");
        }
        for (pane, place) in shown {
            self.draw_pane(pane, frame, place, scene, names.is_some());
        }
    }
}
