//! Values to colours, legible to colour-blind people: viridis for magnitudes, ColorBrewer's RdBu (blue below 0, red above)
//! for signed values, Okabe and Ito's palette for series.

use super::{Map, Scale};

/// Red, green, blue.
pub type Rgb = (u8, u8, u8);

/// matplotlib's viridis at 0, 0.1, ... 1.
const VIRIDIS: [Rgb; 11] = [
    (0x44, 0x01, 0x54),
    (0x48, 0x24, 0x75),
    (0x41, 0x44, 0x87),
    (0x35, 0x5f, 0x8d),
    (0x2a, 0x78, 0x8e),
    (0x21, 0x91, 0x8c),
    (0x22, 0xa8, 0x84),
    (0x44, 0xbf, 0x70),
    (0x7a, 0xd1, 0x51),
    (0xbd, 0xdf, 0x26),
    (0xfd, 0xe7, 0x25),
];

/// ColorBrewer's RdBu with 11 classes, reversed.
const DIVERGING: [Rgb; 11] = [
    (0x05, 0x30, 0x61),
    (0x21, 0x66, 0xac),
    (0x43, 0x93, 0xc3),
    (0x92, 0xc5, 0xde),
    (0xd1, 0xe5, 0xf0),
    (0xf7, 0xf7, 0xf7),
    (0xfd, 0xdb, 0xc7),
    (0xf4, 0xa5, 0x82),
    (0xd6, 0x60, 0x4d),
    (0xb2, 0x18, 0x2b),
    (0x67, 0x00, 0x1f),
];

/// Okabe and Ito 2008, the dark colours first.
const SERIES: [Rgb; 7] = [
    (0x00, 0x72, 0xb2),
    (0xd5, 0x5e, 0x00),
    (0x00, 0x9e, 0x73),
    (0xcc, 0x79, 0xa7),
    (0xe6, 0x9f, 0x00),
    (0x56, 0xb4, 0xe9),
    (0xf0, 0xe4, 0x42),
];

impl Scale {
    /// Colour of a value; values outside the scale take the colour of its end. NaN has none.
    pub fn colour(&self, value: f64) -> Option<Rgb> {
        let share = (value - self.low) / (self.high - self.low);
        let stops = match self.map {
            Map::Sequential => &VIRIDIS,
            Map::Diverging => &DIVERGING,
        };
        share.is_finite().then(|| between(stops, share.clamp(0.0, 1.0)))
    }
}

/// Colour of the series with this index.
pub fn series(index: usize) -> Rgb {
    SERIES[index % SERIES.len()]
}

/// Black or white, whichever reads better on `background`.
pub fn ink_on((r, g, b): Rgb) -> Rgb {
    let luminance = 0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b);
    if luminance > 140.0 { (0, 0, 0) } else { (255, 255, 255) }
}

/// A colour mixed with white: 0 is the colour, 1 is white.
pub fn paler((r, g, b): Rgb, share: f64) -> Rgb {
    let mix = |c: u8| (f64::from(c) + (255.0 - f64::from(c)) * share).round() as u8;
    (mix(r), mix(g), mix(b))
}

fn between(stops: &[Rgb], share: f64) -> Rgb {
    let at = share * (stops.len() - 1) as f64;
    let lower = (at as usize).min(stops.len() - 2);
    let part = at - lower as f64;
    let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * part).round() as u8;
    let (a, b) = (stops[lower], stops[lower + 1]);
    (mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_centres_have_their_published_colours() {
        let scale = |map| Scale { map, low: -2.0, high: 2.0, label: String::new() };
        assert_eq!(scale(Map::Sequential).colour(-2.0), Some((0x44, 0x01, 0x54)));
        assert_eq!(scale(Map::Sequential).colour(0.0), Some((0x21, 0x91, 0x8c)));
        assert_eq!(scale(Map::Sequential).colour(9.0), Some((0xfd, 0xe7, 0x25)));
        assert_eq!(scale(Map::Diverging).colour(0.0), Some((0xf7, 0xf7, 0xf7)));
        assert_eq!(scale(Map::Diverging).colour(-2.0), Some((0x05, 0x30, 0x61)));
        assert_eq!(scale(Map::Diverging).colour(2.0), Some((0x67, 0x00, 0x1f)));
        assert_eq!(scale(Map::Diverging).colour(f64::NAN), None);
    }
}
