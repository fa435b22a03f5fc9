//! Lines, spans and markers of one panel on a braille grid with axes.

use crate::figure::colour::{paler, series};
use crate::figure::{Mark, Panel, Stroke, ticks};
use crate::ui::text::fit;
use crate::ui::theme::{Colours, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::widgets::Widget;
use ratatui::widgets::canvas::{Canvas, Line, Points};

/// How much darker a raw line is than its smoothed twin.
const PALE: f64 = 0.55;

pub(super) fn draw(panel: &Panel, area: Rect, buf: &mut Buffer, theme: &Theme) {
    if area.width < 12 || area.height < 4 {
        return;
    }
    let y_ticks = ticks::ticks(&panel.y.range, (area.height as usize / 3).clamp(2, 8));
    let gutter = y_ticks.iter().map(|(_, t)| t.chars().count()).max().unwrap_or(0).min(10) as u16 + 1;
    let plot = Rect { x: area.x + gutter, y: area.y, width: area.width - gutter, height: area.height - 1 };
    for (value, text) in &y_ticks {
        if let Some(share) = panel.y.range.share(*value).filter(|s| (0.0..=1.0).contains(s)) {
            let y = plot.y + ((1.0 - share) * f64::from(plot.height - 1)).round() as u16;
            let text = fit(text, gutter as usize - 1);
            let x = area.x + gutter - 1 - text.chars().count() as u16;
            buf.set_string(x, y, text, theme.faint());
        }
    }
    x_axis(panel, plot, buf, theme);
    canvas(panel, plot, buf, theme);
    legend(panel, plot, buf, theme);
}

fn x_axis(panel: &Panel, plot: Rect, buf: &mut Buffer, theme: &Theme) {
    let y = plot.y + plot.height;
    let label = &panel.x.label;
    let room = plot.width.saturating_sub(label.chars().count() as u16 + 1);
    let mut free = plot.x;
    for (value, text) in ticks::ticks(&panel.x.range, (room as usize / 9).max(2)) {
        let Some(share) = panel.x.range.share(value).filter(|s| (0.0..=1.0).contains(s)) else { continue };
        let wide = text.chars().count() as u16;
        let middle = plot.x + (share * f64::from(plot.width - 1)).round() as u16;
        let x = middle.saturating_sub(wide / 2).max(plot.x);
        if x >= free && x + wide < plot.x + room {
            buf.set_string(x, y, &text, theme.faint());
            free = x + wide + 1;
        }
    }
    if free <= plot.x + room {
        buf.set_string(plot.x + room + 1, y, label, theme.faint());
    }
}

fn canvas(panel: &Panel, plot: Rect, buf: &mut Buffer, theme: &Theme) {
    let ink = |index: usize, pale: f64| -> Color {
        let (r, g, b) = paler(series(index), 0.2);
        let fade = |c: u8| (f64::from(c) * (1.0 - pale)) as u8;
        theme.colour((fade(r), fade(g), fade(b))).unwrap_or(Color::Reset)
    };
    let marker = if theme.colours == Colours::None { Marker::Dot } else { Marker::Braille };
    let at = |x: f64, y: f64| Some((panel.x.range.share(x)?, panel.y.range.share(y)?));
    let bounds = [0.0, 1.0];
    Canvas::default()
        .marker(marker)
        .x_bounds(bounds)
        .y_bounds(bounds)
        .paint(|context| {
            for mark in &panel.marks {
                match mark {
                    Mark::Span { colour, bars } => {
                        for (x, low, high) in bars {
                            if let (Some(a), Some(b)) = (at(*x, *low), at(*x, *high)) {
                                context.draw(&Line { x1: a.0, y1: a.1, x2: b.0, y2: b.1, color: ink(*colour, 0.65) });
                            }
                        }
                    }
                    Mark::Line { colour, stroke, points, .. } => {
                        let pale = if *stroke == Stroke::Raw { PALE } else { 0.0 };
                        let places: Vec<Option<(f64, f64)>> = points.iter().map(|(x, y)| at(*x, *y)).collect();
                        for pair in places.windows(2) {
                            if let [Some(a), Some(b)] = pair {
                                context.draw(&Line { x1: a.0, y1: a.1, x2: b.0, y2: b.1, color: ink(*colour, pale) });
                            }
                        }
                        let dots: Vec<(f64, f64)> = places.into_iter().flatten().collect();
                        context.draw(&Points { coords: &dots, color: ink(*colour, pale) });
                        if *stroke == Stroke::Points {
                            for (x, y) in dots {
                                context.print(x, y, ratatui::text::Line::styled("•", theme.series(*colour)));
                            }
                        }
                    }
                    Mark::Marker { colour, at: (x, y), .. } => {
                        if let Some((x, y)) = at(*x, *y) {
                            context.print(x, y, ratatui::text::Line::styled("◆", theme.series(*colour)));
                        }
                    }
                    Mark::Heatmap { .. } => {}
                }
            }
        })
        .render(plot, buf);
}

/// Names of the marks in the corner where the least is drawn.
fn legend(panel: &Panel, plot: Rect, buf: &mut Buffer, theme: &Theme) {
    let names: Vec<(String, Style)> = panel
        .marks
        .iter()
        .filter_map(|mark| match mark {
            Mark::Line { label, stroke: Stroke::Raw, .. } if !label.is_empty() => {
                // In its own dark colour the name could hardly be read.
                Some((format!("─ {label}"), theme.faint()))
            }
            Mark::Line { label, colour, .. } | Mark::Marker { label, colour, .. } if !label.is_empty() => {
                Some((format!("─ {label}"), theme.series(*colour)))
            }
            _ => None,
        })
        .filter(|(text, _)| text.chars().count() as u16 + 8 < plot.width)
        .take(plot.height.saturating_sub(2) as usize)
        .collect();
    let width = names.iter().map(|(text, _)| text.chars().count() as u16).max().unwrap_or(0);
    let (right, low) = (plot.x + plot.width - width, plot.y + plot.height - names.len() as u16);
    let corners = [(right, plot.y), (plot.x, plot.y), (right, low), (plot.x, low)];
    let drawn = |(x, y): &(u16, u16)| {
        let cells = (0..names.len() as u16).flat_map(|dy| (0..width).map(move |dx| (x + dx, y + dy)));
        cells.filter(|&place| !buf[place].symbol().trim_matches(['\u{2800}', ' ']).is_empty()).count()
    };
    let Some((x, y)) = corners.into_iter().min_by_key(drawn) else { return };
    for (line, (text, style)) in names.into_iter().enumerate() {
        // Against the frame, as the corner's side has it.
        let indent = if x == plot.x { 0 } else { width - text.chars().count() as u16 };
        buf.set_string(x + indent, y + line as u16, text, style);
    }
}
