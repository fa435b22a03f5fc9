//! The screens on a fake program (the table of runs in `ui/runs.rs`): snapshots at two sizes, any size without a panic, keys by their effect, colours on the buffer.

#[path = "ui/filter.rs"]
mod filter;
#[path = "ui/runs.rs"]
mod runs;

#[path = "ui/curves.rs"]
mod curves;
#[path = "ui/data.rs"]
mod data;
#[path = "ui/foreign.rs"]
mod foreign;
#[path = "ui/forms.rs"]
mod forms;
#[path = "ui/hub.rs"]
mod hub;
#[path = "ui/parallel.rs"]
mod parallel;
#[path = "ui/preview.rs"]
mod preview;
#[path = "ui/wishes.rs"]
mod wishes;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use eigenscope::config::State;
use eigenscope::event::{Control, DeviceFigures, Evaluation, LayerNorm, Level, RunFacts, RunId, Status};
use eigenscope::figure::{Map, Scale};
use eigenscope::record::{
    Ablated, Analysis, AtBest, Bin, Curve, Curves, LogLine, RunDetail, RunNorms, RunSummary, Series, Symmetry,
    TestScore,
};
use eigenscope::spec::RunSpec;
use eigenscope::ui::{Choices, Colours, Ui};
use eigenscope::view::{About, AdapterSize, Device, DiskUse, Interest, MemoryNeed, Message, Port, Request, View};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::Color;
use std::cell::RefCell;
use std::sync::Arc;

#[path = "ui/everywhere.rs"]
mod everywhere;

/// One of each kind, of six layers with two matrices each.
fn analyses() -> Vec<Analysis> {
    let point = |count: u64, score: f64, what: String| Ablated {
        count,
        what,
        saved_bytes: 65_536 * count,
        score: Some(score),
        loss: Some(0.6),
    };
    let curve = |order: &str, slope: f64| Curve {
        order: order.into(),
        points: (0..=12).map(|c| point(c, 0.8 - slope * c as f64, format!("layer {c} query"))).collect(),
    };
    let curves = |curves: Vec<Curve>| Curves { metric: "accuracy".into(), rows: 250, curves };
    let matrix = |i: u32| Symmetry {
        layer: i / 2,
        target: ["query", "value"][i as usize % 2].into(),
        symmetric: 1.0 + 0.1 * f64::from(i),
        antisymmetric: 0.5,
    };
    vec![
        Analysis::Deletion(curves(vec![curve("|λ|", 0.01), curve("‖λW₀‖", 0.015), curve("random 1", 0.025)])),
        Analysis::Rank(curves(vec![curve("all layers", -0.01), curve("layer 1", -0.002)])),
        Analysis::Symmetry { matrices: (0..12).map(matrix).collect() },
    ]
}

/// A program that shows one view and remembers what it was asked.
struct Fake {
    view: RefCell<Arc<View>>,
    asked: RefCell<Vec<Request>>,
    looked: RefCell<Interest>,
    /// What it says next.
    says: RefCell<Vec<Message>>,
    remembered: State,
}

impl Port for Fake {
    fn view(&self) -> Arc<View> {
        self.view.borrow().clone()
    }
    fn look(&self, interest: Interest) {
        *self.looked.borrow_mut() = interest;
    }
    fn ask(&self, request: Request) {
        if let Request::Picture { number, .. } = request {
            let about = About::Picture { number, picture: Arc::new(preview::halves()) };
            return self.says.borrow_mut().push(Message { about, ..Message::notice(String::new()) });
        }
        self.asked.borrow_mut().push(request);
    }
    fn messages(&self) -> Vec<Message> {
        self.says.take()
    }
    fn remembered(&self) -> State {
        self.remembered.clone()
    }
    fn device_line(&self) -> String {
        "cpu 2 threads".into()
    }
}

fn fake(view: View) -> Fake {
    Fake {
        view: RefCell::new(Arc::new(view)),
        asked: RefCell::default(),
        looked: RefCell::default(),
        says: RefCell::default(),
        remembered: State::default(),
    }
}

fn summary(n: u64, task: &str, method: &str, status: Status) -> RunSummary {
    let spec = RunSpec { task: task.into(), method: method.into(), seed: n, ..RunSpec::default() };
    let facts = RunFacts {
        total_steps: 320,
        epochs: 10,
        adapter_parameters: 12_396,
        adapter_bytes: 49_584,
        metric: "accuracy".into(),
        layers: 6,
        ..RunFacts::default()
    };
    RunSummary {
        id: RunId(format!("r{n:04}")),
        name: spec.display_name(),
        status,
        spec,
        facts,
        created: 1.7e9 + n as f64,
        started: Some(1.7e9),
        ended: None,
        cause: (status == Status::Failed).then(|| "the loss is NaN at step 7".into()),
        step: 32 * n,
        epoch: n as f64,
        seconds: 9.0 * n as f64,
        loss: Some(0.7 - 0.02 * n as f64),
        last: Some(0.6),
        best: Some(0.6 + 0.01 * n as f64),
        best_epoch: Some(2.0),
        lambda: Some(0.93),
        position: n,
        tags: Vec::new(),
        note: String::new(),
        archived: false,
    }
}

fn norms(layers: u32) -> Vec<LayerNorm> {
    let of = |layer: u32, target: &str| LayerNorm {
        layer,
        target: target.into(),
        lambda: 1.0 - 0.1 * f64::from(layer),
        w0_fro: 10.0 + f64::from(layer),
        w0_l1: 900.0,
        delta_fro: 0.5 * f64::from(layer + 1),
        spectrum: (0..8).map(|i| 0.9f64.powi(i) * f64::from(1 - i % 2 * 2) / (1.0 + f64::from(layer))).collect(),
    };
    (0..layers).flat_map(|l| [of(l, "query"), of(l, "value")]).collect()
}

fn view() -> View {
    let runs = [
        summary(5, "sst-2", "symlora", Status::Running),
        summary(4, "cola", "lora", Status::Failed),
        summary(3, "rte", "symlora", Status::Done),
        summary(2, "sst-2", "lora", Status::Stopped),
        summary(1, "sst-2", "full", Status::Interrupted),
    ];
    let bins = |scale: f64| -> Vec<Bin> {
        let bin = |s: u64| {
            let v = scale * (1.0 / (1.0 + s as f64 / 40.0) + 0.1 * f64::from(s.is_multiple_of(7)));
            Bin { from: s, to: s, min: v, max: v, mean: v, count: 1, gaps: 0 }
        };
        (1..=160).map(bin).collect()
    };
    let evaluation = |epoch: u64| Evaluation {
        step: 32 * epoch,
        epoch: epoch as f64,
        loss: 0.8 - 0.05 * epoch as f64,
        scores: vec![("accuracy".into(), 0.5 + 0.03 * epoch as f64)],
        rows: 250,
        seconds: 0.5,
    };
    let detail = RunDetail {
        summary: runs[0].clone(),
        series: Series::ALL.into_iter().map(|s| (s, bins(1.0))).collect(),
        evaluations: (1..=5).map(evaluation).collect(),
        clock: vec![(1, 0.5), (160, 45.0)],
        norm_steps: vec![0, 10, 20],
        norms_step: 20,
        norms: norms(6),
        log: vec![LogLine { time: 1.7e9, level: Level::Info, text: "symlora on SST-2".into() }],
        artifacts: Vec::new(),
        analyses: analyses(),
        device: Some(DeviceFigures {
            utilisation: Some(0.71),
            memory: 3 << 29,
            memory_total: 80 << 30,
            temperature: Some(43.0),
            power: Some(310.4),
        }),
        peak_memory: Some(3 << 29),
    };
    let compare = [(0, 1.0), (3, 0.8), (2, 1.2)].map(|(run, scale): (usize, f64)| {
        let evaluations = (1..=5).map(|epoch| {
            let mut e = evaluation(epoch);
            e.scores[0].1 *= scale;
            e
        });
        Arc::new(RunDetail {
            summary: runs[run].clone(),
            series: vec![(Series::Loss, bins(scale))],
            evaluations: evaluations.collect(),
            norms: Vec::new(),
            log: Vec::new(),
            ..detail.clone()
        })
    });
    let figure1 = [("sst-2", "symlora"), ("sst-2", "lora"), ("rte", "symlora")]
        .map(|(task, method)| {
            Arc::new(RunNorms {
                id: RunId("r0001".into()),
                task: task.into(),
                label: task.into(),
                method: method.into(),
                seed: 0,
                best: Some(0.7),
                step: 20,
                norms: norms(6),
                at_best: Some(AtBest { evaluated: 20, step: 20, norms: norms(6) }),
            })
        })
        .to_vec();
    View {
        watermark: 9,
        runs: runs.into_iter().map(Arc::new).collect(),
        tests: Arc::new(vec![test_score()]),
        open: Some(Arc::new(detail)),
        compare: compare.into(),
        figure1: Arc::new(figure1),
        sizes: Arc::new(vec![AdapterSize { of: RunSpec::default(), parameters: 12_396, bytes: 49_584 }]),
        memory: Arc::default(),
        devices: Arc::new(devices()),
        disk: DiskUse::default(),
        hub: Arc::new(hub::hub()),
        rows: Some(Arc::new(data::rows_view())),
    }
}

/// A score on test rows of the model of the runs.
fn test_score() -> TestScore {
    let RunSpec { model, data, .. } = RunSpec::default();
    let (task, method) = ("sst-2".into(), "symlora".into());
    TestScore { task, method, model, data, score: 0.951, rows: Some(1_821) }
}

fn devices() -> Vec<Device> {
    let figures = |utilisation, memory, temperature, power| {
        Some(DeviceFigures { utilisation, memory, memory_total: 80 << 30, temperature, power })
    };
    let cpu = figures(Some(0.93), 3 << 26, None, None);
    let gpu = figures(Some(0.71), 3 << 29, Some(43.0), Some(310.4));
    let history = |n: u64| (0..n).map(|i| (i % 11) as f64 / 10.0).collect();
    vec![
        Device { id: "cpu".into(), name: "2 threads".into(), figures: cpu, history: history(90) },
        Device { id: "cuda:0".into(), name: "NVIDIA H100 80GB HBM3".into(), figures: gpu, history: history(20) },
    ]
}

/// The view with a queue of three, moved about, one of them for a device that is not here.
fn queue() -> View {
    let mut all = view();
    let queued = [(6, 8, "cpu"), (7, 6, "cuda:1"), (8, 7, "cpu")].map(|(n, position, device)| {
        let run = summary(n, "rte", "lora", Status::Queued);
        let spec = RunSpec { device: device.into(), ..run.spec };
        Arc::new(RunSummary { spec, position, step: 0, ..run })
    });
    all.runs.splice(0..0, queued);
    all
}

fn choices() -> Choices {
    Choices { tasks: vec!["cola", "sst-2"], methods: vec!["symlora", "lora", "full"], devices: vec!["cpu".into()] }
}

fn key(text: &str) -> Event {
    let (code, modifiers) = match text {
        "enter" => (KeyCode::Enter, KeyModifiers::NONE),
        "esc" => (KeyCode::Esc, KeyModifiers::NONE),
        "backtab" => (KeyCode::BackTab, KeyModifiers::SHIFT),
        "space" => (KeyCode::Char(' '), KeyModifiers::NONE),
        "tab" => (KeyCode::Tab, KeyModifiers::NONE),
        "backspace" => (KeyCode::Backspace, KeyModifiers::NONE),
        "f1" => (KeyCode::F(1), KeyModifiers::NONE),
        "shift-down" => (KeyCode::Down, KeyModifiers::SHIFT),
        "left" => (KeyCode::Left, KeyModifiers::NONE),
        "home" => (KeyCode::Home, KeyModifiers::NONE),
        held if held.len() > 5 && held.starts_with("ctrl-") => {
            let code = match &held[5..] {
                "down" => KeyCode::Down,
                one => KeyCode::Char(one.chars().next().expect("a key")),
            };
            (code, KeyModifiers::CONTROL)
        }
        "alt-b" => (KeyCode::Char('b'), KeyModifiers::ALT),
        one => (KeyCode::Char(one.chars().next().expect("a key")), KeyModifiers::NONE),
    };
    Event::Key(KeyEvent::new(code, modifiers))
}

fn drawn(ui: &mut Ui, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a buffer");
    ui.refresh();
    terminal.draw(|frame| ui.draw(frame)).expect("drawn");
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width);
    let lines: Vec<String> = buffer
        .content
        .chunks(width)
        .map(|line| line.iter().map(ratatui::buffer::Cell::symbol).collect::<String>().trim_end().to_string())
        .collect();
    lines.join("\n")
}

/// The screen after these keys.
fn after(port: &Fake, keys: &[&str], width: u16, height: u16) -> Buffer {
    let mut ui = Ui::new(port, &choices(), Colours::True);
    drawn(&mut ui, width, height);
    for k in keys {
        ui.event(&key(k));
    }
    drawn(&mut ui, width, height)
}

const SCREENS: &[(&str, &[&str])] = &[
    ("runs", &[]),
    ("run", &["enter"]),
    ("layers", &["enter", "tab", "tab", "tab", "j"]),
    ("rate", &["enter", "tab", "tab", "h"]),
    ("log", &["enter", "tab", "tab", "tab", "tab"]),
    ("device", &["enter", "backtab"]),
    ("zoom", &["enter", "l", "+", "+"]),
    ("compare", &["space", "j", "j", "space", "c", "h"]),
    ("settings", &["space", "j", "j", "space", "space", "3", "t"]),
    ("differences", &["space", "j", "j", "space", "c", "backtab"]),
    ("parallel", &["space", "j", "space", "space", "c", "backtab", "backtab"]),
    ("compare_nothing", &["3"]),
    ("figure1", &["4"]),
    ("table1", &["5", "j", "j"]),
    ("launch", &["6"]),
    ("spectra", &["7", "j", "l"]),
    ("hub", &["8", "j"]),
    ("deletion", &["7", "tab"]),
    ("symmetry", &["7", "backtab", "j"]),
    ("rows", &["G", "9"]),
    ("rows_labels", &["G", "9", "tab"]),
    ("rows_lengths", &["G", "9", "tab", "tab"]),
    ("rows_examples", &["G", "9", "backtab", "j"]),
    ("queue", &["0"]),
    ("palette", &[":", "s", "t", "o", "p"]),
    ("help", &["?"]),
    ("quit", &["q"]),
    ("delete", &["j", "D"]),
    ("groups", &["z", "l"]),
    ("columns", &["v", "j"]),
    ("tags", &["t", "a"]),
    ("fault", &["/", "l", "r", ">", "x"]),
    ("none_fits", &["/", "x", "x", "enter"]),
];

#[test]
fn screens_look_as_recorded() {
    for (name, keys) in SCREENS {
        for (width, height) in [(80, 24), (160, 48)] {
            let port = fake(view());
            insta::assert_snapshot!(format!("{name}_{width}x{height}"), text(&after(&port, keys, width, height)));
        }
    }
    let port = fake(View::default());
    for (width, height) in [(80, 24), (160, 48)] {
        let waiting = fake(queue());
        insta::assert_snapshot!(
            format!("queue_waiting_{width}x{height}"),
            text(&after(&waiting, &["0"], width, height))
        );
    }
    insta::assert_snapshot!("queue_empty_80x24", text(&after(&port, &["0"], 80, 24)));
    insta::assert_snapshot!("welcome_80x24", text(&after(&port, &[], 80, 24)));
    insta::assert_snapshot!("figure1_empty_80x24", text(&after(&port, &["4"], 80, 24)));
}

#[test]
fn every_size_is_survived() {
    for (_, keys) in SCREENS {
        for view in [view(), View::default(), foreign::foreign()] {
            let port = fake(view);
            for colours in [Colours::True, Colours::Indexed, Colours::None] {
                let mut ui = Ui::new(&port, &choices(), colours);
                drawn(&mut ui, 80, 24);
                keys.iter().for_each(|k| ui.event(&key(k)));
                for width in (1..=120).step_by(7) {
                    for height in (1..=40).step_by(3) {
                        drawn(&mut ui, width, height);
                    }
                }
            }
        }
    }
    let small = text(&after(&fake(view()), &[], 59, 16));
    assert!(small.contains("needs 60x16"), "{small}");
}

#[test]
fn keys_ask_for_what_they_say() {
    let asked = |keys: &[&str]| {
        let port = fake(view());
        after(&port, keys, 100, 30);
        port.asked.into_inner()
    };
    let running = RunId("r0005".into());
    assert_eq!(asked(&["x"]), [Request::Control(vec![running.clone()], Control::Stop)]);
    assert_eq!(asked(&["p"]), [Request::Control(vec![running.clone()], Control::Pause)]);
    assert_eq!(asked(&["r"]), [Request::Control(vec![running], Control::Resume)]);
    assert_eq!(asked(&["j", "r"]), [Request::Requeue(vec![RunId("r0004".into())])]);
    assert_eq!(asked(&["j", "j", "D", "y"]), [Request::Delete(vec![RunId("r0003".into())])]);
    assert_eq!(asked(&["j", "j", "D", "n"]), []);
    assert_eq!(asked(&["G", "D", "y"]), [Request::Delete(vec![RunId("r0001".into())])]);
    assert_eq!(asked(&["d"]), [Request::Demo]);
    assert!(matches!(&asked(&["4", "e"])[..], [Request::Export { file_stem, .. }] if file_stem == "figure1"));
    assert!(matches!(&asked(&["enter", "e"])[..], [Request::Export { .. }]));
    let Some(Request::Launch(specs)) = asked(&["6", "enter"]).pop() else { panic!("nothing was launched") };
    assert_eq!(specs, [RunSpec::default()]);
}

#[test]
fn after_a_delete_the_selection_stays_at_its_row() {
    let port = fake(view());
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    let selected = |ui: &mut Ui| {
        let screen = text(&drawn(ui, 160, 20));
        let line = screen.lines().find(|l| l.contains("> ")).expect("a selection").to_string();
        ["r0001", "r0002", "r0003", "r0004", "r0005"].into_iter().find(|id| line.contains(id)).expect("an id")
    };
    let delete = |ui: &mut Ui, id: &str| {
        ["D", "y"].iter().for_each(|k| ui.event(&key(k)));
        let removed = vec![RunId(id.into())];
        assert_eq!(port.asked.borrow_mut().pop(), Some(Request::Delete(removed.clone())));
        let mut view = (*port.view()).clone();
        view.fold(eigenscope::view::Delta { watermark: 10, removed, ..Default::default() });
        *port.view.borrow_mut() = Arc::new(view);
    };
    selected(&mut ui);
    ["j", "j"].iter().for_each(|k| ui.event(&key(k)));
    assert_eq!(selected(&mut ui), "r0003");
    delete(&mut ui, "r0003");
    assert_eq!(selected(&mut ui), "r0002", "the next run");
    // A new run above does not move the selection on.
    let mut more = (*port.view()).clone();
    more.runs.insert(0, Arc::new(summary(6, "rte", "lora", Status::Running)));
    *port.view.borrow_mut() = Arc::new(more);
    assert_eq!(selected(&mut ui), "r0002");
    ui.event(&key("G"));
    delete(&mut ui, "r0001");
    assert_eq!(selected(&mut ui), "r0002", "the last run has no next");
    // r0005 and r0006 are being trained and cannot be deleted.
    ["g", "j", "j"].iter().for_each(|k| ui.event(&key(k)));
    delete(&mut ui, "r0004");
    assert_eq!(selected(&mut ui), "r0002");
}

#[test]
fn only_what_can_be_cancelled_asks() {
    let port = fake(view());
    let screen = text(&after(&port, &["j", "X"], 100, 30));
    assert!(screen.contains("r0004 is failed: only queued and running runs can be cancelled"), "{screen}");
    let port = fake(view());
    after(&port, &["X", "y"], 100, 30);
    assert_eq!(port.asked.into_inner(), [Request::Control(vec![RunId("r0005".into())], Control::Cancel)]);
}

#[test]
fn the_run_screen_opens_the_selected_or_the_last_opened_run() {
    let port = fake(view());
    let opened = |keys: &[&str]| {
        after(&port, keys, 80, 24);
        port.looked.borrow().open.clone().map(|id| id.0)
    };
    assert_eq!(opened(&["1", "4", "2"]).as_deref(), Some("r0005"));
    assert_eq!(opened(&["j", "j", "4", "2"]).as_deref(), Some("r0003"));
    assert_eq!(opened(&["j", "enter", "1", "j", "4", "2"]).as_deref(), Some("r0004"));
    let screen = text(&after(&port, &["1", "4", "2"], 80, 24));
    assert!(!screen.contains("no run is open") && screen.contains("r0005"), "{screen}");
}

#[test]
fn the_launch_form_checks_and_makes_grids() {
    let port = fake(view());
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    drawn(&mut ui, 100, 40);
    ["6", "ctrl-u", "x"].iter().for_each(|k| ui.event(&key(k)));
    assert!(text(&drawn(&mut ui, 100, 40)).contains("one of cola, sst-2"));
    ui.event(&key("enter"));
    assert!(port.asked.borrow().is_empty(), "a wrong form launches nothing");
    ui.event(&key("ctrl-u"));
    ui.event(&Event::Paste("cola,sst-2".into()));
    assert!(text(&drawn(&mut ui, 100, 40)).contains("2 runs: enter launches"));
    ui.event(&key("enter"));
    assert!(
        matches!(&port.asked.borrow()[..], [Request::Launch(specs)] if specs.len() == 2 && specs[0].task == "cola")
    );
}

#[test]
fn the_launch_form_tells_what_a_run_takes_of_a_gpu() {
    let on = |device: &str, batch_size: usize| RunSpec { device: device.into(), batch_size, ..RunSpec::default() };
    let need =
        |of: RunSpec, gib: f64, card: Option<u64>| MemoryNeed { of, bytes: (gib * (1u64 << 30) as f64) as u64, card };
    let memory = vec![
        need(on("cuda:0", 32), 1.2, Some(80 << 30)),
        need(on("cuda:0", 64), 2.04, Some(80 << 30)),
        need(on("cuda:0", 9_000), 90.5, Some(80 << 30)),
        need(on("cuda:1", 32), 1.2, None),
    ];
    let port = fake(View { memory: Arc::new(memory), ..view() });
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    drawn(&mut ui, 160, 40);
    ui.event(&key("6"));
    let shown = |ui: &mut Ui| text(&drawn(ui, 160, 40));
    assert!(!shown(&mut ui).contains("GiB"), "nothing of the CPU");
    let fill = |ui: &mut Ui, field: &str, value: &str| {
        let at = eigenscope::spec::FIELDS.iter().position(|f| f.name == field).expect("a field");
        ui.event(&Event::Key(KeyEvent::new(KeyCode::Home, KeyModifiers::NONE)));
        (0..at).for_each(|_| ui.event(&key("tab")));
        ui.event(&key("ctrl-u"));
        ui.event(&Event::Paste(value.into()));
        shown(ui)
    };
    let one = fill(&mut ui, "device", "cuda:0");
    assert!(one.contains("1 run: enter launches · 12396 params, 49 KiB a run · 1.2 GiB on cuda:0"), "{one}");
    assert_eq!(port.looked.borrow().memory_of, [on("cuda:0", 32)]);
    fill(&mut ui, "seed", "0,1,2");
    assert_eq!(port.looked.borrow().memory_of, [on("cuda:0", 32)], "a seed does not matter");
    let grid = fill(&mut ui, "batch_size", "32,64");
    assert!(grid.contains("6 runs: enter launches · 12396 params, 49 KiB a run · 1.2 to 2.0 GiB on cuda:0"), "{grid}");
    let unknown = fill(&mut ui, "batch_size", "32,128");
    assert!(unknown.contains("6 runs: enter launches") && !unknown.contains("GiB"), "{unknown}");
    let large = fill(&mut ui, "batch_size", "32,9000");
    assert!(large.contains("1.2 to 90.5 GiB, more than the 80.0 GiB of cuda:0"), "{large}");
    fill(&mut ui, "batch_size", "32");
    let two = fill(&mut ui, "device", "cuda:0,cuda:1,cpu");
    assert!(two.contains("1.2 GiB on cuda:0 · 1.2 GiB on cuda:1"), "{two}");
    fill(&mut ui, "device", "cuda:0");
    fill(&mut ui, "batch_size", "9000");
    ui.event(&key("enter"));
    assert!(
        matches!(&port.asked.borrow()[..], [Request::Launch(specs)] if specs.len() == 3),
        "a warning refuses nothing"
    );
}

#[test]
fn the_launch_form_stays_until_its_runs_are_accepted() {
    let port = fake(view());
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    let shown = |ui: &mut Ui| text(&drawn(ui, 80, 24));
    shown(&mut ui);
    ["6", "tab", "tab", "tab"].iter().for_each(|k| ui.event(&key(k)));
    ui.event(&Event::Paste("/no/rows".into()));
    assert!(shown(&mut ui).contains("1 run: enter launches · 12396 params, 49 KiB a run"));
    assert_eq!(port.looked.borrow().sizes_of, [RunSpec::default()]);
    ["enter", "enter"].iter().for_each(|k| ui.event(&key(k)));
    assert_eq!(port.asked.borrow().len(), 1, "a second enter does not launch twice");
    assert!(shown(&mut ui).contains("checking"));
    let answer = |error, text: &str, field: Option<&str>| Message {
        error,
        text: text.into(),
        about: About::Launch { field: field.map(str::to_string) },
    };
    port.says.borrow_mut().push(answer(true, "rank 300 does not fit", Some("rank")));
    let refused = shown(&mut ui);
    assert!(refused.contains("> rank") && refused.contains("rank 300 does not fit"), "{refused}");
    assert!(refused.contains("/no/rows"), "what was typed is kept: {refused}");
    ui.event(&key("4"));
    assert!(shown(&mut ui).contains("1 run: enter launches"), "a change takes the refusal away");
    ui.event(&key("enter"));
    port.says.borrow_mut().push(answer(false, "r0009 is queued", None));
    let accepted = shown(&mut ui);
    assert!(accepted.contains("Runs (5/5)") && accepted.contains("r0009 is queued"), "{accepted}");
}

#[test]
fn quitting_asks_while_runs_are_active() {
    let port = fake(view());
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    drawn(&mut ui, 80, 24);
    ui.event(&key("q"));
    assert!(!ui.is_done());
    ui.event(&key("j"));
    assert!(!ui.is_done(), "any other key stays");
    ui.event(&key("ctrl-c"));
    ui.event(&key("s"));
    assert!(ui.is_done());
    let idle = fake(View::default());
    let mut ui = Ui::new(&idle, &choices(), Colours::True);
    ui.event(&key("q"));
    assert!(ui.is_done());
}

#[test]
fn the_reader_is_told_what_is_looked_at() {
    let port = fake(view());
    after(&port, &["j"], 80, 24);
    assert_eq!(port.looked.borrow().open, Some(RunId("r0004".into())));
    after(&port, &["4"], 80, 24);
    assert!(port.looked.borrow().figure1);
    after(&port, &["enter", "tab", "tab", "tab", "["], 80, 24);
    assert_eq!(port.looked.borrow().norms_step, Some(10));
}

#[test]
fn heatmap_cells_have_the_colour_of_their_values() {
    let buffer = after(&fake(view()), &["enter", "tab", "tab", "tab"], 160, 48);
    let lambdas = || norms(6).into_iter().map(|n| n.lambda - 1.0);
    let moved = Scale::over(Map::Diverging, "", lambdas());
    let scale = Scale { low: 1.0 + moved.low, high: 1.0 + moved.high, ..moved };
    for n in norms(6) {
        let (r, g, b) = scale.colour(n.lambda).expect("a colour");
        let cells = buffer.content.iter().filter(|c| c.bg == Color::Rgb(r, g, b)).count();
        assert!(cells >= 10, "layer {}: {cells} cells of its colour", n.layer);
    }
}

#[test]
fn hostile_names_do_not_reach_the_screen() {
    let mut hostile = view();
    let mut run = summary(9, "sst-2", "symlora", Status::Running);
    run.name = "a\u{1b}[2J\u{202e}b".into();
    hostile.runs.insert(0, Arc::new(run));
    let shown = text(&after(&fake(hostile), &[], 160, 48));
    assert!(!shown.contains('\u{202e}') && !shown.contains('\u{1b}'));
    assert!(shown.contains("\\u{1b}[2J"), "{shown}");
}
