//! Colours of the terminal: true colour, 256 colours, or none (shades and numbers instead).

use crate::figure::colour::Rgb;
use ratatui::style::{Color, Modifier, Style};

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    True,
    Indexed,
    None,
}

impl Colours {
    /// NO_COLOR wins; then COLORTERM says whether true colour is there.
    pub fn from_environment() -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        if set("NO_COLOR").is_some() {
            return Colours::None;
        }
        match set("COLORTERM").as_deref() {
            Some("truecolor" | "24bit") => Colours::True,
            _ => Colours::Indexed,
        }
    }
}

/// Styles by meaning.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    pub colours: Colours,
}

impl Theme {
    /// The nearest colour that the terminal has; none without colours.
    pub fn colour(&self, (r, g, b): Rgb) -> Option<Color> {
        match self.colours {
            Colours::True => Some(Color::Rgb(r, g, b)),
            Colours::Indexed => Some(Color::Indexed(cube(r, g, b))),
            Colours::None => None,
        }
    }

    pub fn ink(&self, rgb: Rgb) -> Style {
        self.colour(rgb).map_or(Style::new(), |c| Style::new().fg(c))
    }

    pub fn series(&self, index: usize) -> Style {
        // The palette is made for white paper; on dark ground its blue needs light.
        let (r, g, b) = crate::figure::colour::paler(crate::figure::colour::series(index), 0.2);
        self.ink((r, g, b))
    }

    pub fn title(&self) -> Style {
        self.ink((0x56, 0xb4, 0xe9)).add_modifier(Modifier::BOLD)
    }

    pub fn faint(&self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub fn error(&self) -> Style {
        self.ink((0xff, 0x80, 0x60)).add_modifier(Modifier::BOLD)
    }

    pub fn good(&self) -> Style {
        self.ink((0x2a, 0xc8, 0x96))
    }

    pub fn warning(&self) -> Style {
        self.ink((0xe6, 0x9f, 0x00))
    }

    pub fn selected(&self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub fn focused(&self) -> Style {
        self.ink((0xe6, 0x9f, 0x00))
    }
}

/// Nearest of the 6 x 6 x 6 cube's colours or the 24 greys.
fn cube(r: u8, g: u8, b: u8) -> u8 {
    const LEVELS: [i32; 6] = [0, 95, 135, 175, 215, 255];
    let nearest = |v: u8| (0..6).min_by_key(|&i| (LEVELS[i] - i32::from(v)).abs()).unwrap_or(0);
    let steps = [r, g, b].map(nearest);
    let distance = |c: [i32; 3]| -> i32 { c.iter().zip([r, g, b]).map(|(a, v)| (a - i32::from(v)).pow(2)).sum() };
    let grey_step = ((i32::from(r) + i32::from(g) + i32::from(b)) / 3 - 8).clamp(0, 230) / 10;
    let grey = 8 + 10 * grey_step;
    if distance([grey; 3]) < distance(steps.map(|s| LEVELS[s])) {
        232 + grey_step as u8
    } else {
        (16 + 36 * steps[0] + 6 * steps[1] + steps[2]) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cube_gives_the_nearest_colour() {
        assert_eq!(cube(255, 0, 0), 196);
        assert_eq!(cube(0, 0, 0), 16);
        assert_eq!(cube(255, 255, 255), 231);
        assert_eq!(cube(128, 128, 128), 244);
    }
}
