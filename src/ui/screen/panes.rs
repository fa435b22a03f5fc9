//! The parts of a screen that small terminals show one at a time, by their names in a line on top.

use super::Scene;
use crate::ui::action::Action;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::text::Span;

pub trait Pane: Copy + PartialEq + 'static {
    /// In the order of tab.
    const ALL: &'static [Self];

    fn title(self) -> &'static str;
}

/// Goes to the next or the previous pane, where the action says so.
pub fn step<P: Pane>(pane: &mut P, action: Action) {
    let count = P::ALL.len();
    let at = P::ALL.iter().position(|p| p == pane).unwrap_or(0);
    match action {
        Action::NextPane => *pane = P::ALL[(at + 1) % count],
        Action::PreviousPane => *pane = P::ALL[(at + count - 1) % count],
        _ => {}
    }
}

/// Place of the names, and of the one pane that is shown.
pub fn one<P: Pane>(area: Rect, current: P) -> (Option<Rect>, Vec<(P, Rect)>) {
    let [names, pane] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    (Some(names), vec![(current, pane)])
}

/// The pane whose name in `line` stands at this place.
pub fn named_at<P: Pane>(line: Option<Rect>, at: Position) -> Option<P> {
    names(line?).into_iter().find(|(_, place)| place.contains(at)).map(|(pane, _)| pane)
}

pub fn draw_names<P: Pane>(frame: &mut Frame, line: Option<Rect>, current: P, scene: &Scene) {
    for (pane, place) in line.map(names::<P>).into_iter().flatten() {
        let style = if pane == current { scene.theme.selected() } else { scene.theme.faint() };
        frame.render_widget(Span::styled(format!(" {} ", pane.title()), style), place);
    }
}

fn names<P: Pane>(line: Rect) -> Vec<(P, Rect)> {
    let mut x = line.x;
    let next = |pane: &P| {
        let width = pane.title().chars().count() as u16 + 2;
        let place = Rect { x, width, ..line }.intersection(line);
        x = x.saturating_add(width);
        (*pane, place)
    };
    P::ALL.iter().map(next).collect()
}
