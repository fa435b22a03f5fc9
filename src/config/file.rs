//! The settings file: its entries with their lines, and what in it is no settings file's. Knows neither themes nor actions.

use std::fmt;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value and the line that it stands in, counted from 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<T> {
    pub line: usize,
    pub value: T,
}

/// What the file says; what it does not say is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SettingsFile {
    pub path: PathBuf,
    pub theme: Option<Entry<String>>,
    pub ascii: Option<Entry<bool>>,
    /// Action, with its screen and a dot before it where it is one screen's, and keys; in the order of the file.
    pub keys: Vec<Entry<(String, Vec<String>)>>,
    pub problems: Vec<Problem>,
}

/// An entry that cannot be used; the others hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub path: PathBuf,
    /// 0 where it is the whole file's.
    pub line: usize,
    pub what: String,
    pub expected: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}, expected {}", self.what, self.expected)
    }
}

impl SettingsFile {
    /// Reads the file; one that does not exist says nothing.
    pub fn read(path: &Path) -> Self {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self { path: path.into(), ..Self::default() },
            Err(error) => {
                let mut empty = Self { path: path.into(), ..Self::default() };
                empty.complain(0, error.to_string(), "a readable TOML file");
                empty
            }
        }
    }

    pub fn parse(path: &Path, text: &str) -> Self {
        let mut file = Self { path: path.into(), ..Self::default() };
        let line = |at: usize| 1 + text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count();
        // What stands before and after a broken line is read all the same.
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let at = error.span().map_or(0, |s| line(s.start));
            file.complain(at, error.message().trim().replace('\n', " "), "TOML");
        }
        for (name, value) in table.get_ref() {
            let at = line(name.span().start);
            let found = || format!("{} = {}", name.get_ref(), text.get(value.span()).unwrap_or_default());
            match (name.get_ref().as_ref(), value.get_ref()) {
                ("theme", DeValue::String(text)) => file.theme = Some(Entry { line: at, value: text.to_string() }),
                ("theme", _) => file.complain(at, found(), "a theme's name in quotes"),
                ("ascii", DeValue::Boolean(value)) => file.ascii = Some(Entry { line: at, value: *value }),
                ("ascii", _) => file.complain(at, found(), "true or false"),
                ("keys", DeValue::Table(table)) => file.keys_of("", table, text, &line),
                ("keys", _) => file.complain(at, found(), "a table: [keys]"),
                // Apart from [keys]: a screen may be called as an action is.
                ("keys-on", DeValue::Table(screens)) => {
                    for (screen, table) in screens {
                        match table.get_ref() {
                            DeValue::Table(table) => {
                                file.keys_of(&format!("{}.", screen.get_ref()), table, text, &line)
                            }
                            _ => {
                                let found = format!("keys-on.{}", screen.get_ref());
                                file.complain(line(screen.span().start), found, "a table: [keys-on.run]");
                            }
                        }
                    }
                }
                ("keys-on", _) => file.complain(at, found(), "a table of each screen: [keys-on.run]"),
                (other, _) => file.complain(at, format!("found {other:?}"), "theme, ascii, [keys] or [keys-on.run]"),
            }
        }
        file.keys.sort_by_key(|entry| entry.line);
        file
    }

    fn keys_of(&mut self, screen: &str, table: &DeTable, text: &str, line: &dyn Fn(usize) -> usize) {
        for (name, value) in table {
            let at = line(name.span().start);
            let action = format!("{screen}{}", name.get_ref());
            match value.get_ref() {
                DeValue::String(key) => {
                    self.keys.push(Entry { line: at, value: (action, vec![key.to_string()]) });
                }
                DeValue::Array(items) if items.iter().all(|i| i.get_ref().is_str()) => {
                    let keys = items.iter().filter_map(|i: &Spanned<DeValue>| i.get_ref().as_str());
                    self.keys.push(Entry { line: at, value: (action, keys.map(str::to_string).collect()) });
                }
                _ => {
                    let found = text.get(value.span()).unwrap_or_default();
                    self.complain(at, format!("keys.{action} = {found}"), "a list of keys such as [\"x\", \"ctrl-s\"]");
                }
            }
        }
    }

    fn complain(&mut self, line: usize, what: String, expected: &str) {
        self.problems.push(Problem { path: self.path.clone(), line, what, expected: expected.into() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> SettingsFile {
        SettingsFile::parse(Path::new("config.toml"), text)
    }

    #[test]
    fn entries_come_with_their_lines() {
        let file = parse(
            "# mine\ntheme = \"light\"\nascii = true\n\n[keys]\nstop = [\"Z\", \"ctrl-z\"]\nquit = \"Q\"\n\n[keys-on.launch]\ndown = [\"tab\"]\n",
        );
        assert_eq!(file.problems, []);
        assert_eq!(file.theme, Some(Entry { line: 2, value: "light".into() }));
        assert_eq!(file.ascii, Some(Entry { line: 3, value: true }));
        let keys: Vec<(usize, &str, &[String])> =
            file.keys.iter().map(|e| (e.line, e.value.0.as_str(), &e.value.1[..])).collect();
        assert_eq!(keys.len(), 3);
        assert_eq!((keys[0].0, keys[0].1), (6, "stop"));
        assert_eq!(keys[1].2, ["Q"]);
        assert_eq!((keys[2].0, keys[2].1), (10, "launch.down"));
    }

    #[test]
    fn what_is_wrong_is_told_and_the_rest_holds() {
        let file = parse("theme = 3\ncolour = \"red\"\nascii = true\n[keys]\nstop = 4\npause = [\"P\"]\n");
        let told: Vec<String> = file.problems.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told.contains(&"config.toml:1: theme = 3, expected a theme's name in quotes".to_string()), "{told:?}");
        assert!(told.iter().any(|t| t.starts_with("config.toml:2: found \"colour\"")), "{told:?}");
        assert!(told.iter().any(|t| t.starts_with("config.toml:5: keys.stop = 4, expected a list")), "{told:?}");
        assert_eq!((file.ascii.is_some(), file.keys.len()), (true, 1));
        let broken = parse("ascii = true\ntheme = \n[keys]\nstop = [\"Z\"]\n");
        assert!(broken.problems.iter().any(|p| p.line == 2), "{:?}", broken.problems);
        assert_eq!((broken.ascii.is_some(), broken.keys.len()), (true, 1));
        assert_eq!(SettingsFile::read(Path::new("/no/such/config.toml")).problems, []);
    }
}
