//! Heatmap cells: colour and, where wide enough, the number; shades without colours; slashes where there is no value.

use crate::figure::colour::ink_on;
use crate::figure::ticks::{Digits, compact};
use crate::figure::{Panel, Range, Scale};
use crate::ui::text::fit;
use crate::ui::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Modifier, Style};

/// Densities for terminals without colour, from the low to the high end.
const SHADES: [&str; 5] = [" ", "░", "▒", "▓", "█"];

/// Where the cells of a panel stand.
pub(super) struct Grid<'a> {
    rows: &'a [String],
    columns: &'a [String],
    gutter: u16,
    body: Rect,
    /// Lines of a row, and the first row that is shown.
    tall: u16,
    first: usize,
    own_scale: bool,
}

impl<'a> Grid<'a> {
    /// With fewer lines than rows the window follows the row of the cursor. None where there is no room.
    pub fn of(panel: &'a Panel, cells: &[Vec<Option<f64>>], cursor: Option<usize>, area: Rect) -> Option<Self> {
        if area.height < 3 || area.width < 8 || cells.is_empty() {
            return None;
        }
        let (Range::Names(rows), Range::Names(columns)) = (&panel.y.range, &panel.x.range) else { return None };
        let gutter = rows.iter().map(|n| n.chars().count()).max().unwrap_or(0).min(8) as u16 + 1;
        let own_scale = panel.scale.is_some() && area.height > 5;
        let body = Rect {
            x: area.x + gutter,
            y: area.y + 1,
            width: area.width.saturating_sub(gutter),
            height: area.height - 2 - u16::from(own_scale),
        };
        if body.width == 0 || body.height == 0 {
            return None;
        }
        let tall = (body.height as usize / cells.len()).clamp(1, 4) as u16;
        let shown = (body.height / tall) as usize;
        let first = cursor.map_or(0, |row| row.saturating_sub(shown.saturating_sub(1)));
        Some(Self { rows, columns, gutter, body, tall, first, own_scale })
    }

    fn shown(&self) -> usize {
        usize::from(self.body.height / self.tall)
    }

    /// First column of the terminal of a column of cells.
    fn left(&self, column: usize) -> u16 {
        self.body.x + (self.body.width as usize * column / self.columns.len().max(1)) as u16
    }

    /// Row and column of the cell at a place of the terminal.
    pub fn at(&self, at: Position) -> Option<(usize, usize)> {
        if !self.body.contains(at) {
            return None;
        }
        let row = self.first + usize::from((at.y - self.body.y) / self.tall);
        let column = (0..self.columns.len()).find(|j| (self.left(*j)..self.left(j + 1)).contains(&at.x))?;
        (row < self.rows.len()).then_some((row, column))
    }
}

pub(super) fn draw(
    panel: &Panel,
    cells: &[Vec<Option<f64>>],
    scale: &Scale,
    cursor: Option<(usize, usize)>,
    area: Rect,
    buf: &mut Buffer,
    theme: &Theme,
) {
    let Some(grid) = Grid::of(panel, cells, cursor.map(|(row, _)| row), area) else { return };
    let Grid { rows, columns, gutter, body, tall, first, own_scale } = grid;
    let style = if cursor.is_some() { theme.focused() } else { theme.title() };
    let (shown, all) = (grid.shown(), cells.len());
    let part = if shown < all { format!(" ({} to {} of {all})", first + 1, first + shown) } else { String::new() };
    let room = (area.width as usize).saturating_sub(part.len());
    buf.set_string(area.x, area.y, format!("{}{part}", fit(&panel.title, room)), style);
    let middle = (tall - 1) / 2;
    let left = |j: usize| grid.left(j);
    // All numbers or none: a few among blanks would look like marks.
    let narrowest = body.width as usize / columns.len().max(1);
    let digits = Digits::of(cells.iter().flatten().flatten().copied());
    let numbers = cells.iter().flatten().flatten().all(|v| digits.text(*v).len() < narrowest);
    for (line, i) in (first..cells.len()).take(grid.shown()).enumerate() {
        let y = body.y + line as u16 * tall;
        buf.set_string(area.x, y + middle, fit(&rows[i], gutter as usize - 1), theme.faint());
        for (j, value) in cells[i].iter().enumerate() {
            let width = left(j + 1) - left(j);
            let here = cursor == Some((i, j));
            for dy in 0..tall {
                let number = (numbers && dy == middle).then_some(digits);
                let say = Say { here, number, mark: here && dy == middle };
                cell(*value, scale, say, Rect { x: left(j), y: y + dy, width, height: 1 }, buf, theme);
            }
        }
    }
    let labels = body.y + (cells.len() - first).min(grid.shown()) as u16 * tall;
    for (j, name) in columns.iter().enumerate() {
        let width = (left(j + 1) - left(j)) as usize;
        buf.set_string(left(j), labels, short(name, width.saturating_sub(1).max(1)), theme.faint());
    }
    if own_scale {
        let place = Rect { x: body.x, y: labels + 1, width: body.width, height: 1 };
        if place.y < area.y + area.height {
            scale_line(scale, place, buf, theme);
        }
    }
}

/// A column's name in `width` columns: too narrow for an ellipsis, its first letters tell more.
fn short(name: &str, width: usize) -> String {
    if width > 3 { fit(name, width) } else { name.chars().take(width).collect() }
}

/// What one line of a cell tells beside its colour.
#[derive(Clone, Copy)]
struct Say {
    here: bool,
    number: Option<Digits>,
    /// The cursor's own sign, where there is no number.
    mark: bool,
}

fn cell(value: Option<f64>, scale: &Scale, say: Say, r: Rect, buf: &mut Buffer, theme: &Theme) {
    let width = r.width as usize;
    let Some((value, rgb)) = value.and_then(|v| scale.colour(v).map(|rgb| (v, rgb))) else {
        let text = if say.mark { format!("{:^width$}", "[ ]") } else { "╱".repeat(width) };
        buf.set_string(r.x, r.y, fit(&text, width), theme.faint());
        return;
    };
    let text = match (say.number.map(|digits| digits.text(value)), say.mark) {
        (Some(number), true) if width >= number.len() + 2 => format!("{:^width$}", format!("[{number}]")),
        (Some(number), _) => format!("{number:^width$}"),
        (None, true) => format!("{:^width$}", "◆"),
        (None, false) => " ".repeat(width),
    };
    let style = match theme.colour(rgb) {
        Some(background) => {
            let style = Style::new().bg(background);
            theme.colour(ink_on(rgb)).map_or(style, |ink| style.fg(ink))
        }
        None => Style::new(),
    };
    let style = if say.here { style.add_modifier(Modifier::BOLD | Modifier::UNDERLINED) } else { style };
    buf.set_string(r.x, r.y, fit(&text, width), style);
    if theme.colour(rgb).is_none() && text.trim().is_empty() {
        let share = ((value - scale.low) / (scale.high - scale.low)).clamp(0.0, 1.0);
        let shade = SHADES[(share * (SHADES.len() - 1) as f64).round() as usize];
        buf.set_string(r.x, r.y, shade.repeat(width), style);
    }
}

/// The scale's ends with its colours between them.
pub(super) fn scale_line(scale: &Scale, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let (low, high) = (compact(scale.low), compact(scale.high));
    let label = if area.width > 60 { format!(" {}", scale.label) } else { String::new() };
    let bar =
        (area.width as usize).saturating_sub(low.len() + high.chars().count() + label.chars().count() + 2).min(60);
    if bar < 4 {
        return;
    }
    buf.set_string(area.x, area.y, format!("{low} "), theme.faint());
    let start = area.x + low.len() as u16 + 1;
    for i in 0..bar {
        let share = (i as f64 + 0.5) / bar as f64;
        if let Some(rgb) = scale.colour(scale.low + share * (scale.high - scale.low)) {
            let (text, style) = match theme.colour(rgb) {
                Some(colour) => (" ", Style::new().bg(colour)),
                None => (SHADES[(share * (SHADES.len() - 1) as f64).round() as usize], Style::new()),
            };
            buf.set_string(start + i as u16, area.y, text, style);
        }
    }
    buf.set_string(start + bar as u16, area.y, format!(" {high}{label}"), theme.faint());
}
