//! What every chart of curves on a screen shares: axes, smoothing, zoom, and a cursor that reads values. Knows no panes.

use super::Effect;
use crate::chart::{self, ChartOptions, Ruler};
use crate::figure::reading::{self, Reading};
use crate::figure::{Figure, Panel, Stroke};
use crate::record::RunDetail;
use crate::ui::action::Action;
use crate::ui::plot::{self, Lens};
use crate::ui::theme::Theme;
use crate::untrusted::harmless;
use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};
use ratatui::text::Span;

const SMOOTHINGS: [f64; 5] = [0.0, 0.5, 0.9, 0.97, 0.99];
/// Share of the axis that a key moves the cursor and the view by.
const CURSOR: f64 = 0.01;
const PAN: f64 = 0.25;
/// What one key or turn of the wheel leaves of the view.
const ZOOM: f64 = 0.5;
/// Steps that a view shows at least.
const FEWEST: f64 = 4.0;
/// Steps read before the view, so that the smoothed line does not start anew at its edge.
const RUN_UP: f64 = 300.0;

/// Said where there is nothing to copy.
pub const UNREAD: &str = "no cursor reads a value here: h and l set one, on the layers h j k l move it";

#[derive(Default)]
pub struct Curves {
    pub options: ChartOptions,
    cursor: Option<f64>,
    /// Where a drag began and where it is.
    drag: Option<(f64, f64)>,
}

impl Curves {
    /// The whole axis again, without a cursor.
    pub fn reset(&mut self) {
        (self.options.window, self.cursor, self.drag) = (None, None, None);
    }

    /// What a key does to every chart of `runs`; `figure` is the one that it was pressed on. None: nothing here.
    pub fn act(&mut self, action: Action, runs: &[&RunDetail], figure: Option<&Figure>) -> Option<Effect> {
        let panel = figure.and_then(|f| f.panels.first());
        match action {
            Action::LogScale => {
                let o = &mut self.options;
                (o.log_y, o.log_x) = (!o.log_y, o.log_x != o.log_y);
                o.window = o.window.filter(|w| !o.log_x || w.0 > 0.0);
                let named = match (o.log_y, o.log_x) {
                    (false, false) => "linear axes",
                    (true, false) => "logarithmic y axis",
                    (false, true) => "logarithmic x axis",
                    (true, true) => "both axes logarithmic",
                };
                return Some(Effect::Say(named.into()));
            }
            Action::Horizontal => {
                let before = self.options.horizontal;
                self.options.horizontal = before.next();
                if let Some(run) = runs.first() {
                    let (from, to) = (Ruler::new(run, before), Ruler::new(run, self.options.horizontal));
                    let moved = |x: f64| to.at(from.step(x));
                    self.cursor = self.cursor.map(moved);
                    self.options.window = self.options.window.map(|(low, high)| (moved(low), moved(high)));
                }
                return Some(Effect::Say(format!("horizontal axis: {}", self.options.horizontal.label())));
            }
            Action::Smoothing => {
                let now = SMOOTHINGS.iter().position(|s| *s == self.options.smoothing).unwrap_or(0);
                self.options.smoothing = SMOOTHINGS[(now + 1) % SMOOTHINGS.len()];
                return Some(Effect::Say(format!("smoothing {}", self.options.smoothing)));
            }
            Action::ZoomReset => self.reset(),
            Action::ZoomIn | Action::ZoomOut => {
                let part = if action == Action::ZoomIn { ZOOM } else { 1.0 / ZOOM };
                self.zoom(part, self.cursor, panel?, runs);
            }
            Action::PanLeft | Action::PanRight if self.options.window.is_none() => {
                return Some(Effect::Say("+ zooms in first: the whole axis is shown".into()));
            }
            Action::PanLeft => self.pan(-PAN, panel?, runs),
            Action::PanRight => self.pan(PAN, panel?, runs),
            Action::Left | Action::Right => self.move_cursor(action == Action::Right, panel?),
            _ => return None,
        }
        Some(Effect::None)
    }

    fn move_cursor(&mut self, right: bool, panel: &Panel) {
        let (low, high) = panel.x.range.ends();
        let now = self.cursor.filter(|x| (low..=high).contains(x));
        self.cursor = match now {
            Some(x) => reading::next(panel, x, right, CURSOR).or(Some(x)),
            None => reading::nearest(panel, if right { low } else { high }),
        };
    }

    /// Shows `part` of what is shown, `about` staying where it is (none: the middle).
    fn zoom(&mut self, part: f64, about: Option<f64>, panel: &Panel, runs: &[&RunDetail]) {
        let range = &panel.x.range;
        let fixed = about.and_then(|x| range.share(x)).filter(|s| (0.0..=1.0).contains(s)).unwrap_or(0.5);
        self.show(range.at(fixed * (1.0 - part)), range.at(fixed + (1.0 - fixed) * part), runs);
    }

    fn pan(&mut self, share: f64, panel: &Panel, runs: &[&RunDetail]) {
        let range = &panel.x.range;
        let (low, high) = chart::whole(runs, &self.options);
        // At the end of the axis the view keeps its width.
        let most = range.share(high).map_or(0.0, |s| (s - 1.0).max(0.0));
        let least = range.share(low).map_or(0.0, |s| s.min(0.0));
        let share = share.clamp(least, most);
        self.show(range.at(share), range.at(1.0 + share), runs);
    }

    /// The window from `low` to `high`, as far as there is something; none where that is all.
    fn show(&mut self, low: f64, high: f64, runs: &[&RunDetail]) {
        let whole = chart::whole(runs, &self.options);
        let (low, high) = (low.max(whole.0), high.min(whole.1));
        let Some(run) = runs.first() else { return };
        let ruler = Ruler::new(run, self.options.horizontal);
        if low <= whole.0 && high >= whole.1 {
            self.options.window = None;
        } else if high > low && ruler.step(high) - ruler.step(low) >= FEWEST {
            self.options.window = Some((low, high));
        }
    }

    /// Steps to ask the reader for, so that a zoomed view is whole and sharp; none: all.
    pub fn steps(&self, runs: &[&RunDetail]) -> Option<(u64, u64)> {
        let (low, high) = self.options.window?;
        let of = |run: &&RunDetail| {
            let ruler = Ruler::new(run, self.options.horizontal);
            (ruler.step(low), ruler.step(high))
        };
        let all = runs.iter().map(of);
        let (from, to) = all.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
        let span = to - from;
        let from = from - (0.5 * span).max(RUN_UP);
        Some((from.floor().max(1.0) as u64, (to + 0.1 * span + FEWEST).ceil().max(1.0) as u64))
    }

    /// The mouse on a chart drawn in `area`; false where it means nothing there.
    pub fn mouse(&mut self, event: MouseEvent, figure: &Figure, area: Rect, runs: &[&RunDetail]) -> bool {
        let Some((panel, x)) = plot::locate(figure, area, Position::new(event.column, event.row)) else {
            return false;
        };
        let panel = &figure.panels[panel];
        match event.kind {
            MouseEventKind::ScrollUp => self.zoom(ZOOM.sqrt(), Some(x), panel, runs),
            MouseEventKind::ScrollDown => self.zoom(1.0 / ZOOM.sqrt(), Some(x), panel, runs),
            MouseEventKind::Down(MouseButton::Left) => {
                self.drag = Some((x, x));
                self.cursor = reading::nearest(panel, x);
            }
            MouseEventKind::Drag(MouseButton::Left) => {
                if let Some((_, to)) = &mut self.drag {
                    *to = x;
                }
            }
            _ => return false,
        }
        true
    }

    /// The button went up, wherever: a range that is wide enough is zoomed to.
    pub fn release(&mut self, runs: &[&RunDetail]) {
        let Some((from, to)) = self.drag.take() else { return };
        if from != to {
            self.show(from.min(to), from.max(to), runs);
            self.cursor = None;
        }
    }

    pub fn lens(&self) -> Lens {
        Lens { at: self.cursor, band: self.drag.filter(|(a, b)| a != b), unnamed: false }
    }

    /// What the cursor reads in every panel of a chart, in at most `room` columns; without a cursor, what is not as usual.
    pub fn title(&self, figure: &Figure, room: usize, theme: &Theme) -> Vec<Span<'static>> {
        let Some(x) = self.cursor else { return vec![Span::styled(self.state(), theme.faint())] };
        let mut spans =
            vec![Span::styled(format!("{} {} ", self.options.horizontal.label(), place(x)), theme.focused())];
        let mut used = spans[0].width();
        // A panel with a title has its value there.
        let untitled = figure.panels.iter().filter(|p| p.title.is_empty());
        for reading in untitled.flat_map(|p| reading::read(p, x)) {
            let span = Span::styled(told(&reading), theme.series(reading.colour));
            // What does not fit is left out whole: half a number is a wrong number.
            if used + span.width() <= room {
                used += span.width();
                spans.push(span);
            }
        }
        spans
    }

    /// The values under the cursor in every panel of a chart: one alone, several with their names, a line each; none without
    /// a cursor.
    pub fn read(&self, figure: &Figure) -> Option<String> {
        let x = self.cursor?;
        let all: Vec<Reading> = figure.panels.iter().flat_map(|p| reading::read(p, x)).collect();
        match &all[..] {
            [] => None,
            [one] => Some(one.value.to_string()),
            _ => {
                let place = format!("{}\t{x}", self.options.horizontal.label());
                let lines = all.iter().map(|r| format!("{}\t{}", r.label, r.value));
                Some(std::iter::once(place).chain(lines).collect::<Vec<_>>().join("\n"))
            }
        }
    }

    fn state(&self) -> String {
        let o = &self.options;
        let log = match (o.log_y, o.log_x) {
            (false, false) => "",
            (true, false) => "log y",
            (false, true) => "log x",
            (true, true) => "log x, log y",
        };
        let zoomed = if o.window.is_some() { "zoomed, = shows all" } else { "" };
        let parts: Vec<&str> = [log, zoomed].into_iter().filter(|t| !t.is_empty()).collect();
        if parts.is_empty() { String::new() } else { format!("{} ", parts.join(" · ")) }
    }
}

/// A place on the axis: a whole number where it is one.
fn place(x: f64) -> String {
    if (x - x.round()).abs() < 1e-9 { format!("{x:.0}") } else { format!("{x:.2}") }
}

fn told(reading: &Reading) -> String {
    let name = match reading.stroke {
        Stroke::Marked(shape) => plot::symbol(shape).to_string(),
        _ => harmless(&reading.label),
    };
    format!("· {name} {} ", plot::value(reading))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_whole_where_it_can_be() {
        assert_eq!([120.0, 4.5].map(place), ["120", "4.50"]);
    }

    #[test]
    fn log_axes_go_round() {
        let mut curves = Curves::default();
        let mut states = Vec::new();
        for _ in 0..4 {
            curves.act(Action::LogScale, &[], None);
            states.push((curves.options.log_y, curves.options.log_x));
        }
        assert_eq!(states, [(true, false), (false, true), (true, true), (false, false)]);
    }
}
