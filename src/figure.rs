//! Neutral marks that every surface can draw: panels with axes, lines, bars of colour and heatmaps. Knows neither terminal nor picture.

/// Colours of a [`Scale`]: viridis for magnitudes, a blue-white-red map centred at 0 for signed values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Map {
    Sequential,
    Diverging,
}

/// One colour scale shared by every heatmap of a figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    pub map: Map,
    pub low: f64,
    pub high: f64,
    pub label: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Spacing {
    #[default]
    Linear,
    Log,
}

/// Where a panel's coordinates lie.
#[derive(Clone, Debug, PartialEq)]
pub enum Range {
    /// One column or row of cells for each name.
    Names(Vec<String>),
    Numbers {
        low: f64,
        high: f64,
        spacing: Spacing,
    },
}

/// An axis; the label holds the unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    pub label: String,
    pub range: Range,
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stroke {
    /// Thin and pale, under its smoothed twin.
    Raw,
    Solid,
    /// With a marker at each point.
    Points,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Mark {
    /// `colour` is an index into the categorical palette. A point with a NaN y is a gap.
    Line { label: String, colour: usize, stroke: Stroke, points: Vec<(f64, f64)> },
    /// A vertical bar from low to high at each x: the extremes of a bin.
    Span { colour: usize, bars: Vec<(f64, f64, f64)> },
    /// One distinguished point, such as the best score.
    Marker { label: String, colour: usize, at: (f64, f64) },
    /// Rows from the top; an absent cell is hatched.
    Heatmap { cells: Vec<Vec<Option<f64>>> },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub marks: Vec<Mark>,
}

/// Panels in a grid, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    pub title: String,
    /// Names of the grid's rows; as many as there are rows, empty texts for none.
    pub row_titles: Vec<String>,
    pub columns: usize,
    pub panels: Vec<Panel>,
    pub scale: Option<Scale>,
    /// One line under the figure: model, data, selection.
    pub caption: String,
}

impl Scale {
    /// The smallest scale of `map` that holds all finite values; symmetric about 0 when diverging, never of zero width.
    pub fn over(map: Map, label: &str, values: impl IntoIterator<Item = f64>) -> Self {
        let finite = values.into_iter().filter(|v| v.is_finite());
        let (mut low, mut high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        if map == Map::Diverging {
            high = low.abs().max(high.abs());
            low = -high;
        }
        if high - low < f64::EPSILON * high.abs().max(1.0) {
            high = low + 1.0;
            if map == Map::Diverging {
                (low, high) = (-1.0, 1.0);
            }
        }
        Self { map, low, high, label: label.into() }
    }
}
