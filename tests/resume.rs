//! A run that is stopped, forgotten and resumed equals the uninterrupted one bit for bit, dropout on.

use eigenscope::adapter::ALL;
use eigenscope::event::{LayerNorm, RunEvent, Status};
use eigenscope::job::{Given, Job, Saved, execute, inspect};
use eigenscope::spec::RunSpec;
use eigenscope::train::checkpoint::{self, LAST_ADAPTER};
use eigenscope::train::fit::Sink;
use eigenscope::train::{Outcome, Signal, TrainError};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Default)]
struct Record(Vec<RunEvent>);

impl Sink for Record {
    fn send(&mut self, event: RunEvent) -> Result<(), TrainError> {
        self.0.push(event);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), TrainError> {
        Ok(())
    }
}

fn spec(method: &str) -> RunSpec {
    RunSpec {
        method: method.into(),
        train_rows: 40,
        batch_size: 8,
        epochs: 3,
        max_length: 24,
        norms_every: 3,
        dropout: 0.1,
        seed: 11,
        ..RunSpec::default()
    }
}

/// Trains until `stop_after` readings of the signal have passed.
fn train(spec: &RunSpec, folder: &Path, resume: bool, stop_after: u64) -> (Outcome, Record) {
    let read = AtomicU64::new(0);
    let signal = || if read.fetch_add(1, Ordering::SeqCst) >= stop_after { Signal::Stop } else { Signal::Go };
    let mut record = Record::default();
    let outcome = execute(&Job { spec, folder, resume }, &signal, &mut record).expect("trained");
    (outcome, record)
}

/// Step, loss as bits, and the metrics of an evaluation.
type Scored = (u64, u64, Vec<(String, f64)>);

/// Loss and gradient norm of each step, as bits.
fn points(records: &[Record]) -> Vec<(u64, u64, u64)> {
    let of = |e: &RunEvent| match e {
        RunEvent::Point(p) => Some((p.step, p.loss.to_bits(), p.grad_norm.to_bits())),
        _ => None,
    };
    records.iter().flat_map(|r| r.0.iter().filter_map(of)).collect()
}

fn scores(records: &[Record]) -> Vec<Scored> {
    let of = |e: &RunEvent| match e {
        RunEvent::Evaluated(e) => Some((e.step, e.loss.to_bits(), e.scores.clone())),
        _ => None,
    };
    records.iter().flat_map(|r| r.0.iter().filter_map(of)).collect()
}

#[test]
fn a_resumed_run_equals_the_uninterrupted_one_bit_for_bit() {
    for method in ALL.iter().map(|m| m.id()) {
        let spec = spec(method);
        let whole = tempfile::tempdir().expect("a folder");
        let parts = tempfile::tempdir().expect("a folder");
        let (outcome, uninterrupted) = train(&spec, whole.path(), false, u64::MAX);
        assert_eq!(outcome, Outcome::Done);
        // Fifteen steps: stopped in the middle of the first and of the second epoch.
        let (outcome, first) = train(&spec, parts.path(), false, 3);
        assert_eq!(outcome, Outcome::Stopped);
        let (outcome, second) = train(&spec, parts.path(), true, 4);
        assert_eq!(outcome, Outcome::Stopped);
        let (outcome, third) = train(&spec, parts.path(), true, u64::MAX);
        assert_eq!(outcome, Outcome::Done);
        let resumed = [first, second, third];
        let uninterrupted = [uninterrupted];
        assert_eq!(points(&uninterrupted).len(), 15);
        assert_eq!(points(&resumed), points(&uninterrupted), "{method}");
        assert_eq!(scores(&resumed), scores(&uninterrupted), "{method}");
        let tensors = |folder: &Path| checkpoint::read(&folder.join(LAST_ADAPTER)).expect("an adapter").1;
        assert_eq!(tensors(parts.path()), tensors(whole.path()), "{method}");
        let file = |folder: &Path| std::fs::read(folder.join(LAST_ADAPTER)).expect("an adapter");
        assert!(file(parts.path()) == file(whole.path()), "{method}: the files differ");
    }
}

/// The last recorded norms.
fn norms(record: &Record) -> Vec<LayerNorm> {
    let of = |e: &RunEvent| if let RunEvent::Norms { rows, .. } = e { Some(rows.clone()) } else { None };
    record.0.iter().filter_map(of).next_back().expect("norms")
}

#[test]
fn an_adapters_file_says_all_of_it() {
    for method in ALL {
        let id = method.id();
        // Another seed than that of a new spec: what a method drew must come from the file.
        let spec = RunSpec { epochs: 1, lr: 2e-2, ..spec(id) };
        let folder = tempfile::tempdir().expect("a folder");
        let (_, record) = train(&spec, folder.path(), false, u64::MAX);
        let trained = scores(&[record]).pop().expect("a score");
        let file = folder.path().join(LAST_ADAPTER);
        let rows = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/glue-sample/SST-2/dev.tsv");
        let saved = Saved::open(&file, &Given::default()).expect("an adapter");
        let model = saved.model().expect("a model");
        let (mut backend, rows) =
            (saved.backend(&model).expect("put on"), saved.rows(&model, Some(&rows), 0).expect("rows"));
        let found = saved.evaluate(&mut *backend, &model, &rows, &mut |_, _| ()).expect("scored");
        let expected = f64::from_bits(trained.1);
        assert!((found.loss - expected).abs() < 1e-6, "{id}: loss {} after reading, {expected} before", found.loss);
        assert_eq!(found.metrics, trained.2, "{id}");
    }
}

#[test]
fn a_files_norms_are_those_of_the_run() {
    for method in ALL.iter().filter(|m| m.form().is_some()) {
        let id = method.id();
        let folder = tempfile::tempdir().expect("a folder");
        let spec = RunSpec { epochs: 1, ..spec(id) };
        let (_, record) = train(&spec, folder.path(), false, u64::MAX);
        let found = inspect(
            &folder.path().join(LAST_ADAPTER),
            &Given { model: Some("mini-roberta".into()), ..Given::default() },
        )
        .expect("read");
        assert_eq!((found.method, found.rank, found.alpha), (id, spec.rank, spec.effective_alpha()));
        assert_eq!(found.layers, norms(&record), "{id}");
        assert!(found.layers.iter().all(|l| l.delta_fro > 0.0 && l.lambda != 0.0 && l.w0_fro > 0.0), "{id}");
    }
}

#[test]
fn dropout_is_at_work_in_these_runs() {
    let with = tempfile::tempdir().expect("a folder");
    let without = tempfile::tempdir().expect("a folder");
    let (_, dropped) = train(&spec("symlora"), with.path(), false, 3);
    let (_, kept) = train(&RunSpec { dropout: 0.0, ..spec("symlora") }, without.path(), false, 3);
    assert_ne!(points(&[dropped]), points(&[kept]));
}

#[test]
fn a_pause_holds_and_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let read = AtomicU64::new(0);
    let signal = || match read.fetch_add(1, Ordering::SeqCst) {
        0 | 4 => Signal::Go,
        1..=3 => Signal::Hold,
        _ => Signal::Cancel,
    };
    let mut record = Record::default();
    let job = Job { spec: &spec("symlora"), folder: folder.path(), resume: false };
    assert_eq!(execute(&job, &signal, &mut record).expect("trained"), Outcome::Cancelled);
    let said: Vec<Status> = record
        .0
        .iter()
        .filter_map(|e| if let RunEvent::Status { status, .. } = e { Some(*status) } else { None })
        .collect();
    assert_eq!(said, [Status::Paused, Status::Running]);
    assert!(!folder.path().join(checkpoint::CHECKPOINT).exists(), "a cancelled run leaves no checkpoint");
}

#[test]
fn a_damaged_checkpoint_is_named_and_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let spec = spec("symlora");
    train(&spec, folder.path(), false, 2);
    let path = folder.path().join(checkpoint::CHECKPOINT);
    let bytes = std::fs::read(&path).expect("a checkpoint");
    for length in [0, 4, 60, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..length]).expect("cut");
        let job = Job { spec: &spec, folder: folder.path(), resume: true };
        let error = execute(&job, &|| Signal::Go, &mut Record::default()).expect_err("refused").to_string();
        assert!(error.contains("checkpoint.safetensors"), "{length}: {error}");
        assert_eq!(std::fs::read(&path).expect("kept").len(), length);
    }
}
