//! Sweeps by value and by property: what is launched next, in whatever order runs end and however often they are interrupted.

use super::*;
use crate::spec::SweepSpec;
use proptest::prelude::*;
use std::collections::HashSet;

fn run(id: usize, spec: &RunSpec, status: Status, best: Option<f64>) -> RunSummary {
    let created = id as f64;
    RunSummary { created, ..RunSummary::example(&format!("r{id:04}"), spec.clone(), status, best) }
}

fn fields(values: &[(&str, &[&str])]) -> SweepSpec {
    let mut fields = SweepSpec::default();
    for (name, texts) in values {
        fields.set(name, texts.iter().map(|t| (*t).to_string()).collect()).expect("a field");
    }
    fields
}

fn sweep(values: &[(&str, &[&str])], seeds: &str) -> Sweep {
    Asked { fields: fields(values), seeds: Some(seeds.into()), ..Asked::default() }.sweep("t").expect("a sweep")
}

/// One task, two methods, two learning rates, three seeds.
fn small() -> Sweep {
    sweep(&[("task", &["cola"]), ("lr", &["1e-3", "2e-3"])], "3")
}

#[test]
fn the_grid_comes_first_and_then_the_seeds_of_its_best() {
    let sweep = small();
    let plan = sweep.plan(&[]);
    let launched = plan.launch();
    let told: Vec<_> = launched.iter().map(|s| (s.method.as_str(), s.lr, s.seed)).collect();
    assert_eq!(told, [("symlora", 1e-3, 0), ("symlora", 2e-3, 0), ("lora", 1e-3, 0), ("lora", 2e-3, 0)]);
    assert_eq!((plan.counts(Stage::Grid), plan.counts(Stage::Seeds)), ((0, 4), (0, 4)));
    // SymLoRA's grid is done, LoRA's has one run under way: the seeds of SymLoRA's best begin.
    let mut runs: Vec<RunSummary> = launched.iter().zip(0..).map(|(s, i)| run(i, s, Status::Done, Some(0.5))).collect();
    runs[1].best = Some(0.6);
    runs[3].status = Status::Running;
    let plan = sweep.plan(&runs);
    let told: Vec<_> = plan.launch().iter().map(|s| (s.method.clone(), s.lr, s.seed)).collect();
    assert_eq!(told, [("symlora".to_string(), 2e-3, 1), ("symlora".into(), 2e-3, 2)]);
    assert_eq!((plan.counts(Stage::Grid), plan.counts(Stage::Seeds)), ((3, 4), (0, 4)));
    assert!(!plan.is_complete());
    // Equal scores: the first of the grid.
    runs[3].status = Status::Done;
    let lora = sweep.plan(&runs).groups[1].best().expect("a best").spec.lr;
    assert_eq!(lora, 1e-3);
}

#[test]
fn what_there_is_already_is_not_launched_again() {
    let sweep = small();
    let mut specs = sweep.plan(&[]).launch();
    // Another name and number of threads, and alpha written out, are the same run.
    specs[0] = RunSpec { name: "mine".into(), threads: 2, alpha: 8.0, ..specs[0].clone() };
    let statuses = [Status::Done, Status::Interrupted, Status::Failed, Status::Queued];
    let runs: Vec<RunSummary> = specs.iter().zip(0..).map(|(s, i)| run(i, s, statuses[i], Some(0.1))).collect();
    let plan = sweep.plan(&runs);
    assert_eq!((plan.launch(), plan.resume()), (vec![], vec![RunId("r0001".into())]));
    assert_eq!(plan.untagged().len(), 4);
    let retried = Sweep { retry: true, ..sweep.clone() }.plan(&runs);
    assert_eq!(retried.resume(), [RunId("r0001".into()), RunId("r0002".into())]);
    // Of two equal runs the one that is done counts; an archived one does not.
    let mut twice = runs.clone();
    twice.push(run(9, &specs[1], Status::Done, Some(0.2)));
    assert!(sweep.plan(&twice).resume().is_empty());
    twice[4].archived = true;
    assert_eq!(sweep.plan(&twice).resume().len(), 1);
}

#[test]
fn failures_leave_the_best_to_the_others_and_a_group_without_a_score_has_none() {
    let sweep = sweep(&[("task", &["cola"]), ("method", &["lora"]), ("lr", &["1", "2"])], "2");
    let specs = sweep.plan(&[]).launch();
    let of = |first, second| [run(0, &specs[0], first, Some(0.9)), run(1, &specs[1], second, Some(0.1))];
    let plan = sweep.plan(&of(Status::Failed, Status::Done));
    assert_eq!(plan.launch().iter().map(|s| (s.lr, s.seed)).collect::<Vec<_>>(), [(2.0, 1)]);
    let outcome = plan.groups[0].outcome(&sweep.seeds);
    assert_eq!((outcome.score, outcome.grid_failed, outcome.seeds), (Some(0.1), 1, vec![0]));
    let plan = sweep.plan(&of(Status::Failed, Status::Cancelled));
    assert!(plan.launch().is_empty() && plan.groups[0].best.is_none() && !plan.is_complete());
}

#[test]
fn a_start_from_mnlis_best_waits_until_that_is_known() {
    let asked = Asked {
        preset: Some("loralib".into()),
        fields: fields(&[("task", &["rte", "mnli"]), ("method", &["lora"]), ("lr", &["1e-3", "2e-3"])]),
        ..Asked::default()
    };
    let sweep = asked.sweep("x").expect("a sweep");
    assert_eq!(sweep.name, "loralib");
    let plan = sweep.plan(&[]);
    assert!(plan.launch().iter().all(|s| s.task == "mnli") && plan.launch().len() == 2);
    assert!(plan.groups[0].waits.as_deref().is_some_and(|w| w.contains("mnli")), "{plan:?}");
    let mut runs: Vec<RunSummary> =
        plan.launch().iter().zip(1..).map(|(s, i)| run(i, s, Status::Done, Some(0.1 * i as f64))).collect();
    let begun = sweep.plan(&runs).launch();
    assert_eq!(begun.len(), 2);
    assert!(begun.iter().all(|s| s.task == "rte" && s.init_adapter == "r0002"), "{begun:?}");
    // Launched, they are known again.
    runs.extend(begun.iter().zip(3..).map(|(s, i)| run(i, s, Status::Queued, None)));
    assert!(sweep.plan(&runs).launch().is_empty());
    // Without MNLI in the sweep the best finished run of it serves, of the same method and model alone.
    let rte = RunSpec { init_adapter: "best:mnli".into(), ..runs[2].spec.clone() };
    assert_eq!(resolve(&rte, &runs).expect("found").init_adapter, "r0002");
    let other = RunSpec { method: "symlora".into(), ..rte };
    assert!(resolve(&other, &runs).expect_err("none").to_string().contains("there is none"));
}

#[test]
fn files_and_flags_ask_for_a_sweep() {
    let text = "lr = [1e-3, 2e-3]\ntask = \"rte\"\nrank = 4\n[sweep]\nname = \"base\"\nseeds = [3, 5]\n";
    let sweep = Asked::from_toml(text).expect("read").sweep("file").expect("a sweep");
    assert_eq!((sweep.name.as_str(), sweep.seeds.clone(), sweep.grid.len()), ("base", vec![3, 5], 4));
    assert!(sweep.grid.iter().all(|s| s.rank == 4 && s.seed == 0));
    let default = Asked::default().sweep("grid").expect("a sweep");
    assert_eq!((default.grid.len(), default.seeds.clone()), (8 * 2 * 5 * 2, vec![0]));
    let paper = Asked { preset: Some("paper".into()), seeds: Some("3".into()), ..Asked::default() };
    let paper = paper.sweep("x").expect("a sweep");
    assert_eq!((paper.grid.len(), paper.seeds), (16, vec![0, 1, 2]));
    assert_eq!((paper.grid[0].model.as_str(), paper.grid[0].alpha), ("roberta-base", 8.0));
    for (text, word) in [
        ("[sweep]\nseed = 3", "name, preset or seeds"),
        ("sweep = 3", "a table"),
        ("[sweep]\nseeds = \"x\"", "whole numbers"),
        ("seed = [1, 2]\n[sweep]\nseeds = 3", "either seeds or"),
        ("[sweep]\npreset = \"best\"", "demo, paper, loralib"),
    ] {
        let error = Asked::from_toml(text).and_then(|a| a.sweep("x")).expect_err("refused").to_string();
        assert!(error.contains(word), "{text}: {error}");
    }
}

proptest! {
    /// However runs end, a plan launches nothing that there is, nothing twice, and nothing more when asked again.
    #[test]
    fn nothing_is_launched_twice(ends in proptest::collection::vec((0usize..8, 0u32..5), 0..40), seeds in 1usize..5) {
        let sweep = sweep(&[("task", &["cola", "rte"]), ("lr", &["1", "2", "3"])], &seeds.to_string());
        let mut runs: Vec<RunSummary> = Vec::new();
        let mut ends = ends.into_iter();
        loop {
            let plan = sweep.plan(&runs);
            prop_assert_eq!(&plan, &sweep.plan(&runs));
            let launched = plan.launch();
            let mut known: HashSet<String> = runs.iter().map(|r| identity(&r.spec)).collect();
            for spec in &launched {
                prop_assert!(known.insert(identity(spec)), "launched twice: {spec:?}");
            }
            for spec in &launched {
                runs.push(run(runs.len(), spec, Status::Queued, None));
            }
            prop_assert!(sweep.plan(&runs).launch().is_empty());
            for id in sweep.plan(&runs).resume() {
                runs.iter_mut().filter(|r| r.id == id).for_each(|r| r.status = Status::Queued);
            }
            // Some of what is queued ends in some way; when the ways are used up, all of it is done.
            let queued: Vec<usize> = (0..runs.len()).filter(|i| runs[*i].status == Status::Queued).collect();
            let Some(first) = queued.first().copied() else { break };
            let (status, score, which) = match ends.next() {
                Some((status, score)) => (Status::ALL[status], score, vec![queued[score as usize % queued.len()]]),
                None => (Status::Done, first as u32, queued),
            };
            for i in which {
                runs[i].status = status;
                runs[i].best = Some(f64::from(score));
                if status.is_live() {
                    runs[i].status = Status::Done;
                }
            }
        }
        let plan = sweep.plan(&runs);
        // Each group with a best has all its seeds, each run once.
        for group in plan.groups.iter().filter(|g| g.best.is_some()) {
            prop_assert_eq!(group.members.len(), 3 + seeds - 1);
        }
        prop_assert_eq!(plan.found().count(), plan.members().count());
        prop_assert_eq!(runs.len(), plan.members().count());
    }
}
