//! The store by property and under faults: what is read live equals what is read anew, bins equal brute force, nothing is lost.

use eigenscope::event::{
    Control, DeviceFigures, Evaluation, LayerNorm, Level, Point, RunEvent, RunFacts, RunId, Status,
};
use eigenscope::record::{AtBest, Bin, Label, Series};
use eigenscope::spec::RunSpec;
use eigenscope::store::{Reader, Store, StoreError};
use eigenscope::view::{Delta, View};
use proptest::prelude::*;
use std::path::Path;

fn point(step: u64, loss: f64) -> Point {
    let seconds = step as f64 * 0.1;
    Point { step, epoch: step as f64 / 32.0, seconds, loss, lr: 1e-3, grad_norm: loss * 2.0, samples_per_second: 300.0 }
}

fn evaluation(step: u64, score: f64) -> RunEvent {
    let scores = vec![("accuracy".to_string(), score), ("f1".to_string(), 0.5)];
    RunEvent::Evaluated(Evaluation { step, epoch: step as f64 / 32.0, loss: 0.6, scores, rows: 250, seconds: 0.5 })
}

fn norm(layer: u32, lambda: f64) -> LayerNorm {
    let spectrum = vec![0.5, -0.25, lambda];
    LayerNorm { layer, target: "query".into(), lambda, w0_fro: 10.0, w0_l1: 90.0, delta_fro: 1.5, spectrum }
}

fn opened(dir: &Path) -> Store {
    Store::open(dir).expect("a store")
}

fn one_run(store: &Store) -> RunId {
    store.handle().create(&[RunSpec::default()]).expect("a run").remove(0)
}

/// Brings a view up to date from a reader.
fn follow(view: &mut View, reader: &Reader) {
    let (watermark, runs, removed) = reader.changed_since(view.watermark).expect("changes");
    view.fold(Delta { watermark, runs, removed, ..Delta::default() });
}

fn event() -> impl Strategy<Value = RunEvent> {
    prop_oneof![
        8 => (1u64..200, -1.0f64..3.0).prop_map(|(s, l)| RunEvent::Point(point(s, l))),
        1 => (1u64..200).prop_map(|s| RunEvent::Point(point(s, f64::NAN))),
        2 => (1u64..200, 0.0f64..1.0).prop_map(|(s, v)| evaluation(s, v)),
        2 => (0u64..200, -1.0f64..2.0).prop_map(|(step, l)| RunEvent::Norms { step, rows: vec![norm(0, l), norm(1, 1.0)] }),
        1 => (0u64..200).prop_map(|step| RunEvent::Rewound { step }),
        1 => Just(RunEvent::Log { level: Level::Info, text: "a line".into() }),
        1 => Just(RunEvent::Started(RunFacts { total_steps: 200, epochs: 10, ..RunFacts::default() })),
        1 => prop_oneof![Just(Status::Running), Just(Status::Paused), Just(Status::Done), Just(Status::Failed)]
            .prop_map(|status| RunEvent::Status { status, cause: None }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn followed_live_equals_loaded_anew(
        events in proptest::collection::vec((0usize..3, event()), 1..60),
        removed in proptest::option::of(0usize..3),
    ) {
        let dir = tempfile::tempdir().expect("a folder");
        let store = opened(dir.path());
        let handle = store.handle();
        let ids = handle.create(&vec![RunSpec::default(); 3]).expect("runs");
        let reader = store.reader().expect("a reader");
        let mut live = View::default();
        for (i, (run, event)) in events.into_iter().enumerate() {
            handle.record(&ids[run], event).expect("recorded");
            if i % 7 == 0 {
                handle.flush().expect("flushed");
                follow(&mut live, &reader);
            }
        }
        if let Some(run) = removed {
            handle.record(&ids[run], RunEvent::Status { status: Status::Done, cause: None }).expect("recorded");
            handle.flush().expect("flushed");
            follow(&mut live, &reader);
            handle.delete(&ids[run]).expect("deleted");
        }
        handle.flush().expect("flushed");
        follow(&mut live, &reader);
        let mut anew = View::default();
        follow(&mut anew, &Reader::open(dir.path()).expect("a reader"));
        prop_assert_eq!(live.runs, anew.runs);
    }

    #[test]
    fn bins_equal_brute_force(
        values in proptest::collection::vec(prop_oneof![9 => -5.0f64..5.0, 1 => Just(f64::NAN)], 20..400),
        cut in 0usize..400,
        width in 1usize..30,
    ) {
        let dir = tempfile::tempdir().expect("a folder");
        let store = opened(dir.path());
        let id = one_run(&store);
        let handle = store.handle();
        let send = |from: usize, to: usize, sign: f64| {
            for (i, v) in values.iter().enumerate().take(to).skip(from) {
                handle.record(&id, RunEvent::Point(point(i as u64 + 1, sign * v))).expect("recorded");
            }
        };
        // The part after the cut is first recorded with other values, then rewound and recorded anew.
        let cut = cut.min(values.len());
        send(0, cut, 1.0);
        send(cut, values.len(), -3.0);
        handle.record(&id, RunEvent::Rewound { step: cut as u64 }).expect("recorded");
        send(cut, values.len(), 1.0);
        handle.flush().expect("flushed");
        let detail = store.reader().expect("a reader").detail(&id, None, None, width, 10).expect("read").expect("a run");
        let (_, bins) = detail.series.iter().find(|(s, _)| *s == Series::Loss).expect("the loss");
        prop_assert!(bins.len() <= 2 * width + 2, "{} bins for a width of {width}", bins.len());
        prop_assert_eq!(bins.iter().map(|b| b.count + b.gaps).sum::<u64>(), values.len() as u64);
        for bin in bins {
            check_bin(bin, &values[bin.from as usize - 1..bin.to as usize])?;
        }
    }
}

fn check_bin(bin: &Bin, values: &[f64]) -> Result<(), TestCaseError> {
    let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    prop_assert_eq!(bin.count, finite.len() as u64);
    if finite.is_empty() {
        prop_assert!(bin.min.is_nan() && bin.mean.is_nan());
        return Ok(());
    }
    prop_assert_eq!(bin.min, finite.iter().copied().fold(f64::INFINITY, f64::min));
    prop_assert_eq!(bin.max, finite.iter().copied().fold(f64::NEG_INFINITY, f64::max));
    prop_assert!((bin.mean - finite.iter().sum::<f64>() / finite.len() as f64).abs() < 1e-9);
    Ok(())
}

#[test]
fn a_run_is_remembered_by_value() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = opened(dir.path());
    let id = one_run(&store);
    let handle = store.handle();
    let facts = RunFacts { total_steps: 64, epochs: 2, metric: "accuracy".into(), ..RunFacts::default() };
    let figures = DeviceFigures {
        utilisation: Some(0.5),
        memory: 7 << 20,
        memory_total: 1 << 34,
        temperature: Some(40.0),
        power: None,
    };
    let events = [
        RunEvent::Started(facts.clone()),
        RunEvent::Point(point(1, 0.7)),
        RunEvent::Point(point(2, f64::NAN)),
        evaluation(32, 0.8),
        evaluation(64, 0.6),
        RunEvent::Norms { step: 0, rows: vec![norm(0, 1.0)] },
        RunEvent::Norms { step: 64, rows: vec![norm(0, 0.5), norm(1, -0.1)] },
        RunEvent::Device { step: 1, seconds: 0.5, figures: DeviceFigures { memory: 9 << 20, ..figures } },
        RunEvent::Device { step: 2, seconds: 2.5, figures },
        RunEvent::Log { level: Level::Warn, text: "careful".into() },
        RunEvent::Artifact { kind: "adapter".into(), path: "adapter.safetensors".into(), bytes: 7 },
        RunEvent::Status { status: Status::Done, cause: None },
    ];
    events.into_iter().for_each(|e| handle.record(&id, e).expect("recorded"));
    handle.flush().expect("flushed");
    let reader = store.reader().expect("a reader");
    let detail = reader.detail(&id, Some(30), None, 100, 10).expect("read").expect("a run");
    let run = &detail.summary;
    assert_eq!((run.status, run.step, run.facts.clone()), (Status::Done, 2, facts));
    assert_eq!((run.last, run.best, run.best_epoch, run.lambda), (Some(0.6), Some(0.8), Some(1.0), Some(0.2)));
    assert_eq!(
        (detail.norm_steps.clone(), detail.norms_step, detail.norms.clone()),
        (vec![0, 64], 0, vec![norm(0, 1.0)])
    );
    assert_eq!((detail.log[0].level, detail.log[0].text.as_str()), (Level::Warn, "careful"));
    assert_eq!(detail.evaluations[1].scores[0], ("accuracy".to_string(), 0.6));
    assert_eq!(detail.artifacts[0].bytes, 7);
    assert_eq!((detail.device, detail.peak_memory), (Some(figures), Some(9 << 20)));
    let points = reader.points(&id).expect("points");
    assert!(points[1].loss.is_nan() && points[0] == point(1, 0.7));
    assert_eq!(reader.run_norms().expect("norms")[0].norms.len(), 2);
    assert_eq!(reader.find("r0001").expect("by id").id, id);
    assert_eq!(reader.find("sst-2-symlora-s0").expect("by name").id, id);
    assert!(matches!(reader.find("nobody"), Err(StoreError::NoRun { .. })));
    assert_eq!(reader.integrity().expect("checked"), "ok");
}

#[test]
fn the_norms_of_the_best_evaluation_are_the_last_recorded_by_then() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = opened(dir.path());
    let ids = store.handle().create(&vec![RunSpec::default(); 3]).expect("runs");
    let norms = |step, lambda| RunEvent::Norms { step, rows: vec![norm(0, lambda)] };
    let send = |run: usize, events: Vec<RunEvent>| {
        events.into_iter().for_each(|e| store.handle().record(&ids[run], e).expect("recorded"));
    };
    // Equal scores: the first counts, as it does for the saved adapter. An undefined score is never the best.
    let scored = vec![evaluation(32, 0.5), evaluation(64, 0.8), evaluation(96, 0.8), evaluation(128, f64::NAN)];
    send(0, [vec![norms(0, 1.0), norms(60, 0.9), norms(70, 0.8), norms(128, 0.7)], scored.clone()].concat());
    send(1, [vec![norms(0, 1.0), norms(64, 0.6), norms(128, 0.5)], scored.clone()].concat());
    // Nothing recorded in training by then: what an adapter is at its start says nothing of its best.
    send(2, [vec![norms(0, 1.0), norms(90, 0.4)], scored].concat());
    store.handle().flush().expect("flushed");
    let found = store.reader().expect("a reader").run_norms().expect("norms");
    let brought = |lambda| vec![LayerNorm { spectrum: Vec::new(), ..norm(0, lambda) }];
    let best = |step, lambda| Some(AtBest { evaluated: 64, step, norms: brought(lambda) });
    let all: Vec<_> = found.iter().map(|r| (r.step, r.norms.clone(), r.at_best.clone())).collect();
    let expected = [(128, brought(0.7), best(60, 0.9)), (128, brought(0.5), best(64, 0.6)), (90, brought(0.4), None)];
    assert_eq!(all, expected);
}

#[test]
fn only_the_norms_of_changed_runs_are_brought_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = opened(dir.path());
    let ids = store.handle().create(&vec![RunSpec::default(); 3]).expect("runs");
    let record = |run: usize, event| {
        store.handle().record(&ids[run], event).expect("recorded");
        store.handle().flush().expect("flushed");
    };
    let norms = |step, lambda| RunEvent::Norms { step, rows: vec![norm(0, lambda)] };
    record(0, norms(10, 0.9));
    record(1, norms(10, 0.8));
    let reader = store.reader().expect("a reader");
    let changed = |since| {
        let (now, runs) = reader.changed_norms(since).expect("norms");
        let runs: Vec<(RunId, Vec<f64>)> =
            runs.iter().map(|r| (r.id.clone(), r.norms.iter().map(|n| n.lambda).collect())).collect();
        (now, runs)
    };
    let (seen, first) = changed(0);
    assert_eq!(first.iter().map(|r| r.1.clone()).collect::<Vec<_>>(), [vec![0.9], vec![0.8], vec![]]);
    assert_eq!(changed(seen), (seen, Vec::new()));
    record(1, norms(20, 0.7));
    let (seen, next) = changed(seen);
    assert_eq!(next, [(ids[1].clone(), vec![0.7])]);
    // A run that begins anew has no norms to show any more.
    record(0, RunEvent::Rewound { step: 0 });
    assert_eq!(changed(seen).1, [(ids[0].clone(), vec![])]);
    assert_eq!(reader.run_norms().expect("norms").len(), 1);
}

#[test]
fn a_run_without_an_owner_is_interrupted_and_one_with_an_owner_is_not() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = opened(dir.path());
    one_run(&store);
    let claim = store.handle().claim("cpu", None).expect("claimed").expect("a queued run");
    let status = |store: &Store| store.reader().expect("a reader").list().expect("runs")[0].status;
    let second = opened(dir.path());
    assert_eq!(status(&second), Status::Running, "its owner is alive");
    drop(claim);
    let third = opened(dir.path());
    assert_eq!(status(&third), Status::Interrupted);
    third.handle().requeue(&RunId("r0001".into())).expect("requeued");
    assert_eq!(status(&store), Status::Queued);
}

#[test]
fn a_process_that_dies_is_noticed_while_another_looks_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, other) = (opened(dir.path()), opened(dir.path()));
    let id = one_run(&store);
    let claim = other.handle().claim("cpu", None).expect("claimed").expect("a run");
    let status = || {
        store.handle().look_for_dead();
        store.handle().flush().expect("flushed");
        store.reader().expect("a reader").summary(&id).expect("read").expect("a run").status
    };
    assert_eq!(status(), Status::Running, "its owner lives");
    drop(claim);
    assert_eq!(status(), Status::Interrupted);
}

#[test]
fn two_programs_never_take_the_same_run() {
    let dir = tempfile::tempdir().expect("a folder");
    let stores = [opened(dir.path()), opened(dir.path())];
    stores[0].handle().create(&vec![RunSpec::default(); 20]).expect("runs");
    let taken: Vec<RunId> = std::thread::scope(|scope| {
        let threads: Vec<_> = stores
            .iter()
            .map(|store| {
                scope.spawn(move || {
                    let mut taken = Vec::new();
                    while let Some(claim) = store.handle().claim("cpu", None).expect("claimed") {
                        taken.push(claim.id.clone());
                    }
                    taken
                })
            })
            .collect();
        threads.into_iter().flat_map(|t| t.join().expect("no panic")).collect()
    });
    let mut distinct = taken.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!((taken.len(), distinct.len()), (20, 20));
}

#[test]
fn the_order_of_the_queue_is_kept_and_obeyed_by_every_program() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = opened(dir.path());
    let handle = store.handle();
    let ids = handle.create(&vec![RunSpec::default(); 4]).expect("runs");
    let other = RunSpec { device: "cuda:0".into(), ..RunSpec::default() };
    handle.create(&[other]).expect("a run of another device");
    let reader = store.reader().expect("a reader");
    let before = reader.changed_since(0).expect("changes").0;
    assert_eq!(handle.shift(&ids[3], -2).expect("moved"), (2, 5));
    let moved: Vec<String> =
        reader.changed_since(before).expect("changes").1.iter().map(|r| r.id.to_string()).collect();
    assert_eq!(moved, ["r0002", "r0003", "r0004"], "readers hear of every run whose turn changed");
    assert_eq!(handle.shift(&ids[0], 9).expect("to the end"), (5, 5));
    assert_eq!(handle.shift(&ids[0], -1).expect("up again"), (4, 5));
    // Queued later, it comes after all of them.
    let late = one_run(&store);
    let program = opened(dir.path());
    let taken: Vec<RunId> = std::iter::from_fn(|| program.handle().claim("cpu", None).expect("claimed"))
        .map(|claim| claim.id.clone())
        .collect();
    assert_eq!(taken, [&ids[3], &ids[1], &ids[2], &ids[0], &late].map(Clone::clone));
    let refused = handle.shift(&ids[0], 1).expect_err("it runs");
    assert!(refused.to_string().contains("only queued runs have a place"), "{refused}");
}

#[test]
fn requests_reach_the_owner_once_and_wrong_ones_say_why() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = opened(dir.path());
    let handle = store.handle();
    let id = one_run(&store);
    assert!(matches!(handle.requeue(&id), Err(StoreError::State { .. })));
    let claim = handle.claim("cpu", None).expect("claimed").expect("a run");
    assert!(matches!(handle.delete(&id), Err(StoreError::State { .. })), "a live run cannot be deleted");
    opened(dir.path()).handle().ask(&id, Control::Pause).expect("asked");
    assert_eq!(handle.take_request(&id), Some(Control::Pause));
    assert_eq!(handle.take_request(&id), None);
    drop(claim);
    let queued = one_run(&store);
    handle.ask(&queued, Control::Cancel).expect("cancelled");
    assert_eq!(
        store.reader().expect("a reader").summary(&queued).expect("read").expect("a run").status,
        Status::Cancelled
    );
}

#[test]
fn deleting_frees_the_folder_and_ids_are_not_used_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = opened(dir.path());
    let id = one_run(&store);
    let claim = store.handle().claim("cpu", None).expect("claimed").expect("a run");
    let folder = dir.path().join(id.as_str());
    std::fs::write(folder.join("adapter.safetensors"), b"x").expect("a file");
    store.handle().record(&id, RunEvent::Status { status: Status::Done, cause: None }).expect("recorded");
    drop(claim);
    let counted = store.reader().expect("a reader").folder_bytes(&id);
    assert!(counted >= 1);
    assert_eq!(store.handle().delete(&id).expect("deleted"), counted, "the bytes that are freed");
    assert!(!folder.exists());
    assert_eq!(one_run(&store).as_str(), "r0002");
}

#[test]
fn deleting_makes_the_database_smaller() {
    let dir = tempfile::tempdir().expect("a folder");
    let size = || std::fs::metadata(dir.path().join("eigenscope.db")).expect("a database").len();
    let store = opened(dir.path());
    store.bulk_seed(2, 4_000).expect("generated");
    let runs = store.reader().expect("a reader").list().expect("listed");
    drop(store);
    let full = size();
    let store = opened(dir.path());
    for run in &runs {
        store.handle().delete(&run.id).expect("deleted");
    }
    drop(store);
    assert!(size() < full / 4, "{full} bytes became {}", size());
}

#[test]
fn what_is_said_of_runs_is_kept_and_followed() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = opened(dir.path());
    let handle = store.handle();
    let ids = handle.create(&vec![RunSpec::default(); 2]).expect("runs");
    let reader = store.reader().expect("a reader");
    let mut live = View::default();
    follow(&mut live, &reader);
    let tags = |add: &[&str], remove: &[&str]| Label::Tags {
        add: add.iter().map(|t| t.to_string()).collect(),
        remove: remove.iter().map(|t| t.to_string()).collect(),
    };
    handle.label(&ids, tags(&["b", "a"], &[])).expect("tagged");
    handle.label(&ids[..1], tags(&["c", "a"], &["b", "absent"])).expect("tagged");
    handle.label(&ids[1..], Label::Note(" a\nnote ".into())).expect("noted");
    handle.label(&ids[1..], Label::Name("mine".into())).expect("renamed");
    follow(&mut live, &reader);
    let of = |view: &View, id: &RunId| (**view.run(id).expect("a run")).clone();
    assert_eq!((of(&live, &ids[0]).tags, of(&live, &ids[0]).note.as_str()), (vec!["a".into(), "c".into()], ""));
    let second = of(&live, &ids[1]);
    assert_eq!((second.tags, second.note, second.name), (vec!["a".into(), "b".into()], "a note".into(), "mine".into()));

    // All or none: the first run could be named, the second is not there.
    let gone = [ids[0].clone(), RunId("r0009".into())];
    assert!(matches!(handle.label(&gone, Label::Name("both".into())), Err(StoreError::NoRun { .. })));
    assert!(matches!(handle.label(&ids, tags(&["a b"], &[])), Err(StoreError::Label(_))));
    assert!(matches!(handle.label(&ids, Label::Archived(true)), Err(StoreError::State { .. })), "they are queued");
    assert_eq!(of(&live, &ids[0]), reader.summary(&ids[0]).expect("read").expect("a run"));

    handle.ask(&ids[0], Control::Stop).expect("stopped");
    handle.record(&ids[0], RunEvent::Norms { step: 10, rows: vec![norm(0, 1.0)] }).expect("recorded");
    handle.flush().expect("flushed");
    let shown = || reader.run_norms().expect("read").len();
    assert_eq!(shown(), 1);
    handle.label(&ids[..1], Label::Archived(true)).expect("archived");
    assert_eq!(shown(), 0, "Figure 1 leaves it out too");
    let summary = || reader.summary(&ids[0]).expect("read").expect("a run");
    assert!(summary().archived);
    handle.requeue(&ids[0]).expect("queued");
    assert!(!summary().archived, "what trains again is shown again");
    handle.delete(&ids[0]).expect("deleted");
    let anew = handle.create(&[RunSpec::default()]).expect("a run").remove(0);
    assert!(reader.summary(&anew).expect("read").expect("a run").tags.is_empty());
}

#[test]
fn an_older_schema_is_brought_up_to_date() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("eigenscope.db");
    let old = rusqlite::Connection::open(&path).expect("a database");
    old.execute_batch(include_str!("../src/store/migrations/0001.sql")).expect("the first schema");
    old.pragma_update(None, "user_version", 1).expect("its version");
    let insert = "INSERT INTO runs (id, name, status, device, spec, created, version) VALUES (?1, 'old', 'queued', 'cpu', '{}', 1, 1)";
    for id in ["r0001", "r0002"] {
        old.execute(insert, [id]).expect("a run");
    }
    drop(old);
    let store = opened(dir.path());
    let turns: Vec<u64> = store.reader().expect("a reader").list().expect("runs").iter().map(|r| r.position).collect();
    assert_eq!(turns, [2, 1], "the queue keeps its order");
    store.handle().shift(&RunId("r0002".into()), -1).expect("moved");
    let first = store.handle().claim("cpu", None).expect("claimed").expect("a run");
    assert_eq!(first.id.as_str(), "r0002");
    let id = one_run(&store);
    let figures = DeviceFigures { utilisation: None, memory: 5, memory_total: 9, temperature: None, power: Some(1.5) };
    let handle = store.handle();
    handle.record(&id, RunEvent::Device { step: 3, seconds: 1.0, figures }).expect("recorded");
    handle.flush().expect("flushed");
    let detail = store.reader().expect("a reader").detail(&id, None, None, 10, 1).expect("read").expect("a run");
    assert_eq!(detail.device, Some(figures));
}

#[test]
fn a_newer_schema_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().expect("a folder");
    drop(opened(dir.path()));
    let path = dir.path().join("eigenscope.db");
    let mut bytes = std::fs::read(&path).expect("the database");
    // user_version is the big-endian word at byte 60 of a SQLite file.
    bytes[60..64].copy_from_slice(&99u32.to_be_bytes());
    std::fs::write(&path, &bytes).expect("written");
    let error = Store::open(dir.path()).err().expect("refused");
    assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error}");
    assert_eq!(std::fs::read(&path).expect("the database"), bytes);
}

#[test]
fn a_new_folder_can_be_opened_by_many_at_once() {
    for _ in 0..20 {
        let dir = tempfile::tempdir().expect("a folder");
        let together = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            let open = || {
                together.wait();
                Store::open(dir.path()).map(|store| one_run(&store))
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            for thread in threads {
                thread.join().expect("no panic").expect("a store");
            }
        });
        assert_eq!(Reader::open(dir.path()).expect("a reader").list().expect("runs").len(), 8);
    }
}

#[test]
fn an_unwritable_folder_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("file");
    std::fs::write(&file, b"").expect("a file");
    let error = Store::open(&file.join("runs")).err().expect("refused").to_string();
    assert!(error.contains("file/runs") && error.contains("--runs"), "{error}");
}

#[test]
fn sqlite_is_past_the_wal_reset_race() {
    let version: Vec<u32> =
        eigenscope::store::sqlite_version().split('.').map(|p| p.parse().expect("a number")).collect();
    assert!(version >= vec![3, 51, 3], "{version:?}");
}
