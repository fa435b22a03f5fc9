//! Exported files by value: every heatmap pixel has its value's colour, data files hold the numbers, a file appears whole or not at all.

use eigenscope::chart::{self, ChartOptions, Norm, Pick, Subject};
use eigenscope::event::{LayerNorm, RunId};
use eigenscope::export::{self, ExportError, Size};
use eigenscope::figure::{Axis, Figure, Map, Mark, Panel, Range, Scale, Spacing, Stroke};
use eigenscope::record::{AtBest, RunNorms};
use std::path::Path;
use std::sync::Arc;

fn heatmap(cells: Vec<Vec<Option<f64>>>) -> Figure {
    let names = |n: usize| Range::Names((0..n).map(|i| format!("n{i}")).collect());
    let (rows, columns) = (cells.len(), cells[0].len());
    let scale = Scale::over(Map::Diverging, "norm", cells.iter().flatten().flatten().copied());
    Figure {
        title: "a title".into(),
        row_titles: vec![String::new()],
        columns: 1,
        panels: vec![Panel {
            title: "a panel".into(),
            x: Axis { label: "task".into(), range: names(columns) },
            y: Axis { label: "layer".into(), range: names(rows) },
            marks: vec![Mark::Heatmap { cells }],
            scale: None,
        }],
        scale: Some(scale),
        caption: "a caption".into(),
    }
}

/// Width, dots per metre and RGB pixels of a PNG.
fn decode(path: &Path) -> (usize, u32, Vec<[u8; 3]>) {
    let file = std::io::BufReader::new(std::fs::File::open(path).expect("a picture"));
    let mut reader = png::Decoder::new(file).read_info().expect("a PNG");
    let mut bytes = vec![0; reader.output_buffer_size()];
    let info = reader.next_frame(&mut bytes).expect("pixels");
    let density = reader.info().pixel_dims.expect("a density").xppu;
    (info.width as usize, density, bytes.chunks_exact(3).map(|p| [p[0], p[1], p[2]]).collect())
}

#[test]
fn every_cell_has_the_colour_of_its_value() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("heat.png");
    let cells = vec![vec![Some(-3.0), Some(0.0), Some(1.5)], vec![Some(3.0), None, Some(0.25)]];
    let figure = heatmap(cells.clone());
    let size = Size { width: 900, height: 500, dpi: 100 };
    export::write(&figure, &size, &path).expect("written");
    let (width, density, pixels) = decode(&path);
    assert_eq!((width, density), (900, 3937));
    let scale = figure.scale.as_ref().expect("a scale");
    // Each colour fills an area near a cell's size: nothing else in the picture is that large.
    for value in cells.iter().flatten().flatten() {
        let (r, g, b) = scale.colour(*value).expect("a colour");
        let count = pixels.iter().filter(|p| **p == [r, g, b]).count();
        assert!(count > 20_000, "{value}: {count} pixels of its colour");
    }
    let hatches = pixels.iter().filter(|p| **p == [0xb0, 0xb0, 0xb0]).count();
    assert!(hatches > 1_000, "the empty cell is not hatched: {hatches}");
}

#[test]
fn svg_holds_its_texts_and_is_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("deep/er/heat.svg");
    export::write(&heatmap(vec![vec![Some(1.0), None]]), &Size::default(), &path).expect("written");
    let text = std::fs::read_to_string(&path).expect("a picture");
    for part in ["a title", "a panel", "a caption", "task", "layer", "n0", "norm"] {
        assert!(text.contains(part), "{part}");
    }
    assert!(text.trim_end().ends_with("</svg>"));
    assert_eq!(std::fs::read_dir(path.parent().expect("a folder")).expect("listed").count(), 1, "no part file is left");
}

#[test]
fn csv_and_json_hold_the_numbers() {
    let folder = tempfile::tempdir().expect("a folder");
    let figure = heatmap(vec![vec![Some(1.25), None], vec![Some(-0.5), Some(2.0)]]);
    let csv = folder.path().join("heat.csv");
    export::write(&figure, &Size::default(), &csv).expect("written");
    let text = std::fs::read_to_string(csv).expect("rows");
    assert_eq!(text, "panel,series,x,y,value\na panel,,n0,n0,1.25\na panel,,n0,n1,-0.5\na panel,,n1,n1,2\n");
    let json = folder.path().join("heat.json");
    export::write(&figure, &Size::default(), &json).expect("written");
    let value: serde_json::Value = serde_json::from_slice(&std::fs::read(json).expect("data")).expect("JSON");
    assert_eq!(value["panels"][0]["marks"][0]["cells"][1], serde_json::json!([-0.5, 2.0]));
    assert!(value["panels"][0]["marks"][0]["cells"][0][1].is_null());
}

#[test]
fn a_raw_series_is_named_in_data_and_picture() {
    let folder = tempfile::tempdir().expect("a folder");
    let line = |label: &str, stroke, y| Mark::Line { label: label.into(), colour: 0, stroke, points: vec![(0.0, y)] };
    let mut figure = heatmap(vec![vec![Some(1.0)]]);
    figure.panels[0].x.range = Range::Numbers { low: 0.0, high: 1.0, spacing: Spacing::Linear };
    figure.panels[0].marks =
        vec![line("raw", Stroke::Raw, 0.5), line("smooth", Stroke::Solid, 1.0), line("", Stroke::Solid, 2.0)];
    let path = |ending: &str| folder.path().join(format!("line.{ending}"));
    for ending in ["csv", "json", "svg"] {
        export::write(&figure, &Size::default(), &path(ending)).expect("written");
    }
    let text = |ending: &str| std::fs::read_to_string(path(ending)).expect("a file");
    let series: Vec<String> =
        text("csv").lines().skip(1).map(|l| l.split(',').nth(1).expect("a series").to_string()).collect();
    let json: serde_json::Value = serde_json::from_str(&text("json")).expect("JSON");
    let labels: Vec<&str> =
        json["panels"][0]["marks"].as_array().expect("marks").iter().filter_map(|m| m["label"].as_str()).collect();
    assert_eq!(
        (series.iter().map(String::as_str).collect::<Vec<_>>(), &labels),
        (labels.clone(), &vec!["raw", "smooth", "raw"])
    );
    let named = text("svg").lines().filter(|l| matches!(l.trim(), "raw" | "smooth")).count();
    assert_eq!(named, 2, "both lines with a label stand in the legend");
}

#[test]
fn lines_of_several_runs_have_colours_and_markers_and_gaps_a_cross() {
    let folder = tempfile::tempdir().expect("a folder");
    let number = |low, high| Range::Numbers { low, high, spacing: Spacing::Linear };
    let line = |colour: usize, y: f64| {
        let points = (0..5).map(|i| (f64::from(i), y)).collect();
        Mark::Line { label: format!("r{colour}"), colour, stroke: Stroke::Marked(colour), points }
    };
    let mut figure = heatmap(vec![vec![Some(1.0)]]);
    figure.scale = None;
    (figure.panels[0].x.range, figure.panels[0].y.range) = (number(0.0, 4.0), number(-1.0, 2.0));
    let inked = |marks: Vec<Mark>, colour: [u8; 3]| {
        let mut figure = figure.clone();
        figure.panels[0].marks = marks;
        let path = folder.path().join("line.png");
        export::write(&figure, &Size::default(), &path).expect("written");
        decode(&path).2.iter().filter(|p| **p == colour).count()
    };
    let (blue, orange) = ([0x00, 0x72, 0xb2], [0xd5, 0x5e, 0x00]);
    let both = vec![line(0, 0.5), line(1, 1.0)];
    let plain = Mark::Line {
        label: "r0".into(),
        colour: 0,
        stroke: Stroke::Solid,
        points: (0..5).map(|i| (f64::from(i), 0.5)).collect(),
    };
    assert!(inked(both.clone(), orange) > 1_000);
    let (marked, bare) = (inked(vec![line(0, 0.5)], blue), inked(vec![plain], blue));
    assert!(marked > bare + 5 * 50, "five markers: {marked}, {bare}");
    let gaps = Mark::Gaps { label: "not finite".into(), colour: 1, at: vec![2.0, 99.0] };
    assert!(inked(vec![line(0, 0.5), gaps.clone()], orange) > 20, "the cross of the gap");
    figure.panels[0].marks = vec![gaps];
    let csv = folder.path().join("gaps.csv");
    export::write(&figure, &Size::default(), &csv).expect("written");
    assert!(
        std::fs::read_to_string(csv).expect("rows").lines().any(|l| l.contains("not finite,2,") && l.ends_with(",NaN")),
        "a row for each gap"
    );
}

#[test]
fn a_gap_in_a_line_stays_a_gap() {
    let folder = tempfile::tempdir().expect("a folder");
    let line = |points: Vec<(f64, f64)>| {
        let number = |low, high| Range::Numbers { low, high, spacing: Spacing::Linear };
        let mut figure = heatmap(vec![vec![Some(1.0)]]);
        figure.scale = None;
        figure.panels[0].x.range = number(0.0, 4.0);
        figure.panels[0].y.range = number(-1.0, 2.0);
        figure.panels[0].marks = vec![Mark::Line { label: String::new(), colour: 0, stroke: Stroke::Solid, points }];
        let path = folder.path().join("line.png");
        export::write(&figure, &Size::default(), &path).expect("written");
        decode(&path).2.iter().filter(|p| **p == [0x00, 0x72, 0xb2]).count()
    };
    let whole = line((0..5).map(|i| (f64::from(i), 0.5)).collect());
    let broken = line((0..5).map(|i| (f64::from(i), if i == 2 { f64::NAN } else { 0.5 })).collect());
    assert!(whole > 1_000 && (0.4..0.6).contains(&(broken as f64 / whole as f64)), "{broken} of {whole}");
}

#[test]
fn wrong_paths_are_named_and_leave_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let figure = heatmap(vec![vec![Some(1.0)]]);
    let error = export::write(&figure, &Size::default(), &folder.path().join("f.gif")).expect_err("refused");
    assert!(
        matches!(error, ExportError::Ending { .. }) && error.to_string().contains("png, svg, csv, json"),
        "{error}"
    );
    std::fs::write(folder.path().join("file"), b"").expect("a file");
    let error = export::write(&figure, &Size::default(), &folder.path().join("file/f.png")).expect_err("refused");
    assert!(matches!(error, ExportError::Io { .. }) && error.to_string().contains("f.png"), "{error}");
    assert_eq!(export::free_path(folder.path(), "../a b", "png"), folder.path().join("..-a-b.png"));
    std::fs::write(folder.path().join("x.png"), b"").expect("a file");
    assert_eq!(export::free_path(folder.path(), "x", "png"), folder.path().join("x-2.png"));
}

fn run(id: &str, task: &str, method: &str, best: f64, lambda: f64, layers: u32) -> RunNorms {
    let norm = |layer, target: &str, scale: f64| LayerNorm {
        layer,
        target: target.into(),
        lambda,
        w0_fro: 10.0 * scale,
        w0_l1: 100.0 * scale,
        delta_fro: 2.0 * scale,
        spectrum: Vec::new(),
    };
    let norms = (0..layers).flat_map(|l| [norm(l, "query", 1.0), norm(l, "value", 2.0)]).collect();
    RunNorms {
        id: RunId(id.into()),
        task: task.into(),
        label: task.into(),
        method: method.into(),
        seed: 0,
        best: Some(best),
        step: 9,
        norms,
        at_best: None,
    }
}

/// The same run with norms twice as large when it scored best, recorded at `step`.
fn better_at(mut run: RunNorms, step: u64) -> RunNorms {
    let twice = |n: &LayerNorm| LayerNorm { w0_fro: 2.0 * n.w0_fro, delta_fro: 2.0 * n.delta_fro, ..n.clone() };
    run.at_best = Some(AtBest { evaluated: 6, step, norms: run.norms.iter().map(twice).collect() });
    run
}

fn shared(runs: &[RunNorms]) -> Vec<Arc<RunNorms>> {
    runs.iter().cloned().map(Arc::new).collect()
}

fn caption(runs: &[RunNorms], options: &ChartOptions) -> String {
    chart::find("figure1").expect("a chart").figure(&Subject::Norms(&shared(runs)), options).expect("a figure").caption
}

/// The cells of Figure 1's six panels.
fn cells(runs: &[RunNorms], options: &ChartOptions) -> Vec<Vec<Vec<Option<f64>>>> {
    let figure =
        chart::find("figure1").expect("a chart").figure(&Subject::Norms(&shared(runs)), options).expect("a figure");
    assert_eq!((figure.panels.len(), figure.columns), (6, 3));
    let of = |p: &Panel| match &p.marks[0] {
        Mark::Heatmap { cells } => cells.clone(),
        other => panic!("no heatmap: {other:?}"),
    };
    let all: Vec<_> = figure.panels.iter().map(of).collect();
    let top = all.iter().flatten().flatten().flatten().fold(0.0f64, |m, v| m.max(v.abs()));
    let scale = figure.scale.expect("one scale");
    assert_eq!((scale.map, scale.low, scale.high), (Map::Diverging, -top, top));
    all
}

#[test]
fn figure1_shows_the_stored_norms() {
    let runs = [
        run("r1", "cola", "symlora", 0.4, 0.5, 2),
        run("r2", "cola", "symlora", 0.6, -0.5, 2),
        run("r3", "cola", "symlora", 0.1, 1.0, 2),
        run("r4", "sts-b", "lora", 0.8, 1.0, 2),
        run("r5", "cola", "full", 0.9, 1.0, 2),
        run("r6", "rte", "lora", 0.9, 1.0, 7),
    ];
    let query = ChartOptions { target: Some("query".into()), ..ChartOptions::default() };
    let best = cells(&runs, &query);
    // Columns in the paper's order: CoLA first, STS-B last. The best run has lambda -0.5.
    assert_eq!(best[0][0][0], Some(-0.5 * 10.0 - 2.0));
    assert_eq!((best[1][1][0], best[2][1][0]), (Some(-5.0), Some(2.0)));
    assert_eq!((best[3][0][7], best[4][0][7], best[5][0][7]), (Some(8.0), Some(10.0), Some(2.0)));
    assert_eq!(best[3].iter().flatten().flatten().count(), 2, "no other cell is filled");
    let last = cells(&runs, &ChartOptions { pick: Pick::Last, ..query.clone() });
    assert_eq!(last[1][0][0], Some(10.0));
    let mean = cells(&runs, &ChartOptions { pick: Pick::Mean, target: None, ..query.clone() });
    assert!((mean[1][0][0].expect("a value") - (0.5 - 0.5 + 1.0) / 3.0 * 15.0).abs() < 1e-12);
    let l1 = cells(&runs, &ChartOptions { norm: Norm::EntrywiseL1, reversed: true, ..query });
    assert_eq!((l1[1][0][0], l1[0][0][0]), (Some(-50.0), Some(52.0)));
}

#[test]
fn the_best_run_is_shown_as_it_was_when_it_scored_best() {
    let query = ChartOptions { target: Some("query".into()), ..ChartOptions::default() };
    let runs = [
        better_at(run("r1", "cola", "symlora", 0.4, 0.5, 2), 6),
        better_at(run("r2", "cola", "symlora", 0.9, 0.5, 2), 4),
        run("r3", "rte", "lora", 0.8, 1.0, 2),
    ];
    let best = cells(&runs, &query);
    assert_eq!((best[1][0][0], best[2][0][0]), (Some(0.5 * 20.0), Some(4.0)), "the record at the best evaluation");
    assert_eq!(best[4][0][5], Some(10.0), "the newest record where there is no other");
    let last = cells(&runs, &ChartOptions { pick: Pick::Last, ..query.clone() });
    assert_eq!(last[1][0][0], Some(5.0), "the newest record");
    let head = "query; Frobenius norm; best run of each task and method at its best evaluation";
    assert_eq!(
        caption(&runs, &query),
        format!("{head} (1 at the last record before it, 1 without such a record at the newest); 2 runs")
    );
    assert_eq!(caption(&runs[..1], &query), format!("{head}; 1 run"));
    let mean = caption(&runs, &ChartOptions { pick: Pick::Mean, ..query.clone() });
    assert_eq!(mean, "query; Frobenius norm; mean over the runs of each task and method; 3 runs");
    let deeper = [&runs[..2], &[run("r4", "rte", "lora", 0.8, 1.0, 7)]].concat();
    assert!(caption(&deeper, &query).ends_with("; 1 run; 1 run of models with another number of layers left out"));
    let key = ChartOptions { target: Some("key".into()), ..query };
    let error =
        chart::find("figure1").expect("a chart").figure(&Subject::Norms(&shared(&runs)), &key).expect_err("empty");
    assert_eq!(error.to_string(), "chart figure1: nothing to draw yet; no run adapts this matrix");
}
