//! Counts as bars with their numbers: labels, and lengths with the place where rows are cut.

use crate::record::{Lengths, SplitSurvey};
use crate::ui::text::fit;
use crate::ui::theme::Theme;
use crate::untrusted::harmless;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// Columns of a label's name at most, and of a count with its share.
const NAME: usize = 24;
const COUNT: usize = 17;

/// A bar of at most `room` columns, at least one where there is something to show.
fn bar(count: u64, most: u64, room: usize) -> String {
    let columns = (count as f64 / most.max(1) as f64 * room as f64).round() as usize;
    "█".repeat(columns.max(usize::from(count > 0)).min(room))
}

/// Rows of each label, a line each of at most `width` columns.
pub fn labels(theme: &Theme, split: &SplitSurvey, width: usize) -> Vec<Line<'static>> {
    let names: Vec<String> = split.labels.iter().map(|(name, _)| harmless(name)).collect();
    let wide = names.iter().map(|n| n.chars().count()).max().unwrap_or(0).min(NAME.min(width / 3));
    let most = split.labels.iter().map(|(_, n)| *n).max().unwrap_or(0);
    let room = width.saturating_sub(wide + COUNT + 2);
    let mut lines: Vec<Line> = Vec::new();
    for (name, (_, count)) in names.iter().zip(&split.labels) {
        let numbers = format!(" {count:>8} {:>5.1}%  ", split.percent(*count));
        let style = if *count == 0 { theme.warning() } else { Style::new() };
        lines.push(Line::from(vec![
            Span::styled(format!("{:wide$}", fit(name, wide)), style),
            Span::styled(numbers, style),
            Span::styled(bar(*count, most, room), theme.series(0)),
        ]));
    }
    if let Some(mean) = split.mean {
        lines.push(Line::styled(format!("mean {mean:.3}"), theme.faint()));
    }
    lines
}

/// The lines from `first` on, with a last one that tells which they are where not all have room.
pub fn window(frame: &mut Frame, area: Rect, theme: &Theme, mut lines: Vec<Line>, first: usize) {
    let height = usize::from(area.height);
    if lines.len() > height && height > 1 {
        let shown = format!("{} to {} of {} (j k)", first + 1, first + height - 1, lines.len());
        lines = lines.split_off(first);
        lines.truncate(height - 1);
        lines.push(Line::styled(shown, theme.faint()));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

/// Rows of each range of lengths; what lies beyond the cut in another colour.
pub fn lengths(frame: &mut Frame, area: Rect, theme: &Theme, split: &SplitSurvey, of: &Lengths) {
    let height = usize::from(area.height);
    let sample = match of.measured < split.rows {
        true => format!(" · {} evenly spaced rows of {}", of.measured, split.rows),
        false => String::new(),
    };
    let style = if of.cut > 0 { theme.warning() } else { theme.good() };
    let mut lines = vec![
        Line::styled(format!("mean {:.1} tokens, longest {}{sample}", of.mean, of.longest), theme.faint()),
        Line::styled(of.cut_in_words(), style),
    ];
    // Neighbours become one where there are more ranges than lines.
    let joined = of.bins.len().div_ceil(height.saturating_sub(lines.len()).max(1)).max(1);
    let bins: Vec<(u64, u64)> =
        of.bins.chunks(joined).map(|some| (some[0].0, some.iter().map(|(_, n)| n).sum())).collect();
    let step = of.width * joined as u64;
    let most = bins.iter().map(|(_, n)| *n).max().unwrap_or(0);
    let mark = format!(" ◄ cut at {}", of.max_length);
    let room = usize::from(area.width).saturating_sub(13 + 9 + mark.chars().count() + 1);
    for (from, count) in bins {
        let last = from + step - 1;
        let here = (from..=last).contains(&of.max_length);
        let style = if from > of.max_length { theme.warning() } else { theme.series(0) };
        let mut line = vec![
            Span::raw(format!("{:>12} ", Lengths::range(from, step))),
            Span::raw(format!("{count:>8} ")),
            Span::styled(bar(count, most, room), style),
        ];
        if here {
            line.push(Span::styled(mark.clone(), theme.focused()));
        }
        lines.push(Line::from(line));
    }
    frame.render_widget(Paragraph::new(lines), area);
}
