//! A figure's data as JSON: panels with their axes and marks.

use super::{ExportError, Exporter, Size, series};
use crate::figure::{Figure, Mark, Panel, Range};
use serde_json::{Value, json};

pub struct Json;

impl Exporter for Json {
    fn ending(&self) -> &'static str {
        "json"
    }

    fn bytes(&self, figure: &Figure, _: &Size) -> Result<Vec<u8>, ExportError> {
        let panels: Vec<Value> = figure.panels.iter().map(panel).collect();
        let value = json!({ "title": figure.title, "caption": figure.caption, "panels": panels });
        serde_json::to_vec_pretty(&value).map_err(|e| ExportError::Draw(e.to_string()))
    }
}

fn panel(panel: &Panel) -> Value {
    let names = |r: &Range| if let Range::Names(n) = r { json!(n) } else { Value::Null };
    json!({
        "title": panel.title,
        "x": { "label": panel.x.label, "names": names(&panel.x.range) },
        "y": { "label": panel.y.label, "names": names(&panel.y.range) },
        "marks": panel.marks.iter().map(mark).collect::<Vec<_>>(),
    })
}

/// NaN has no JSON and becomes null.
fn mark(mark: &Mark) -> Value {
    match mark {
        Mark::Line { label, points, .. } => json!({ "kind": "line", "label": series(label), "points": points }),
        Mark::Span { label, bars, .. } => json!({ "kind": "span", "label": series(label), "bars": bars }),
        Mark::Gaps { label, at, .. } => json!({ "kind": "gaps", "label": label, "at": at }),
        Mark::Marker { label, at, .. } => json!({ "kind": "marker", "label": label, "at": at }),
        Mark::Upright { x, name, ticks } => {
            let ticks: Vec<Value> = ticks.iter().map(|t| json!([t.at, t.name, t.more])).collect();
            json!({ "kind": "upright", "x": x, "name": name, "ticks": ticks })
        }
        Mark::Track { label, value, points, texts } => {
            json!({ "kind": "track", "label": label, "value": value, "points": points, "texts": texts })
        }
        Mark::Heatmap { cells } => json!({ "kind": "heatmap", "cells": cells }),
    }
}
