//! Taking adapters apart: by value against plain evaluation, merging, switching, and the commands on a run.

use eigenscope::data::Dataset;
use eigenscope::job::{self, Classifier, Effort, Given, Saved};
use eigenscope::model::{Checkpoint, ModelSource};
use eigenscope::random::Stream;
use eigenscope::record::{Ablated, Analysis, AnalysisKind, Curves};
use eigenscope::spec::RunSpec;
use eigenscope::train::checkpoint::save_adapter;
use eigenscope::train::{Backend, NamedTensor, Values};
use std::path::Path;
use std::process::Command;

const ROWS: usize = 60;

fn spec(method: &str, task: &str) -> RunSpec {
    RunSpec { method: method.into(), task: task.into(), rank: 4, alpha: 8.0, ..RunSpec::default() }
}

/// An adapter whose every value counts, as a file in `folder`.
fn saved(folder: &Path, method: &str, task: &str, seed: u64) -> Saved {
    let spec = spec(method, task);
    let model = ModelSource::Embedded.load().expect("a model");
    let task = eigenscope::task::find(task).expect("a task");
    let backend = job::backend(&spec, &model, task).expect("a backend");
    let shaken = |(i, t): (usize, &NamedTensor)| {
        let Values::F32(values) = &t.values else { panic!("f32") };
        let by = Stream::new(seed, i as u64, 9).normal(0.1, values.len());
        let values = values.iter().zip(by).map(|(v, by)| v + by as f32).collect();
        NamedTensor { values: Values::F32(values), ..t.clone() }
    };
    let values: Vec<NamedTensor> = backend.state().expect("a state").values.iter().enumerate().map(shaken).collect();
    let path = folder.join(format!("{method}-{seed}.safetensors"));
    save_adapter(&path, &spec, backend.parameters(), &values).expect("saved");
    Saved::open(&path, &Given::default()).expect("opened")
}

struct Bench {
    _folder: tempfile::TempDir,
    saved: Saved,
    model: Checkpoint,
    rows: Dataset,
}

impl Bench {
    fn new(method: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let saved = saved(folder.path(), method, "sst-2", 1);
        let model = saved.model().expect("a model");
        let rows = saved.rows(&model, None, ROWS).expect("rows");
        Self { _folder: folder, saved, model, rows }
    }

    fn curves(&mut self, kind: AnalysisKind, effort: Effort) -> Curves {
        let Self { saved, model, rows, .. } = self;
        let found = job::analyse(kind, saved, model, rows, effort, &mut |_, _| {}).expect("analysed");
        match found {
            Analysis::Deletion(curves) | Analysis::Rank(curves) => curves,
            Analysis::Symmetry { .. } => panic!("no curves"),
        }
    }

    /// Loss of the adapter after `change`.
    fn loss(&self, change: impl Fn(&mut NamedTensor)) -> f64 {
        let mut backend = self.saved.backend(&self.model).expect("a backend");
        let mut tensors = self.saved.trained(&*backend, &self.model).expect("tensors");
        tensors.iter_mut().for_each(change);
        backend.load(&tensors).expect("loaded");
        self.evaluate(&mut *backend)
    }

    fn evaluate(&self, backend: &mut dyn Backend) -> f64 {
        self.saved.evaluate(backend, &self.model, &self.rows, &mut |_, _| {}).expect("scores").loss
    }
}

fn loss(point: &Ablated) -> f64 {
    point.loss.expect("a loss")
}

fn zero(suffix: &'static str) -> impl Fn(&mut NamedTensor) {
    move |t| {
        if t.name.ends_with(suffix)
            && let Values::F32(values) = &mut t.values
        {
            values.fill(0.0);
        }
    }
}

#[test]
fn deleting_nothing_changes_nothing_and_deleting_all_is_lambda_0() {
    let mut bench = Bench::new("symlora");
    let curves = bench.curves(AnalysisKind::Deletion, Effort { random: 2, by_layer: true });
    let orders: Vec<&str> = curves.curves.iter().map(|c| c.order.as_str()).collect();
    assert_eq!(orders, ["|λ|", "‖λW₀‖", "random 1", "random 2"]);
    let (whole, none) = (bench.loss(|_| {}), bench.loss(zero("symlora_lambda")));
    assert_ne!(whole, none);
    for curve in &curves.curves {
        assert_eq!(curve.points.len(), 13);
        assert_eq!((loss(&curve.points[0]), loss(&curve.points[12])), (whole, none), "{}", curve.order);
        assert_eq!(curve.points[12].saved_bytes, 12 * 128 * 128 * 4);
        let mut gone: Vec<&str> = curve.points[1..].iter().map(|p| p.what.as_str()).collect();
        gone.sort_unstable();
        gone.dedup();
        assert_eq!(gone.len(), 12, "every matrix goes once");
    }
    // The model is whole again.
    assert_eq!(bench.loss(|_| {}), whole);
    // The first to go has the smallest |lambda|: the same as that lambda set to 0.
    let norms = bench.saved.backend(&bench.model).expect("a backend").norms().expect("norms");
    let first = norms.iter().min_by(|a, b| a.lambda.abs().total_cmp(&b.lambda.abs())).expect("a matrix");
    let name = format!("layer.{}.attention.self.{}.symlora_lambda", first.layer, first.target);
    let without = bench.loss(|t| {
        if t.name.ends_with(&name) {
            t.values = Values::F32(vec![0.0]);
        }
    });
    assert_eq!(loss(&curves.curves[0].points[1]), without);
}

#[test]
fn lora_has_no_lambda_to_be_ordered_by() {
    let mut bench = Bench::new("lora");
    let curves = bench.curves(AnalysisKind::Deletion, Effort { random: 0, by_layer: true });
    let orders: Vec<&str> = curves.curves.iter().map(|c| c.order.as_str()).collect();
    assert_eq!(orders, ["‖W₀‖"]);
}

#[test]
fn the_whole_rank_is_the_adapter_and_rank_0_is_none_of_it() {
    for (method, factor) in [("symlora", "symlora_L"), ("lora", "lora_B.weight")] {
        let mut bench = Bench::new(method);
        let curves = bench.curves(AnalysisKind::Rank, Effort { random: 0, by_layer: true });
        let orders: Vec<&str> = curves.curves.iter().map(|c| c.order.as_str()).collect();
        let layers = ["all layers", "layer 1", "layer 2", "layer 3", "layer 4", "layer 5", "layer 6"];
        assert_eq!(orders, layers, "{method}");
        let all = &curves.curves[0].points;
        assert_eq!(all.iter().map(|p| p.count).collect::<Vec<_>>(), [4, 3, 2, 1, 0]);
        assert!((loss(&all[0]) - bench.loss(|_| {})).abs() < 1e-6, "{method}");
        let (cut, none) = (loss(&all[4]), bench.loss(zero(factor)));
        assert!((cut - none).abs() < 1e-6, "{method}: {cut} {none}");
        assert!((loss(&all[2]) - loss(&all[0])).abs() > 1e-6, "{method}: half the rank does something");
        // A direction of symlora: a column of Q and an entry of L; of lora a column of B and a row of A.
        let each = if method == "symlora" { 128 + 1 } else { 2 * 128 };
        assert_eq!(all[4].saved_bytes, 4 * 12 * each * 4, "{method}");
    }
}

#[test]
fn symlora_is_symmetric_and_what_trains_whole_has_no_adapter() {
    let bench = Bench::new("symlora");
    let Analysis::Symmetry { matrices } = job::symmetry(&bench.saved).expect("norms") else { panic!("symmetry") };
    assert_eq!(matrices.len(), 12);
    assert!(matrices.iter().all(|m| m.antisymmetric < 1e-12 * m.symmetric && m.share() == Some(1.0)));

    let mut bench = Bench::new("full");
    let Bench { saved, model, rows, .. } = &mut bench;
    let refused = job::analyse(AnalysisKind::Deletion, saved, model, rows, Effort::default(), &mut |_, _| {});
    let text = refused.expect_err("refused").to_string();
    assert!(text.contains("full") && text.contains("adapter"), "{text}");

    let mut bench = Bench::new("symlora-sign");
    let Bench { saved, model, rows, .. } = &mut bench;
    let refused = job::analyse(AnalysisKind::Rank, saved, model, rows, Effort::default(), &mut |_, _| {});
    let text = refused.expect_err("no trained diagonal").to_string();
    assert!(text.contains("symlora_Q") && text.contains("diagonal"), "{text}");
}

#[test]
fn a_merged_model_gives_the_adapters_logits() {
    for method in eigenscope::adapter::ALL.iter().map(|m| m.id()) {
        let bench = Bench::new(method);
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("merged");
        job::merge(&bench.saved, &bench.model, &out).expect("merged");
        let merged = ModelSource::resolve(out.to_str().expect("a path")).expect("a model").load().expect("loads");
        // LoRA starts at no change, and the head is the checkpoint's own.
        let mut plain = job::backend(&spec("lora", "sst-2"), &merged, bench.saved.task).expect("a backend");
        let logits = |backend: &mut dyn Backend, model: &Checkpoint| {
            bench.saved.evaluate(backend, model, &bench.rows, &mut |_, _| {}).expect("scores").logits.concat()
        };
        let found = logits(&mut *plain, &merged);
        let expected = logits(&mut *bench.saved.backend(&bench.model).expect("a backend"), &bench.model);
        let worst = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-5, "{method}: {worst}");
        assert!(expected.iter().any(|l| l.abs() > 0.05), "{method}: logits that say something");
        // A folder that holds something is left as it is.
        let again = job::merge(&bench.saved, &bench.model, &out).expect_err("refused").to_string();
        assert!(again.contains("not empty"), "{again}");
    }
}

#[test]
fn adapters_take_turns_on_one_model() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = [("symlora", 1), ("symlora", 2), ("lora", 3)];
    let open = |(method, seed): (&str, u64)| saved(folder.path(), method, "sst-2", seed);
    let texts = ["a gorgeous , witty film", "the dullest hour of my life"];
    let alone: Vec<Vec<_>> = names
        .map(|name| {
            let mut one = Classifier::new(vec![open(name)]).expect("a classifier");
            texts.map(|text| one.classify(0, text, None).expect("a label").probabilities).to_vec()
        })
        .to_vec();
    assert_ne!(alone[0], alone[1]);
    let mut all = Classifier::new(names.map(open).into()).expect("a classifier");
    assert_eq!(all.engines(), 2, "the two of one shape share an engine");
    for (i, text) in texts.into_iter().enumerate() {
        for adapter in [0, 1, 2, 1, 0] {
            assert_eq!(all.classify(adapter, text, None).expect("a label").probabilities, alone[adapter][i]);
        }
    }
}

#[test]
fn the_commands_analyse_a_run_and_its_charts_are_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |args: &str, input: &str| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_eigenscope"))
            .args(args.split(' '))
            .args(["--runs", "runs"])
            .current_dir(folder.path())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("a process");
        use std::io::Write;
        child.stdin.take().expect("stdin").write_all(input.as_bytes()).expect("written");
        let out = child.wait_with_output().expect("an end");
        (
            out.status.code(),
            String::from_utf8_lossy(&out.stdout).into_owned(),
            String::from_utf8_lossy(&out.stderr).into_owned(),
        )
    };
    std::fs::create_dir(folder.path().join("runs")).expect("a folder");
    let json = |args: &str| {
        let (code, out, err) = run(args, "");
        assert_eq!(code, Some(0), "{args}: {err}");
        serde_json::from_str::<serde_json::Value>(&out).unwrap_or_else(|e| panic!("{args}: {e}: {out}"))
    };
    let (code, _, err) = run("train --task sst-2 --method symlora --train-rows 64 --epochs 1 --rank 2", "");
    assert_eq!(code, Some(0), "{err}");
    for (kind, extra) in [("deletion", " --random 1 --rows 40"), ("rank", " --rows 40"), ("symmetry", "")] {
        let (code, _, err) = run(&format!("runs export r0001 --chart {kind} --out {kind}.svg"), "");
        assert!(code == Some(1) && err.contains(&format!("analyse {kind}")), "says how: {err}");
        let found = json(&format!("analyse {kind} r0001 --json{extra}"));
        assert_eq!(found["kind"], kind);
        let (code, _, err) = run(&format!("runs export r0001 --chart {kind} --out {kind}.svg"), "");
        assert_eq!(code, Some(0), "{err}");
        assert!(folder.path().join(format!("{kind}.svg")).exists());
    }
    assert_eq!(json("runs show r0001 --json")["analyses"].as_array().map(Vec::len), Some(3));
    // The file by itself does as well.
    let found = json("analyse deletion runs/r0001/adapter.safetensors --json --random 0 --rows 40");
    assert_eq!(found["curves"][0]["points"].as_array().map(Vec::len), Some(13));
    let (code, _, err) = run("analyse rank nowhere/adapter.safetensors", "");
    assert!(code != Some(0) && err.contains("nowhere/adapter.safetensors"), "{err}");

    let (code, out, err) = run("classify --adapter r0001 --json", "a gorgeous , witty film\n\nthe dullest hour\n");
    assert_eq!((code, out.lines().count()), (Some(0), 2), "{err}");
    let (code, _, err) = run("classify --adapter r0001", "one\ttwo\n");
    assert!(code != Some(0) && err.contains("line 1") && err.contains("one text"), "{err}");
    assert!(json("merge r0001 --out merged --json")["bytes"].as_u64() > Some(1_000_000));
}
