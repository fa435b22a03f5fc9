//! Runs of other programs on the screens: little is known of them, and nothing is made up for the rest.

use super::*;
use eigenscope::tracker::Foreign;
use std::path::Path;

/// A run of which another program recorded losses and a learning rate alone, and that one opened.
pub fn foreign() -> View {
    let mut run = Foreign::new("Trackio", Path::new("/logs/glue.db"), "theirs".into());
    for step in 1..=50 {
        run.push("loss", step, 1.7e9 + step as f64, 1.0 / step as f64).expect("a number");
    }
    run.push("lr", 1, 1.7e9, 0.5).expect("a number");
    let run = run.take(&|_| {}).expect("a run").run;
    let whole = view();
    let summary = RunSummary {
        id: RunId("r0006".into()),
        name: run.spec.display_name(),
        spec: run.spec,
        facts: run.facts,
        step: 50,
        epoch: 1.0,
        seconds: 49.0,
        loss: Some(0.02),
        last: None,
        best: None,
        best_epoch: None,
        lambda: None,
        tags: run.tags,
        note: run.note,
        ..summary(6, "", "", Status::Done)
    };
    let bin = |step: u64, v: f64| Bin {
        from: step,
        to: step,
        min: v,
        max: v,
        mean: v,
        count: u64::from(v.is_finite()),
        gaps: u64::from(!v.is_finite()),
    };
    let series = |s: Series| {
        let value = |step: u64| match s {
            Series::Loss => 1.0 / step as f64,
            Series::Lr => 0.5,
            _ => f64::NAN,
        };
        (s, (1..=50).map(|step| bin(step, value(step))).collect())
    };
    let detail = Arc::new(RunDetail {
        summary: summary.clone(),
        series: Series::ALL.into_iter().map(series).collect(),
        clock: vec![(1, 0.0), (50, 49.0)],
        evaluations: Vec::new(),
        norm_steps: Vec::new(),
        norms_step: 0,
        norms: Vec::new(),
        log: run.log.into_iter().map(|text| LogLine { time: 1.7e9, level: Level::Info, text }).collect(),
        artifacts: Vec::new(),
        analyses: Vec::new(),
        device: None,
        peak_memory: None,
    });
    let other = whole.compare.first().cloned().expect("a run");
    View { runs: vec![Arc::new(summary)], open: Some(detail.clone()), compare: vec![detail, other], ..whole }
}

#[test]
fn an_imported_run_shows_what_is_known_of_it() {
    let port = fake(foreign());
    let table = text(&after(&port, &["1"], 160, 48));
    let row = table.lines().find(|l| l.contains("theirs")).expect("its row");
    assert!(row.contains("done") && row.contains("unknown") && !row.contains("1.0/0"), "{row}");
    let shown = text(&after(&port, &["1", "enter"], 160, 48));
    assert!(shown.contains("unknown on unknown") && shown.contains("no throughput recorded"), "{shown}");
    assert!(shown.contains("imported from /logs/glue.db (Trackio)"), "{shown}");
    for made_up in ["NaN", "0 params", "lr 0e0", "r 0 ", "best", "not finite"] {
        assert!(!shown.contains(made_up), "{made_up}: {shown}");
    }
}
