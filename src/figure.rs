//! Neutral marks that every surface can draw: panels with axes, lines, bars of colour and heatmaps. Knows neither terminal nor picture.

pub mod colour;
pub mod reading;
pub mod ticks;

/// Colours of a [`Scale`]: viridis for magnitudes, a blue-white-red map centred at 0 for signed values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Map {
    Sequential,
    Diverging,
}

/// How values become colours.
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
    /// With markers of this shape, [`SHAPES`] in number: at each point where they are few, else at some. Tells many lines
    /// apart where colours do not suffice.
    Marked(usize),
}

/// Shapes of markers: five filled ones, then the same hollow.
pub const SHAPES: usize = 10;
/// Points of a line up to which each has its marker, and markers of a longer line.
const EACH: usize = 24;
const SOME: usize = 6;

/// A named height of an upright axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    pub at: f64,
    pub name: String,
    /// What stands behind the name where there is room.
    pub more: String,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Mark {
    /// `colour` is an index into the categorical palette. A point with a NaN y is a gap.
    Line { label: String, colour: usize, stroke: Stroke, points: Vec<(f64, f64)> },
    /// A vertical bar from low to high at each x: the extremes of a bin of the line with this label.
    Span { label: String, colour: usize, bars: Vec<(f64, f64, f64)> },
    /// One distinguished point, such as the best score.
    Marker { label: String, colour: usize, at: (f64, f64) },
    /// Places along the horizontal axis where a value is NaN or infinite.
    Gaps { label: String, colour: usize, at: Vec<f64> },
    /// An axis of its own, upright at x, its name at the foot.
    Upright { x: f64, name: String, ticks: Vec<Tick> },
    /// A line across upright axes in the scale's colour of `value`, with the text of each of its points.
    Track { label: String, value: f64, points: Vec<(f64, f64)>, texts: Vec<String> },
    /// Rows from the top; an absent cell is hatched.
    Heatmap { cells: Vec<Vec<Option<f64>>> },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub marks: Vec<Mark>,
    /// The panel's own colour scale; none: the figure's.
    pub scale: Option<Scale>,
}

/// Panels in a grid, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    pub title: String,
    /// Names of the grid's rows; as many as there are rows, empty texts for none.
    pub row_titles: Vec<String>,
    pub columns: usize,
    pub panels: Vec<Panel>,
    /// One colour scale for every panel without its own.
    pub scale: Option<Scale>,
    /// One line under the figure: model, data, selection.
    pub caption: String,
}

impl Panel {
    /// Several runs lie over each other here, told apart by markers.
    pub fn has_many(&self) -> bool {
        self.marks.iter().any(|m| matches!(m, Mark::Line { stroke: Stroke::Marked(_), .. }))
    }

    /// Where the markers of a line of this shape stand; of another shape, elsewhere along a long line.
    pub fn markers(&self, points: &[(f64, f64)], shape: usize) -> Vec<(f64, f64)> {
        let place = |p: &(f64, f64)| self.x.range.share(p.0).filter(|s| (0.0..=1.0).contains(s));
        let shown = points.iter().filter(|p| p.1.is_finite()).filter_map(|p| Some((place(p)?, *p)));
        let shown: Vec<(f64, (f64, f64))> = shown.collect();
        if shown.len() <= EACH {
            return shown.into_iter().map(|(_, p)| p).collect();
        }
        let shift = (shape % SHAPES) as f64 / SHAPES as f64;
        let nearest = |share: f64| {
            shown.iter().min_by(|a, b| (a.0 - share).abs().total_cmp(&(b.0 - share).abs())).map(|(_, p)| *p)
        };
        (0..SOME).filter_map(|i| nearest((i as f64 + 0.25 + 0.7 * shift) / SOME as f64)).collect()
    }
}

impl Figure {
    /// The scale that colours a panel's heatmap.
    pub fn scale_of<'a>(&'a self, panel: &'a Panel) -> Option<&'a Scale> {
        panel.scale.as_ref().or(self.scale.as_ref())
    }

    pub fn rows(&self) -> usize {
        self.panels.len().div_ceil(self.columns.max(1))
    }
}

impl Range {
    /// Name of cell `i`.
    pub fn name(&self, i: usize) -> String {
        match self {
            Range::Names(names) => names.get(i).cloned().unwrap_or_default(),
            Range::Numbers { .. } => i.to_string(),
        }
    }

    /// Ends in the axis's own coordinates: cell i of a named axis spans i to i + 1.
    pub fn ends(&self) -> (f64, f64) {
        match self {
            Range::Names(names) => (0.0, names.len().max(1) as f64),
            Range::Numbers { low, high, .. } => (*low, *high),
        }
    }

    /// Where `value` lies, 0 to 1 between the ends; none for what a log axis cannot show or for NaN.
    pub fn share(&self, value: f64) -> Option<f64> {
        let (low, high) = self.ends();
        let share = match self {
            Range::Numbers { spacing: Spacing::Log, .. } if value <= 0.0 => return None,
            Range::Numbers { spacing: Spacing::Log, .. } => (value.ln() - low.ln()) / (high.ln() - low.ln()),
            _ => (value - low) / (high - low),
        };
        share.is_finite().then_some(share)
    }

    /// The value at a share of the way between the ends: the inverse of [`Range::share`].
    pub fn at(&self, share: f64) -> f64 {
        let (low, high) = self.ends();
        match self {
            Range::Numbers { spacing: Spacing::Log, .. } => (low.ln() + share * (high.ln() - low.ln())).exp(),
            _ => low + share * (high - low),
        }
    }

    /// The smallest linear or log range that holds all finite values, with a margin; positive values only on a log axis.
    pub fn over(values: impl IntoIterator<Item = f64>, spacing: Spacing) -> Self {
        let fits = |v: &f64| v.is_finite() && (spacing == Spacing::Linear || *v > 0.0);
        let ends = values.into_iter().filter(fits);
        let (mut low, mut high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        if low > high {
            (low, high) = if spacing == Spacing::Log { (0.1, 1.0) } else { (0.0, 1.0) };
        }
        match spacing {
            Spacing::Log => {
                let margin = (high / low).powf(0.05).max(1.05);
                (low, high) = (low / margin, high * margin);
            }
            Spacing::Linear => {
                let margin = if high > low { 0.05 * (high - low) } else { 0.05 * high.abs().max(1.0) };
                (low, high) = (low - margin, high + margin);
            }
        }
        Range::Numbers { low, high, spacing }
    }
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
