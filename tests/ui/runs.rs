//! The table of runs: what its keys do to one run and to several, its columns, its order, its groups and its filter line.

use super::{after, choices, drawn, fake, key, summary, text, view};
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use eigenscope::config::{RunTable, State};
use eigenscope::event::{Control, RunId, Status};
use eigenscope::record::Label;
use eigenscope::ui::{Colours, Ui};
use eigenscope::view::{DiskUse, Request, View};
use ratatui::style::Color;
use std::sync::Arc;

fn ids(numbers: &[u64]) -> Vec<RunId> {
    numbers.iter().map(|n| RunId(format!("r{n:04}"))).collect()
}

fn asked(view: View, keys: &[&str]) -> Vec<Request> {
    let port = fake(view);
    after(&port, keys, 100, 30);
    port.asked.into_inner()
}

fn letters(text: &str) -> Vec<String> {
    text.chars().map(String::from).collect()
}

/// The view with one run changed.
fn with(number: u64, change: impl FnOnce(&mut eigenscope::record::RunSummary)) -> View {
    let mut view = view();
    let at = view.runs.iter().position(|r| r.id == ids(&[number])[0]).expect("a run");
    change(Arc::make_mut(&mut view.runs[at]));
    view
}

#[test]
fn keys_act_on_all_that_is_marked() {
    // r0005 runs, r0004 failed, r0003 is done, r0002 stopped, r0001 was interrupted.
    let marked = |more: &[&str]| asked(view(), &[&[" ", " ", " "], more].concat());
    assert_eq!(marked(&["x"]), [Request::Control(ids(&[5]), Control::Stop)]);
    assert_eq!(marked(&["G", "A"]), [Request::Label(ids(&[4, 3]), Label::Archived(true))]);
    let all = |more: &[&str]| asked(view(), &[&["ctrl-a"], more].concat());
    assert_eq!(all(&["r"]), [Request::Control(ids(&[5]), Control::Resume), Request::Requeue(ids(&[4, 2, 1]))]);
    assert_eq!(all(&["X", "y"]), [Request::Control(ids(&[5]), Control::Cancel)]);
    assert_eq!(all(&["D", "y"]), [Request::Delete(ids(&[4, 3, 2, 1]))]);
    let screen = text(&after(&fake(view()), &["ctrl-a", "D"], 100, 30));
    assert!(screen.contains("delete 4 of 5 runs with their files? (what is training stays)"), "{screen}");
    assert!(screen.contains("5 marked"), "{screen}");
    // All are marked: the same key takes the marks away; so does esc, and then the selected run is meant again.
    assert_eq!(all(&["ctrl-a", "x"]), [Request::Control(ids(&[5]), Control::Stop)]);
    assert_eq!(all(&["esc", "j", "r"]), [Request::Requeue(ids(&[4]))]);
    let none = text(&after(&fake(view()), &["j", " ", " ", "p"], 100, 30));
    assert!(none.contains("none of the 2 runs: only running runs pause"), "{none}");
}

#[test]
fn a_deletion_tells_what_it_frees() {
    let port = fake(View { disk: DiskUse { of: ids(&[3]), bytes: 7_400_000 }, ..view() });
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    drawn(&mut ui, 80, 24);
    assert!(port.looked.borrow().disk_of.is_empty(), "nothing is counted before it is asked for");
    ["j", "j", "D"].iter().for_each(|k| ui.event(&key(k)));
    let screen = text(&drawn(&mut ui, 80, 24));
    assert_eq!(port.looked.borrow().disk_of, ids(&[3]));
    assert!(screen.contains("delete r0003 (rte-symlora-s3) with its files?"), "{screen}");
    assert!(screen.contains("that frees 7.1 MiB"), "{screen}");
    ["n", "k", "D"].iter().for_each(|k| ui.event(&key(k)));
    let other = text(&drawn(&mut ui, 80, 24));
    assert!(other.contains("counting what that frees"), "{other}");
    let live = text(&after(&fake(view()), &["D"], 80, 24));
    assert!(live.contains("r0005 is running: stop it before deleting it (x)"), "{live}");
}

#[test]
fn labels_are_typed_in_a_prompt() {
    let typed = |view: View, start: &[&str], what: &str, end: &[&str]| {
        let letters = letters(what);
        let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
        asked(view, &[start, &letters, end].concat())
    };
    let tags = |add: &[&str], remove: &[&str]| Label::Tags {
        add: add.iter().map(|t| t.to_string()).collect(),
        remove: remove.iter().map(|t| t.to_string()).collect(),
    };
    let tagged = || with(5, |r| r.tags = vec!["base".into(), "old".into()]);
    assert_eq!(typed(tagged(), &["t"], "new,x", &["enter"]), [Request::Label(ids(&[5]), tags(&["new", "x"], &[]))]);
    assert_eq!(
        typed(tagged(), &["t", "ctrl-w"], "new", &["enter"]),
        [Request::Label(ids(&[5]), tags(&["new"], &["old"]))]
    );
    // Of several, those that all have are shown: r0004 has none.
    assert_eq!(
        typed(tagged(), &[" ", " ", "t"], "two", &["enter"]),
        [Request::Label(ids(&[5, 4]), tags(&["two"], &[]))]
    );
    assert_eq!(typed(view(), &["t"], "lost", &["esc"]), []);
    assert_eq!(
        typed(with(5, |r| r.note = "was".into()), &["N", "ctrl-u"], "why? q D", &["enter"]),
        [Request::Label(ids(&[5]), Label::Note("why? q D".into()))]
    );
    assert_eq!(
        typed(view(), &["j", "R"], "-b", &["enter"]),
        [Request::Label(ids(&[4]), Label::Name("cola-lora-s4-b".into()))]
    );
    assert_eq!(typed(view(), &["R", "ctrl-u"], "", &["enter"]), [], "a run needs a name");
    let port = fake(view());
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    drawn(&mut ui, 80, 24);
    ui.event(&key("t"));
    ui.event(&Event::Paste("a|b".into()));
    ui.event(&key("enter"));
    let refused = text(&drawn(&mut ui, 80, 24));
    assert!(refused.contains("tag \"a|b\": a tag has"), "{refused}");
    ["ctrl-u", "o", "k", "enter"].iter().for_each(|k| ui.event(&key(k)));
    assert_eq!(port.asked.borrow()[..], [Request::Label(ids(&[5]), tags(&["ok"], &[]))]);
}

#[test]
fn what_is_archived_shows_where_it_is_asked_for() {
    let archived = || with(3, |r| r.archived = true);
    let screen = text(&after(&fake(archived()), &[], 100, 30));
    assert!(screen.contains("Runs (4/5) · 1 archived") && !screen.contains("rte-symlora-s3"), "{screen}");
    let filter: Vec<String> = letters("/is:archived");
    let keys: Vec<&str> = filter.iter().map(String::as_str).chain(["enter", "A"]).collect();
    assert_eq!(asked(archived(), &keys), [Request::Label(ids(&[3]), Label::Archived(false))]);
    let running = text(&after(&fake(view()), &["A"], 100, 30));
    assert!(running.contains("r0005 is running: only runs that have ended can be archived"), "{running}");
}

#[test]
fn a_clone_fills_the_launch_form() {
    let port = fake(with(4, |r| {
        r.spec.rank = 4;
        r.spec.name = "mine".into();
    }));
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    drawn(&mut ui, 100, 40);
    ["j", "C"].iter().for_each(|k| ui.event(&key(k)));
    let form = text(&drawn(&mut ui, 100, 40));
    assert!(form.contains("> lr            0.005"), "{form}");
    ["ctrl-u", "1", "enter"].iter().for_each(|k| ui.event(&key(k)));
    let Some(Request::Launch(specs)) = port.asked.borrow_mut().pop() else { panic!("nothing was launched") };
    let found = &specs[0];
    assert_eq!((found.task.as_str(), found.method.as_str(), found.rank, found.seed), ("cola", "lora", 4, 4));
    assert_eq!((found.lr, found.name.as_str()), (1.0, ""), "a run of its own name");
}

/// Titles of the columns that are drawn.
fn header(screen: &str) -> Vec<String> {
    let line = screen.lines().nth(2).expect("a header");
    line.trim_matches(['│', ' ']).split_whitespace().map(str::to_string).collect()
}

#[test]
fn columns_are_chosen_and_remembered() {
    let port = fake(view());
    let screen = text(&after(&port, &["v", "j", "j", " ", "J", "esc"], 120, 30));
    // The third column was taken away.
    assert_eq!(header(&screen)[..3], ["status▾", "name", "method"]);
    let Some(Request::Remember(state)) = port.asked.into_inner().pop() else { panic!("nothing is remembered") };
    assert_eq!(state.runs.columns[..3], ["status", "name", "method"]);

    let again = super::Fake { remembered: state, ..fake(view()) };
    assert_eq!(header(&text(&after(&again, &[], 120, 30)))[..3], ["status▾", "name", "method"]);

    // J and K move a column, and the choice is kept.
    let port = fake(view());
    after(&port, &["v", "j", "J", "J"], 120, 30);
    let Some(Request::Remember(moved)) = port.asked.into_inner().pop() else { panic!("nothing is remembered") };
    assert_eq!(moved.runs.columns[..4], ["status", "task", "method", "name"]);

    let columns = vec!["no such".to_string(), "rank".into(), "best".into(), "rank".into()];
    let table = RunTable { columns, sort: "nothing".into(), group: "x,y".into(), ..RunTable::default() };
    let odd = super::Fake { remembered: State { runs: table }, ..fake(view()) };
    assert_eq!(header(&text(&after(&odd, &[], 120, 30))), ["rank", "best"], "unknown words are left out");
}

#[test]
fn constant_columns_are_hidden_where_that_is_wanted() {
    let port = fake(view());
    let screen = text(&after(&port, &["v", "k", " ", "esc"], 160, 30));
    // lr, params and, of the usual ones, nothing else is the same in all five runs.
    assert!(screen.contains("2 constant columns hidden"), "{screen}");
    let shown = header(&screen);
    assert!(!shown.contains(&"lr".into()) && !shown.contains(&"params".into()), "{shown:?}");
    assert!(shown.contains(&"seed".into()) && shown.contains(&"best".into()), "{shown:?}");
}

#[test]
fn the_sorted_column_moves_and_stays_in_sight() {
    let sorted = |keys: &[&str]| {
        let screen = text(&after(&fake(view()), keys, 60, 20));
        let title = header(&screen).into_iter().find(|t| t.ends_with(['▾', '▴'])).expect("a sorted column");
        let first = screen.lines().nth(3).expect("a run").to_string();
        (title, ["1", "2", "3", "4", "5"].into_iter().find(|n| first.contains(&format!("-s{n}"))).expect("a run"))
    };
    assert_eq!(sorted(&[]), ("status▾".into(), "5"));
    assert_eq!(sorted(&[">", ">", ">", ">"]), ("best▾".into(), "5"));
    assert_eq!(sorted(&["s", "s", "s", "s", "S"]), ("best▴".into(), "1"));
    // The id has no room at 60 columns but as the one that sorts.
    assert_eq!(sorted(&["<"]), ("id▾".into(), "5"), "before the first is the last");
}

#[test]
fn groups_tell_their_spread_and_unfold() {
    let mut runs = vec![
        summary(1, "cola", "lora", Status::Done),
        summary(2, "cola", "lora", Status::Done),
        summary(3, "cola", "lora", Status::Done),
        summary(4, "cola", "lora", Status::Running),
        summary(5, "rte", "lora", Status::Done),
    ];
    for (run, best) in runs.iter_mut().zip([0.60, 0.70, 0.80, 0.99, 0.55]) {
        run.best = Some(best);
    }
    runs[2].spec.lr = 1e-3;
    let view = View { runs: runs.into_iter().map(Arc::new).collect(), ..View::default() };
    let shown = |keys: &[&str]| text(&after(&fake(view.clone()), keys, 130, 24));
    let grouped = shown(&["z"]);
    assert!(grouped.contains("best ±95% over seeds") && grouped.contains("by task, method"), "{grouped}");
    // s = 0.1 over the three that are done: 1.96 * 0.1 / sqrt(3) = 0.1132.
    let cola = grouped.lines().find(|l| l.contains("cola lora")).expect("a group");
    assert!(cola.contains("3/4 done") && cola.contains("0.7000 ±0.1132 n=3"), "{cola}");
    assert!(cola.contains("0.6000..0.8000") && cola.contains("(lr differ)"), "{cola}");
    let rte = grouped.lines().find(|l| l.contains("rte lora")).expect("a group");
    assert!(rte.contains("✓ 1 done") && rte.contains("0.5500 n=1") && !rte.contains('±'), "{rte}");
    assert!(!grouped.contains("cola-lora-s1"), "groups are folded at first");
    let unfolded = shown(&["z", "l"]);
    assert!(unfolded.contains("▾ cola lora") && unfolded.contains("  cola-lora-s1"), "{unfolded}");
    for folded in [shown(&["z", "l", "j", "j", "h"]), shown(&["z", "enter", "enter"])] {
        assert!(folded.contains("> 3/4 done") && !folded.contains("cola-lora-s1"), "{folded}");
    }
    let further = shown(&["z", "z"]);
    assert!(further.contains("cola lora lr=0.001 batch_size=32") && further.contains("2/3 done"), "{further}");
    assert!(shown(&["z", "z", "z"]).contains("cola-lora-s1"), "and off again");
    // Keys on a group mean its runs.
    let port = fake(view.clone());
    after(&port, &["z", " ", "x", "t", "a", "enter"], 130, 24);
    let asked: Vec<Request> =
        port.asked.into_inner().into_iter().filter(|r| !matches!(r, Request::Remember(_))).collect();
    assert_eq!(asked[0], Request::Control(ids(&[4]), Control::Stop));
    assert!(matches!(&asked[1], Request::Label(runs, _) if runs.len() == 4), "{asked:?}");
}

#[test]
fn the_filter_line_says_what_is_wrong_and_completes() {
    let port = fake(with(4, |r| r.tags = vec!["baseline".into()]));
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    let mut press = |keys: &[&str]| {
        keys.iter().for_each(|k| ui.event(&key(k)));
        drawn(&mut ui, 100, 24)
    };
    let wrong = press(&["/", "l", "r", ">", "x"]);
    let screen = text(&wrong);
    assert!(screen.contains("Runs (5/5)") && screen.contains("lr: \"x\" is no number"), "{screen}");
    let red = Color::Rgb(0xff, 0x80, 0x60);
    let in_red = |buffer: &ratatui::buffer::Buffer| {
        buffer.content.iter().filter(|c| c.fg == red).map(|c| c.symbol()).collect::<String>()
    };
    assert!(in_red(&wrong).contains("/lr>x") && in_red(&wrong).contains("is no number"));
    assert!(!in_red(&press(&["ctrl-u", "l", "r", "=", "1"])).contains("lr"));
    let fields = text(&press(&["ctrl-u", "t", "a"]));
    assert!(fields.contains("tab: task: tag:"), "{fields}");
    let completed = text(&press(&["tab", "tab"]));
    assert!(completed.contains("/tag:") && completed.contains("tab: tag:baseline"), "{completed}");
    let filtered = text(&press(&["b", "tab", "enter"]));
    assert!(filtered.contains("Runs (1/5)") && filtered.contains("/tag:baseline"), "{filtered}");
    assert!(text(&press(&["esc"])).contains("Runs (5/5)"));
}

#[test]
fn every_key_of_the_table_does_something_there() {
    // Keys that only change what is seen are told by the screen, the others by what they ask.
    let keys =
        ["enter", " ", "ctrl-a", "d", "/", "z", "v", ">", "<", "s", "S", "t", "N", "R", "C", "x", "p", "r", "X", "a"];
    let before = text(&after(&fake(view()), &[], 160, 48));
    for pressed in keys {
        let port = fake(view());
        let screen = text(&after(&port, &[pressed], 160, 48));
        assert!(screen != before || !port.asked.borrow().is_empty(), "{pressed} does nothing");
    }
    let right = |code| Event::Key(KeyEvent::new(code, KeyModifiers::NONE));
    let port = fake(view());
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    drawn(&mut ui, 80, 24);
    ui.event(&key("z"));
    let folded = text(&drawn(&mut ui, 80, 24));
    ui.event(&right(KeyCode::Right));
    assert_ne!(text(&drawn(&mut ui, 80, 24)), folded);
    ui.event(&right(KeyCode::Left));
    assert_eq!(text(&drawn(&mut ui, 80, 24)), folded);
}
