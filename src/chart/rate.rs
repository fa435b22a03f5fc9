//! Learning rate, gradient norm and throughput: three panels, of one run or of several overlaid.

use super::curve::Curve;
use super::loss::gaps;
use super::{Chart, ChartError, ChartOptions, Subject, caption, label, ruler, runs_of};
use crate::figure::{Axis, Figure, Mark, Panel, Range, SHAPES, Spacing, Stroke};
use crate::record::Series;

pub struct Rate;

/// Series, title of the panel and label of its axis.
const PANELS: [(Series, &str, &str); 3] = [
    (Series::Lr, "learning rate", "learning rate"),
    (Series::GradNorm, "gradient norm", "gradient norm (L2, before clipping)"),
    (Series::SamplesPerSecond, "throughput, rows/s", "rows per second"),
];

impl Chart for Rate {
    fn id(&self) -> &'static str {
        "rate"
    }

    fn title(&self) -> &'static str {
        "learning rate, gradient norm, throughput"
    }

    fn figure(&self, subject: &Subject, options: &ChartOptions) -> Result<Figure, ChartError> {
        let runs = runs_of(subject, self.id())?;
        let x = ruler::axis(options, ruler::whole(&runs, options));
        let spacing = if options.log_y { Spacing::Log } else { Spacing::Linear };
        let mut panels = Vec::new();
        for (index, (series, title, unit)) in PANELS.into_iter().enumerate() {
            let (mut marks, mut heights) = (Vec::new(), Vec::new());
            for (i, run) in runs.iter().enumerate() {
                let Some(curve) = Curve::of(run, series, options) else { continue };
                let alone = runs.len() == 1;
                let colour = if alone { index } else { i };
                let (name, stroke) =
                    if alone { (String::new(), Stroke::Solid) } else { (label(run), Stroke::Marked(i % SHAPES)) };
                heights.extend(curve.heights);
                marks.push(Mark::Span { label: name.clone(), colour, bars: curve.bars });
                marks.push(Mark::Line { label: name, colour, stroke, points: curve.raw });
                marks.extend(gaps(if alone { 1 } else { i }, &curve.gaps));
            }
            let name = title.split(',').next().unwrap_or(title);
            let title = if marks.is_empty() { format!("no {name} recorded") } else { title.into() };
            let y = Axis { label: unit.into(), range: Range::over(heights, spacing) };
            panels.push(Panel { title, x: x.clone(), y, marks, scale: None });
        }
        if panels.iter().all(|panel| panel.marks.is_empty()) {
            return Err(ChartError::Empty { chart: self.id(), hint: "none of them is recorded" });
        }
        Ok(Figure {
            title: self.title().into(),
            row_titles: vec![String::new()],
            columns: 3,
            panels,
            scale: None,
            caption: caption(&runs),
        })
    }
}
