//! One run's spectra: how large the values of each adapted matrix are, sorted, how many directions its update really has, and
//! how many are dead.

use super::{Chart, ChartError, ChartOptions, Subject, caption, layer_axis, matrices, names_axis, run_of};
use crate::adapter;
use crate::event::LayerNorm;
use crate::figure::{Axis, Figure, Map, Mark, Panel, Scale};

pub struct Spectrum;

/// A value below this share of the largest of its matrix is dead.
pub const DEAD: f64 = 0.01;

impl Chart for Spectrum {
    fn id(&self) -> &'static str {
        "spectrum"
    }

    fn title(&self) -> &'static str {
        "spectra of the layers"
    }

    fn figure(&self, subject: &Subject, _: &ChartOptions) -> Result<Figure, ChartError> {
        let run = run_of(subject, self.id())?;
        let empty = |hint| ChartError::Empty { chart: self.id(), hint };
        if run.norms.is_empty() {
            return Err(empty("spectra are recorded at the start and every norms_every steps"));
        }
        let most = run.norms.iter().map(|n| n.spectrum.len()).max().unwrap_or(0);
        if most == 0 {
            return Err(empty("the run trains whole matrices, which have no low-rank spectrum"));
        }
        let (layers, targets) = matrices(&run.norms);
        let of = |layer: u32, target: &str| run.norms.iter().find(|n| n.layer == layer && n.target == target);
        let form = adapter::find(&run.summary.spec.method).ok().and_then(|method| method.form());
        let what = form.map_or("singular values", |form| form.spectrum());
        let y = layer_axis(&layers);
        let panel = |title: String, x: Axis, cells: Vec<Vec<Option<f64>>>, scale: Option<Scale>| Panel {
            title,
            x,
            y: y.clone(),
            marks: vec![Mark::Heatmap { cells }],
            scale,
        };
        let by_size = |target: &str| {
            let row = |layer: &u32| {
                let sizes = of(*layer, target).map_or(Vec::new(), sizes);
                (0..most).map(|i| sizes.get(i).copied().filter(|v| v.is_finite())).collect()
            };
            let x = names_axis("place by size", (1..=most).map(|i| i.to_string()));
            panel(format!("{target}: {what}, sorted"), x, layers.iter().map(row).collect(), None)
        };
        let by_target = |title: &str, value: fn(&LayerNorm) -> Option<f64>, high: f64| {
            let row = |layer: &u32| targets.iter().map(|t| of(*layer, t).and_then(value)).collect();
            let x = names_axis("matrix", targets.iter().copied());
            let scale = Scale { map: Map::Sequential, low: 0.0, high, label: title.into() };
            panel(title.into(), x, layers.iter().map(row).collect(), Some(scale))
        };
        let all = run.norms.iter().flat_map(|n| &n.spectrum).map(|v| v.abs()).chain([0.0]);
        let scale = Scale::over(Map::Sequential, what, all);
        let mut panels: Vec<Panel> = targets.iter().map(|t| by_size(t)).collect();
        panels.push(by_target("effective rank, exp(entropy)", |n| effective_rank(&n.spectrum), most as f64));
        let few = format!("dead: below {:.0}% of the largest", 100.0 * DEAD);
        panels.push(by_target(&few, |n| dead(&n.spectrum).map(|d| d as f64), most as f64));
        let columns = targets.len().max(2);
        Ok(Figure {
            title: format!("spectra at step {}", run.norms_step),
            row_titles: vec![String::new(); panels.len().div_ceil(columns)],
            columns,
            panels,
            scale: Some(scale),
            caption: format!("{}; spectra without α/r; entropy of v²/Σv²", caption(&[run])),
        })
    }
}

/// Absolute values, the largest first.
fn sizes(norm: &LayerNorm) -> Vec<f64> {
    let mut sizes: Vec<f64> = norm.spectrum.iter().map(|v| v.abs()).collect();
    sizes.sort_by(|a, b| b.total_cmp(a));
    sizes
}

/// exp(-sum p ln p) of p = v^2 / sum v^2: r where all r values are of one size, 1 where one is alone; none of a spectrum of
/// zeros or one that is not finite.
pub fn effective_rank(spectrum: &[f64]) -> Option<f64> {
    // Shares of the largest first: squares of small values must not vanish.
    let largest = largest(spectrum)?;
    let squares: Vec<f64> = spectrum.iter().map(|v| (v / largest).powi(2)).collect();
    let sum: f64 = squares.iter().sum();
    let entropy: f64 = squares.iter().map(|s| s / sum).filter(|p| *p > 0.0).map(|p| -p * p.ln()).sum();
    Some(entropy.exp())
}

/// How many values are below [`DEAD`] of the largest; none where there is no largest.
pub fn dead(spectrum: &[f64]) -> Option<usize> {
    let largest = largest(spectrum)?;
    Some(spectrum.iter().filter(|v| v.abs() < DEAD * largest).count())
}

fn largest(spectrum: &[f64]) -> Option<f64> {
    let largest = spectrum.iter().map(|v| v.abs()).fold(0.0, f64::max);
    (largest > 0.0 && spectrum.iter().all(|v| v.is_finite())).then_some(largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effective_rank_counts_directions() {
        let rank = |spectrum: &[f64]| effective_rank(spectrum).expect("a rank");
        assert!((rank(&[2.0; 8]) - 8.0).abs() < 1e-12);
        assert!((rank(&[-3.0, 0.0, 0.0]) - 1.0).abs() < 1e-12);
        // Shares 0.9 and 0.1: exp(-0.9 ln 0.9 - 0.1 ln 0.1).
        assert!((rank(&[3.0, -1.0]) - 1.384_145_488).abs() < 1e-6);
        assert!((rank(&[1e-200, 1e-200]) - 2.0).abs() < 1e-12, "a square must not vanish");
        assert_eq!(effective_rank(&[0.0, 0.0]), None);
        assert_eq!(effective_rank(&[f64::NAN, 1.0]), None);
    }

    #[test]
    fn dead_is_below_a_hundredth_of_the_largest() {
        assert_eq!(dead(&[-10.0, 0.2, 0.09, 0.0]), Some(2));
        assert_eq!(dead(&[]), None);
    }
}
