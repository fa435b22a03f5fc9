//! How symmetric one run's updates are: norms of both parts, and the share of the symmetric one.

use super::{Chart, ChartError, ChartOptions, Subject, caption, layer_axis, names_axis, places, run_of};
use crate::figure::{Figure, Map, Mark, Panel, Scale};
use crate::record::Analysis;

pub struct SymmetryChart;

impl Chart for SymmetryChart {
    fn id(&self) -> &'static str {
        "symmetry"
    }

    fn title(&self) -> &'static str {
        "symmetry of the updates"
    }

    fn figure(&self, subject: &Subject, _: &ChartOptions) -> Result<Figure, ChartError> {
        let run = run_of(subject, self.id())?;
        let found = run.analyses.iter().find_map(|a| match a {
            Analysis::Symmetry { matrices } => Some(matrices),
            _ => None,
        });
        let hint = "`eigenscope analyse symmetry RUN` takes the norms";
        let found = found.ok_or(ChartError::Empty { chart: self.id(), hint })?;
        let (layers, targets) = places(found.iter().map(|m| (m.layer, m.target.as_str())));
        let panel =
            |title: &str, value: &dyn Fn(&crate::record::Symmetry) -> Option<f64>, scale: Option<Scale>| Panel {
                title: title.into(),
                x: names_axis("matrix", targets.iter().copied()),
                y: layer_axis(&layers),
                marks: vec![Mark::Heatmap {
                    cells: layers
                        .iter()
                        .map(|layer| {
                            let at =
                                |t: &&str| found.iter().find(|m| m.layer == *layer && m.target == *t).and_then(value);
                            targets.iter().map(at).collect()
                        })
                        .collect(),
                }],
                scale,
            };
        let norms = found.iter().flat_map(|m| [m.symmetric, m.antisymmetric]).chain([0.0]);
        let share = Scale { map: Map::Sequential, low: 0.0, high: 1.0, label: "share".into() };
        Ok(Figure {
            title: self.title().into(),
            row_titles: vec![String::new()],
            columns: 3,
            panels: vec![
                panel("‖(ΔW + ΔWᵀ)/2‖", &|m| Some(m.symmetric), None),
                panel("‖(ΔW − ΔWᵀ)/2‖", &|m| Some(m.antisymmetric), None),
                panel("symmetric share of ‖ΔW‖²", &|m| m.share(), Some(share)),
            ],
            scale: Some(Scale::over(Map::Sequential, "Frobenius norm", norms)),
            caption: caption(&[run]),
        })
    }
}
