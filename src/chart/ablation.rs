//! What became of one run's score while original matrices were deleted, or directions of its updates cut off.

use super::{Chart, ChartError, ChartOptions, Subject, caption, run_of};
use crate::figure::{Axis, Figure, Mark, Panel, Range, SHAPES, Spacing, Stroke};
use crate::record::{Ablated, Analysis, Curves};

/// Original matrices set to 0.
pub struct Deletion;
/// Directions kept.
pub struct Rank;

impl Chart for Deletion {
    fn id(&self) -> &'static str {
        "deletion"
    }

    fn title(&self) -> &'static str {
        "deleted original matrices"
    }

    fn figure(&self, subject: &Subject, _: &ChartOptions) -> Result<Figure, ChartError> {
        let curves = |analysis: &Analysis| match analysis {
            Analysis::Deletion(curves) => Some(curves.clone()),
            _ => None,
        };
        let x = "matrices W₀ set to 0";
        draw(subject, self, x, "`eigenscope analyse deletion RUN` takes the scores", curves)
    }
}

impl Chart for Rank {
    fn id(&self) -> &'static str {
        "rank"
    }

    fn title(&self) -> &'static str {
        "rank that the score takes"
    }

    fn figure(&self, subject: &Subject, _: &ChartOptions) -> Result<Figure, ChartError> {
        let curves = |analysis: &Analysis| match analysis {
            Analysis::Rank(curves) => Some(curves.clone()),
            _ => None,
        };
        let x = "directions kept";
        draw(subject, self, x, "`eigenscope analyse rank RUN` takes the scores", curves)
    }
}

fn draw(
    subject: &Subject,
    chart: &dyn Chart,
    x: &str,
    hint: &'static str,
    find: impl Fn(&Analysis) -> Option<Curves>,
) -> Result<Figure, ChartError> {
    let run = run_of(subject, chart.id())?;
    let empty = ChartError::Empty { chart: chart.id(), hint };
    let curves = run.analyses.iter().find_map(find).ok_or(empty)?;
    let score = |p: &Ablated| p.score.unwrap_or(f64::NAN);
    let line = |(i, curve): (usize, &crate::record::Curve)| Mark::Line {
        label: curve.order.clone(),
        colour: i,
        stroke: Stroke::Marked(i % SHAPES),
        points: curve.points.iter().map(|p| (p.count as f64, score(p))).collect(),
    };
    let points = || curves.curves.iter().flat_map(|c| &c.points);
    let most = points().map(|p| p.count).max().unwrap_or(0);
    let bytes = points().map(|p| p.saved_bytes).max().unwrap_or(0);
    let x = Axis {
        label: x.into(),
        // Room for the markers at both ends.
        range: Range::Numbers { low: -0.02 * most as f64, high: 1.02 * most.max(1) as f64, spacing: Spacing::Linear },
    };
    let y = Axis { label: curves.metric.clone(), range: Range::over(points().map(score), Spacing::Linear) };
    let marks = curves.curves.iter().enumerate().map(line).collect();
    Ok(Figure {
        title: chart.title().into(),
        row_titles: vec![String::new()],
        columns: 1,
        panels: vec![Panel { title: String::new(), x, y, marks, scale: None }],
        scale: None,
        caption: format!(
            "{}; {} on {} validation rows, not trained again; {:.2} MB of f32 in all can be left out",
            caption(&[run]),
            curves.metric,
            curves.rows,
            bytes as f64 / 1e6
        ),
    })
}
