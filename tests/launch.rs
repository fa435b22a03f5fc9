//! The launch form on the real program: each run is checked before the form is left, and what will be trained is told as
//! the run later counts it.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use eigenscope::app::AppPort;
use eigenscope::engine::Engine;
use eigenscope::job;
use eigenscope::spec::RunSpec;
use eigenscope::store::Store;
use eigenscope::ui::{Choices, Colours, Ui};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::sync::Arc;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

fn press(ui: &mut Ui, code: KeyCode) {
    ui.event(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
}

/// Types `value` over what stands in the field `name`.
fn fill(ui: &mut Ui, name: &str, value: &str) {
    let at = eigenscope::spec::FIELDS.iter().position(|f| f.name == name).expect("a field");
    press(ui, KeyCode::Home);
    (0..at).for_each(|_| press(ui, KeyCode::Down));
    ui.event(&Event::Key(KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL)));
    ui.event(&Event::Paste(value.into()));
}

/// Draws until `text` is on the screen, as lines joined without breaks.
fn wait_for(ui: &mut Ui, text: &str) -> String {
    let mut terminal = Terminal::new(TestBackend::new(160, 48)).expect("a buffer");
    let start = Instant::now();
    loop {
        ui.refresh();
        terminal.draw(|frame| ui.draw(frame)).expect("drawn");
        let cells = &terminal.backend().buffer().content;
        let screen: String = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
        if screen.contains(text) {
            return screen;
        }
        assert!(start.elapsed() < PATIENCE, "{text:?} did not appear: {screen}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn only_valid_runs_leave_the_form() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path()).expect("a store");
    let engine = Engine::start(store.handle(), &[], job::execute).expect("an engine");
    let port = AppPort::start(&store, Arc::new(engine), folder.path()).expect("a port");
    let methods = vec!["symlora", "lora", "full"];
    let choices = Choices { tasks: eigenscope::task::ids(), methods, devices: vec!["cpu".into()] };
    let mut ui = Ui::new(&port, &choices, Colours::None);
    press(&mut ui, KeyCode::Char('6'));
    wait_for(&mut ui, "1 run: enter launches · 12396 params, 49 KiB a run");
    let refusals = [
        ("rank", "300", "rank 300 does not fit, 1 to 128 is allowed"),
        ("max_length", "512", "max_length: found 512, expected at most 128"),
        ("model", "/no/such/model", "neither \"mini-roberta\", nor a folder here"),
        ("data", "/no/such/rows", "/no/such/rows/SST-2/train.tsv"),
        ("device", "cuda:77", "device: found \"cuda:77\""),
        ("precision", "bf16", "precision: found bf16, expected f32 on device cpu"),
    ];
    for (field, wrong, text) in refusals {
        let good = eigenscope::spec::Field::find(field).expect("a field").get(&RunSpec::default());
        fill(&mut ui, field, wrong);
        press(&mut ui, KeyCode::Home);
        press(&mut ui, KeyCode::Enter);
        let screen = wait_for(&mut ui, text);
        assert!(screen.contains("Launch: a comma") && screen.contains(&format!("> {field}")), "{field}: {screen}");
        assert!(screen.contains(wrong), "what was typed is kept: {screen}");
        fill(&mut ui, field, &good);
    }
    // One run of a grid is enough to refuse all of it, by its name.
    fill(&mut ui, "rank", "8,300");
    press(&mut ui, KeyCode::Enter);
    wait_for(&mut ui, "run 2 of 2 (sst-2-symlora-s0): query of mini-roberta is 128 x 128: rank 300 does not fit");
    assert!(store.reader().expect("a reader").list().expect("runs").is_empty(), "nothing is queued");
    fill(&mut ui, "rank", "4,8");
    wait_for(&mut ui, "2 runs: enter launches · 6204 to 12396 params, 25 to 49 KiB a run");
    press(&mut ui, KeyCode::Enter);
    wait_for(&mut ui, "Runs (2/2)");
    wait_for(&mut ui, "2 runs are queued: r0001 to r0002");
}

#[test]
fn what_a_run_takes_of_a_gpu_is_told_without_delaying_a_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path()).expect("a store");
    let engine = Engine::start(store.handle(), &[], job::execute).expect("an engine");
    let port = AppPort::start(&store, Arc::new(engine), folder.path()).expect("a port");
    let choices = Choices {
        tasks: eigenscope::task::ids(),
        methods: vec!["symlora", "lora", "full"],
        devices: vec!["cpu".into()],
    };
    let mut ui = Ui::new(&port, &choices, Colours::None);
    let on_gpu = RunSpec { device: "cuda:0".into(), ..RunSpec::default() };
    let gib = |spec: &RunSpec| {
        let bytes = job::predict_memory(spec).expect("told").expect("bytes");
        format!("{:.1}", bytes as f64 / f64::from(1u32 << 30))
    };
    press(&mut ui, KeyCode::Char('6'));
    fill(&mut ui, "device", "cuda:0");
    wait_for(&mut ui, &format!("49 KiB a run · {} GiB on cuda:0", gib(&on_gpu)));
    // Every key asks for other rows; none waits for an answer.
    let begun = Instant::now();
    for length in ["8", "16", "32", "64", "96", "127", "128"] {
        fill(&mut ui, "max_length", length);
        ui.refresh();
    }
    let typed = begun.elapsed();
    assert!(typed < Duration::from_millis(500), "{typed:?}");
    fill(&mut ui, "batch_size", "1024");
    let large = RunSpec { batch_size: 1024, ..on_gpu };
    wait_for(&mut ui, &format!("49 KiB a run · {} GiB on cuda:0", gib(&large)));
    fill(&mut ui, "device", "cpu");
    wait_for(&mut ui, "49 KiB a run  ");
}

#[test]
fn the_form_counts_as_the_run_does() {
    use eigenscope::event::RunEvent;
    use eigenscope::train::fit::Sink;
    use eigenscope::train::{Signal, TrainError};
    struct Facts(Option<(u64, u64)>);
    impl Sink for Facts {
        fn send(&mut self, event: RunEvent) -> Result<(), TrainError> {
            if let RunEvent::Started(facts) = event {
                self.0 = Some((facts.adapter_parameters, facts.adapter_bytes));
            }
            Ok(())
        }
        fn flush(&mut self) -> Result<(), TrainError> {
            Ok(())
        }
    }
    let targets = ["query+value", "query+key+value+output", "query"].into_iter().cycle();
    for (method, targets) in eigenscope::adapter::ALL.iter().map(|m| m.id()).zip(targets) {
        let folder = tempfile::tempdir().expect("a folder");
        let targets = targets.split('+').map(str::to_string).collect();
        let spec = RunSpec { method: method.into(), targets, rank: 3, train_rows: 8, ..RunSpec::default() };
        let mut facts = Facts(None);
        let job = job::Job { spec: &spec, folder: folder.path(), resume: false };
        job::execute(&job, &|| Signal::Cancel, &mut facts).expect("ended");
        assert_eq!(Some(job::adapter_size(&spec).expect("a size")), facts.0, "{method}");
    }
}
