//! Table 1, the layers' spectra and the launch form's history, cursor and file: keys by their effect.

use super::everywhere::{DOWN, click, place};
use super::{after, choices, drawn, fake, key, summary, text, view};
use crossterm::event::Event;
use eigenscope::event::Status;
use eigenscope::record::AnalysisKind;
use eigenscope::ui::{Colours, Ui};
use eigenscope::view::Request;
use std::sync::Arc;

#[test]
fn table_1_leads_to_its_runs_and_to_the_form() {
    let mut table = view();
    for seed in 6..9 {
        let mut run = summary(seed, "sst-2", "symlora", Status::Done);
        run.spec.seed = seed;
        table.runs.insert(0, Arc::new(run));
    }
    let port = fake(table);
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    drawn(&mut ui, 80, 24);
    ["5", "j", "j"].iter().for_each(|k| ui.event(&key(k)));
    let shown = text(&drawn(&mut ui, 80, 24));
    // 0.66, 0.67 and 0.68: s = 0.01, so 1.96 s / sqrt(3) = 0.0113.
    assert!(shown.contains("67.0 ±1.1 n=3") && shown.contains("94 ±1.5"), "{shown}");
    assert!(shown.contains("not GLUE scores") && shown.contains("over seeds"), "{shown}");
    ui.event(&key("enter"));
    let shown = text(&drawn(&mut ui, 80, 24));
    assert!(shown.contains("Runs (4/8)") && shown.contains("task:sst-2 method:symlora"), "{shown}");
    // CoLA has no finished run.
    ["5", "g", "l", "enter"].iter().for_each(|k| ui.event(&key(k)));
    let shown = text(&drawn(&mut ui, 80, 24));
    assert!(shown.contains("Launch") && shown.contains("cola"), "{shown}");
    ui.event(&key("enter"));
    let asked = port.asked.borrow();
    let [Request::Launch(specs)] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!((specs[0].task.as_str(), specs[0].method.as_str(), specs[0].epochs), ("cola", "lora", 3));
}

#[test]
fn spectra_are_scrubbed_and_exported() {
    let port = fake(view());
    let shown = text(&after(&port, &["7"], 120, 40));
    // Eight values that fall by a tenth each: exp of the entropy of 0.81^i / sum.
    assert!(shown.contains("effective rank") && shown.contains("7.18"), "{shown}");
    after(&port, &["7", "["], 120, 40);
    assert_eq!(port.looked.borrow().norms_step, Some(10));
    after(&port, &["7", "[", "["], 120, 40);
    assert_eq!(port.looked.borrow().norms_step, Some(0), "on from what was asked for, brought or not");
    after(&port, &["7", "e"], 120, 40);
    let asked = port.asked.borrow();
    assert!(matches!(&asked[..], [Request::Export { file_stem, .. }] if file_stem.ends_with("-spectrum")), "{asked:?}");
}

#[test]
fn the_launch_form_recalls_what_was_launched() {
    let port = fake(view());
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    let form = |ui: &mut Ui| text(&drawn(ui, 100, 40));
    form(&mut ui);
    ["6", "ctrl-u"].iter().for_each(|k| ui.event(&key(k)));
    ui.event(&Event::Paste("mine".into()));
    ui.event(&key("ctrl-r"));
    let newest = form(&mut ui);
    assert!(newest.contains("recalled r0005") && newest.contains("symlora"), "{newest}");
    ui.event(&key("ctrl-r"));
    let older = form(&mut ui);
    assert!(older.contains("recalled r0004") && older.contains("lora") && older.contains("cola"), "{older}");
    ["ctrl-down", "ctrl-down"].iter().for_each(|k| ui.event(&key(k)));
    assert!(form(&mut ui).contains("mine"), "what was typed comes back");
    ["ctrl-r", "ctrl-r", "ctrl-r", "ctrl-r", "ctrl-r", "ctrl-r"].iter().for_each(|k| ui.event(&key(k)));
    assert!(form(&mut ui).contains("no older launch"), "{}", form(&mut ui));
}

#[test]
fn the_launch_form_edits_at_a_cursor_and_saves_toml() {
    let port = fake(view());
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    let form = |ui: &mut Ui| text(&drawn(ui, 160, 48));
    form(&mut ui);
    ui.event(&key("6"));
    let lr = eigenscope::spec::FIELDS.iter().position(|f| f.name == "lr").expect("a field");
    (0..lr).for_each(|_| ui.event(&key("tab")));
    ["ctrl-u", "5", "e", "-", "3", "ctrl-a", "1", "e", "-", "4", ","].iter().for_each(|k| ui.event(&key(k)));
    let shown = form(&mut ui);
    assert!(shown.contains("1e-4,5e-3") && shown.contains("lr = [0.0001, 0.005]"), "{shown}");
    assert!(shown.contains("above 0, to 10 · default 0.005"), "{shown}");
    ["ctrl-e", "alt-b", "backspace", "ctrl-o"].iter().for_each(|k| ui.event(&key(k)));
    let refused = form(&mut ui);
    assert!(refused.contains("not saved") && port.asked.borrow().is_empty(), "1e-45e-3 is no number: {refused}");
    [",", "left", "backspace", "2", "ctrl-o"].iter().for_each(|k| ui.event(&key(k)));
    let asked = port.asked.borrow();
    let [Request::SaveSpec { file_stem, text }] = &asked[..] else { panic!("{asked:?}: {}", form(&mut ui)) };
    assert_eq!(file_stem, "sst-2-symlora");
    let read = eigenscope::spec::SweepSpec::from_toml(text).expect("readable").runs().expect("valid");
    assert_eq!(read.iter().map(|s| s.lr).collect::<Vec<_>>(), [1e-2, 5e-3]);
}

#[test]
fn an_analysis_is_asked_for_where_it_is_shown() {
    let port = fake(view());
    let asked = |keys: &[&str]| {
        after(&port, keys, 80, 24);
        port.asked.take()
    };
    assert_eq!(asked(&["7", "enter"]), [], "spectra are recorded, not taken");
    let run = view().open.expect("a run").summary.id.clone();
    assert_eq!(asked(&["7", "tab", "enter"]), [Request::Analyse(run.clone(), AnalysisKind::Deletion)]);
    assert_eq!(asked(&["7", "backtab", "enter"]), [Request::Analyse(run, AnalysisKind::Symmetry)]);
    let Some(Request::Export { file_stem, .. }) = asked(&["7", "tab", "tab", "e"]).pop() else { panic!("no export") };
    assert!(file_stem.ends_with("-rank"), "{file_stem}");
}

#[test]
fn seeds_of_the_best_follow_a_grid() {
    let port = fake(view());
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    drawn(&mut ui, 100, 40);
    ui.event(&key("6"));
    ["ctrl-b", "ctrl-b"].iter().for_each(|k| ui.event(&key(k)));
    let shown = text(&drawn(&mut ui, 160, 48));
    assert!(shown.contains("1 run, then 3 seeds of each best"), "{shown}");
    assert!(shown.contains("[sweep]") && shown.contains("seeds = 3"), "{shown}");
    ui.event(&key("enter"));
    let asked = port.asked.take();
    let [Request::Sweep { sweep, text }] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!((sweep.grid.len(), &sweep.seeds[..]), (1, &[0, 1, 2][..]));
    let read = eigenscope::sweep::Asked::from_toml(text).expect("reads back").sweep("other").expect("a sweep");
    assert_eq!(read, **sweep);
}

#[test]
fn cells_of_table_1_are_clicked() {
    let port = fake(view());
    for (width, height) in [(80, 24), (160, 48)] {
        let mut ui = Ui::new(&port, &choices(), Colours::True);
        drawn(&mut ui, width, height);
        ui.event(&key("5"));
        let (_, row) = place(&drawn(&mut ui, width, height), "RTE");
        let (column, _) = place(&drawn(&mut ui, width, height), "LoRA ");
        click(&mut ui, DOWN, column, row);
        let shown = text(&drawn(&mut ui, width, height));
        assert!(shown.contains("RTE · SymLoRA"), "{shown}");
        let second = shown.lines().find(|l| l.contains("SymLoRA")).expect("names").match_indices("LoRA").nth(1);
        let second =
            shown.lines().find(|l| l.contains("SymLoRA")).expect("names")[..second.expect("LoRA").0].chars().count();
        click(&mut ui, DOWN, second as u16 + 1, row + 1);
        let shown = text(&drawn(&mut ui, width, height));
        assert!(shown.contains("MRPC · LoRA"), "{shown}");
        // The names and what lies beside the table are no cells.
        click(&mut ui, DOWN, 2, row);
        click(&mut ui, DOWN, column, height - 3);
        assert!(text(&drawn(&mut ui, width, height)).contains("MRPC · LoRA"));
        click(&mut ui, DOWN, second as u16 + 1, row + 1);
        click(&mut ui, DOWN, second as u16 + 1, row + 1);
        let shown = text(&drawn(&mut ui, width, height));
        assert!(shown.contains("Launch: a comma"), "two clicks are enter: {shown}");
    }
}

#[test]
fn cells_of_heatmaps_are_clicked() {
    let port = fake(view());
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    drawn(&mut ui, 160, 48);
    let mut reading = |keys: &[&str], at: (u16, u16)| {
        keys.iter().for_each(|k| ui.event(&key(k)));
        drawn(&mut ui, 160, 48);
        click(&mut ui, DOWN, at.0, at.1);
        text(&drawn(&mut ui, 160, 48))
    };
    // Rows of layers are alike high: one in the middle of the left panel, one at the right below.
    let shown = reading(&["7"], (30, 20));
    let first = shown.lines().nth(3).expect("a reading").to_string();
    assert!(first.contains("layer ") && !first.contains("layer 1 "), "{first}");
    let (column, row) = place(&after(&port, &["7"], 160, 48), "dead: ");
    let second = reading(&[], (column + 60, row + 3)).lines().nth(3).expect("a reading").to_string();
    assert!(second.contains("value") && second != first, "{second}");
    let (column, row) = place(&after(&port, &["7"], 160, 48), "symmetry");
    let symmetry = reading(&[], (column + 2, row));
    assert!(
        symmetry.contains("the best adapter by validation") || symmetry.contains("enter takes them here"),
        "{symmetry}"
    );
    let figure1 = reading(&["4"], (120, 10)).lines().nth(1).expect("a reading").to_string();
    assert!(figure1.contains("adapter"), "{figure1}");
    let run = reading(&["2", "tab", "tab", "tab"], (10, 25));
    assert!(
        run.lines().any(|l| l.contains("layer ") && l.contains(" query: λ = ") && !l.contains("layer 1 ")),
        "{run}"
    );
}

#[test]
fn own_tasks_of_past_runs_are_choices_of_the_form() {
    let mut view = view();
    let mine = "/of/mine/re\u{202e}views.toml";
    for i in [0, 2] {
        Arc::make_mut(&mut view.runs[i]).spec.task = mine.into();
    }
    let port = fake(view);
    let shown = text(&after(&port, &["6"], 160, 24));
    assert!(shown.contains("←→ cola sst-2 re\\u{202e}views "), "{shown}");
    let shown = text(&after(&port, &["6", "left"], 160, 24));
    assert!(shown.contains("task          cola"), "{shown}");
    // Before the first comes the last.
    let shown = text(&after(&port, &["6", "left", "left"], 160, 24));
    assert!(shown.contains("task          /of/mine/re\\u{202e}views.toml"), "{shown}");
}
