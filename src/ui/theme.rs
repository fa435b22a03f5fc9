//! Colours: the schemes that a person can choose, as far as the terminal has them: true colour, 256 colours, or none (shades
//! and numbers instead).

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

/// A set of colours that a person can choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// For dark terminals; leaves their ground as it is.
    #[default]
    Dark,
    /// Dark ink on a light ground of its own.
    Light,
    /// Okabe and Ito's colours only, none told from another by red and green.
    ColourBlind,
    /// No colours: shades, signs and weights.
    Mono,
}

/// Inks by meaning.
struct Inks {
    title: Rgb,
    focused: Rgb,
    good: Rgb,
    warning: Rgb,
    error: Rgb,
    /// None: the terminal's own dim text.
    faint: Option<Rgb>,
    /// Text and ground, where the terminal's own are not used.
    base: Option<(Rgb, Rgb)>,
}

const DARK: Inks = Inks {
    title: (0x56, 0xb4, 0xe9),
    focused: (0xe6, 0x9f, 0x00),
    good: (0x2a, 0xc8, 0x96),
    warning: (0xe6, 0x9f, 0x00),
    error: (0xff, 0x80, 0x60),
    faint: None,
    base: None,
};

const LIGHT: Inks = Inks {
    title: (0x00, 0x5a, 0x8c),
    focused: (0xa8, 0x5c, 0x00),
    good: (0x00, 0x75, 0x50),
    warning: (0xa8, 0x5c, 0x00),
    error: (0xb8, 0x28, 0x10),
    faint: Some((0x62, 0x62, 0x62)),
    base: Some(((0x1c, 0x1c, 0x1c), (0xfa, 0xfa, 0xfa))),
};

const COLOUR_BLIND: Inks = Inks {
    title: (0x56, 0xb4, 0xe9),
    focused: (0xf0, 0xe4, 0x42),
    good: (0x56, 0xb4, 0xe9),
    warning: (0xf0, 0xe4, 0x42),
    error: (0xe6, 0x7a, 0x20),
    faint: None,
    base: None,
};

impl Scheme {
    pub const ALL: [Scheme; 4] = [Scheme::Dark, Scheme::Light, Scheme::ColourBlind, Scheme::Mono];

    /// Its name in the settings file.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::Dark => "dark",
            Scheme::Light => "light",
            Scheme::ColourBlind => "colour-blind",
            Scheme::Mono => "mono",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }

    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|s| *s == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }

    fn inks(self) -> &'static Inks {
        match self {
            Scheme::Dark | Scheme::Mono => &DARK,
            Scheme::Light => &LIGHT,
            Scheme::ColourBlind => &COLOUR_BLIND,
        }
    }
}

/// Styles by meaning.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    pub colours: Colours,
    pub scheme: Scheme,
}

impl Theme {
    /// The scheme as far as the terminal has its colours.
    pub fn new(terminal: Colours, scheme: Scheme) -> Self {
        let colours = if scheme == Scheme::Mono { Colours::None } else { terminal };
        Self { colours, scheme }
    }

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

    /// Text and ground of all that names none.
    pub fn base(&self) -> Option<(Color, Color)> {
        let (ink, ground) = self.scheme.inks().base?;
        Some((self.colour(ink)?, self.colour(ground)?))
    }

    pub fn series(&self, index: usize) -> Style {
        self.faded(index, 0.0).map_or(Style::new(), |c| Style::new().fg(c))
    }

    /// Colour of a series, faded by this share into the ground.
    pub fn faded(&self, index: usize, share: f64) -> Option<Color> {
        let mix = |rgb: Rgb, ground: u8, share: f64| {
            let one = |c: u8| (f64::from(c) * (1.0 - share) + f64::from(ground) * share) as u8;
            (one(rgb.0), one(rgb.1), one(rgb.2))
        };
        let rgb = crate::figure::colour::series(index);
        self.colour(match self.scheme {
            // The palette is made for white paper: its yellow needs darkening there, its blue light on dark ground.
            Scheme::Light => mix(mix(rgb, 0, 0.15), 255, share),
            _ => mix(crate::figure::colour::paler(rgb, 0.2), 0, share),
        })
    }

    /// Colour of a line in a scale's colour: the dark end of the scale is hard to see on dark ground.
    pub fn track(&self, rgb: Rgb) -> Option<Color> {
        match self.scheme {
            Scheme::Light => self.colour(rgb),
            _ => self.colour(crate::figure::colour::paler(rgb, 0.3)),
        }
    }

    pub fn title(&self) -> Style {
        self.ink(self.scheme.inks().title).add_modifier(Modifier::BOLD)
    }

    pub fn faint(&self) -> Style {
        let own = self.scheme.inks().faint.and_then(|rgb| self.colour(rgb));
        own.map_or(Style::new().add_modifier(Modifier::DIM), |c| Style::new().fg(c))
    }

    pub fn error(&self) -> Style {
        self.ink(self.scheme.inks().error).add_modifier(Modifier::BOLD)
    }

    pub fn good(&self) -> Style {
        self.ink(self.scheme.inks().good)
    }

    pub fn warning(&self) -> Style {
        self.ink(self.scheme.inks().warning)
    }

    pub fn selected(&self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub fn focused(&self) -> Style {
        self.ink(self.scheme.inks().focused)
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

    #[test]
    fn schemes_are_found_by_their_names_and_follow_each_other() {
        for scheme in Scheme::ALL {
            assert_eq!(Scheme::parse(scheme.name()), Some(scheme));
        }
        assert_eq!(Scheme::parse("solar"), None);
        let all: Vec<Scheme> = std::iter::successors(Some(Scheme::Dark), |s| Some(s.next())).take(5).collect();
        assert_eq!(all[..4], Scheme::ALL);
        assert_eq!(all[4], Scheme::Dark);
    }

    /// Contrast of WCAG 2: 1 to 21.
    fn contrast(a: Rgb, b: Rgb) -> f64 {
        let linear = |c: u8| {
            let c = f64::from(c) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        let light = |(r, g, b): Rgb| 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
        let (a, b) = (light(a) + 0.05, light(b) + 0.05);
        a.max(b) / a.min(b)
    }

    #[test]
    fn text_of_every_scheme_is_legible_on_its_ground() {
        for scheme in [Scheme::Dark, Scheme::Light, Scheme::ColourBlind] {
            let inks = scheme.inks();
            let ground = inks.base.map_or((0, 0, 0), |(_, ground)| ground);
            for ink in [inks.title, inks.focused, inks.good, inks.warning, inks.error] {
                assert!(contrast(ink, ground) >= 4.5, "{scheme:?} {ink:?}: {}", contrast(ink, ground));
            }
        }
    }
}
