//! Parallel coordinates of several runs: an upright axis for each setting in which they differ and one for the best score; a
//! line through them for each run, coloured by its score.

use super::{Chart, ChartError, ChartOptions, Subject, caption, label, runs_of};
use crate::figure::{Axis, Figure, Map, Mark, Panel, Range, Scale, Tick};
use crate::record::{RunDetail, RunSummary};
use crate::view::compare::{self, Setting};

pub struct Parallel;

/// Values of a number's axis that are named, beyond which its ends are.
const NAMED: usize = 6;
/// Largest over smallest from which an axis of positive numbers is logarithmic.
const WIDE: f64 = 20.0;

/// Room behind the last axis, of what lies between two.
const LAST: f64 = 0.65;

/// One upright axis: where each run crosses it, 0 at the foot to 1, and the places with a name.
struct Upright {
    name: String,
    places: Vec<f64>,
    texts: Vec<String>,
    ticks: Vec<Tick>,
}

impl Chart for Parallel {
    fn id(&self) -> &'static str {
        "parallel"
    }

    fn title(&self) -> &'static str {
        "settings that differ and best score"
    }

    fn figure(&self, subject: &Subject, _: &ChartOptions) -> Result<Figure, ChartError> {
        let chart = self.id();
        let all = runs_of(subject, chart)?;
        if all.len() < 2 {
            return Err(ChartError::Subject { chart, expected: "two or more runs" });
        }
        let score = |run: &RunDetail| run.summary.best.filter(|b| b.is_finite());
        let scored: Vec<(&RunDetail, f64)> = all.iter().filter_map(|run| Some((*run, score(run)?))).collect();
        if scored.len() < 2 {
            return Err(ChartError::Empty { chart, hint: "it takes two runs with a score" });
        }
        let (runs, scores): (Vec<&RunDetail>, Vec<f64>) = scored.into_iter().unzip();
        let summaries: Vec<&RunSummary> = runs.iter().map(|r| &r.summary).collect();
        let differing = compare::settings(&summaries).into_iter().filter(Setting::differs);
        let mut axes: Vec<Upright> = differing.map(Upright::of).collect();
        if axes.is_empty() {
            return Err(ChartError::Empty { chart, hint: "the runs differ in no setting" });
        }
        let metric = summaries[0].facts.metric.as_str();
        let same = summaries.iter().all(|r| r.facts.metric == metric) && !metric.is_empty();
        let name = if same { format!("best {metric}") } else { "best score".into() };
        axes.push(Upright::of_scores(name.clone(), &scores, &summaries));

        // Names of places stand on the right of their axis: the last one has room for them too.
        let wide = (axes.len() - 1) as f64 + LAST;
        let across = |i: usize| i as f64 / wide;
        // The best run lies over the others, the names of the axes over all.
        let mut order: Vec<usize> = (0..runs.len()).collect();
        order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
        let track = |run: usize| Mark::Track {
            label: label(runs[run]),
            value: scores[run],
            points: axes.iter().enumerate().map(|(i, axis)| (across(i), axis.places[run])).collect(),
            texts: axes.iter().map(|axis| axis.texts[run].clone()).collect(),
        };
        let mut marks: Vec<Mark> = order.into_iter().map(track).collect();
        let upright = |(i, axis): (usize, &Upright)| Mark::Upright {
            x: across(i),
            name: axis.name.clone(),
            ticks: axis.ticks.clone(),
        };
        marks.extend(axes.iter().enumerate().map(upright));
        let left_out = match all.len() - runs.len() {
            0 => String::new(),
            n => format!("; {n} without a score left out"),
        };
        let panel = Panel { title: String::new(), x: bare(), y: bare(), marks, scale: None };
        Ok(Figure {
            title: self.title().into(),
            row_titles: vec![String::new()],
            columns: 1,
            panels: vec![panel],
            scale: Some(Scale::over(Map::Sequential, &name, scores)),
            caption: format!("{}{left_out}", caption(&runs)),
        })
    }
}

impl Upright {
    /// Numbers by their size, other values in the order in which they come.
    fn of(setting: Setting) -> Self {
        let numbers: Option<Vec<f64>> =
            setting.values.iter().map(|v| v.parse().ok().filter(|n: &f64| n.is_finite())).collect();
        match numbers {
            Some(numbers) => Self::of_numbers(setting.name.into(), &numbers, setting.values),
            None => {
                let mut known: Vec<String> = Vec::new();
                for value in &setting.values {
                    if !known.contains(value) {
                        known.push(value.clone());
                    }
                }
                let place = |i: usize| i as f64 / (known.len() - 1).max(1) as f64;
                let of = |value: &String| known.iter().position(|k| k == value).map_or(0.0, place);
                let places = setting.values.iter().map(of).collect();
                let text = |value: &String| if value.is_empty() { "(none)".into() } else { value.clone() };
                let ticks = known.iter().enumerate().map(|(i, value)| tick(place(i), &text(value), "")).collect();
                Self { name: setting.name.into(), places, texts: setting.values, ticks }
            }
        }
    }

    fn of_numbers(name: String, numbers: &[f64], texts: Vec<String>) -> Self {
        let places = places(numbers);
        let mut named: Vec<(f64, String)> = places.iter().copied().zip(texts.iter().cloned()).collect();
        named.sort_by(|a, b| a.0.total_cmp(&b.0));
        named.dedup_by(|a, b| a.0 == b.0);
        if named.len() > NAMED {
            named.drain(1..named.len() - 1);
        }
        let ticks = named.iter().map(|(at, text)| tick(*at, text, "")).collect();
        Self { name, places, texts, ticks }
    }

    /// Each score stands with its run, the best first: where they are close, the best keep their names.
    fn of_scores(name: String, scores: &[f64], runs: &[&RunSummary]) -> Self {
        let places = places(scores);
        let texts: Vec<String> = scores.iter().map(|s| format!("{s:.4}")).collect();
        let mut ticks: Vec<Tick> = (0..runs.len()).map(|i| tick(places[i], &texts[i], runs[i].id.as_str())).collect();
        ticks.sort_by(|a, b| b.at.total_cmp(&a.at));
        Self { name, places, texts, ticks }
    }
}

/// From 0 to 1, without names: the upright axes have them.
fn bare() -> Axis {
    Axis { label: String::new(), range: Range::Names(Vec::new()) }
}

fn tick(at: f64, name: &str, more: &str) -> Tick {
    Tick { at, name: name.into(), more: more.into() }
}

/// Where numbers lie between the smallest and the largest of them; all in the middle where they are the same.
fn places(numbers: &[f64]) -> Vec<f64> {
    let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log = low > 0.0 && high / low >= WIDE;
    let of = |v: f64| if log { v.ln() } else { v };
    let span = of(high) - of(low);
    numbers.iter().map(|v| if span > 0.0 { (of(*v) - of(low)) / span } else { 0.5 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lie_by_their_size_and_wide_ranges_are_logarithmic() {
        assert_eq!(places(&[1.0, 3.0, 2.0]), [0.0, 1.0, 0.5]);
        let wide = places(&[1e-4, 1e-2, 1e-3]);
        assert!((wide[2] - 0.5).abs() < 1e-12 && wide[1] == 1.0, "{wide:?}");
        assert_eq!(places(&[2.0, 2.0]), [0.5, 0.5]);
        // Zero has no logarithm.
        assert_eq!(places(&[0.0, 50.0, 100.0]), [0.0, 0.5, 1.0]);
    }

    #[test]
    fn other_values_keep_their_order() {
        let values = ["lora", "symlora", "lora", ""].map(String::from).to_vec();
        let axis = Upright::of(Setting { name: "method", values });
        assert_eq!(axis.places, [0.0, 0.5, 0.0, 1.0]);
        let named: Vec<&str> = axis.ticks.iter().map(|t| t.name.as_str()).collect();
        assert_eq!(named, ["lora", "symlora", "(none)"]);
    }

    #[test]
    fn of_many_numbers_the_ends_are_named() {
        let values: Vec<String> = (0..9).map(|n| n.to_string()).collect();
        let axis = Upright::of(Setting { name: "seed", values });
        assert_eq!(axis.ticks, [tick(0.0, "0", ""), tick(1.0, "8", "")]);
    }
}
