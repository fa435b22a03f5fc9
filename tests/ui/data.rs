//! The screen of a task's rows: reached from the table and from the launch form, its panes, its search, what it asks for.

use super::*;
use eigenscope::record::{Lengths, RowsOf, Sample, SplitSurvey, Survey, Token};
use eigenscope::view::{RowsLook, RowsView};

fn sample(i: usize) -> Sample {
    let text = format!(
        "an example of number {i} with a \u{202e}mark and some more words, so that it does not fit into a line"
    );
    let pieces = ["<s>", "an", "Ġexample", "Ġof", "Ġnumber", "</s>"];
    let token = |(id, piece): (usize, &&str)| Token { id: id as u32, piece: (*piece).into() };
    Sample {
        text,
        pair: Some("a second text".into()),
        label: if i.is_multiple_of(3) { "negative" } else { "positive" }.into(),
        place: format!("line {}", i + 2),
        tokens: pieces.iter().enumerate().map(token).collect(),
        whole: 29,
    }
}

/// Two splits with something odd about each.
pub fn rows_view() -> RowsView {
    let lengths: Vec<u64> = (0..1_000).map(|i| 4 + i * i % 57 + (i % 9) * 3).collect();
    let split = |name: &str, rows: u64, leaked: u64| SplitSurvey {
        name: name.into(),
        files: vec![format!("/data/reviews/{name}.csv")],
        rows,
        labels: vec![("negative".into(), rows / 3), ("positive".into(), rows - rows / 3)],
        mean: None,
        empty: 1,
        repeated: 12,
        contradicting: 2,
        leaked,
        lengths: Some(Lengths::of(&lengths, 64)),
    };
    let warnings = [
        "train: 1 of 1000 rows (0.1%) has an empty text, first line 17",
        "train: 12 of 1000 rows (1.2%) repeat an earlier one, as line 2 and line 40: \"good\"",
        "validation: 7 of 250 rows (2.8%) stand in the training rows too: its score flatters; as line 3 here, line 9 there: \"bad\" is negative",
    ];
    RowsView {
        of: RowsOf::default(),
        survey: Arc::new(Survey {
            task: "Film reviews".into(),
            splits: vec![split("train", 1_000, 0), split("validation", 250, 7)],
            warnings: warnings.map(String::from).into(),
        }),
        found: 1_000,
        samples: (0..400).map(sample).collect(),
        ..RowsView::default()
    }
}

fn with(rows: RowsView) -> View {
    View { rows: Some(Arc::new(rows)), ..super::view() }
}

#[test]
fn the_selected_runs_rows_are_looked_at() {
    let port = fake(with(rows_view()));
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    drawn(&mut ui, 80, 24);
    ["j", "9"].iter().for_each(|k| ui.event(&key(k)));
    let look = port.looked.borrow().rows.clone().expect("rows");
    assert_eq!((look.of.task.as_str(), look.split, look.query.as_str()), ("cola", 0, ""));
    // What is brought is of another task.
    let shown = text(&drawn(&mut ui, 80, 24));
    assert!(shown.contains("cola the embedded sample") && shown.contains("the rows are being read"), "{shown}");
    ui.event(&key("esc"));
    assert_eq!(port.looked.borrow().rows, None, "it asks for none where it is not seen");
    ["j", "j", "9"].iter().for_each(|k| ui.event(&key(k)));
    let shown = text(&drawn(&mut ui, 80, 24));
    assert!(shown.contains("Film reviews the embedded sample · read by mini-roberta up to 128 tokens"), "{shown}");
    assert!(shown.contains("! validation: 7 of 250 rows (2.8%) stand in the training rows too"), "{shown}");
}

#[test]
fn the_launch_forms_rows_are_looked_at_and_esc_goes_back_to_it() {
    let port = fake(with(rows_view()));
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    drawn(&mut ui, 100, 30);
    ["6", "ctrl-u"].iter().for_each(|k| ui.event(&key(k)));
    ui.event(&Event::Paste("/mine/reviews.toml".into()));
    let form = text(&drawn(&mut ui, 100, 30));
    assert!(form.contains("1 run: enter launches"), "a path is a task: {form}");
    ui.event(&key("ctrl-t"));
    let look = port.looked.borrow().rows.clone().expect("rows");
    assert_eq!(look.of, RowsOf { task: "/mine/reviews.toml".into(), ..RowsOf::default() });
    let shown = text(&drawn(&mut ui, 100, 30));
    assert!(shown.contains("reviews /mine/reviews.toml · read by mini-roberta"), "{shown}");
    ui.event(&key("esc"));
    assert!(text(&drawn(&mut ui, 100, 30)).contains("Launch: a comma"));
    // A grid: the first of its tasks.
    ui.event(&key("ctrl-u"));
    ui.event(&Event::Paste("cola,sst-2".into()));
    ui.event(&key("ctrl-t"));
    assert_eq!(port.looked.borrow().rows.as_ref().map(|look| look.of.task.clone()).as_deref(), Some("cola"));
}

#[test]
fn panes_splits_and_the_search() {
    let port = fake(with(rows_view()));
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    drawn(&mut ui, 80, 24);
    let mut shown = |keys: &[&str]| {
        keys.iter().for_each(|k| ui.event(&key(k)));
        text(&drawn(&mut ui, 80, 24))
    };
    let labels = shown(&["9", "tab"]);
    assert!(labels.contains("negative      333  33.3%") && labels.contains("positive      667  66.7%"), "{labels}");
    let other = shown(&["l"]);
    assert!(other.contains("negative       83  33.2%"), "{other}");
    let lengths = shown(&["h", "tab"]);
    assert!(lengths.contains("rows (") && lengths.contains("are longer than 64 tokens: cut there"), "{lengths}");
    assert!(lengths.contains("◄ cut at 64"), "{lengths}");
    let first = shown(&["tab"]);
    assert!(
        first.contains("1 of 1000") && first.contains("─ line 2 · label negative · 6 of 29 tokens, 23 cut off"),
        "{first}"
    );
    assert!(first.contains("an 1  Ġexample 2") && first.contains("\\u{202e}mark"), "{first}");
    let third = shown(&["j", "j"]);
    assert!(third.contains("3 of 1000") && third.contains("─ line 4 · label positive"), "{third}");
    let last = shown(&["G"]);
    assert!(last.contains("1000 of 1000"), "{last}");
    assert_eq!(port.looked.borrow().rows.as_ref().map(|look| look.near), Some(1_000));
    let searching = shown(&["/", "g", "o", "9"]);
    assert!(searching.contains("/go9▏") && searching.contains("the rows are being searched"), "{searching}");
    let look = port.looked.borrow().rows.clone().expect("rows");
    assert_eq!((look.query.as_str(), look.near), ("go9", 0));
    let none = RowsView { query: "go9".into(), found: 0, samples: Vec::new(), ..rows_view() };
    *port.view.borrow_mut() = Arc::new(with(none));
    let nothing = shown(&["enter"]);
    assert!(nothing.contains("no row holds \"go9\"; esc shows all again"), "{nothing}");
    *port.view.borrow_mut() = Arc::new(with(rows_view()));
    let all = shown(&["esc"]);
    assert!(all.contains("1 of 1000"), "esc shows all again: {all}");
    assert!(shown(&["esc"]).contains("> "), "and then leaves");
    assert_eq!(port.looked.borrow().rows, None);
}

#[test]
fn an_example_is_copied_and_a_failure_told_whole() {
    let port = fake(with(rows_view()));
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    drawn(&mut ui, 80, 24);
    ["9", "backtab", "j", "y"].iter().for_each(|k| ui.event(&key(k)));
    let copied = format!("{}\ta second text", sample(1).text);
    assert_eq!(ui.orders(), [eigenscope::ui::Order::Copy(copied)]);
    let why = "/mine/reviews.toml, line 3: label = 3; expected a text in quotes, at most 200 letters";
    *port.view.borrow_mut() = Arc::new(with(RowsView { failed: Some(why.into()), ..RowsView::default() }));
    let shown = text(&drawn(&mut ui, 80, 24));
    assert!(shown.contains("/mine/reviews.toml, line 3: label = 3; expected a text in quotes"), "{shown}");
    let unread = RowsView { no_tokens: Some("model \"x\": no folder".into()), ..rows_view() };
    let mut survey = (*unread.survey).clone();
    survey.splits.iter_mut().for_each(|split| split.lengths = None);
    *port.view.borrow_mut() = Arc::new(with(RowsView { survey: Arc::new(survey), ..unread }));
    ui.event(&key("backtab"));
    let shown = text(&drawn(&mut ui, 80, 24));
    assert!(shown.contains("no tokens: model \"x\": no folder"), "{shown}");
    assert_eq!(RowsLook::default().of, RowsOf::default());
}

#[test]
fn many_labels_are_scrolled() {
    let mut rows = rows_view();
    let mut survey = (*rows.survey).clone();
    survey.splits[0].labels = (0..700).map(|i| (format!("class {i}"), i)).collect();
    rows.survey = Arc::new(survey);
    let port = fake(with(rows));
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    let mut shown = |keys: &[&str]| {
        keys.iter().for_each(|k| ui.event(&key(k)));
        text(&drawn(&mut ui, 80, 24))
    };
    let first = shown(&["9", "tab"]);
    assert!(first.contains("class 0 ") && first.contains("of 700 (j k)") && !first.contains("class 699"), "{first}");
    let last = shown(&["G"]);
    assert!(last.contains("class 699"), "{last}");
    // The end is where the last line is shown, so the way back begins at once.
    let before = shown(&["k"]);
    assert!(before.contains("class 698") && !before.contains("class 699"), "{before}");
    let second = shown(&["g", "j"]);
    assert!(second.contains("class 1 ") && !second.contains("class 0 "), "{second}");
}
