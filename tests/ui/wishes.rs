//! What users of other trackers ask for, and what those can do, each with its proof: a check by value here, or a test elsewhere that
//! must be there.

use super::{after, fake, key, summary, text, view};
use eigenscope::chart::{self, ChartOptions, Horizontal, Subject};
use eigenscope::event::{RunId, Status};
use eigenscope::export::{self, Size};
use eigenscope::figure::{Figure, Mark, Range, Spacing, Stroke};
use eigenscope::record::{Bin, RunDetail, Series};
use eigenscope::ui::Filter;
use eigenscope::view::Request;
use eigenscope::view::compare::{self, Setting};
use std::path::Path;
use std::sync::Arc;

/// How it is proved.
enum Proof {
    /// Fails where it does not hold.
    Shown(fn()),
    /// A test of a file.
    Test(&'static str, &'static str),
}

use Proof::{Shown, Test};

type Row = (&'static str, &'static [Proof]);

/// Fifteen wishes, in their order.
const WISHES: [Row; 15] = [
    (
        "a run whose process died is shown so, and can be deleted",
        &[
            Test("tests/terminal.rs", "a_killed_program_leaves_an_interrupted_run_that_goes_on"),
            Test("tests/store.rs", "a_process_that_dies_is_noticed_while_another_looks_on"),
            Shown(a_dead_run_is_deleted),
        ],
    ),
    ("smoothing is honest: the raw line stays, a constant does not wobble", &[Shown(smoothing_is_honest)]),
    ("log scales of both axes", &[Shown(both_axes_are_logarithmic)]),
    ("by epoch and by time, training and validation aligned", &[Shown(curves_are_aligned_by_epoch_and_time)]),
    (
        "sampling hides no point",
        &[
            Shown(a_spike_in_a_bin_is_drawn),
            Test("tests/store.rs", "bins_equal_brute_force"),
            Test("tests/ui/curves.rs", "no_spike_is_lost_between_the_columns"),
        ],
    ),
    (
        "seeds: groups with mean and spread in the table",
        &[Shown(seeds_make_one_row), Test("tests/ui/runs.rs", "groups_tell_their_spread_and_unfold")],
    ),
    (
        "only what differs between configurations",
        &[Shown(only_what_differs_is_told), Test("tests/ui/curves.rs", "settings_show_what_differs_or_all")],
    ),
    (
        "columns are chosen and remembered, constant ones hidden",
        &[
            Test("tests/ui/runs.rs", "columns_are_chosen_and_remembered"),
            Test("tests/ui/runs.rs", "constant_columns_are_hidden_where_that_is_wanted"),
        ],
    ),
    ("the best value, not the last, and sorted by it", &[Shown(runs_are_sorted_by_their_best)]),
    (
        "deletion gives the disk back",
        &[
            Test("tests/store.rs", "deleting_frees_the_folder_and_ids_are_not_used_again"),
            Test("tests/store.rs", "deleting_makes_the_database_smaller"),
            Test("tests/ui/runs.rs", "a_deletion_tells_what_it_frees"),
        ],
    ),
    ("figures for print: vectors, and sizes in dots per inch", &[Shown(figures_are_vectors_and_scale)]),
    (
        "several programs write at the same time",
        &[
            Test("tests/store.rs", "a_new_folder_can_be_opened_by_many_at_once"),
            Test("tests/store.rs", "two_programs_never_take_the_same_run"),
            Test("tests/store.rs", "sqlite_is_past_the_wal_reset_race"),
        ],
    ),
    ("looked at without a server", &[Shown(fetching_alone_speaks_to_a_network)]),
    (
        "chosen runs stop, pause and go on, bit for bit",
        &[
            Shown(chosen_runs_are_stopped),
            Test("tests/resume.rs", "a_resumed_run_equals_the_uninterrupted_one_bit_for_bit"),
            Test("tests/resume.rs", "a_pause_holds_and_is_said"),
        ],
    ),
    ("quick with many runs", &[Shown(ten_thousand_runs_are_quick)]),
];

/// What other trackers can do, row by row.
const FEATURES: [Row; 17] = [
    (
        "launch, queue, stop, resume",
        &[
            Test("tests/launch.rs", "only_valid_runs_leave_the_form"),
            Test("tests/ui/everywhere.rs", "the_queue_is_shown_in_its_order_and_moved"),
            Test("tests/cli.rs", "stopped_runs_go_on_from_their_checkpoints"),
        ],
    ),
    ("crash recovery", &[Test("tests/terminal.rs", "a_terminal_that_goes_away_saves_what_runs")]),
    (
        "live curves, runs overlaid",
        &[
            Test("tests/store.rs", "followed_live_equals_loaded_anew"),
            Test("tests/ui/curves.rs", "the_lines_of_compared_runs_have_their_colours"),
        ],
    ),
    ("smoothing", &[Shown(smoothing_is_honest)]),
    ("log scale", &[Shown(both_axes_are_logarithmic)]),
    (
        "zoom, pan, inspect",
        &[
            Test("tests/ui/curves.rs", "zoom_and_pan_ask_for_the_shown_steps"),
            Test("tests/ui/curves.rs", "the_mouse_zooms_selects_and_reads"),
            Test("tests/ui/curves.rs", "the_cursor_reads_what_lies_under_it"),
        ],
    ),
    ("horizontal axis", &[Shown(curves_are_aligned_by_epoch_and_time)]),
    (
        "filter, sort, group, tags",
        &[
            Shown(a_filter_has_or_and_not),
            Test("tests/ui/runs.rs", "the_sorted_column_moves_and_stays_in_sight"),
            Test("tests/ui/runs.rs", "labels_are_typed_in_a_prompt"),
            Test("tests/cli.rs", "labels_are_given_and_found_again"),
        ],
    ),
    ("configuration differences", &[Shown(only_what_differs_is_told)]),
    ("launch of a sweep", &[Shown(lists_make_a_grid)]),
    (
        "parallel coordinates",
        &[
            Test("tests/ui/parallel.rs", "an_axis_for_each_setting_that_differs_and_one_for_the_score"),
            Test("tests/cli.rs", "a_parallel_chart_takes_several_runs"),
        ],
    ),
    ("what the system is doing", &[Shown(the_device_is_shown)]),
    (
        "heatmaps of the layers",
        &[
            Test("tests/ui.rs", "heatmap_cells_have_the_colour_of_their_values"),
            Test("tests/ui/curves.rs", "records_of_layers_are_gone_through"),
        ],
    ),
    (
        "export",
        &[
            Shown(figures_are_vectors_and_scale),
            Test("tests/export.rs", "csv_and_json_hold_the_numbers"),
            Test("tests/ui/preview.rs", "the_program_draws_what_it_would_write"),
        ],
    ),
    (
        "without a terminal, JSON",
        &[
            Test("tests/cli.rs", "events_are_lines_of_json_while_runs_train"),
            Test("tests/cli.rs", "without_a_terminal_there_are_plain_lines"),
        ],
    ),
    ("SQL", &[Test("tests/cli/sql.rs", "sql_reads_and_changes_nothing")]),
    (
        "delete, retention",
        &[
            Test("tests/ui.rs", "after_a_delete_the_selection_stays_at_its_row"),
            Test("tests/ui/runs.rs", "what_is_archived_shows_where_it_is_asked_for"),
        ],
    ),
];

/// Whether a file has this test.
fn is_there(file: &str, name: &str) -> bool {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let source = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    // An ignored test proves nothing.
    lines.windows(2).any(|w| w[0] == "#[test]" && w[1].starts_with(&format!("fn {name}(")))
}

#[test]
fn every_wish_and_every_feature_has_its_proof() {
    assert!(!is_there("tests/ui.rs", "no_such_test") && !is_there("tests/none.rs", "screens_look_as_recorded"));
    assert!(is_there("tests/ui.rs", "screens_look_as_recorded"));
    for (what, proofs) in WISHES.iter().chain(&FEATURES) {
        assert!(!proofs.is_empty(), "{what}");
        for proof in *proofs {
            match proof {
                Shown(check) => check(),
                Test(file, name) => assert!(is_there(file, name), "{what}: {file} has no test {name}"),
            }
        }
    }
}

fn detail(change: impl FnOnce(&mut RunDetail)) -> RunDetail {
    let mut detail = (**view().open.as_ref().expect("a run")).clone();
    change(&mut detail);
    detail
}

fn bin(step: u64, mean: f64) -> Bin {
    Bin { from: step, to: step, min: mean, max: mean, mean, count: 1, gaps: 0 }
}

fn loss(detail: &RunDetail, options: &ChartOptions) -> Figure {
    chart::find("loss").expect("a chart").figure(&Subject::Run(detail), options).expect("a figure")
}

fn a_dead_run_is_deleted() {
    let port = fake(view());
    let shown = text(&after(&port, &["G", "D", "y"], 100, 30));
    assert!(shown.contains("interrupted"), "{shown}");
    assert_eq!(port.asked.take(), [Request::Delete(vec![RunId("r0001".into())])]);
}

fn smoothing_is_honest() {
    let constant = detail(|d| d.series = vec![(Series::Loss, (1..200).map(|s| bin(s, 0.3)).collect())]);
    let figure = loss(&constant, &ChartOptions { smoothing: 0.99, ..ChartOptions::default() });
    let lines = |stroke: Stroke| {
        let of = |m: &Mark| match m {
            Mark::Line { stroke: s, points, .. } if *s == stroke => Some(points.clone()),
            _ => None,
        };
        figure.panels[0].marks.iter().find_map(of).expect("a line")
    };
    assert!(lines(Stroke::Solid).iter().all(|p| (p.1 - 0.3).abs() < 1e-12), "a constant wobbles");
    assert_eq!(lines(Stroke::Raw).len(), 199, "the raw line stays whole");
}

fn both_axes_are_logarithmic() {
    let figure = loss(&detail(|_| ()), &ChartOptions { log_x: true, log_y: true, ..ChartOptions::default() });
    let log = |range: &Range| matches!(range, Range::Numbers { spacing: Spacing::Log, .. });
    assert!(log(&figure.panels[0].x.range) && log(&figure.panels[0].y.range));
}

fn curves_are_aligned_by_epoch_and_time() {
    let run = detail(|_| ());
    for (horizontal, label) in [(Horizontal::Epoch, "epoch"), (Horizontal::Time, "second")] {
        let figure = loss(&run, &ChartOptions { horizontal, ..ChartOptions::default() });
        let panel = &figure.panels[0];
        assert!(panel.x.label.contains(label), "{}", panel.x.label);
        // Step 160 is the end of epoch 5: training and validation end at the same place.
        let ends =
            panel.marks.iter().filter_map(|m| if let Mark::Line { points, .. } = m { points.last() } else { None });
        let ends: Vec<f64> = ends.map(|p| p.0).collect();
        assert!(ends.len() >= 3 && ends.iter().all(|x| (x - ends[0]).abs() < 1e-9), "{label}: {ends:?}");
    }
}

fn a_spike_in_a_bin_is_drawn() {
    let mut bins: Vec<Bin> = (0..50).map(|i| Bin { count: 8, to: 8 * i + 8, ..bin(8 * i + 1, 0.5) }).collect();
    bins[20] = Bin { max: 9.0, ..bins[20] };
    let figure = loss(&detail(|d| d.series = vec![(Series::Loss, bins)]), &ChartOptions::default());
    let spike = |m: &Mark| matches!(m, Mark::Span { bars, .. } if bars.iter().any(|b| b.2 == 9.0));
    assert!(figure.panels[0].marks.iter().any(spike));
    assert!(figure.panels[0].y.range.share(9.0).is_some_and(|s| s <= 1.0), "it lies inside the panel");
}

fn seeds_make_one_row() {
    let mut all = view();
    all.runs = (1..=3).map(|n| Arc::new(summary(n, "rte", "lora", Status::Done))).collect();
    let shown = text(&after(&fake(all), &["z"], 120, 30));
    // 0.61, 0.62 and 0.63: s = 0.01, so 1.96 s / sqrt(3) = 0.0113.
    assert!(shown.contains("0.6200 ±0.0113") && shown.contains("n=3"), "{shown}");
}

fn only_what_differs_is_told() {
    let (a, b) = (summary(1, "rte", "lora", Status::Done), summary(2, "rte", "lora", Status::Done));
    let found = compare::settings(&[&a, &b]);
    let differing: Vec<&str> = found.iter().filter(|s| s.differs()).map(|s: &Setting| s.name).collect();
    assert_eq!(differing, ["seed"]);
}

fn runs_are_sorted_by_their_best() {
    // The best is the other way round than the last score and than the order of launches.
    let mut all = view();
    let turned = |n: u64| {
        let of = summary(n, "rte", "lora", Status::Done);
        Arc::new(eigenscope::record::RunSummary { best: Some(0.9 - 0.1 * n as f64), last: Some(0.1 * n as f64), ..of })
    };
    all.runs = (1..=5).rev().map(turned).collect();
    let port = fake(all);
    let order = |keys: &[&str]| {
        let shown = text(&after(&port, keys, 160, 48));
        let id = |line: &str| Some(line[line.find(" r000")? + 1..].chars().take(5).collect::<String>());
        (shown.contains("best▾"), shown.lines().filter_map(id).take(5).collect::<Vec<_>>())
    };
    assert_eq!(order(&[]).1, ["r0005", "r0004", "r0003", "r0002", "r0001"]);
    let sorted = (0..12).map(|n| order(&vec!["s"; n])).find(|(by_best, _)| *by_best);
    assert_eq!(sorted.expect("a column of best scores").1, ["r0001", "r0002", "r0003", "r0004", "r0005"]);
}

fn figures_are_vectors_and_scale() {
    let folder = tempfile::tempdir().expect("a folder");
    let figure = loss(&detail(|_| ()), &ChartOptions::default());
    let write = |name: &str, size: Size| {
        let path = folder.path().join(name);
        export::write(&figure, &size, &path).expect("written");
        std::fs::read(path).expect("a file")
    };
    let svg = String::from_utf8(write("f.svg", Size::default())).expect("text");
    assert!(svg.contains("<svg") && svg.contains("<text") && !svg.contains("<image"), "text stays text");
    let density = |dpi: u32| {
        let png = write("f.png", Size { width: 1_200, height: 800, dpi });
        let reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().expect("a PNG");
        reader.info().pixel_dims.expect("a density").xppu
    };
    assert_eq!((density(100), density(300)), (3_937, 11_811));
}

/// The crate that asks servers has one owner (`tests/tidy.rs`), which is called where a person asks for a model or rows.
fn fetching_alone_speaks_to_a_network() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).expect("a file");
    let lock = read("Cargo.lock");
    assert!(lock.contains("name = \"rusqlite\""));
    for crate_name in ["hyper", "reqwest", "axum", "tokio", "native-tls"] {
        assert!(!lock.contains(&format!("name = \"{crate_name}\"")), "{crate_name}");
    }
    let mut callers = Vec::new();
    let mut folders = vec![root.join("src")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read_to_string(&path).expect("text").contains("Hub::new(") {
                callers.push(path.strip_prefix(root).expect("inside").display().to_string());
            }
        }
    }
    callers.sort();
    assert_eq!(callers, ["src/app/fetcher.rs", "src/cli/fetch.rs"]);
}

fn chosen_runs_are_stopped() {
    let port = fake(view());
    after(&port, &["space", "j", "space", "x"], 100, 30);
    // Of the two that are marked one is running.
    let asked = port.asked.take();
    assert_eq!(asked, [Request::Control(vec![RunId("r0005".into())], eigenscope::event::Control::Stop)]);
}

fn ten_thousand_runs_are_quick() {
    let mut all = view();
    let tasks = ["cola", "rte", "sst-2"];
    all.runs = (1..=10_000).map(|n| Arc::new(summary(n, tasks[n as usize % 3], "lora", Status::Done))).collect();
    let port = fake(all);
    let measured = eigenscope::ui::measure(&port, &super::choices(), std::time::Instant::now()).expect("measured");
    let mut keys = measured.keys;
    keys.sort_unstable();
    let late = keys[keys.len() * 95 / 100];
    // Far above what is needed, so that a busy machine does not fail it; what is reached is told by `bench ui`.
    assert!(measured.first_frame.as_millis() < 1_000 && late.as_millis() < 100, "{:?} {late:?}", measured.first_frame);
}

fn a_filter_has_or_and_not() {
    let runs = view().runs;
    let found = |filter: &str| {
        let filter = Filter::parse(filter).expect("a filter");
        runs.iter().filter(|r| filter.holds(r, &[])).map(|r| r.id.0.clone()).collect::<Vec<_>>()
    };
    assert_eq!(found("task:cola | task:rte"), ["r0004", "r0003"]);
    assert_eq!(found("method:symlora -status:running best>0.6"), ["r0003"]);
}

fn lists_make_a_grid() {
    let port = fake(view());
    let mut ui = eigenscope::ui::Ui::new(&port, &super::choices(), eigenscope::ui::Colours::True);
    super::drawn(&mut ui, 100, 40);
    ["6", "ctrl-u"].iter().for_each(|k| ui.event(&key(k)));
    ui.event(&crossterm::event::Event::Paste("cola,sst-2".into()));
    ui.event(&key("enter"));
    let Some(Request::Launch(specs)) = port.asked.take().pop() else { panic!("nothing was launched") };
    assert_eq!(specs.iter().map(|s| s.task.as_str()).collect::<Vec<_>>(), ["cola", "sst-2"]);
}

fn the_device_is_shown() {
    let shown = text(&after(&fake(view()), &["0"], 120, 30));
    for word in ["NVIDIA H100 80GB HBM3", "71%", "43 °C", "310 W"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
}
