//! Lambda, what training leaves of the pre-trained weights: tasks across, layers down, a panel for each method that has it.

use super::figure1::{Chosen, caption, cells, layer_count, tasks, usual_layers};
use super::{Chart, ChartError, ChartOptions, Subject, names_axis};
use crate::adapter;
use crate::figure::{Figure, Map, Mark, Panel, Scale};
use crate::record::RunNorms;

pub struct Lambda;

impl Chart for Lambda {
    fn id(&self) -> &'static str {
        "lambda"
    }

    fn title(&self) -> &'static str {
        "lambda"
    }

    fn figure(&self, subject: &Subject, options: &ChartOptions) -> Result<Figure, ChartError> {
        let Subject::Norms(all) = subject else {
            return Err(ChartError::Subject { chart: self.id(), expected: "the layer norms of many runs" });
        };
        let scales = |m: &&&'static dyn adapter::Method| m.form().is_some_and(|form| form.c.is_some());
        let adapts = |r: &&RunNorms| options.target.as_ref().is_none_or(|t| r.norms.iter().any(|n| n.target == *t));
        let known: Vec<&RunNorms> = all.iter().map(|r| &**r).filter(|r| !r.norms.is_empty()).collect();
        let of = |method: &str| known.iter().any(|r| r.method == method && adapts(r));
        let methods: Vec<(&str, &str)> =
            adapter::ALL.iter().filter(scales).map(|m| (m.id(), m.label())).filter(|(id, _)| of(id)).collect();
        let ids: Vec<&str> = methods.iter().map(|(id, _)| *id).collect();
        let runs: Vec<&RunNorms> =
            known.into_iter().filter(|r| ids.contains(&r.method.as_str()) && adapts(r)).collect();
        let Some(layers) = usual_layers(&runs) else {
            return Err(ChartError::Empty {
                chart: self.id(),
                hint: "it needs runs of a method with lambda, as SymLoRA",
            });
        };
        let deep: Vec<&RunNorms> = runs.iter().filter(|r| layer_count(r) == layers).copied().collect();
        let chosen = Chosen::of(&deep, options.pick);
        let tasks = tasks(&deep);
        let symbol = if options.unsigned { "|λ|" } else { "λ" };
        let value = |n: &crate::event::LayerNorm| if options.unsigned { n.lambda.abs() } else { n.lambda };
        let panel = |(id, label): &(&str, &str)| Panel {
            title: format!("{label}: {symbol}"),
            x: names_axis("task", tasks.iter().map(|(_, label)| *label)),
            y: names_axis("layer", (1..=layers).map(|l| l.to_string())),
            marks: vec![Mark::Heatmap { cells: cells(&chosen, &tasks, id, layers, options, &value) }],
            scale: None,
        };
        let panels: Vec<Panel> = methods.iter().map(panel).collect();
        let values = panels.iter().flat_map(|p| &p.marks).flat_map(|m| match m {
            Mark::Heatmap { cells } => cells.iter().flatten().flatten().copied().collect(),
            _ => Vec::new(),
        });
        let scale = Scale::over(Map::Sequential, &format!("{symbol}, a factor of W₀"), values);
        let columns = methods.len().min(2);
        let rows = panels.len().div_ceil(columns.max(1));
        Ok(Figure {
            title: format!("{symbol} per layer and task"),
            row_titles: vec![String::new(); rows],
            columns,
            panels,
            scale: Some(scale),
            caption: caption(options, symbol, &chosen.shown(&tasks, &ids), runs.len() - deep.len()),
        })
    }
}
