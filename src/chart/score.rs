//! The task's main metric at each evaluation: of one run with the best one marked, of several overlaid.

use super::curve::within;
use super::{Chart, ChartError, ChartOptions, Horizontal, Ruler, Subject, caption, label, ruler, runs_of};
use crate::figure::{Axis, Figure, Mark, Panel, Range, SHAPES, Spacing, Stroke};
use crate::record::RunDetail;

pub struct Score;

impl Chart for Score {
    fn id(&self) -> &'static str {
        "score"
    }

    fn title(&self) -> &'static str {
        "validation score"
    }

    fn figure(&self, subject: &Subject, options: &ChartOptions) -> Result<Figure, ChartError> {
        let runs = runs_of(subject, self.id())?;
        if runs.iter().all(|r| r.evaluations.is_empty()) {
            return Err(ChartError::Empty {
                chart: self.id(),
                hint: "the first evaluation comes at the end of epoch 1",
            });
        }
        let mut metrics: Vec<&str> = runs.iter().map(|r| r.summary.facts.metric.as_str()).collect();
        metrics.dedup();
        let metric = if let [one] = metrics[..] { one.to_string() } else { "score".into() };
        let (mut marks, mut heights) = (Vec::new(), Vec::new());
        for (i, run) in runs.iter().enumerate() {
            let all = points(run, options);
            let shown = all[within(all.iter().map(|p| p.0), options.window)].to_vec();
            heights.extend(shown.iter().map(|p| p.1));
            if runs.len() == 1 {
                marks.push(Mark::Line { label: metric.clone(), colour: 2, stroke: Stroke::Points, points: shown });
                marks.extend(best(run, &all));
            } else {
                let stroke = Stroke::Marked(i % SHAPES);
                marks.push(Mark::Line { label: label(run), colour: i, stroke, points: shown });
            }
        }
        let y = Axis { label: metric, range: Range::over(heights, Spacing::Linear) };
        let x = ruler::axis(options, whole(&runs, options));
        Ok(Figure {
            title: "validation score".into(),
            row_titles: vec![String::new()],
            columns: 1,
            panels: vec![Panel { title: String::new(), x, y, marks, scale: None }],
            scale: None,
            caption: caption(&runs),
        })
    }
}

fn points(run: &RunDetail, options: &ChartOptions) -> Vec<(f64, f64)> {
    let ruler = Ruler::new(run, options.horizontal);
    let of = |e: &crate::event::Evaluation| e.scores.first().map_or(f64::NAN, |(_, v)| *v);
    run.evaluations.iter().map(|e| (ruler.at(e.step as f64), of(e))).collect()
}

/// The first of the highest points.
fn best(run: &RunDetail, points: &[(f64, f64)]) -> Option<Mark> {
    let finite = points.iter().enumerate().filter(|(_, p)| p.1.is_finite());
    let (i, at) = finite.max_by(|(i, a), (j, b)| a.1.total_cmp(&b.1).then(j.cmp(i)))?;
    let label = format!("best {:.4} at epoch {:.0}", at.1, run.evaluations[i].epoch);
    Some(Mark::Marker { label, colour: 1, at: *at })
}

/// From the start to the planned end, as far as it can be told.
fn whole(runs: &[&RunDetail], options: &ChartOptions) -> (f64, f64) {
    let (low, high) = ruler::whole(runs, options);
    let planned = runs.iter().map(|run| match options.horizontal {
        Horizontal::Time => 0.0,
        horizontal => Ruler::new(run, horizontal).at(run.summary.facts.total_steps as f64),
    });
    // Room for the marker of the last evaluation.
    (low, planned.fold(high, f64::max) * 1.02)
}
