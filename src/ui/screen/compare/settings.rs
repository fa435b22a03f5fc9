//! The table of what the runs are made of: results, then settings as rows, runs as columns; only what differs, or all.

use super::sign;
use crate::record::RunSummary;
use crate::ui::action::Action;
use crate::ui::text::{duration, number};
use crate::ui::theme::Theme;
use crate::untrusted::harmless;
use crate::view::compare::{self, Setting};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// Columns of the fields' names, and of a run's at most.
const NAMES: usize = 15;
const WIDEST: usize = 22;

#[derive(Default)]
pub struct Settings {
    all: bool,
    /// First row and first run that are shown.
    row: usize,
    run: usize,
}

/// A result of a run: its name and text.
type Result = (&'static str, fn(&RunSummary) -> String);

const RESULTS: [Result; 8] = [
    ("status", |r| r.status.to_string()),
    ("best score", |r| number(r.best, 4)),
    ("at epoch", |r| number(r.best_epoch, 0)),
    ("last score", |r| number(r.last, 4)),
    ("train loss", |r| number(r.loss, 4)),
    ("steps", |r| format!("{}/{}", r.step, r.facts.total_steps)),
    ("trained for", |r| duration(r.seconds)),
    ("parameters", |r| r.facts.adapter_parameters.to_string()),
];

/// The end of a long text tells more than its start: of a path, the file.
fn cut(text: &str) -> String {
    let text = harmless(text);
    let count = text.chars().count();
    if count <= WIDEST { text } else { format!("…{}", text.chars().skip(count + 1 - WIDEST).collect::<String>()) }
}

impl Settings {
    pub fn toggle(&mut self) {
        self.all = !self.all;
        self.row = 0;
    }

    /// True where the key means something in the table.
    pub fn act(&mut self, action: Action, runs: &[&RunSummary]) -> bool {
        match action {
            Action::Up => self.scroll(-1, runs),
            Action::Down => self.scroll(1, runs),
            Action::HalfUp => self.scroll(-10, runs),
            Action::HalfDown => self.scroll(10, runs),
            Action::Top => self.row = 0,
            Action::Bottom => self.scroll(isize::MAX, runs),
            Action::Left => self.run = self.run.saturating_sub(1),
            Action::Right => self.run = (self.run + 1).min(runs.len().saturating_sub(1)),
            _ => return false,
        }
        true
    }

    pub fn scroll(&mut self, rows: isize, runs: &[&RunSummary]) {
        let count = self.rows(runs).len();
        self.row = self.row.saturating_add_signed(rows).min(count.saturating_sub(1));
    }

    fn rows(&self, runs: &[&RunSummary]) -> Vec<Setting> {
        let results = RESULTS.map(|(name, text)| Setting { name, values: runs.iter().map(|r| text(r)).collect() });
        let settings = compare::settings(runs).into_iter().filter(|s| self.all || s.differs());
        results.into_iter().chain(settings).collect()
    }

    pub fn title(&self, runs: &[&RunSummary]) -> String {
        let settings = compare::settings(runs);
        let equal = settings.iter().filter(|s| !s.differs()).count();
        let shown = if self.all { "all, t only what differs" } else { "only what differs, t all" };
        format!("{equal} of {} fields equal · {shown} ", settings.len())
    }

    pub fn draw(&self, frame: &mut Frame, area: Rect, runs: &[&RunSummary], theme: &Theme) {
        let rows = self.rows(runs);
        let width = |i: usize| {
            let texts = rows.iter().map(|row| cut(&row.values[i]).chars().count());
            texts.max().unwrap_or(0).max(runs[i].id.as_str().chars().count() + 2) + 2
        };
        // Whole columns only, the first ones from the run that was scrolled to.
        let mut shown: Vec<(usize, usize)> = Vec::new();
        let mut used = NAMES;
        for i in self.run.min(runs.len().saturating_sub(1))..runs.len() {
            if used + width(i) > area.width as usize && !shown.is_empty() {
                break;
            }
            used += width(i);
            shown.push((i, width(i)));
        }
        let more = runs.len() - shown.len();
        let corner = if more > 0 { format!("h l: {more} more") } else { String::new() };
        let mut header = vec![Span::styled(format!("{corner:NAMES$}"), theme.faint())];
        for (i, width) in &shown {
            header.push(sign(*i, theme));
            header.push(Span::styled(format!(" {:width$}", runs[*i].id, width = width - 2), theme.series(*i)));
        }
        let line = |row: &Setting| {
            let differs = row.differs();
            let mut spans = vec![Span::styled(format!("{:NAMES$}", row.name), theme.faint())];
            for (i, width) in &shown {
                let text = format!("{:width$}", cut(&row.values[*i]), width = *width);
                spans.push(if differs { Span::raw(text) } else { Span::styled(text, theme.faint()) });
            }
            Line::from(spans)
        };
        let height = (area.height as usize).saturating_sub(1);
        let first = self.row.min(rows.len().saturating_sub(height.max(1)));
        let body = rows.iter().skip(first).take(height).map(line);
        frame.render_widget(Paragraph::new(std::iter::once(Line::from(header)).chain(body).collect::<Vec<_>>()), area);
    }
}
