//! One run's layers: heatmaps of lambda, lambda ||W0||, ||DeltaW|| and their difference over layer and target.

use super::{Chart, ChartError, ChartOptions, Subject, caption, layer_axis, matrices, names_axis, run_of};
use crate::event::LayerNorm;
use crate::figure::{Figure, Map, Mark, Panel, Scale};

pub struct Layers;

/// Title of a panel and its value of one matrix.
pub type Quantity = (&'static str, fn(&LayerNorm) -> f64);

/// The panels, left to right.
pub const QUANTITIES: [Quantity; 4] = [
    ("λ", |n| n.lambda),
    ("λ‖W₀‖", LayerNorm::original),
    ("‖ΔW‖", |n| n.delta_fro),
    ("λ‖W₀‖ − ‖ΔW‖", LayerNorm::difference),
];

impl Chart for Layers {
    fn id(&self) -> &'static str {
        "layers"
    }

    fn title(&self) -> &'static str {
        "layers"
    }

    fn figure(&self, subject: &Subject, _: &ChartOptions) -> Result<Figure, ChartError> {
        let run = run_of(subject, self.id())?;
        if run.norms.is_empty() {
            return Err(ChartError::Empty {
                chart: self.id(),
                hint: "norms are recorded at the start and every norms_every steps",
            });
        }
        let (layers, targets) = matrices(&run.norms);
        let panel = |(title, value): Quantity| {
            let cell = |layer: u32, target: &str| {
                run.norms.iter().find(|n| n.layer == layer && n.target == target).map(value).filter(|v| v.is_finite())
            };
            let cells: Vec<Vec<Option<f64>>> =
                layers.iter().map(|&l| targets.iter().map(|t| cell(l, t)).collect()).collect();
            Panel {
                title: title.into(),
                x: names_axis("matrix", targets.iter().copied()),
                y: layer_axis(&layers),
                scale: Some(scale(title, cells.iter().flatten().flatten().copied())),
                marks: vec![Mark::Heatmap { cells }],
            }
        };
        Ok(Figure {
            title: format!("layers at step {}", run.norms_step),
            row_titles: vec![String::new()],
            columns: QUANTITIES.len(),
            panels: QUANTITIES.into_iter().map(panel).collect(),
            scale: None,
            caption: caption(&[run]),
        })
    }
}

/// Differences diverge around 0 and lambda around its start, 1; norms are sequential.
fn scale(title: &str, values: impl Iterator<Item = f64>) -> Scale {
    match title {
        "λ" => {
            let moved = Scale::over(Map::Diverging, title, values.map(|v| v - 1.0));
            Scale { low: 1.0 + moved.low, high: 1.0 + moved.high, ..moved }
        }
        "‖ΔW‖" => Scale::over(Map::Sequential, title, values.chain([0.0])),
        _ => Scale::over(Map::Diverging, title, values),
    }
}
