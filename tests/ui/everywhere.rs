//! What holds on every screen: palette, settings, themes, plain characters, clipboard, mouse, the shell; and the queue.

use super::*;
use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use eigenscope::config::SettingsFile;
use eigenscope::ui::{Order, Scheme, Settings};
use std::path::Path;
use std::time::Duration;

pub fn click(ui: &mut Ui, kind: MouseEventKind, column: u16, row: u16) {
    ui.event(&Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
}

pub const DOWN: MouseEventKind = MouseEventKind::Down(MouseButton::Left);

/// Column and row where a text first stands.
pub fn place(buffer: &Buffer, wanted: &str) -> (u16, u16) {
    let shown = text(buffer);
    let (row, line) = shown.lines().enumerate().find(|(_, l)| l.contains(wanted)).expect(wanted);
    let column = line[..line.find(wanted).expect("found")].chars().count();
    (column as u16, row as u16)
}

fn set(file: &str) -> (Settings, Vec<eigenscope::config::Problem>) {
    Settings::of(&SettingsFile::parse(Path::new("config.toml"), file))
}

#[test]
fn the_palette_runs_actions_and_shows_screens() {
    let port = fake(view());
    let screen = |keys: &[&str]| text(&after(&port, keys, 100, 30));
    let open = screen(&[":", "s", "t", "o", "p"]);
    assert!(open.contains("> stop and save the run (resumable)"), "{open}");
    screen(&[":", "s", "t", "o", "p", "enter"]);
    assert_eq!(port.asked.take(), [Request::Control(vec![RunId("r0005".into())], Control::Stop)]);
    assert!(screen(&[":", "l", "a", "u", "n", "c", "h", " ", "f", "enter"]).contains("Launch: a comma"));
    // A form takes the colon as text; its own palette has another key, and offers what has no key there.
    assert!(screen(&["6", "ctrl-k", "q", "u", "e", "u", "e", "enter"]).contains("Queue (1 running"));
    let closed = screen(&[":", "s", "esc"]);
    assert!(!closed.contains("Actions (enter"), "{closed}");
    let none = screen(&[":", "z", "z", "z", "z"]);
    assert!(none.contains("nothing is called so"), "{none}");
}

#[test]
fn keys_of_the_settings_file_hold_everywhere() {
    let port = fake(view());
    let (settings, problems) = set("[keys]\nstop = [\"Z\"]\nhelp = [\"H\"]\n");
    assert_eq!(problems, []);
    let mut ui = Ui::new(&port, &choices(), Colours::True).set(settings, &problems);
    let line = text(&drawn(&mut ui, 100, 30));
    assert!(line.contains(" Z stop") && !line.contains(" x stop") && line.contains(" H help"), "{line}");
    ui.event(&key("x"));
    assert_eq!(port.asked.take(), []);
    ui.event(&key("Z"));
    assert_eq!(port.asked.take(), [Request::Control(vec![RunId("r0005".into())], Control::Stop)]);
    ui.event(&key("H"));
    let help = text(&drawn(&mut ui, 100, 60));
    assert!(help.contains("Z  stop and save") && help.contains("H  this help"), "{help}");
    ["esc", ":", "s", "t", "o", "p"].iter().for_each(|k| ui.event(&key(k)));
    let (_, row) = place(&drawn(&mut ui, 100, 30), "> stop and save");
    let shown = text(&drawn(&mut ui, 100, 30));
    assert!(shown.lines().nth(row.into()).is_some_and(|l| l.contains(" Z")), "{shown}");
}

#[test]
fn the_cursor_of_curves_can_have_other_keys() {
    let port = fake(view());
    let (settings, problems) = set("[keys-on.run]\nleft = [\"b\"]\nright = [\"w\"]\n");
    assert_eq!(problems, []);
    let mut ui = Ui::new(&port, &choices(), Colours::True).set(settings, &problems);
    drawn(&mut ui, 160, 48);
    let mut shown = |keys: &[&str]| {
        keys.iter().for_each(|k| ui.event(&key(k)));
        text(&drawn(&mut ui, 160, 48))
    };
    let head = |screen: &str| screen.lines().find(|l| l.contains("┌ loss ")).expect("a pane").to_string();
    let still = head(&shown(&["enter"]));
    assert_eq!(head(&shown(&["h"])), still, "the old key does nothing");
    let read = head(&shown(&["b"]));
    assert!(read.contains("step ") && read != still, "{read}");
    assert_ne!(head(&shown(&["b"])), read);
    assert_eq!(head(&shown(&["w"])), read);
    // Compare keeps its keys.
    let compared = shown(&["1", "space", "j", "space", "c", "h"]);
    assert!(compared.contains("┌ loss step "), "{compared}");
    // Without a screen's name it is chosen for all of them.
    let (settings, problems) = set("[keys]\nleft = [\"b\"]\n");
    let mut ui = Ui::new(&port, &choices(), Colours::True).set(settings, &problems);
    drawn(&mut ui, 160, 48);
    let mut read = |keys: &[&str]| {
        keys.iter().for_each(|k| ui.event(&key(k)));
        head(&text(&drawn(&mut ui, 160, 48))).contains("step ")
    };
    assert!(!read(&["enter", "h"]) && read(&["b"]) && !read(&["1", "space", "j", "space", "c", "h"]) && read(&["b"]));
}

#[test]
fn a_wrong_settings_file_is_told_at_the_start() {
    let port = fake(view());
    let (settings, problems) = set("theme = \"pink\"\n[keys]\nfly = [\"f\"]\nstop = [\"Z\"]\n");
    let mut ui = Ui::new(&port, &choices(), Colours::True).set(settings, &problems);
    let shown = text(&drawn(&mut ui, 120, 30));
    let told = "config.toml:1: theme = \"pink\", expected one of dark, light, colour-blind, mono (and 1 more: `eigenscope config check`)";
    assert!(shown.contains(told), "{shown}");
    ui.event(&key("Z"));
    assert_eq!(port.asked.take().len(), 1, "the rest holds");
}

#[test]
fn themes_follow_each_other_and_say_their_names() {
    let port = fake(view());
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    let colours = |buffer: &Buffer| {
        let ground = |c: Color| buffer.content.iter().filter(|cell| cell.bg == c).count();
        let coloured = buffer.content.iter().filter(|c| c.fg != Color::Reset || c.bg != Color::Reset).count();
        (ground(Color::Rgb(0xfa, 0xfa, 0xfa)), coloured)
    };
    let all = 160 * 48;
    assert_eq!(colours(&drawn(&mut ui, 160, 48)).0, 0);
    for (name, on_light) in [("light", true), ("colour-blind", false), ("mono", false), ("dark", false)] {
        ui.event(&key("T"));
        let buffer = drawn(&mut ui, 160, 48);
        assert!(text(&buffer).contains(&format!("theme {name}")), "{name}");
        let (light, coloured) = colours(&buffer);
        assert_eq!(light > all / 2, on_light, "{name}: {light}");
        assert_eq!(coloured == 0, name == "mono", "{name}: {coloured}");
    }
    // NO_COLOR is stronger than a theme.
    let (settings, _) = set("theme = \"light\"\n");
    assert_eq!(settings.scheme, Scheme::Light);
    let mut ui = Ui::new(&port, &choices(), Colours::None).set(settings, &[]);
    assert_eq!(colours(&drawn(&mut ui, 160, 48)), (0, 0));
}

#[test]
fn plain_characters_are_enough_for_every_screen() {
    for (name, keys) in SCREENS {
        for colours in [Colours::True, Colours::None] {
            let port = fake(queue());
            let (settings, _) = set("ascii = true\n");
            let mut ui = Ui::new(&port, &choices(), colours).set(settings, &[]);
            drawn(&mut ui, 160, 48);
            keys.iter().for_each(|k| ui.event(&key(k)));
            let shown = text(&drawn(&mut ui, 160, 48));
            assert!(shown.is_ascii(), "{name}: {shown}");
            assert!(!shown.contains('?') || shown.contains("? help"), "{name}: {shown}");
        }
    }
    let port = fake(view());
    let (settings, _) = set("ascii = true\n");
    let mut ui = Ui::new(&port, &choices(), Colours::True).set(settings, &[]);
    drawn(&mut ui, 80, 24);
    ui.event(&key("enter"));
    insta::assert_snapshot!("run_ascii_80x24", text(&drawn(&mut ui, 80, 24)));
}

#[test]
fn values_go_to_the_clipboard() {
    let copied = |keys: &[&str]| {
        let port = fake(view());
        let mut ui = Ui::new(&port, &choices(), Colours::True);
        drawn(&mut ui, 160, 48);
        keys.iter().for_each(|k| ui.event(&key(k)));
        (ui.orders(), text(&drawn(&mut ui, 160, 48)))
    };
    let (orders, shown) = copied(&["j", "y"]);
    assert_eq!(orders, [Order::Copy("r0004".into())]);
    assert!(shown.contains("copied r0004"), "{shown}");
    let (orders, _) = copied(&["j", "Y"]);
    let [Order::Copy(toml)] = &orders[..] else { panic!("{orders:?}") };
    let spec = RunSpec::from_toml(toml).expect("a spec");
    assert_eq!((spec.task.as_str(), spec.method.as_str(), spec.seed), ("cola", "lora", 4));
    // The value under the cursor, whole.
    let difference = norms(6)[0].difference();
    let mean = (norms(6)[0].difference() + norms(6)[1].difference()) / 2.0;
    let (orders, _) = copied(&["4", "l", "l", "y"]);
    let [Order::Copy(value)] = &orders[..] else { panic!("{orders:?}") };
    let value: f64 = value.parse().expect("a number");
    assert!((value - difference).abs() < 1e-9 || (value - mean).abs() < 1e-9, "{value}");
    let (orders, _) = copied(&["enter", "tab", "tab", "tab", "y"]);
    assert_eq!(orders, [Order::Copy("1".into())], "lambda of the first layer");
    // Of curves all that the cursor reads, with its place.
    let (orders, _) = copied(&["enter", "l", "l", "y"]);
    let [Order::Copy(values)] = &orders[..] else { panic!("{orders:?}") };
    let lines: Vec<(&str, &str)> = values.lines().filter_map(|l| l.split_once('\t')).collect();
    assert_eq!(lines[0].0, "step");
    assert!(lines.len() > 2 && lines.iter().all(|(_, v)| v.parse::<f64>().is_ok()), "{values}");
    let (orders, shown) = copied(&["enter", "y"]);
    assert!(orders.is_empty() && shown.contains("no cursor reads a value here"), "{shown}");
}

#[test]
fn the_mouse_selects_opens_and_scrolls() {
    let port = fake(view());
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    let buffer = drawn(&mut ui, 160, 48);
    let (column, row) = place(&buffer, "r0003");
    click(&mut ui, DOWN, column, row);
    let shown = text(&drawn(&mut ui, 160, 48));
    assert!(shown.lines().any(|l| l.contains("> ") && l.contains("r0003")), "{shown}");
    assert_eq!(port.looked.borrow().open, Some(RunId("r0003".into())));
    click(&mut ui, MouseEventKind::ScrollDown, column, row);
    drawn(&mut ui, 160, 48);
    assert_eq!(port.looked.borrow().open, Some(RunId("r0002".into())));
    let (column, row) = place(&drawn(&mut ui, 160, 48), "r0005");
    click(&mut ui, DOWN, column, row);
    click(&mut ui, DOWN, column, row);
    let shown = text(&drawn(&mut ui, 160, 48));
    assert!(shown.contains("validation score") && shown.contains("layers"), "{shown}");
    // A tab.
    let (column, row) = place(&drawn(&mut ui, 160, 48), "6 Launch");
    click(&mut ui, DOWN, column + 2, row);
    let buffer = drawn(&mut ui, 160, 48);
    let (column, row) = place(&buffer, "method");
    click(&mut ui, DOWN, column, row);
    assert!(text(&drawn(&mut ui, 160, 48)).contains("> method"));
    // What lies over the screen keeps the clicks from it.
    ui.event(&key("f1"));
    click(&mut ui, DOWN, 15, 0);
    assert!(text(&drawn(&mut ui, 160, 48)).contains("Keys ("));
}

#[test]
fn to_the_shell_and_back() {
    let port = fake(view());
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    drawn(&mut ui, 120, 24);
    ui.event(&key("ctrl-z"));
    assert_eq!(ui.orders(), [Order::Suspend]);
    ui.resumed(Duration::from_secs(65));
    let shown = text(&drawn(&mut ui, 120, 24));
    assert!(shown.contains("back after 1m05s: training in this process stood still too"), "{shown}");
    let idle = fake(View::default());
    let mut ui = Ui::new(&idle, &choices(), Colours::True);
    ui.resumed(Duration::from_secs(65));
    assert!(text(&drawn(&mut ui, 120, 24)).contains("back from the shell"));
}

#[test]
fn the_queue_is_shown_in_its_order_and_moved() {
    let port = fake(queue());
    let shown = text(&after(&port, &["0"], 120, 30));
    assert!(port.looked.borrow().devices);
    let row = |id: &str| shown.lines().position(|l| l.contains(id)).expect("a row");
    assert!(row("r0005") < row("r0007") && row("r0007") < row("r0008") && row("r0008") < row("r0006"), "{shown}");
    assert!(row("r0006") < row("r0002"), "what could go on comes last: {shown}");
    assert!(!shown.contains("r0003"), "what is done does not: {shown}");
    assert!(shown.contains("cuda:1 is not here (1 queued)"), "{shown}");
    let asked = |keys: &[&str]| {
        let port = fake(queue());
        after(&port, keys, 120, 30);
        port.asked.into_inner()
    };
    let id = |id: &str| RunId(id.into());
    assert_eq!(asked(&["0", "j", "J"]), [Request::Shift(id("r0007"), 1)]);
    assert_eq!(asked(&["0", "j", "shift-down"]), [Request::Shift(id("r0007"), 1)]);
    assert_eq!(asked(&["0", "j", "j", "K"]), [Request::Shift(id("r0008"), -1)]);
    assert_eq!(asked(&["0", "J"]), [], "what runs has no place");
    assert_eq!(asked(&["0", "p"]), [Request::Control(vec![id("r0005")], Control::Pause)]);
    assert_eq!(asked(&["0", "j", "p"]), [], "what waits cannot pause");
    assert_eq!(asked(&["0", "j", "x"]), [Request::Control(vec![id("r0007")], Control::Stop)]);
    assert_eq!(asked(&["0", "j", "X", "y"]), [Request::Control(vec![id("r0007")], Control::Cancel)]);
    assert_eq!(asked(&["0", "G", "r"]), [Request::Requeue(vec![id("r0001")])]);
    // The selection goes with the run that is moved.
    let port = fake(queue());
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    drawn(&mut ui, 120, 30);
    ["0", "j", "J"].iter().for_each(|k| ui.event(&key(k)));
    let mut moved = queue();
    for (n, position) in [(7, 7), (8, 6)] {
        let at = moved.runs.iter().position(|r| r.id == id(&format!("r{n:04}"))).expect("a run");
        let run = RunSummary { position, ..(*moved.runs[at]).clone() };
        moved.runs[at] = Arc::new(run);
    }
    *port.view.borrow_mut() = Arc::new(moved);
    let shown = text(&drawn(&mut ui, 120, 30));
    assert!(shown.lines().any(|l| l.contains(">   2 r0007")), "{shown}");
}

#[test]
fn the_help_is_scrolled_as_pagers_are() {
    let port = fake(view());
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    drawn(&mut ui, 80, 24);
    let mut shown = |keys: &[&str]| {
        keys.iter().for_each(|k| ui.event(&key(k)));
        text(&drawn(&mut ui, 80, 24))
    };
    assert!(shown(&["?"]).contains("Keys 1 to 22 of "));
    assert!(shown(&["j", "ctrl-d"]).contains("Keys 12 to 33 of "));
    let last = shown(&["G"]);
    assert!(last.contains("quit (asks while runs are active)"), "{last}");
    // It does not go on below its end: one step back is seen at once.
    assert_eq!(shown(&["j"]), last);
    assert_ne!(shown(&["k"]), last);
    assert!(shown(&["g"]).contains("Keys 1 to 22 of "));
    assert!(!shown(&["x"]).contains("Keys"));
}

#[test]
fn the_line_of_keys_names_what_does_something() {
    let line = |keys: &[&str]| text(&after(&fake(view()), keys, 160, 30)).lines().nth(28).expect("a line").to_string();
    assert!(
        line(&[]).contains("x stop") && line(&[]).contains("p pause") && !line(&[]).contains("r resume"),
        "{}",
        line(&[])
    );
    let done = line(&["j", "j"]);
    assert!(!done.contains("x stop") && !done.contains("r resume") && done.contains("C clone"), "{done}");
    assert!(line(&["G"]).contains("r resume"));
    // Of several that are marked one is enough.
    assert!(line(&["space", "j", "space", "j"]).contains("x stop"));
    assert!(line(&["enter", "tab", "tab", "tab"]).contains("[ scrub") && !line(&["enter"]).contains("[ scrub"));
    assert!(!line(&["3"]).contains("zoom"), "nothing is compared");
}

#[test]
fn a_heatmap_that_is_cut_says_so() {
    let shown = text(&after(&fake(view()), &["7"], 80, 24));
    assert!(shown.contains("effective rank, exp(entro… (1 to 4 of 6)"), "{shown}");
    let whole = text(&after(&fake(view()), &["7"], 160, 48));
    assert!(!whole.contains("of 6)"), "{whole}");
}
