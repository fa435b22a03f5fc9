//! Figures of many runs as pictures: drawn as they were when they were last looked at, each cell in the colour of what the store
//! holds. `EIGENSCOPE_GOLDEN=write` draws the pictures of `tests/golden` anew: look at them before they are kept.

use eigenscope::chart::{self, ChartOptions, Subject};
use eigenscope::event::{Evaluation, LayerNorm, RunEvent, Status};
use eigenscope::export::{self, Size};
use eigenscope::figure::{Figure, Mark};
use eigenscope::record::RunNorms;
use eigenscope::spec::RunSpec;
use eigenscope::store::Store;
use eigenscope::task;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Layers of the runs: as many as RoBERTa-base has.
const LAYERS: u32 = 12;

/// What a run of the task with this place recorded of a matrix: some lambdas below zero.
fn norm(task: usize, symmetric: bool, layer: u32, target: &str) -> LayerNorm {
    let (t, l) = (task as f64, f64::from(layer));
    let lambda = if symmetric { 1.1 - 0.13 * l + 0.05 * t } else { 1.0 };
    let w0_fro = 30.0 + l + if target == "query" { 0.0 } else { 5.0 };
    LayerNorm {
        layer,
        target: target.into(),
        lambda,
        w0_fro,
        w0_l1: 500.0 + 20.0 * l,
        delta_fro: 2.0 + 0.5 * t + if symmetric { 0.0 } else { 0.3 * l },
        spectrum: Vec::new(),
    }
}

/// Both methods on every task but one, through a store on disk.
fn stored(folder: &Path) -> Vec<Arc<RunNorms>> {
    let store = Store::open(folder).expect("a store");
    for (t, task) in task::ALL.iter().enumerate() {
        for method in ["symlora", "lora"] {
            if (task.id(), method) == ("qqp", "lora") {
                continue;
            }
            let spec = RunSpec { task: task.id().into(), method: method.into(), ..RunSpec::default() };
            let id = store.handle().create(&[spec]).expect("queued").remove(0);
            let of = |l| ["query", "value"].map(|target| norm(t, method == "symlora", l, target));
            let rows = (0..LAYERS).flat_map(of).collect();
            let scores = vec![("accuracy".to_string(), 0.8)];
            let evaluated = Evaluation { step: 8, epoch: 1.0, loss: 0.5, scores, rows: 9, seconds: 0.1 };
            let done = RunEvent::Status { status: Status::Done, cause: None };
            for event in [RunEvent::Norms { step: 8, rows }, RunEvent::Evaluated(evaluated), done] {
                store.handle().record(&id, event).expect("recorded");
            }
        }
    }
    store.handle().flush().expect("written");
    store.reader().expect("a reader").run_norms().expect("norms")
}

fn figure(id: &str, options: &ChartOptions) -> Figure {
    let folder = tempfile::tempdir().expect("a folder");
    let norms = stored(folder.path());
    chart::find(id).expect("a chart").figure(&Subject::Norms(&norms), options).expect("a figure")
}

/// Width, height and RGB pixels of a PNG.
fn decode(path: &Path) -> (usize, usize, Vec<[u8; 3]>) {
    let file = std::io::BufReader::new(std::fs::File::open(path).expect("a picture"));
    let mut reader = png::Decoder::new(file).read_info().expect("a PNG");
    let mut bytes = vec![0; reader.output_buffer_size()];
    let info = reader.next_frame(&mut bytes).expect("pixels");
    (info.width as usize, info.height as usize, bytes.chunks_exact(3).map(|p| [p[0], p[1], p[2]]).collect())
}

#[test]
fn pictures_look_as_they_did_when_they_were_looked_at() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let absolute = ChartOptions { unsigned: true, reversed: true, ..ChartOptions::default() };
    let folder = tempfile::tempdir().expect("a folder");
    for (name, id, options) in [
        ("figure1", "figure1", ChartOptions::default()),
        ("figure1-absolute", "figure1", absolute),
        ("lambda", "lambda", ChartOptions { target: Some("query".into()), ..ChartOptions::default() }),
    ] {
        let kept: PathBuf = golden.join(format!("{name}.png"));
        let drawn = folder.path().join(format!("{name}.png"));
        export::write(&figure(id, &options), &Size { width: 840, height: 516, dpi: 120 }, &drawn).expect("written");
        if std::env::var("EIGENSCOPE_GOLDEN").is_ok_and(|v| v == "write") {
            std::fs::create_dir_all(&golden).expect("a folder");
            std::fs::copy(&drawn, &kept).expect("kept");
            continue;
        }
        let ((w, h, now), (kept_w, kept_h, then)) = (decode(&drawn), decode(&kept));
        assert_eq!((w, h), (kept_w, kept_h), "{name}");
        let apart = |(a, b): (&[u8; 3], &[u8; 3])| (0..3).map(|i| a[i].abs_diff(b[i])).max().unwrap_or(0);
        let distances: Vec<u8> = now.iter().zip(&then).map(apart).collect();
        let mean = distances.iter().map(|d| f64::from(*d)).sum::<f64>() / distances.len() as f64;
        let far = distances.iter().filter(|d| **d > 48).count() as f64 / distances.len() as f64;
        assert!(mean < 0.5 && far < 0.002, "{name}: mean distance {mean:.3}, {far:.4} of the pixels far off");
    }
}

/// Fill colours and places of the rectangles of an SVG, in the order in which they were drawn.
fn rectangles(svg: &str) -> Vec<((i64, i64, i64, i64), String)> {
    let attribute = |line: &str, name: &str| {
        let from = line.find(&format!(" {name}=\"")).expect("an attribute") + name.len() + 3;
        line[from..].split('"').next().expect("a value").to_string()
    };
    let number = |line: &str, name: &str| attribute(line, name).parse().expect("a number");
    let lines = svg.lines().filter(|l| l.starts_with("<rect"));
    lines
        .map(|l| ((number(l, "x"), number(l, "y"), number(l, "width"), number(l, "height")), attribute(l, "fill")))
        .collect()
}

#[test]
fn every_cell_has_the_colour_of_the_stored_value() {
    let folder = tempfile::tempdir().expect("a folder");
    let size = Size::default();
    for (id, panels, symbol) in [("figure1", 6, "λ‖W₀‖"), ("lambda", 1, "a factor of W₀")] {
        let options = ChartOptions { target: Some("value".into()), ..ChartOptions::default() };
        let figure = figure(id, &options);
        assert_eq!(figure.panels.len(), panels);
        let scale = figure.scale.clone().expect("a scale");
        // By what was recorded, not by what the chart made of it.
        let wanted = |panel: usize, task: usize, layer: u32| -> Option<f64> {
            let n = norm(task, panel < 3, layer, "value");
            if panel >= 3 && task::ALL[task].id() == "qqp" {
                return None;
            }
            let original = n.lambda * n.w0_fro;
            Some(match (id, panel % 3) {
                ("lambda", _) => n.lambda,
                (_, 0) => original - n.delta_fro,
                (_, 1) => original,
                _ => n.delta_fro,
            })
        };
        let (svg, png) = (folder.path().join("f.svg"), folder.path().join("f.png"));
        export::write(&figure, &size, &svg).expect("written");
        export::write(&figure, &size, &png).expect("written");
        let text = std::fs::read_to_string(&svg).expect("a picture");
        assert!(text.contains("width=\"7.0000in\" height=\"4.3000in\""), "{}", &text[..200]);
        assert!(text.contains(symbol) && text.contains("task") && text.contains("layer"), "labels and unit");
        let (width, _, pixels) = decode(&png);
        // The first is the page.
        let mut drawn = rectangles(&text).into_iter().skip(1);
        for (p, panel) in figure.panels.iter().enumerate() {
            let Mark::Heatmap { cells } = &panel.marks[0] else { panic!("no heatmap") };
            assert_eq!((cells.len(), cells[0].len()), (LAYERS as usize, task::ALL.len()));
            for (layer, line) in cells.iter().enumerate() {
                for (task, value) in line.iter().enumerate() {
                    let stored = wanted(p, task, layer as u32);
                    assert_eq!(*value, stored, "{} layer {layer} task {task}", panel.title);
                    let (r, g, b) = stored.map_or((255, 255, 255), |v| scale.colour(v).expect("a colour"));
                    let ((x, y, w, h), fill) = drawn.next().expect("a cell");
                    assert_eq!(fill, format!("#{r:02X}{g:02X}{b:02X}"), "{} layer {layer} task {task}", panel.title);
                    // The bitmap has it in the same place; its middle may hold a number.
                    let at = (y + h / 8 + 1) as usize * width + (x + w / 8 + 1) as usize;
                    if stored.is_some() {
                        assert_eq!(pixels[at], [r, g, b], "{} layer {layer} task {task}", panel.title);
                    }
                }
            }
        }
        let bar = drawn.filter(|((_, _, _, h), _)| *h == 1).count();
        assert!(bar > 500, "a colour bar of {bar} steps");
    }
}
