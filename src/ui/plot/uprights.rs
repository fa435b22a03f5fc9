//! Axes that stand upright inside a panel, with the names of their places.

use crate::figure::{Mark, Panel, Tick};
use crate::ui::text::fit;
use crate::ui::theme::Theme;
use crate::untrusted::harmless;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws them over what is in `plot`. A name stands on the right of its axis or, where it has no room there, on the left; one
/// that has none at all, or whose line another one of the axis has, is left out whole.
pub(super) fn draw(panel: &Panel, plot: Rect, buf: &mut Buffer, theme: &Theme) {
    let all: Vec<(u16, String, &[Tick])> = panel
        .marks
        .iter()
        .filter_map(|mark| match mark {
            Mark::Upright { x, name, ticks } => {
                Some((super::lines::column(panel, plot, *x)?, harmless(name), &ticks[..]))
            }
            _ => None,
        })
        .collect();
    let mut free = plot.x;
    // Where the names of each line end.
    let mut filled = vec![0; usize::from(plot.height)];
    for (i, (x, name, ticks)) in all.iter().enumerate() {
        for y in plot.y..plot.bottom() {
            buf.set_string(*x, y, "│", theme.faint());
        }
        let end = all.get(i + 1).map_or(plot.right(), |(next, ..)| *next);
        let start = if i == 0 { plot.x } else { all[i - 1].0 + 1 };
        // The line of the horizontal axis, which has no ticks of its own.
        let wide = name.chars().count() as u16;
        let at = (*x).min(end.saturating_sub(wide + 1)).max(free);
        let text = fit(name, usize::from(end.saturating_sub(at + 1)));
        free = at + text.chars().count() as u16 + 1;
        buf.set_string(at, plot.bottom(), text, theme.faint());
        let mut taken = Vec::new();
        for tick in *ticks {
            let y = plot.y + ((1.0 - tick.at.clamp(0.0, 1.0)) * f64::from(plot.height - 1)).round() as u16;
            if taken.contains(&y) {
                continue;
            }
            let name = harmless(&tick.name);
            let long = harmless(&format!("{} {}", tick.name, tick.more)).trim_end().to_string();
            let wide = |text: &str| text.chars().count() as u16;
            let right = |text: &str| (x + 1 + wide(text) <= end).then_some(x + 1);
            let line = usize::from(y - plot.y);
            // A name of the axis before may end here: two numbers side by side would read as one.
            let left = |text: &str| (filled[line].max(start) + 1 + wide(text) <= *x).then(|| x - wide(text));
            let place = right(&long).map(|at| (at, &long)).or_else(|| Some((right(&name).or(left(&name))?, &name)));
            let Some((at, text)) = place else { continue };
            filled[line] = at + wide(text);
            taken.push(y);
            buf.set_string(*x, y, "┼", theme.title());
            buf.set_string(at, y, text, theme.title());
        }
    }
}
