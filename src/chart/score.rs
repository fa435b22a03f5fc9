//! The task's main metric at each evaluation, the best one marked.

use super::{Chart, ChartError, ChartOptions, Subject, caption, run_of};
use crate::figure::{Axis, Figure, Mark, Panel, Range, Spacing, Stroke};

pub struct Score;

impl Chart for Score {
    fn id(&self) -> &'static str {
        "score"
    }

    fn title(&self) -> &'static str {
        "validation score"
    }

    fn figure(&self, subject: &Subject, _: &ChartOptions) -> Result<Figure, ChartError> {
        let run = run_of(subject, self.id())?;
        let of = |e: &crate::event::Evaluation| e.scores.first().map_or(f64::NAN, |(_, v)| *v);
        let points: Vec<(f64, f64)> = run.evaluations.iter().map(|e| (e.epoch, of(e))).collect();
        if points.is_empty() {
            return Err(ChartError::Empty {
                chart: self.id(),
                hint: "the first evaluation comes at the end of epoch 1",
            });
        }
        let metric = run.summary.facts.metric.clone();
        let mut marks =
            vec![Mark::Line { label: metric.clone(), colour: 2, stroke: Stroke::Points, points: points.clone() }];
        let best =
            points.iter().filter(|p| p.1.is_finite()).max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.total_cmp(&a.0)));
        if let Some(&at) = best {
            marks.push(Mark::Marker { label: format!("best {:.4} at epoch {:.0}", at.1, at.0), colour: 1, at });
        }
        let high = (run.summary.facts.epochs as f64).max(points.iter().fold(1.0, |m, p| p.0.max(m)));
        let x = Axis {
            label: "epoch".into(),
            range: Range::Numbers { low: 0.0, high: high * 1.02, spacing: Spacing::Linear },
        };
        let y = Axis { label: metric, range: Range::over(points.iter().map(|p| p.1), Spacing::Linear) };
        Ok(Figure {
            title: "validation score".into(),
            row_titles: vec![String::new()],
            columns: 1,
            panels: vec![Panel { title: String::new(), x, y, marks, scale: None }],
            scale: None,
            caption: caption(run),
        })
    }
}
