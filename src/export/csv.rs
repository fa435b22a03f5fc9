//! A figure's data as CSV: a row for each value, `panel,series,x,y,value`; names stand where axes have names.

use super::{ExportError, Exporter, Size, series};
use crate::figure::{Figure, Mark, Panel, Range};

pub struct Csv;

impl Exporter for Csv {
    fn ending(&self) -> &'static str {
        "csv"
    }

    fn bytes(&self, figure: &Figure, _: &Size) -> Result<Vec<u8>, ExportError> {
        let mut rows = vec![["panel", "series", "x", "y", "value"].map(String::from)];
        figure.panels.iter().for_each(|p| panel(p, &mut rows));
        let mut writer = ::csv::Writer::from_writer(Vec::new());
        for row in rows {
            writer.write_record(row).map_err(|e| ExportError::Draw(e.to_string()))?;
        }
        writer.into_inner().map_err(|e| ExportError::Draw(e.to_string()))
    }
}

fn panel(panel: &Panel, rows: &mut Vec<[String; 5]>) {
    let mut row = |series: &str, x: String, y: String, value: f64| {
        rows.push([panel.title.clone(), series.into(), x, y, value.to_string()]);
    };
    let name = |range: &Range, i: usize| match range {
        Range::Names(names) => names.get(i).cloned().unwrap_or_default(),
        Range::Numbers { .. } => i.to_string(),
    };
    for mark in &panel.marks {
        match mark {
            Mark::Line { label, points, .. } => {
                points.iter().for_each(|(x, y)| row(series(label), x.to_string(), panel.y.label.clone(), *y));
            }
            Mark::Span { label, bars, .. } => bars.iter().for_each(|(x, low, high)| {
                // Of one run's raw series as ever, of others with the line that they belong to.
                let of =
                    |extreme: &str| if series(label) == "raw" { extreme.into() } else { format!("{label} {extreme}") };
                row(&of("minimum"), x.to_string(), panel.y.label.clone(), *low);
                row(&of("maximum"), x.to_string(), panel.y.label.clone(), *high);
            }),
            Mark::Gaps { label, at, .. } => {
                at.iter().for_each(|x| row(label, x.to_string(), panel.y.label.clone(), f64::NAN));
            }
            Mark::Marker { label, at, .. } => row(label, at.0.to_string(), panel.y.label.clone(), at.1),
            Mark::Track { label, points, texts, .. } => {
                let crossed = panel.marks.iter().filter_map(|m| match m {
                    Mark::Upright { name, .. } => Some(name),
                    _ => None,
                });
                crossed.zip(points).zip(texts).for_each(|((axis, (_, place)), text)| {
                    row(label, axis.clone(), text.clone(), *place);
                });
            }
            Mark::Upright { .. } => {}
            Mark::Heatmap { cells } => {
                for (i, line) in cells.iter().enumerate() {
                    for (j, value) in line.iter().enumerate() {
                        if let Some(value) = value {
                            row("", name(&panel.x.range, j), name(&panel.y.range, i), *value);
                        }
                    }
                }
            }
        }
    }
}
