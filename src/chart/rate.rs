//! Learning rate, gradient norm and throughput over the steps: three panels.

use super::{Chart, ChartError, ChartOptions, Subject, caption, run_of, to_horizontal};
use crate::figure::{Axis, Figure, Mark, Panel, Range, Spacing, Stroke};
use crate::record::{Bin, Series};

pub struct Rate;

const PANELS: [(Series, &str, &str); 3] = [
    (Series::Lr, "learning rate", "learning rate"),
    (Series::GradNorm, "gradient norm", "gradient norm (L2, before clipping)"),
    (Series::SamplesPerSecond, "throughput", "rows per second"),
];

impl Chart for Rate {
    fn id(&self) -> &'static str {
        "rate"
    }

    fn title(&self) -> &'static str {
        "learning rate, gradient norm, throughput"
    }

    fn figure(&self, subject: &Subject, options: &ChartOptions) -> Result<Figure, ChartError> {
        let run = run_of(subject, self.id())?;
        let x = to_horizontal(run, options.horizontal);
        let mut panels = Vec::new();
        for (index, (series, title, label)) in PANELS.into_iter().enumerate() {
            let bins = run.series.iter().find(|(s, _)| *s == series).map_or(&[][..], |(_, b)| b);
            let (Some(first), Some(last)) = (bins.first(), bins.last()) else {
                return Err(ChartError::Empty { chart: self.id(), hint: "the run has no steps" });
            };
            let at = |b: &Bin| x((b.from + b.to) / 2);
            let points = bins.iter().map(|b| (at(b), b.mean)).collect();
            let bars = bins.iter().filter(|b| b.max > b.min).map(|b| (at(b), b.min, b.max)).collect();
            let (low, high) = (x(first.from.saturating_sub(1)), x(last.to));
            panels.push(Panel {
                title: title.into(),
                x: Axis {
                    label: options.horizontal.label().into(),
                    range: Range::Numbers { low, high: high.max(low + 1e-9), spacing: Spacing::Linear },
                },
                y: Axis {
                    label: label.into(),
                    range: Range::over(bins.iter().flat_map(|b| [b.min, b.max]), Spacing::Linear),
                },
                marks: vec![
                    Mark::Span { colour: index, bars },
                    Mark::Line { label: String::new(), colour: index, stroke: Stroke::Solid, points },
                ],
                scale: None,
            });
        }
        Ok(Figure {
            title: self.title().into(),
            row_titles: vec![String::new()],
            columns: 3,
            panels,
            scale: None,
            caption: caption(run),
        })
    }
}
