//! The pane of paired differences: methods against each other over runs that share task, seed, data and model.

use crate::record::RunSummary;
use crate::spec::task_name;
use crate::ui::theme::Theme;
use crate::untrusted::harmless;
use crate::view::compare::{self, Paired};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};

pub fn draw(frame: &mut Frame, area: Rect, runs: &[&RunSummary], theme: &Theme) {
    let all = compare::paired(runs);
    let mut lines = Vec::new();
    if all.is_empty() {
        lines.push(Line::raw("No pairs among the marked runs."));
        lines.push(Line::raw(""));
        lines.push(Line::raw(
            "Mark runs of two methods that share task, seed, data and model and have a score: each two make a pair.",
        ));
    }
    let mut methods = None;
    for row in &all {
        if methods != Some(&row.methods) {
            methods = Some(&row.methods);
            lines.push(Line::styled(format!("best score, {} − {}", row.methods.0, row.methods.1), theme.title()));
            lines.push(Line::styled(format!("{:8} {:>3}  mean difference", "task", "n"), theme.faint()));
        }
        lines.push(Line::raw(told(row)));
    }
    if !all.is_empty() {
        lines.push(Line::raw(""));
        lines.push(Line::styled(
            "n pairs of the same task, seed, data and model; ± 95%: 1.96 s / √n of their differences",
            theme.faint(),
        ));
    }
    if all.iter().any(|p| p.chosen > 0) {
        let text = "where a method has several runs of one pair, the best of them stands for it";
        lines.push(Line::styled(text, theme.warning()));
    }
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), area);
}

fn told(row: &Paired) -> String {
    let found = row.difference();
    let task = row.task.as_deref().map_or("all".into(), |task| harmless(task_name(task)));
    let spread = match found.half_width.is_finite() {
        true => format!("± {:.4}", found.half_width),
        false => "one pair: no interval".into(),
    };
    format!("{task:8} {:>3}  {:+.4} {spread}", row.scores.len(), found.centre)
}
