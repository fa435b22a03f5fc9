//! The keys that hold: the table's, with what the person chose instead.

use super::{Binding, KEYS, is_key, key_name, kind_name};
use crate::ui::action::Action;
use crate::ui::screen::Kind;
use crossterm::event::KeyEvent;

/// Screen whose letters are text.
const TYPED: Kind = Kind::Launch;

/// A binding that holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    pub keys: Vec<String>,
    pub action: Action,
    /// Screens on which it holds; empty: all.
    pub on: Vec<Kind>,
    pub help: &'static str,
    pub short: &'static str,
    /// Its keys are a person's choice: they go before a default of the same rank.
    chosen: bool,
}

/// Keys that a person chose for an action: of one screen, or wherever it has keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// `stop`, or `launch.down`.
    pub name: String,
    pub keys: Vec<String>,
}

/// All bindings; a screen's own meaning of a key stands before the general one.
#[derive(Clone, Debug, PartialEq)]
pub struct Keymap {
    bounds: Vec<Bound>,
}

impl Default for Keymap {
    fn default() -> Self {
        let bound = |b: &Binding| Bound {
            keys: b.keys.iter().map(|k| (*k).to_string()).collect(),
            action: b.action,
            on: b.on.to_vec(),
            help: b.help,
            short: b.short,
            chosen: false,
        };
        Self { bounds: KEYS.iter().map(bound).collect() }
    }
}

impl Keymap {
    /// Gives an action these keys; an error says what is wrong and what was expected, and nothing is changed.
    pub fn choose(&mut self, choice: &Choice) -> Result<(), (String, String)> {
        let (screen, action) = match choice.name.split_once('.') {
            Some((screen, action)) => (Some(screen), action),
            None => (None, choice.name.as_str()),
        };
        let Some(action) = self.bounds.iter().map(|b| b.action).find(|a| a.name() == action) else {
            return Err((format!("keys.{}: no such action", choice.name), expected_action(action, &self.names())));
        };
        if let Some(wrong) = choice.keys.iter().find(|k| !is_key(k)) {
            let expected =
                "a key such as \"x\", \"X\", \"ctrl-s\", \"alt-x\", \"shift-up\", \"f5\", \"tab\" or \"space\"";
            return Err((format!("keys.{}: no key {wrong:?}", choice.name), expected.into()));
        }
        let kind = match screen {
            None => None,
            Some(screen) => Some(
                self.kind_for(action, screen)
                    .map_err(|(what, expected)| (format!("keys.{}: {what}", choice.name), expected))?,
            ),
        };
        let form = kind == Some(TYPED) || self.everywhere(action).iter().all(|i| self.bounds[*i].on == [TYPED]);
        if let (true, Some(letter)) = (form, choice.keys.iter().find(|k| is_text(k))) {
            let what = format!("keys.{}: {letter:?} is typed as text there", choice.name);
            return Err((what, "a key that is no letter, such as \"ctrl-s\"".into()));
        }
        let places = match kind {
            None => self.everywhere(action),
            Some(kind) => vec![self.only_on(action, kind)],
        };
        for place in places {
            self.bounds[place].keys.clone_from(&choice.keys);
            self.bounds[place].chosen = true;
        }
        Ok(())
    }

    /// The screen of this name, if the action is one of its own or general.
    fn kind_for(&self, action: Action, screen: &str) -> Result<Kind, (String, String)> {
        let names = |kinds: &[Kind]| kinds.iter().map(|k| kind_name(*k)).collect::<Vec<_>>().join(", ");
        let kinds = kinds();
        let Some(kind) = kinds.iter().copied().find(|k| kind_name(*k) == screen) else {
            return Err((format!("no screen {screen:?}"), format!("one of {}", names(&kinds))));
        };
        let of: Vec<&Bound> = self.bounds.iter().filter(|b| b.action == action).collect();
        if of.iter().any(|b| b.on.is_empty() || b.on.contains(&kind)) {
            return Ok(kind);
        }
        let own: Vec<Kind> = of.iter().flat_map(|b| b.on.iter().copied()).collect();
        Err((format!("{} does nothing on {screen}", action.name()), format!("one of {}", names(&own))))
    }

    /// Places of an action's bindings; where it has a general one, without those of the form, whose keys are others.
    fn everywhere(&self, action: Action) -> Vec<usize> {
        let of: Vec<usize> = (0..self.bounds.len()).filter(|i| self.bounds[*i].action == action).collect();
        match of.iter().any(|i| self.bounds[*i].on.is_empty()) {
            true => of.into_iter().filter(|i| !self.bounds[*i].on.contains(&TYPED)).collect(),
            false => of,
        }
    }

    /// Place of an action's binding on one screen, split off where it was shared.
    fn only_on(&mut self, action: Action, kind: Kind) -> usize {
        let holds = |b: &Bound| b.action == action && b.on.contains(&kind);
        if let Some(own) = self.bounds.iter().position(holds) {
            if self.bounds[own].on.len() == 1 {
                return own;
            }
            self.bounds[own].on.retain(|k| *k != kind);
            let split = Bound { on: vec![kind], ..self.bounds[own].clone() };
            self.bounds.insert(own, split);
            return own;
        }
        let general = self.everywhere(action).into_iter().find(|i| self.bounds[*i].on.is_empty()).unwrap_or(0);
        let own = Bound { on: vec![kind], ..self.bounds[general].clone() };
        self.bounds.insert(0, own);
        0
    }

    /// Keys that were chosen twice with the same rank: for two actions of one screen, or of all.
    pub fn clashes(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (i, a) in self.bounds.iter().enumerate().filter(|(_, b)| b.chosen) {
            for b in self.bounds[i + 1..].iter().filter(|b| b.chosen && b.action != a.action) {
                let same_rank = (a.on.is_empty() && b.on.is_empty()) || a.on.iter().any(|k| b.on.contains(k));
                if let (true, Some(key)) = (same_rank, a.keys.iter().find(|k| b.keys.contains(k))) {
                    let what = format!("keys.{} and keys.{}: both are {key:?}", a.action.name(), b.action.name());
                    found.push((what, "a key for one action only".into()));
                }
            }
        }
        found
    }

    /// The action of a key on a screen. ctrl-c leaves the program whatever was chosen.
    pub fn action(&self, event: KeyEvent, screen: Kind) -> Option<Action> {
        let name = key_name(event)?;
        let found = self.find(&name, screen).map(|b| b.action);
        found.or_else(|| (name == "ctrl-c").then_some(Action::Quit))
    }

    /// The binding that a key means on a screen: its own before the general ones, chosen ones before the others. An action
    /// with keys of its own there has no general ones.
    fn find(&self, key: &str, screen: Kind) -> Option<&Bound> {
        let rank = |b: &Bound| (b.on.is_empty(), !b.chosen);
        let own = |action: Action| self.bounds.iter().any(|b| b.action == action && b.on.contains(&screen));
        let here = |b: &Bound| b.on.contains(&screen) || (b.on.is_empty() && !own(b.action));
        let holds = |b: &&Bound| b.keys.iter().any(|k| k == key) && here(b);
        self.bounds.iter().filter(holds).min_by_key(|b| rank(b))
    }

    /// Bindings that hold on a screen, its own first, each with the keys that have this meaning there: a form takes letters
    /// as text, and a screen's own meaning hides the general one.
    pub fn on(&self, screen: Kind) -> impl Iterator<Item = (Vec<&str>, &Bound)> {
        let own = self.bounds.iter().filter(move |b| b.on.contains(&screen));
        let general = self.bounds.iter().filter(|b| b.on.is_empty());
        own.chain(general).filter_map(move |b| {
            let typed = |key: &str| screen == TYPED && is_text(key) && key != "?";
            let means = |key: &str| self.find(key, screen).is_some_and(|f| std::ptr::eq(f, b));
            let keys: Vec<&str> = b.keys.iter().map(String::as_str).filter(|k| !typed(k) && means(k)).collect();
            (!keys.is_empty()).then_some((keys, b))
        })
    }

    /// Every action that works on a screen, also those whose keys were taken away, with its keys there.
    pub fn actions(&self, screen: Kind) -> impl Iterator<Item = (Vec<&str>, &Bound)> {
        let mut seen: Vec<Action> = Vec::new();
        let own = self.bounds.iter().filter(move |b| b.on.contains(&screen));
        let general = self.bounds.iter().filter(|b| b.on.is_empty());
        own.chain(general).filter_map(move |b| {
            let fresh = !seen.contains(&b.action);
            seen.push(b.action);
            let keys = || self.on(screen).filter(|(_, o)| o.action == b.action).flat_map(|(keys, _)| keys).collect();
            fresh.then(|| (keys(), b))
        })
    }

    fn names(&self) -> Vec<String> {
        self.bounds.iter().map(|b| b.action.name()).collect()
    }

    /// The tables `[keys]` and `[keys-on.SCREEN]` of the settings file that have this effect.
    pub fn to_toml(&self) -> String {
        let line = |name: &str, b: &Bound| {
            let keys: Vec<String> = b.keys.iter().map(|k| toml::Value::from(k.as_str()).to_string()).collect();
            format!("{:32} # {}\n", format!("{name} = [{}]", keys.join(", ")), b.help)
        };
        let mut general = String::from("[keys]\n");
        let mut of_screens: Vec<(Kind, String)> = kinds().into_iter().map(|k| (k, String::new())).collect();
        let mut seen: Vec<Action> = Vec::new();
        for b in &self.bounds {
            let everywhere = self.everywhere(b.action);
            let alike = everywhere.iter().all(|i| self.bounds[*i].keys == b.keys);
            let shared = everywhere.iter().any(|i| std::ptr::eq(&self.bounds[*i], b));
            if shared && alike {
                if !seen.contains(&b.action) {
                    let all = everywhere.iter().map(|i| &self.bounds[*i]).find(|b| b.on.is_empty());
                    general += &line(&b.action.name(), all.unwrap_or(b));
                }
                seen.push(b.action);
                continue;
            }
            if b.on.is_empty() {
                general += &line(&b.action.name(), b);
            }
            for (_, text) in of_screens.iter_mut().filter(|(kind, _)| b.on.contains(kind)) {
                *text += &line(&b.action.name(), b);
            }
        }
        let tables = of_screens.into_iter().filter(|(_, text)| !text.is_empty());
        tables.fold(general, |all, (kind, text)| all + &format!("\n[keys-on.{}]\n{text}", kind_name(kind)))
    }
}

/// A key that a form takes as a letter of its text.
fn is_text(key: &str) -> bool {
    key.chars().count() == 1 || key == "space"
}

fn kinds() -> Vec<Kind> {
    crate::ui::screen::all(&Default::default(), &Default::default()).iter().map(|s| s.kind()).collect()
}

/// The names that begin as the wrong one does, or where to find all.
fn expected_action(wrong: &str, names: &[String]) -> String {
    let near: Vec<&str> = names.iter().map(String::as_str).filter(|n| alike(n, wrong)).collect();
    match near.first() {
        Some(name) => format!("an action, perhaps {name}"),
        None => "an action that `eigenscope config` lists".into(),
    }
}

/// The same first letters.
fn alike(a: &str, b: &str) -> bool {
    let shared = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).count();
    shared >= 3 || shared == a.chars().count().min(b.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::{KeyCode, KeyModifiers};

    fn choose(keymap: &mut Keymap, name: &str, keys: &[&str]) -> Result<(), (String, String)> {
        keymap.choose(&Choice { name: name.into(), keys: keys.iter().map(|k| (*k).to_string()).collect() })
    }

    fn press(keymap: &Keymap, key: char, screen: Kind) -> Option<Action> {
        keymap.action(KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE), screen)
    }

    #[test]
    fn a_chosen_key_takes_the_place_of_the_default() {
        let mut keymap = Keymap::default();
        choose(&mut keymap, "stop", &["Z"]).expect("chosen");
        assert_eq!(press(&keymap, 'Z', Kind::Run), Some(Action::Stop));
        assert_eq!(press(&keymap, 'x', Kind::Run), None);
        choose(&mut keymap, "run.stop", &["W"]).expect("chosen");
        assert_eq!(press(&keymap, 'W', Kind::Run), Some(Action::Stop));
        assert_eq!(press(&keymap, 'Z', Kind::Run), None);
        assert_eq!(press(&keymap, 'Z', Kind::Runs), Some(Action::Stop), "the other screens keep theirs");
        // What was chosen goes before a default of the same screen.
        choose(&mut keymap, "pause", &["r"]).expect("chosen");
        assert_eq!(press(&keymap, 'r', Kind::Runs), Some(Action::Pause));
        let keys: Vec<&str> =
            keymap.on(Kind::Runs).filter(|(_, b)| b.action == Action::Resume).flat_map(|(k, _)| k).collect();
        assert!(keys.is_empty(), "help does not offer a key that means something else");
        assert!(keymap.actions(Kind::Runs).any(|(_, b)| b.action == Action::Resume), "the palette does without a key");
    }

    #[test]
    fn the_general_meaning_is_chosen_apart_from_a_forms() {
        let mut keymap = Keymap::default();
        choose(&mut keymap, "down", &["n"]).expect("chosen");
        assert_eq!(press(&keymap, 'n', Kind::Runs), Some(Action::Down));
        let tab = KeyEvent::new(KeyCode::Tab, KeyModifiers::NONE);
        assert_eq!(keymap.action(tab, Kind::Launch), Some(Action::Down));
        choose(&mut keymap, "launch.down", &["ctrl-n"]).expect("chosen");
        assert_eq!(keymap.action(tab, Kind::Launch), None);
    }

    #[test]
    fn what_cannot_be_is_told() {
        let mut keymap = Keymap::default();
        let told = |keymap: &mut Keymap, name: &str, keys: &[&str]| choose(keymap, name, keys).expect_err("refused");
        assert_eq!(told(&mut keymap, "stopp", &["Z"]).1, "an action, perhaps stop");
        assert!(told(&mut keymap, "fly", &["Z"]).1.contains("eigenscope config"));
        assert!(told(&mut keymap, "stop", &["ctrl-Z"]).0.contains("no key \"ctrl-Z\""));
        assert!(told(&mut keymap, "attic.stop", &["Z"]).1.contains("runs, run,"));
        assert_eq!(told(&mut keymap, "launch.stop", &["ctrl-x"]).1, "one of runs, run, queue, hub");
        assert!(told(&mut keymap, "launch.down", &["j"]).0.contains("typed as text"));
        assert_eq!(keymap, Keymap::default());
        choose(&mut keymap, "stop", &["Z"]).expect("chosen");
        choose(&mut keymap, "pause", &["Z"]).expect("chosen");
        assert!(keymap.clashes()[0].0.contains("keys.stop and keys.pause: both are \"Z\""));
    }

    #[test]
    fn leaving_is_always_possible() {
        let mut keymap = Keymap::default();
        choose(&mut keymap, "quit", &[]).expect("chosen");
        let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(keymap.action(ctrl_c, Kind::Runs), Some(Action::Quit));
    }
}
