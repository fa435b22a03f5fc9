//! The screen of the hub: what is here, what is on its way, and what its keys ask.

use super::*;
use eigenscope::view::{Arriving, FetchState, HubFetch, HubItem, HubView};

pub fn hub() -> HubView {
    let model = |id: &str, bytes: u64| HubItem {
        is_data: false,
        name: id.into(),
        commit: "e2da8e2f811d1448a5b465c236feacd80ffbac7b".into(),
        field: Some(("model", id.into())),
        parts: vec![("config.json".into(), 481), ("model.safetensors".into(), bytes)],
    };
    let glue = HubItem {
        is_data: true,
        name: "nyu-mll/glue".into(),
        commit: "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c".into(),
        field: Some(("data", "hub:nyu-mll/glue".into())),
        parts: vec![("cola".into(), 312_000), ("sst2".into(), 3_183_000)],
    };
    let other = HubItem { name: "org/rows".into(), field: None, parts: vec![("data".into(), 9)], ..glue.clone() };
    let fetch = |label: &str, state| HubFetch { label: label.into(), state };
    let arriving = Arriving {
        file: "model.safetensors".into(),
        index: 2,
        files: 3,
        done: 150_000_000,
        size: Some(498_818_054),
        rate: Some(12_345_678.0),
        note: None,
    };
    let failed = "https://huggingface.co has no model org/none for you (401): check how it is spelt; a private one needs \
                  HF_TOKEN, from https://huggingface.co/settings/tokens";
    HubView {
        cache: "/home/ada/.cache/huggingface/hub".into(),
        hub: "https://huggingface.co".into(),
        items: vec![
            model("google/electra-small-discriminator", 54_245_000),
            model("roberta-base", 498_818_054),
            glue,
            other,
        ],
        fetches: vec![
            fetch("distilroberta-base", FetchState::Done("315.6 MiB at fb53ab8802d1, fetched".into())),
            fetch("org/none", FetchState::Failed(failed.into())),
            fetch("roberta-large", FetchState::Running(arriving)),
            fetch("glue mnli", FetchState::Waiting),
        ],
    }
}

fn asked(keys: &[&str]) -> Vec<Request> {
    let port = fake(view());
    after(&port, keys, 100, 30);
    assert!(port.looked.borrow().hub || !keys.starts_with(&["8"]) || keys.contains(&"enter"), "it is not looked at");
    port.asked.into_inner()
}

#[test]
fn its_keys_ask_for_what_they_say() {
    assert_eq!(asked(&["8", "f", "a", "/", "b", "enter"]), [Request::Fetch("a/b".into())]);
    assert_eq!(asked(&["8", "f", "enter"]), [], "nothing typed is nothing asked");
    assert_eq!(asked(&["8", "f", "a", "esc"]), []);
    assert_eq!(asked(&["8", "x"]), [Request::StopFetch]);
    assert_eq!(asked(&["8", "r"]), [Request::Fetch("org/none".into())]);
    // What was fetched is said on other screens alone.
    let said = |keys: &[&str]| {
        let port = fake(view());
        let told = Message { about: About::Fetch, ..Message::error("org/gone: it is gone".into()) };
        let mut ui = Ui::new(&port, &choices(), Colours::True);
        keys.iter().for_each(|k| ui.event(&key(k)));
        port.says.borrow_mut().push(told);
        ui.refresh();
        text(&drawn(&mut ui, 100, 30)).contains("it is gone")
    };
    assert!(said(&["1"]) && !said(&["8"]));
    // From the form, what its field names.
    assert_eq!(asked(&["6", "ctrl-f", "enter"]), [Request::Fetch("mini-roberta".into())]);
    let copied = |keys: &[&str]| {
        let port = fake(view());
        let mut ui = Ui::new(&port, &choices(), Colours::True);
        drawn(&mut ui, 100, 30);
        keys.iter().for_each(|k| ui.event(&key(k)));
        ui.orders()
    };
    let order = |text: &str| vec![eigenscope::ui::Order::Copy(text.into())];
    assert_eq!(copied(&["8", "j", "y"]), order("--model roberta-base"));
    assert_eq!(copied(&["8", "j", "j", "j", "j", "y"]), order("--data hub:nyu-mll/glue --task sst-2"));
}

#[test]
fn enter_puts_what_is_here_into_the_launch_form() {
    let form = |keys: &[&str]| text(&after(&fake(view()), keys, 100, 40));
    let has = |screen: &str, field: &str, value: &str| {
        let line = screen.lines().find(|l| l.trim_start_matches(['│', '>', ' ']).starts_with(field)).expect("a field");
        assert!(line.contains(value), "{line}");
    };
    let model = form(&["8", "j", "enter"]);
    has(&model, "model", "roberta-base");
    let rows = form(&["8", "j", "j", "j", "j", "enter"]);
    has(&rows, "data", "hub:nyu-mll/glue");
    has(&rows, "task", "sst-2");
    // Other fields stay as they were typed.
    let both = form(&["8", "j", "enter", "esc", "8", "j", "j", "j", "enter"]);
    has(&both, "model", "roberta-base");
    has(&both, "task", "cola");
    assert!(form(&["8", "G", "enter"]).contains("org/rows is no data set that this program reads"));
}

#[test]
fn an_empty_cache_says_what_to_do() {
    let empty = HubView { cache: "/c".into(), ..HubView::default() };
    let screen = text(&after(&fake(View { hub: Arc::new(empty), ..view() }), &["8"], 80, 24));
    assert!(screen.contains("Nothing of the hub is here yet") && screen.contains("roberta-base"), "{screen}");
    assert!(!screen.contains(" x stop") && !screen.contains(" r again") && screen.contains(" f fetch"), "{screen}");
    let unseen = text(&after(&fake(View { hub: Arc::default(), ..view() }), &["8"], 80, 24));
    assert!(unseen.contains("is being looked at"), "{unseen}");
}

#[test]
fn hostile_names_of_the_hub_are_shown_escaped() {
    let mut hostile = hub();
    hostile.items[0].name = "a\u{202e}b".into();
    hostile.fetches[2].label = "x\u{1b}[2J".into();
    let screen = text(&after(&fake(View { hub: Arc::new(hostile), ..view() }), &["8"], 100, 30));
    assert!(screen.contains("a\\u{202e}b") && screen.contains("x\\u{1b}[2J"), "{screen}");
}
