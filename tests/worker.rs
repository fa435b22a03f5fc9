//! A worker under faults: a panic or an error ends its run with the cause stored and shown, and the next run is trained.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use eigenscope::app::AppPort;
use eigenscope::cuda::CudaError;
use eigenscope::engine::Engine;
use eigenscope::event::{Level, RunId, Status};
use eigenscope::job::{Job, JobError};
use eigenscope::record::RunDetail;
use eigenscope::spec::{RunSpec, SpecError};
use eigenscope::store::{Reader, Store};
use eigenscope::train::fit::Sink;
use eigenscope::train::{BackendError, Outcome, Signal};
use eigenscope::ui::{Choices, Colours, Ui};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Longest wait for a worker, which has nothing to train here.
const PATIENCE: Duration = Duration::from_secs(30);

/// In training's place: does what the run's name says.
fn as_named(job: &Job, _: &(dyn Fn() -> Signal + Sync), _: &mut (dyn Sink + Send)) -> Result<Outcome, JobError> {
    match job.spec.name.as_str() {
        "text" => panic!("a fixed text"),
        "index" => panic!("row {} of {}", job.spec.seed, job.spec.rank),
        "value" => std::panic::panic_any(7_u32),
        "error" => Err(SpecError::new("rank", 9, "at most 8").into()),
        _ => Ok(Outcome::Done),
    }
}

fn named(name: &str) -> RunSpec {
    RunSpec { name: name.into(), seed: 3, ..RunSpec::default() }
}

/// Waits until a worker has ended all `ids`.
fn ended(reader: &Reader, ids: &[RunId]) -> Vec<RunDetail> {
    let start = Instant::now();
    loop {
        let read = |id| reader.detail(id, None, None, 10, 10).expect("read").expect("a run");
        let runs: Vec<RunDetail> = ids.iter().map(read).collect();
        if runs.iter().all(|r| !r.summary.status.is_live() && r.summary.status != Status::Queued) {
            return runs;
        }
        assert!(start.elapsed() < PATIENCE, "the worker did not go on: {:?}", statuses(&runs));
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn statuses(runs: &[RunDetail]) -> Vec<Status> {
    runs.iter().map(|r| r.summary.status).collect()
}

/// The screen of the run `id`, as a person would see it.
fn shown(store: &Store, engine: Engine, runs: &Path, id: &str) -> String {
    let port = AppPort::start(store, Arc::new(engine), runs).expect("a port");
    let mut ui = Ui::new(&port, &Choices::default(), Colours::None);
    let mut terminal = Terminal::new(TestBackend::new(100, 40)).expect("a buffer");
    let keys = [KeyCode::Char('/')].into_iter().chain(id.chars().map(KeyCode::Char)).chain([KeyCode::Enter; 2]);
    keys.for_each(|code| ui.event(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE))));
    let start = Instant::now();
    loop {
        ui.refresh();
        terminal.draw(|frame| ui.draw(frame)).expect("drawn");
        let cells = &terminal.backend().buffer().content;
        let text: String = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
        // The reader brings the run a moment after it is asked for.
        if !text.contains("no run is open") || start.elapsed() > PATIENCE {
            return text;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_panic_fails_its_run_only_and_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path()).expect("a store");
    let specs = ["before", "text", "index", "value", "error", "after"].map(named);
    let ids = store.handle().create(&specs).expect("queued");
    let engine = Engine::start(store.handle(), &["cpu".into()], as_named).expect("a worker");
    let runs = ended(&store.reader().expect("a reader"), &ids);
    let failed = Status::Failed;
    assert_eq!(statuses(&runs), [Status::Done, failed, failed, failed, failed, Status::Done]);
    let causes = [
        None,
        Some("the worker panicked: a fixed text"),
        Some("the worker panicked: row 3 of 8"),
        Some("the worker panicked: no message"),
        Some("rank: found 9, expected at most 8"),
        None,
    ];
    for (run, cause) in runs.iter().zip(causes) {
        assert_eq!(run.summary.cause.as_deref(), cause);
        let lines: Vec<(Level, &str)> = run.log.iter().map(|l| (l.level, l.text.as_str())).collect();
        assert_eq!(lines, cause.map(|c| (Level::Error, c)).into_iter().collect::<Vec<_>>());
    }
    // A run that failed can be taken up again, by the same worker.
    store.handle().requeue(&ids[1]).expect("queued again");
    engine.wake();
    assert_eq!(statuses(&ended(&store.reader().expect("a reader"), &ids[1..2])), [failed]);
    let screen = shown(&store, engine, folder.path(), "r0003");
    assert!(screen.contains("failed") && screen.contains("the worker panicked: row 3 of 8"), "{screen}");
}

/// Ends once three runs are under way at one time, and fails where they never are.
fn together(_: &Job, _: &(dyn Fn() -> Signal + Sync), _: &mut (dyn Sink + Send)) -> Result<Outcome, JobError> {
    static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);
    UNDER_WAY.fetch_add(1, Ordering::SeqCst);
    let start = Instant::now();
    while UNDER_WAY.load(Ordering::SeqCst) < 3 {
        if start.elapsed() > PATIENCE {
            return Err(JobError::Threads("the other workers stood still".into()));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(Outcome::Done)
}

#[test]
fn each_worker_of_a_device_trains_a_run_of_its_own_at_the_same_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path()).expect("a store");
    // A device that is named twice has two workers.
    let devices = ["cpu", "cuda:0", "cuda:0"].map(String::from);
    let on = |device: &String| RunSpec { device: device.clone(), ..RunSpec::default() };
    let specs: Vec<RunSpec> = devices.iter().map(on).collect();
    let ids = store.handle().create(&specs).expect("queued");
    let engine = Engine::start(store.handle(), &devices, together).expect("workers");
    let runs = ended(&store.reader().expect("a reader"), &ids);
    assert_eq!(statuses(&runs), [Status::Done; 3], "{:?}", runs.iter().map(|r| &r.summary.cause).collect::<Vec<_>>());
    drop(engine);
}

/// As a GPU does after an illegal access: every call fails from then on.
fn losing(job: &Job, _: &(dyn Fn() -> Signal + Sync), _: &mut (dyn Sink + Send)) -> Result<Outcome, JobError> {
    let code = cudarc::driver::sys::CUresult::CUDA_ERROR_ILLEGAL_ADDRESS;
    let lost = CudaError::driver("a step")(cudarc::driver::DriverError(code));
    if job.spec.device == "cpu" { Ok(Outcome::Done) } else { Err(BackendError::from(lost).into()) }
}

#[test]
fn a_lost_device_fails_its_run_and_leaves_the_others_queued() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path()).expect("a store");
    let devices = ["cpu", "cuda:0"].map(String::from);
    let on = |device: &str| RunSpec { device: device.into(), ..RunSpec::default() };
    let ids = store.handle().create(&["cuda:0", "cuda:0", "cpu"].map(on)).expect("queued");
    let engine = Engine::start(store.handle(), &devices, losing).expect("workers");
    let start = Instant::now();
    while engine.lost() != ["cuda:0"] {
        assert!(start.elapsed() < PATIENCE, "the worker of a lost device goes on");
        std::thread::sleep(Duration::from_millis(10));
    }
    let reader = store.reader().expect("a reader");
    let runs = ended(&reader, &[ids[0].clone(), ids[2].clone()]);
    assert_eq!(statuses(&runs), [Status::Failed, Status::Done]);
    let cause = runs[0].summary.cause.as_deref().unwrap_or_default();
    assert!(cause.contains("lost") && cause.contains("start the program again"), "{cause}");
    assert_eq!(reader.summary(&ids[1]).expect("read").expect("a run").status, Status::Queued);
}
