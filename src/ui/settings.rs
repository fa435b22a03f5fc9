//! What a person can set: theme, plain characters, keys. From the settings file, with its faults; and back as a file.

use super::finish::is_plain;
use super::keymap::{Choice, Keymap};
use super::theme::Scheme;
use crate::config::{Problem, SettingsFile};

/// Settings that hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub scheme: Scheme,
    /// Plain characters in place of lines, braille and signs.
    pub ascii: bool,
    pub(super) keymap: Keymap,
}

impl Default for Settings {
    /// As without a file, for a terminal that has all characters.
    fn default() -> Self {
        Self { scheme: Scheme::default(), ascii: false, keymap: Keymap::default() }
    }
}

impl Settings {
    /// What the file says over the environment over the defaults, and what in the file cannot be used.
    pub fn of(file: &SettingsFile) -> (Self, Vec<Problem>) {
        let ascii = is_plain(|name| std::env::var(name).ok());
        let mut settings = Self { ascii: file.ascii.as_ref().map_or(ascii, |a| a.value), ..Self::default() };
        let mut problems = file.problems.clone();
        let mut complain = |line: usize, what: String, expected: String| {
            problems.push(Problem { path: file.path.clone(), line, what, expected });
        };
        if let Some(theme) = &file.theme {
            match Scheme::parse(&theme.value) {
                Some(scheme) => settings.scheme = scheme,
                None => {
                    let names = Scheme::ALL.map(Scheme::name).join(", ");
                    complain(theme.line, format!("theme = {:?}", theme.value), format!("one of {names}"));
                }
            }
        }
        let mut last = 0;
        // Those of all screens first: one screen's own is the exception from them.
        let mut keys: Vec<_> = file.keys.iter().collect();
        keys.sort_by_key(|entry| entry.value.0.contains('.'));
        for entry in keys {
            let (name, keys) = entry.value.clone();
            last = last.max(entry.line);
            if let Err((what, expected)) = settings.keymap.choose(&Choice { name, keys }) {
                complain(entry.line, what, expected);
            }
        }
        for (what, expected) in settings.keymap.clashes() {
            complain(last, what, expected);
        }
        problems.sort_by_key(|p| p.line);
        (settings, problems)
    }

    /// A settings file that has this effect.
    pub fn to_toml(&self) -> String {
        format!(
            "theme = {:?} # {}\nascii = {} # no braille, no box drawing\n\n{}",
            self.scheme.name(),
            Scheme::ALL.map(Scheme::name).join(", "),
            self.ascii,
            self.keymap.to_toml()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn parse(text: &str) -> (Settings, Vec<String>) {
        let (settings, problems) = Settings::of(&SettingsFile::parse(Path::new("config.toml"), text));
        (settings, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_defaults_come_back_from_their_own_file() {
        let (settings, problems) = parse(&Settings::default().to_toml());
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(settings.to_toml(), Settings::default().to_toml());
        let changed = "theme = \"mono\"\nascii = true\n[keys]\nstop = [\"Z\", \"\\\"\"]\n[keys-on.run]\nstop = [\"W\"]\nleft = [\"b\"]\n[keys-on.launch]\ndown = [\"f3\"]\n";
        let (settings, problems) = parse(changed);
        assert_eq!(problems, Vec::<String>::new());
        let (again, problems) = parse(&settings.to_toml());
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(again.to_toml(), settings.to_toml());
        assert!(settings.to_toml().contains("\n[keys-on.run]\nstop = [\"W\"]"), "{}", settings.to_toml());
        assert_eq!((settings.scheme, settings.ascii), (Scheme::Mono, true));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_the_rest_holds() {
        let text = "theme = \"pink\"\n[keys]\nfly = [\"f\"]\nstop = [\"Z\"]\npause = [\"Z\"]\nquit = [\"hyper-q\"]\n";
        let (settings, problems) = parse(text);
        assert_eq!(
            problems,
            [
                "config.toml:1: theme = \"pink\", expected one of dark, light, colour-blind, mono",
                "config.toml:3: keys.fly: no such action, expected an action that `eigenscope config` lists",
                "config.toml:6: keys.quit: no key \"hyper-q\", expected a key such as \"x\", \"X\", \"ctrl-s\", \"alt-x\", \"shift-up\", \"f5\", \"tab\" or \"space\"",
                "config.toml:6: keys.stop and keys.pause: both are \"Z\", expected a key for one action only",
            ]
        );
        assert!(settings.to_toml().contains("stop = [\"Z\"]"));
    }
}
