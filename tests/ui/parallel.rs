//! Parallel coordinates: axes by value, lines in their colours on screen and in files.

use super::{after, drawn, fake, key, text, view};
use eigenscope::chart::{self, ChartError, ChartOptions, Subject};
use eigenscope::export::{self, Size};
use eigenscope::figure::{Figure, Mark};
use eigenscope::record::RunDetail;
use eigenscope::view::{Request, View};
use ratatui::style::Color;
use std::sync::Arc;

/// The compared runs: symlora on SST-2, lora on SST-2, symlora on RTE; their best scores 0.65, 0.62, 0.63.
fn details(view: &View) -> Vec<&RunDetail> {
    view.compare.iter().map(|d| &**d).collect()
}

fn parallel(runs: &[&RunDetail]) -> Result<Figure, ChartError> {
    chart::find("parallel").expect("a chart").figure(&Subject::Runs(runs), &ChartOptions::default())
}

#[test]
fn an_axis_for_each_setting_that_differs_and_one_for_the_score() {
    let all = view();
    let figure = parallel(&details(&all)).expect("a figure");
    let panel = &figure.panels[0];
    let name = |mark: &Mark| if let Mark::Upright { name, .. } = mark { Some(name.clone()) } else { None };
    let axes: Vec<String> = panel.marks.iter().filter_map(name).collect();
    assert_eq!(axes, ["task", "method", "seed", "best accuracy"]);
    let tracks: Vec<(&str, f64, Vec<f64>, &[String])> = panel
        .marks
        .iter()
        .filter_map(|mark| match mark {
            Mark::Track { label, value, points, texts } => {
                Some((label.as_str(), *value, points.iter().map(|p| p.1).collect(), &texts[..]))
            }
            _ => None,
        })
        .collect();
    let ids: Vec<&str> = tracks.iter().map(|t| &t.0[..5]).collect();
    assert_eq!(ids, ["r0002", "r0003", "r0005"], "the best lies on top");
    let (_, value, places, texts) = &tracks[2];
    assert_eq!((*value, &places[..]), (0.65, &[0.0, 0.0, 1.0, 1.0][..]));
    assert_eq!(texts[..], ["sst-2", "symlora", "5", "0.6500"]);
    let scale = figure.scale.as_ref().expect("a scale");
    assert_eq!((scale.low, scale.high), (0.62, 0.65));
}

#[test]
fn what_cannot_be_drawn_is_told() {
    let all = view();
    let runs = details(&all);
    let told = |runs: &[&RunDetail]| parallel(runs).expect_err("refused").to_string();
    assert!(told(&runs[..1]).contains("two or more runs"));
    assert!(told(&[runs[0], runs[0]]).contains("differ in no setting"));
    let mut unscored = runs[1].clone();
    unscored.summary.best = None;
    assert!(told(&[runs[0], &unscored]).contains("two runs with a score"));
    let two = parallel(&[runs[0], &unscored, runs[2]]).expect("a figure");
    assert!(two.caption.contains("1 without a score left out"), "{}", two.caption);
}

const KEYS: &[&str] = &["space", "j", "space", "space", "c", "tab", "tab", "tab"];

#[test]
fn compare_shows_and_exports_it() {
    let port = fake(view());
    let buffer = after(&port, KEYS, 160, 48);
    let shown = text(&buffer);
    for word in ["parallel", "best accuracy", "┼0.65", "symlora", "┼"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    let all = view();
    let figure = parallel(&details(&all)).expect("a figure");
    let scale = figure.scale.as_ref().expect("a scale");
    for score in [0.62, 0.63, 0.65] {
        let paler = eigenscope::figure::colour::paler(scale.colour(score).expect("a colour"), 0.3);
        let ink = Color::Rgb(paler.0, paler.1, paler.2);
        assert!(buffer.content.iter().filter(|c| c.fg == ink).count() > 15, "{score} has no line in {ink:?}");
    }
    let small = text(&after(&port, KEYS, 80, 24));
    assert!(small.contains("0.6500 r0005") && small.contains("sst-2"), "{small}");
    after(&port, &[KEYS, &["e"]].concat(), 160, 48);
    let asked = port.asked.take();
    assert!(matches!(&asked[..], [Request::Export { file_stem, .. }] if file_stem.ends_with("-parallel")), "{asked:?}");
}

#[test]
fn between_wide_and_narrow_two_panes_share_a_place() {
    let port = fake(view());
    let mut ui = eigenscope::ui::Ui::new(&port, &super::choices(), eigenscope::ui::Colours::True);
    drawn(&mut ui, 120, 40);
    KEYS[..5].iter().for_each(|k| ui.event(&key(k)));
    let shown = text(&drawn(&mut ui, 120, 40));
    assert!(shown.contains("paired difference") && !shown.contains("┼"), "{shown}");
    KEYS[5..].iter().for_each(|k| ui.event(&key(k)));
    let shown = text(&drawn(&mut ui, 120, 40));
    assert!(!shown.contains("paired difference") && shown.contains("┼"), "{shown}");
}

#[test]
fn files_hold_its_lines_and_values() {
    let folder = tempfile::tempdir().expect("a folder");
    let all = view();
    let figure = parallel(&details(&all)).expect("a figure");
    let write = |name: &str| {
        let path = folder.path().join(name);
        export::write(&figure, &Size::default(), &path).expect("written");
        std::fs::read(path).expect("a file")
    };
    let csv = String::from_utf8(write("p.csv")).expect("text");
    let rows: Vec<&str> = csv.lines().collect();
    assert_eq!(rows.len(), 1 + 3 * 4, "{csv}");
    assert!(rows.iter().any(|r| r.contains("r0003") && r.contains("task,rte,1")), "{csv}");
    let svg = String::from_utf8(write("p.svg")).expect("text");
    let scale = figure.scale.as_ref().expect("a scale");
    for score in [0.62, 0.65] {
        let (r, g, b) = scale.colour(score).expect("a colour");
        let line = format!("stroke=\"#{r:02X}{g:02X}{b:02X}\"");
        assert!(svg.contains(&line), "{score}: no {line}");
    }
    for word in ["best accuracy", "0.6500 r0005", "symlora"] {
        assert!(svg.contains(word), "{word}");
    }
    let json: serde_json::Value = serde_json::from_slice(&write("p.json")).expect("JSON");
    let marks = json["panels"][0]["marks"].as_array().expect("marks");
    assert_eq!(marks.iter().filter(|m| m["kind"] == "track" && m["texts"][0].is_string()).count(), 3);
}

#[test]
fn hostile_values_do_not_reach_the_screen() {
    let mut all = view();
    let hostile = all.compare.iter().map(|d| {
        let mut detail = (**d).clone();
        detail.summary.spec.data = format!("{}\u{1b}[2J", detail.summary.spec.seed);
        Arc::new(detail)
    });
    all.compare = hostile.collect();
    let shown = text(&after(&fake(all), KEYS, 160, 48));
    assert!(!shown.contains('\u{1b}'), "{shown}");
}
