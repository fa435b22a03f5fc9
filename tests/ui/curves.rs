//! Curves on the screens Run and Compare: cursor, zoom, axes, gaps, mouse, comparison, the log's search; and what the reader
//! brings for them.

use super::{Fake, after, choices, drawn, fake, key, summary, text, view};
use crossterm::event::{Event, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use eigenscope::app::AppPort;
use eigenscope::engine::Engine;
use eigenscope::event::{Evaluation, Level, Point, RunEvent, RunId, Status};
use eigenscope::job;
use eigenscope::record::{Bin, LogLine, RunDetail, Series};
use eigenscope::spec::RunSpec;
use eigenscope::store::Store;
use eigenscope::ui::{Colours, Ui};
use eigenscope::view::{Interest, Port, Request, View};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The view with another open run.
fn opened(change: impl Fn(&mut RunDetail)) -> Fake {
    let mut view = view();
    let mut detail = (**view.open.as_ref().expect("a run")).clone();
    change(&mut detail);
    view.open = Some(Arc::new(detail));
    fake(view)
}

fn shown(port: &Fake, keys: &[&str], width: u16, height: u16) -> String {
    text(&after(port, keys, width, height))
}

fn mouse(kind: MouseEventKind, column: u16, row: u16) -> Event {
    Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
}

#[test]
fn the_cursor_reads_what_lies_under_it() {
    let port = fake(view());
    let last = shown(&port, &["enter", "h"], 120, 30);
    assert!(last.contains("step 160 · raw 0.2000 · validation 0.5500 · train (smoothed) 0.2202"), "{last}");
    let first = shown(&port, &["enter", "l"], 120, 30);
    assert!(first.contains("step 1 · raw 0.9756"), "{first}");
    let score = shown(&port, &["enter", "tab", "h"], 120, 30);
    assert!(score.contains("step 160 · accuracy 0.6500"), "{score}");
    let none = shown(&port, &["enter", "h", "="], 120, 30);
    assert!(!none.contains("step 160 ·"), "{none}");
}

#[test]
fn no_spike_is_lost_between_the_columns() {
    let port = opened(|detail| {
        let bins = (0..400u64).map(|i| {
            let max = if i == 200 { 9.0 } else { 0.6 };
            Bin { from: 8 * i + 1, to: 8 * i + 8, min: 0.4, max, mean: 0.5, count: 8, gaps: 0 }
        });
        detail.series = vec![(Series::Loss, bins.collect())];
        detail.summary.step = 3_200;
    });
    let screen = shown(&port, &["enter"], 80, 24);
    let top = screen.lines().find(|l| l.contains("8 ") && l.chars().any(|c| ('\u{2801}'..='\u{28ff}').contains(&c)));
    assert!(top.is_some(), "one step of 3200 reaches the top: {screen}");
    // 100 columns of the axis to the right and to the bin of the spike.
    let zoomed = shown(&port, &["enter", "+", "+", "+", "+", "l"], 80, 24);
    assert!(zoomed.contains("raw 0.5000 [0.4000, 0.6000]"), "{zoomed}");
    let window = port.looked.borrow().steps.expect("a range");
    assert!(window.0 >= 1_000 && window.1 <= 2_000, "{window:?}: the middle at full resolution");
}

#[test]
fn what_is_not_finite_is_a_gap_with_a_mark() {
    let whole = shown(&fake(view()), &["enter"], 80, 24);
    assert!(!whole.contains('×'));
    let port = opened(|detail| {
        for (_, bins) in &mut detail.series {
            bins.truncate(9);
            bins[4] = Bin { min: f64::NAN, max: f64::NAN, mean: f64::NAN, count: 0, gaps: 1, ..bins[4] };
        }
        detail.summary.step = 9;
    });
    let screen = shown(&port, &["enter", "l", "l", "l", "l", "l"], 80, 24);
    assert!(screen.contains("step 5 · raw not finite"), "{screen}");
    assert!(screen.contains("× not finite"), "the mark has a name: {screen}");
    let foot = screen.lines().rfind(|l| l.contains('│')).expect("the pane's last rows").to_string();
    assert!(screen.lines().rev().take(6).any(|l| l.contains('×')), "{foot}");
}

#[test]
fn zoom_and_pan_ask_for_the_shown_steps() {
    let port = fake(view());
    let steps = |keys: &[&str]| {
        after(&port, &[&["enter"], keys].concat(), 100, 30);
        port.looked.borrow().steps
    };
    assert_eq!(steps(&[]), None);
    // 40 to 120, with a run-up for the smoothing and a margin.
    assert_eq!(steps(&["+"]), Some((1, 132)));
    assert_eq!(steps(&["h", "+", "+"]), Some((1, 168)), "about the cursor at the end");
    assert_eq!(steps(&["+", ">"]), Some((1, 152)));
    assert_eq!(steps(&["+", ">", ">", ">", ">"]), steps(&["+", ">", ">", ">"]), "it stops at the end");
    assert_eq!(steps(&["+", "<", "<", "<"]), Some((1, 92)));
    assert_eq!(steps(&["+", "-"]), None);
    assert_eq!(steps(&["+", "+", "="]), None);
    let screen = shown(&port, &["enter", "+"], 100, 30);
    assert!(screen.contains("zoomed, = shows all"), "{screen}");
    assert!(shown(&port, &["enter", ">"], 100, 30).contains("+ zooms in first"));
    // Another run is shown whole.
    assert_eq!(steps(&["+", "1", "j", "enter"]), None);
}

#[test]
fn axes_change_their_unit_and_their_spacing() {
    let port = fake(view());
    let axis = |keys: &[&str]| {
        let screen = shown(&port, &[&["enter"], keys].concat(), 80, 24);
        screen
            .lines()
            .find(|l| l.contains(" step│") || l.contains(" epoch│") || l.contains(" seconds│"))
            .expect("an axis")
            .to_string()
    };
    let epochs = axis(&["X"]);
    assert!(epochs.contains("epoch") && epochs.contains(" 4 "), "5 epochs in all: {epochs}");
    let seconds = axis(&["X", "X"]);
    assert!(seconds.contains("seconds") && seconds.contains(" 30 "), "45 seconds in all: {seconds}");
    assert!(axis(&["X", "X", "X"]).contains("step"));
    let log = axis(&["L", "L"]);
    assert!(log.contains(" 10 ") && log.contains("100") && !log.contains("50"), "{log}");
    for (keys, said) in [
        (&["enter", "L"][..], "logarithmic y axis"),
        (&["enter", "L", "L"], "logarithmic x axis"),
        (&["enter", "L", "L", "L"], "both axes logarithmic"),
        (&["enter", "L", "L", "L", "L"], "linear axes"),
    ] {
        assert!(shown(&port, keys, 80, 24).contains(said), "{said}");
    }
    // The cursor stays at its step.
    let seconds = shown(&port, &["enter", "h", "X", "X"], 80, 24);
    assert!(seconds.contains("seconds 45 ·"), "{seconds}");
}

#[test]
fn the_mouse_zooms_selects_and_reads() {
    let port = fake(view());
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    drawn(&mut ui, 80, 24);
    ui.event(&key("enter"));
    drawn(&mut ui, 80, 24);
    let left = MouseButton::Left;
    ui.event(&mouse(MouseEventKind::Down(left), 42, 12));
    ui.event(&mouse(MouseEventKind::Up(left), 42, 12));
    let clicked = text(&drawn(&mut ui, 80, 24));
    assert!(clicked.contains("loss step 8") && clicked.contains("raw"), "{clicked}");
    ui.event(&mouse(MouseEventKind::ScrollUp, 42, 12));
    assert!(port.looked.borrow().steps.is_some(), "the wheel zooms");
    ui.event(&mouse(MouseEventKind::ScrollDown, 42, 12));
    ui.event(&mouse(MouseEventKind::ScrollDown, 42, 12));
    assert_eq!(port.looked.borrow().steps, None);
    ui.event(&mouse(MouseEventKind::Down(left), 24, 12));
    ui.event(&mouse(MouseEventKind::Drag(left), 42, 12));
    ui.event(&mouse(MouseEventKind::Drag(left), 42, 30));
    ui.event(&mouse(MouseEventKind::Up(left), 42, 30));
    let zoomed = text(&drawn(&mut ui, 80, 24));
    assert!(zoomed.contains("zoomed") && zoomed.contains(" 60 "), "{zoomed}");
    // A click on a pane's name shows it.
    let (row, line) = zoomed.lines().enumerate().find(|(_, l)| l.contains(" layers ")).expect("names");
    let column = line.find("layers").expect("a name") as u16;
    ui.event(&mouse(MouseEventKind::Down(left), column, row as u16));
    assert!(text(&drawn(&mut ui, 80, 24)).contains("layer 1 query"), "{zoomed}");
    ui.event(&mouse(MouseEventKind::ScrollDown, 42, 12));
    assert_eq!(port.looked.borrow().norms_step, Some(10), "the wheel goes through the records");
}

#[test]
fn an_open_run_that_waits_is_not_paused() {
    let port = opened(|detail| detail.summary.status = Status::Queued);
    let screen = shown(&port, &["enter", "p"], 100, 30);
    assert!(screen.contains("only running runs pause"), "{screen}");
    assert_eq!(port.asked.borrow()[..], []);
}

#[test]
fn records_of_layers_are_gone_through() {
    let port = opened(|detail| {
        detail.norm_steps = (0..40).map(|i| 10 * i).collect();
        detail.norms_step = 390;
    });
    let wanted = |keys: &[&str]| {
        after(&port, &[&["enter", "tab", "tab", "tab"], keys].concat(), 80, 24);
        port.looked.borrow().norms_step
    };
    assert_eq!(wanted(&[]), None);
    assert_eq!(wanted(&["["]), Some(380));
    assert_eq!(wanted(&["{"]), Some(290));
    assert_eq!(wanted(&["{", "{", "{", "{", "{"]), Some(0));
    assert_eq!(wanted(&["{", "]"]), Some(300));
    assert_eq!(wanted(&["{", "}"]), None, "the newest is followed");
    let screen = shown(&port, &["enter", "tab", "tab", "tab"], 80, 24);
    assert!(screen.contains("step 390 (40/40)") && screen.contains("● 390  newest"), "{screen}");
}

#[test]
fn the_log_is_searched() {
    let port = opened(|detail| {
        let line = |i: u64| LogLine {
            time: 0.0,
            level: Level::Info,
            text: format!("line {i}{}", if i.is_multiple_of(30) { " Loss" } else { "" }),
        };
        detail.log = (1..=100).map(line).collect();
    });
    let keys =
        |more: &[&'static str]| -> Vec<&'static str> { [&["enter", "/", "l", "o", "s", "s"][..], more].concat() };
    let typing = shown(&port, &keys(&[]), 80, 24);
    assert!(typing.contains("/loss▏") && typing.contains("│line 90 Loss"), "it goes there while one types: {typing}");
    let found = shown(&port, &keys(&["enter"]), 80, 24);
    assert!(found.contains("/loss in 3 of 100 lines line 90 of 100"), "{found}");
    assert!(shown(&port, &keys(&["enter", "N"]), 80, 24).contains("line 60 of 100"));
    assert!(shown(&port, &keys(&["enter", "n"]), 80, 24).contains("line 30 of 100"), "round the end");
    assert!(shown(&port, &keys(&["x", "enter", "n"]), 80, 24).contains("\"lossx\" is not in the log"));
    assert!(shown(&port, &["enter", "n"], 80, 24).contains("/ searches the log"));
    assert!(port.asked.borrow().is_empty(), "what is typed is no command");
    let log = ["enter", "tab", "tab", "tab", "tab"];
    assert!(shown(&port, &[&log[..], &["g"]].concat(), 80, 24).contains("line 1 of 100"));
    let end = shown(&port, &[&log[..], &["g", "G"]].concat(), 80, 24);
    assert!(end.contains("│line 100 ") && !end.contains("of 100"), "{end}");
}

#[test]
fn marked_runs_are_compared() {
    let port = fake(view());
    let screen = shown(&port, &["space", "c"], 80, 24);
    assert!(screen.contains("Only r0005 is marked: two or more are compared"), "{screen}");
    assert!(screen.contains("space marks the selected run"), "{screen}");
    let marked = ["space", "j", "j", "space", "c"];
    let screen = shown(&port, &marked, 80, 24);
    assert_eq!(port.looked.borrow().compare, [RunId("r0005".into()), RunId("r0002".into())]);
    assert!(screen.contains("● r0005 sst-2-symlora-s5 0.6500   ▲ r0002 sst-2-lora-s2 0.6200"), "{screen}");
    assert!(screen.matches('●').count() > 3 && screen.matches('▲').count() > 3, "markers beside colours: {screen}");
    let read = shown(&port, &[&marked[..], &["h"]].concat(), 80, 24);
    assert!(read.contains("step 160 · ● 0.2202 · ▲ 0.1762"), "{read}");
    let score = shown(&port, &[&marked[..], &["tab", "h"]].concat(), 80, 24);
    assert!(score.contains("● 0.6500 · ▲ 0.5200"), "{score}");
    after(&port, &[&marked[..], &["+"]].concat(), 80, 24);
    assert_eq!(port.looked.borrow().steps, Some((1, 132)));
    after(&port, &[&marked[..], &["tab", "e"]].concat(), 80, 24);
    let Some(Request::Export { file_stem, figure }) = port.asked.borrow_mut().pop() else { panic!("no export") };
    assert_eq!(file_stem, "compare-r0005-r0002-score");
    assert_eq!(figure.panels[0].marks.len(), 2);
}

#[test]
fn the_lines_of_compared_runs_have_their_colours() {
    let buffer = after(&fake(view()), &["space", "j", "j", "space", "c"], 80, 24);
    for (sign, index) in [("●", 0), ("▲", 1)] {
        let colours: Vec<_> = buffer.content.iter().filter(|c| c.symbol() == sign).map(|c| c.fg).collect();
        assert!(colours.len() > 3 && colours.windows(2).all(|w| w[0] == w[1]), "{sign}: {colours:?}");
        let other = buffer.content.iter().find(|c| c.symbol() == ["▲", "●"][index]).expect("the other").fg;
        assert_ne!(colours[0], other);
    }
}

#[test]
fn settings_show_what_differs_or_all() {
    let port = fake(view());
    let marked = ["space", "j", "j", "space", "c", "tab", "tab"];
    let some = shown(&port, &marked, 80, 24);
    assert!(some.contains("23 of 25 fields equal · only what differs, t all"), "{some}");
    assert!(some.contains("method         symlora  lora") && !some.contains("batch_size"), "{some}");
    let all = shown(&port, &[&marked[..], &["t"]].concat(), 80, 48);
    assert!(all.contains("batch_size") && all.contains("all, t only what differs"), "{all}");
    let scrolled = shown(&port, &[&marked[..], &["t", "G"]].concat(), 80, 24);
    assert!(!scrolled.contains("│status") && scrolled.contains("precision"), "{scrolled}");
}

#[test]
fn scores_of_two_methods_are_paired() {
    let mut paired = View { runs: Vec::new(), ..view() };
    for (n, seed, method, best) in
        [(4, 1, "symlora", 0.70), (3, 0, "symlora", 0.74), (2, 1, "lora", 0.69), (1, 0, "lora", 0.71)]
    {
        let mut run = summary(n, "sst-2", method, Status::Done);
        (run.spec.seed, run.best) = (seed, Some(best));
        paired.runs.push(Arc::new(run));
    }
    let port = fake(paired);
    let screen = shown(&port, &["space", "space", "space", "space", "c", "backtab"], 80, 24);
    insta::assert_snapshot!("pairs_80x24", screen);
    // 0.01 and 0.03: mean 0.02, s 0.01414, 1.96 s / sqrt 2 = 0.0196.
    assert!(screen.contains("best score, ") && screen.contains("sst-2      2  "), "{screen}");
    assert!(screen.contains("0.0200 ± 0.0196"), "{screen}");
    let one = shown(&port, &["space", "j", "space", "c", "backtab"], 80, 24);
    assert!(one.contains("one pair: no interval"), "{one}");
}

#[test]
fn the_reader_brings_compared_runs_and_refreshes_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path()).expect("a store");
    let handle = store.handle();
    let ids = handle.create(&vec![RunSpec::default(); 3]).expect("runs");
    let point = |step: u64| {
        let seconds = 0.5 * step as f64;
        RunEvent::Point(Point {
            step,
            epoch: 0.0,
            seconds,
            loss: 0.5,
            lr: 1e-3,
            grad_norm: 1.0,
            samples_per_second: 9.0,
        })
    };
    let evaluation =
        Evaluation { step: 4, epoch: 1.0, loss: 0.6, scores: vec![("f1".into(), 0.5)], rows: 9, seconds: 0.1 };
    for id in &ids {
        (1..=600).for_each(|step| handle.record(id, point(step)).expect("recorded"));
        handle.record(id, RunEvent::Evaluated(evaluation.clone())).expect("recorded");
        handle.record(id, RunEvent::Log { level: Level::Info, text: "a line".into() }).expect("recorded");
    }
    handle.flush().expect("flushed");
    let engine = Engine::start(store.handle(), &[], job::execute).expect("an engine");
    let port = AppPort::start(&store, Arc::new(engine), folder.path()).expect("a port");
    let interest = |steps| Interest { compare: ids[..2].to_vec(), width: 50, steps, ..Interest::default() };
    let wait_for = |what: &str, seen: &dyn Fn(&View) -> bool| {
        let start = Instant::now();
        while !seen(&port.view()) {
            assert!(start.elapsed() < Duration::from_secs(20), "{what}");
            std::thread::sleep(Duration::from_millis(10));
        }
        port.view()
    };
    port.look(interest(None));
    let view = wait_for("two runs", &|v| v.compare.len() == 2);
    let [first, second] = &view.compare[..] else { panic!("two") };
    assert_eq!(first.summary.id, ids[0]);
    assert_eq!(first.series.iter().map(|(s, _)| *s).collect::<Vec<_>>(), [Series::Loss], "no more than is shown");
    assert!(first.log.is_empty() && first.norms.is_empty() && first.evaluations.len() == 1);
    assert!(first.series[0].1.len() <= 102);
    let clock: Vec<(u64, f64)> = first.clock.clone();
    assert!(clock.len() <= 257 && clock[0] == (1, 0.5) && clock.last() == Some(&(600, 300.0)), "{clock:?}");

    // The one that went on is read again; the other stays.
    handle.record(&ids[0], point(601)).expect("recorded");
    handle.flush().expect("flushed");
    let later = wait_for("the new step", &|v| v.compare[0].summary.step == 601);
    assert!(Arc::ptr_eq(&later.compare[1], second));
    // A range is read at full resolution.
    port.look(interest(Some((101, 150))));
    let zoomed = wait_for("the range", &|v| v.compare.iter().all(|d| d.series[0].1.len() == 50));
    assert_eq!(zoomed.compare[0].series[0].1[0].from, 101);
}
