//! Training loss, raw under smoothed: of one run with its validation loss, of several overlaid.

use super::curve::{Curve, within};
use super::{Chart, ChartError, ChartOptions, Ruler, Subject, caption, label, ruler, runs_of};
use crate::figure::{Axis, Figure, Mark, Panel, Range, SHAPES, Spacing, Stroke};
use crate::record::{RunDetail, Series};

pub struct Loss;

impl Chart for Loss {
    fn id(&self) -> &'static str {
        "loss"
    }

    fn title(&self) -> &'static str {
        "loss"
    }

    fn figure(&self, subject: &Subject, options: &ChartOptions) -> Result<Figure, ChartError> {
        let runs = runs_of(subject, self.id())?;
        let curves: Vec<(&RunDetail, Curve)> =
            runs.iter().filter_map(|run| Some((*run, Curve::of(run, Series::Loss, options)?))).collect();
        let (marks, heights) = match &curves[..] {
            [] => return Err(ChartError::Empty { chart: self.id(), hint: "no step is recorded" }),
            [(run, curve)] if runs.len() == 1 => alone(run, curve, options),
            _ => overlaid(&runs, &curves),
        };
        let spacing = if options.log_y { Spacing::Log } else { Spacing::Linear };
        let y = Axis { label: "loss".into(), range: Range::over(heights, spacing) };
        let x = ruler::axis(options, ruler::whole(&runs, options));
        Ok(Figure {
            title: "loss".into(),
            row_titles: vec![String::new()],
            columns: 1,
            panels: vec![Panel { title: String::new(), x, y, marks, scale: None }],
            scale: None,
            caption: caption(&runs),
        })
    }
}

fn line(label: &str, colour: usize, stroke: Stroke, points: &[(f64, f64)]) -> Mark {
    Mark::Line { label: label.into(), colour, stroke, points: points.to_vec() }
}

/// Marks and the heights that must fit.
fn alone(run: &RunDetail, curve: &Curve, options: &ChartOptions) -> (Vec<Mark>, Vec<f64>) {
    let ruler = Ruler::new(run, options.horizontal);
    let evaluated: Vec<(f64, f64)> = run.evaluations.iter().map(|e| (ruler.at(e.step as f64), e.loss)).collect();
    let validation = &evaluated[within(evaluated.iter().map(|p| p.0), options.window)];
    let mut marks = vec![
        Mark::Span { label: "raw".into(), colour: 0, bars: curve.bars.clone() },
        line("raw", 0, Stroke::Raw, &curve.raw),
    ];
    // The smoothed line comes last: in a terminal the last one to touch a cell gives it its colour.
    if !validation.is_empty() {
        marks.push(line("validation", 1, Stroke::Points, validation));
    }
    marks.push(line("train (smoothed)", 0, Stroke::Solid, &curve.smooth));
    marks.extend(gaps(1, &curve.gaps));
    let heights = curve.heights.iter().copied().chain(validation.iter().map(|p| p.1)).collect();
    (marks, heights)
}

/// Every run's raw line under all smoothed ones.
fn overlaid(runs: &[&RunDetail], curves: &[(&RunDetail, Curve)]) -> (Vec<Mark>, Vec<f64>) {
    // A run keeps its colour and shape where another has no step yet.
    let index = |run: &RunDetail| runs.iter().position(|r| r.summary.id == run.summary.id).unwrap_or(0);
    let mut marks = Vec::new();
    for (run, curve) in curves {
        let name = format!("{} raw", run.summary.id);
        marks.push(Mark::Span { label: name.clone(), colour: index(run), bars: curve.bars.clone() });
        marks.push(line(&name, index(run), Stroke::Raw, &curve.raw));
    }
    for (run, curve) in curves {
        let i = index(run);
        marks.push(line(&label(run), i, Stroke::Marked(i % SHAPES), &curve.smooth));
        marks.extend(gaps(i, &curve.gaps));
    }
    (marks, curves.iter().flat_map(|(_, c)| c.heights.iter().copied()).collect())
}

pub(super) fn gaps(colour: usize, at: &[f64]) -> Option<Mark> {
    (!at.is_empty()).then(|| Mark::Gaps { label: "not finite".into(), colour, at: at.to_vec() })
}
