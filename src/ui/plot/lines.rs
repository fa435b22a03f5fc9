//! Lines, spans and markers of one panel on a braille grid with axes.

use super::{Lens, uprights};
use crate::figure::reading::{self, Reading};
use crate::figure::{Mark, Panel, SHAPES, Scale, Stroke, ticks};
use crate::ui::text::{exact, fit};
use crate::ui::theme::{Colours, Theme};
use crate::untrusted::harmless;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::widgets::Widget;
use ratatui::widgets::canvas::{Canvas, Line, Points};

/// How much nearer to the ground a raw line is than its smoothed twin.
const PALE: f64 = 0.55;
/// The same where the lines of several runs lie over each other.
const PALER: f64 = 0.72;

/// Where a panel's parts stand.
struct Frame {
    plot: Rect,
    /// Columns left of the plot.
    gutter: u16,
    y_ticks: Vec<(f64, String)>,
    titled: bool,
}

impl Frame {
    /// None where the area is too small for anything.
    fn of(panel: &Panel, area: Rect) -> Option<Self> {
        if area.width < 12 || area.height < 4 {
            return None;
        }
        let titled = !panel.title.is_empty() && area.height > 4;
        let y_ticks = ticks::ticks(&panel.y.range, (area.height as usize / 3).clamp(2, 8));
        let gutter = y_ticks.iter().map(|(_, t)| t.chars().count()).max().unwrap_or(0).min(10) as u16 + 1;
        let plot = Rect {
            x: area.x + gutter,
            y: area.y + u16::from(titled),
            width: area.width - gutter,
            height: area.height - 1 - u16::from(titled),
        };
        Some(Self { plot, gutter, y_ticks, titled })
    }
}

/// Place on the horizontal axis of a column of the terminal, the nearest end for one beside the plot.
pub(super) fn x_at(panel: &Panel, area: Rect, column: u16) -> Option<f64> {
    let plot = Frame::of(panel, area)?.plot;
    let share = (f64::from(column) - f64::from(plot.x)) / f64::from(plot.width.saturating_sub(1).max(1));
    Some(panel.x.range.at(share.clamp(0.0, 1.0)))
}

pub(super) fn draw(panel: &Panel, scale: Option<&Scale>, lens: Lens, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let Some(Frame { plot, gutter, y_ticks, titled }) = Frame::of(panel, area) else { return };
    if titled {
        buf.set_string(area.x, area.y, fit(&panel.title, area.width as usize), theme.title());
        let used = panel.title.chars().count() as u16 + 1;
        let value = lens.at.and_then(|x| reading::read(panel, x).into_iter().next()).map(|r| value(&r));
        if let Some(text) = value.filter(|t| used + t.chars().count() as u16 <= area.width) {
            buf.set_string(area.x + used, area.y, text, theme.focused());
        }
    }
    for (value, text) in &y_ticks {
        if let Some(share) = panel.y.range.share(*value).filter(|s| (0.0..=1.0).contains(s)) {
            let y = plot.y + ((1.0 - share) * f64::from(plot.height - 1)).round() as u16;
            let text = fit(text, gutter as usize - 1);
            let x = area.x + gutter - 1 - text.chars().count() as u16;
            buf.set_string(x, y, text, theme.faint());
        }
    }
    x_axis(panel, plot, buf, theme);
    canvas(panel, scale, plot, buf, theme);
    uprights::draw(panel, plot, buf, theme);
    gaps(panel, plot, buf, theme);
    if !lens.unnamed {
        legend(panel, plot, buf, theme);
    }
    over(panel, lens, plot, buf, theme);
}

/// What is read at the cursor: the value, and the extremes of a bin of several.
pub fn value(reading: &Reading) -> String {
    match reading.extremes {
        _ if !reading.value.is_finite() => "not finite".into(),
        Some((low, high)) => format!("{} [{}, {}]", exact(reading.value), exact(low), exact(high)),
        None => exact(reading.value),
    }
}

/// Column of a place on the horizontal axis, where the plot shows it.
pub(super) fn column(panel: &Panel, plot: Rect, x: f64) -> Option<u16> {
    let share = panel.x.range.share(x).filter(|s| (0.0..=1.0).contains(s))?;
    Some(plot.x + (share * f64::from(plot.width - 1)).round() as u16)
}

/// A cross at the foot of each place where a value is not finite.
fn gaps(panel: &Panel, plot: Rect, buf: &mut Buffer, theme: &Theme) {
    for mark in &panel.marks {
        let Mark::Gaps { at, .. } = mark else { continue };
        for x in at.iter().filter_map(|x| column(panel, plot, *x)) {
            buf.set_string(x, plot.y + plot.height - 1, "×", theme.error());
        }
    }
}

/// The upright line of the cursor and the band that is being selected; what is drawn there stays legible.
fn over(panel: &Panel, lens: Lens, plot: Rect, buf: &mut Buffer, theme: &Theme) {
    if let Some((low, high)) = lens.band {
        let clamped = |x: f64| panel.x.range.share(x).map(|s| s.clamp(0.0, 1.0) * f64::from(plot.width - 1));
        if let (Some(a), Some(b)) = (clamped(low.min(high)), clamped(low.max(high))) {
            let band = Rect { x: plot.x + a.round() as u16, width: (b - a).round() as u16 + 1, ..plot };
            buf.set_style(band.intersection(plot), theme.selected());
        }
    }
    let Some(x) = lens.at.and_then(|x| column(panel, plot, x)) else { return };
    for y in plot.y..plot.y + plot.height {
        let Some(cell) = buf.cell_mut((x, y)) else { continue };
        if is_blank(cell.symbol()) {
            cell.set_symbol("│").set_style(theme.focused());
        } else {
            cell.set_style(theme.selected());
        }
    }
}

fn is_blank(symbol: &str) -> bool {
    symbol.trim_matches(['\u{2800}', ' ']).is_empty()
}

/// Sign of a marker's shape.
pub fn symbol(shape: usize) -> &'static str {
    const SYMBOLS: [&str; SHAPES] = ["●", "▲", "■", "◆", "▼", "○", "△", "□", "◇", "▽"];
    SYMBOLS[shape % SHAPES]
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

fn canvas(panel: &Panel, scale: Option<&Scale>, plot: Rect, buf: &mut Buffer, theme: &Theme) {
    let ink = |index: usize, pale: f64| theme.faded(index, pale).unwrap_or(Color::Reset);
    let marker = if theme.colours == Colours::None { Marker::Dot } else { Marker::Braille };
    let at = |x: f64, y: f64| Some((panel.x.range.share(x)?, panel.y.range.share(y)?));
    let bounds = [0.0, 1.0];
    let raw = if panel.has_many() { PALER } else { PALE };
    Canvas::default()
        .marker(marker)
        .x_bounds(bounds)
        .y_bounds(bounds)
        .paint(|context| {
            // Markers lie over every line.
            let mut signs = Vec::new();
            for mark in &panel.marks {
                match mark {
                    Mark::Span { colour, bars, .. } => {
                        for (x, low, high) in bars {
                            if let (Some(a), Some(b)) = (at(*x, *low), at(*x, *high)) {
                                context.draw(&Line {
                                    x1: a.0,
                                    y1: a.1,
                                    x2: b.0,
                                    y2: b.1,
                                    color: ink(*colour, raw + 0.1),
                                });
                            }
                        }
                    }
                    Mark::Line { colour, stroke, points, .. } => {
                        let pale = if *stroke == Stroke::Raw { raw } else { 0.0 };
                        let places: Vec<Option<(f64, f64)>> = points.iter().map(|(x, y)| at(*x, *y)).collect();
                        for pair in places.windows(2) {
                            if let [Some(a), Some(b)] = pair {
                                context.draw(&Line { x1: a.0, y1: a.1, x2: b.0, y2: b.1, color: ink(*colour, pale) });
                            }
                        }
                        let dots: Vec<(f64, f64)> = places.into_iter().flatten().collect();
                        context.draw(&Points { coords: &dots, color: ink(*colour, pale) });
                        let sign = |(x, y): (f64, f64), text: &'static str| {
                            (x, y, ratatui::text::Line::styled(text, theme.series(*colour)))
                        };
                        match stroke {
                            Stroke::Points => signs.extend(dots.into_iter().map(|p| sign(p, "•"))),
                            Stroke::Marked(shape) => {
                                let places = panel.markers(points, *shape).into_iter().filter_map(|(x, y)| at(x, y));
                                signs.extend(places.map(|p| sign(p, symbol(*shape))));
                            }
                            Stroke::Raw | Stroke::Solid => {}
                        }
                    }
                    Mark::Marker { colour, at: (x, y), .. } => {
                        if let Some((x, y)) = at(*x, *y) {
                            signs.push((x, y, ratatui::text::Line::styled("◆", theme.series(*colour))));
                        }
                    }
                    Mark::Track { value, points, .. } => {
                        let color = scale.and_then(|s| theme.track(s.colour(*value)?)).unwrap_or(Color::Reset);
                        let places: Vec<(f64, f64)> = points.iter().filter_map(|(x, y)| at(*x, *y)).collect();
                        for pair in places.windows(2) {
                            let ((x1, y1), (x2, y2)) = (pair[0], pair[1]);
                            context.draw(&Line { x1, y1, x2, y2, color });
                        }
                    }
                    Mark::Gaps { .. } | Mark::Heatmap { .. } | Mark::Upright { .. } => {}
                }
            }
            for (x, y, sign) in signs {
                context.print(x, y, sign);
            }
        })
        .render(plot, buf);
}

/// Names of the marks in the corner where the least is drawn.
fn legend(panel: &Panel, plot: Rect, buf: &mut Buffer, theme: &Theme) {
    let many = panel.has_many();
    let names: Vec<(String, Style)> = panel
        .marks
        .iter()
        .filter_map(|mark| match mark {
            Mark::Line { stroke: Stroke::Raw, .. } if many => None,
            Mark::Line { label, colour, stroke: Stroke::Marked(shape), .. } => {
                Some((format!("{} {}", symbol(*shape), harmless(label)), theme.series(*colour)))
            }
            Mark::Line { label, stroke: Stroke::Raw, .. } if !label.is_empty() => {
                // In its own dark colour the name could hardly be read.
                Some((format!("─ {label}"), theme.faint()))
            }
            Mark::Line { label, colour, .. } | Mark::Marker { label, colour, .. } if !label.is_empty() => {
                Some((format!("─ {label}"), theme.series(*colour)))
            }
            Mark::Gaps { label, .. } if !many => Some((format!("× {label}"), theme.error())),
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
        cells.filter(|&place| !is_blank(buf[place].symbol())).count()
    };
    let Some((x, y)) = corners.into_iter().min_by_key(drawn) else { return };
    for (line, (text, style)) in names.into_iter().enumerate() {
        // Against the frame, as the corner's side has it.
        let indent = if x == plot.x { 0 } else { width - text.chars().count() as u16 };
        buf.set_string(x + indent, y + line as u16, text, style);
    }
}
