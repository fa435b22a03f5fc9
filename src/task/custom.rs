//! Tasks of a person's own: a small TOML file names columns, labels, metrics and files. Knows no rows: the files that it names are
//! not opened.

use super::{Column, LabelKind, Layout, Origin, Task, TaskError};
use crate::{metric, spec, untrusted};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// A commented file with every key.
pub const EXAMPLE: &str = include_str!("task-example.toml");

/// Largest file, most classes and longest name.
const MOST_BYTES: u64 = 1 << 20;
const MOST_CLASSES: usize = 10_000;
const LONGEST_NAME: usize = 200;

/// Where the validation rows are.
#[derive(Clone, Debug, PartialEq)]
pub enum Held {
    Files(Vec<PathBuf>),
    /// This share of the training rows, drawn with the seed.
    Share {
        share: f64,
        seed: u64,
    },
}

/// A task that was read from its file.
#[derive(Debug)]
pub struct Custom {
    id: &'static str,
    label: &'static str,
    layout: Layout,
    labels: LabelKind,
    metrics: &'static [&'static str],
    /// What stands in the files for a class, where that is not its name.
    written: Vec<(String, usize)>,
    /// Id of the files' format; none: by their endings.
    pub format: Option<String>,
    pub train: Vec<PathBuf>,
    pub validation: Held,
    pub test: Option<PathBuf>,
}

impl Task for Custom {
    fn id(&self) -> &'static str {
        self.id
    }

    fn label(&self) -> &'static str {
        self.label
    }

    fn layout(&self) -> Layout {
        self.layout
    }

    fn labels(&self) -> LabelKind {
        self.labels
    }

    fn metric_ids(&self) -> &'static [&'static str] {
        self.metrics
    }

    fn origin(&self) -> Origin<'_> {
        Origin::Own(self)
    }
}

impl Custom {
    /// The class that a text in a file stands for.
    pub fn class(&self, text: &str) -> Option<usize> {
        let LabelKind::Classes(names) = self.labels else { return None };
        if self.written.is_empty() {
            return names.iter().position(|n| *n == text);
        }
        self.written.iter().find(|(written, _)| written == text).map(|(_, class)| *class)
    }

    /// What may stand in the column of labels, for an error message.
    pub fn expected(&self) -> String {
        match self.labels {
            LabelKind::Score { low, high } => format!("a number from {low} to {high}"),
            LabelKind::Classes(names) => {
                let written: Vec<&str> = match self.written.is_empty() {
                    true => names.to_vec(),
                    false => self.written.iter().map(|(written, _)| written.as_str()).collect(),
                };
                format!("one of {}", untrusted::brief(&written.join(", "), 200))
            }
        }
    }

    /// Names of its columns: text, label, and the second text where there is one.
    pub fn columns(&self) -> Vec<&'static str> {
        let Layout { text, pair, label } = self.layout;
        [Some(text), Some(label), pair].into_iter().flatten().filter_map(Column::name).collect()
    }

    /// All that decides what is trained on and how it is scored, its name left out: a task that differs in it is another.
    pub fn definition(&self) -> String {
        let Self { layout, labels, metrics, written, format, train, validation, test: _, id: _, label: _ } = self;
        format!("{layout:?} {labels:?} {metrics:?} {written:?} {format:?} {train:?} {validation:?}")
    }
}

/// Tasks that were read, with the text of their file: they live as long as the process, as GLUE's do.
static READ: Mutex<Vec<(String, &Custom)>> = Mutex::new(Vec::new());

/// Reads the task in the file `path`, once for each text that it has.
pub(super) fn find(path: &str) -> Result<&'static Custom, TaskError> {
    let place = std::path::absolute(path).unwrap_or_else(|_| path.into());
    let unreadable = |problem: String| TaskError::Unreadable { path: place.clone(), problem };
    let bytes = untrusted::read_capped(&place, MOST_BYTES).map_err(|e| unreadable(e.to_string()))?;
    let text = String::from_utf8(bytes)
        .map_err(|e| unreadable(format!("a byte that is not UTF-8 at byte {}", e.utf8_error().valid_up_to())))?;
    let id = place.to_string_lossy().into_owned();
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, task)) = read.iter().find(|(known, task)| *known == text && task.id == id) {
        return Ok(task);
    }
    let task: &'static Custom = Box::leak(Box::new(parse(&place, &text)?));
    read.push((text, task));
    Ok(task)
}

/// Reads the text of the file at `path`. What lives as long as the process, its names, is made last, so that a file with faults
/// leaves nothing.
pub fn parse(path: &Path, text: &str) -> Result<Custom, TaskError> {
    let id = path.to_string_lossy().into_owned();
    let mut file = File::open(path, text)?;
    let name = file.text("name")?.unwrap_or_else(|| spec::task_name(&id).into());
    let (text_column, label_column, pair) = (file.column("text")?, file.column("label")?, file.text("pair")?);
    let labels = file.labels()?;
    let classes = match &labels {
        Labels::Classes { names, .. } => Some(names.len()),
        Labels::Score { .. } => None,
    };
    let metrics = file.metrics(classes)?;
    let format = file.text("format")?;
    let train = file.paths("train")?.ok_or_else(|| file.lacks("train", "train = \"FILE\""))?;
    let validation = file.validation()?;
    let test = file.text("test")?.map(|name| file.path(&name));
    file.ends()?;
    let (labels, written) = match labels {
        Labels::Score { low, high } => (LabelKind::Score { low, high }, Vec::new()),
        Labels::Classes { names, written } => {
            let names: Vec<&'static str> = names.into_iter().map(kept).collect();
            (LabelKind::Classes(Vec::leak(names)), written)
        }
    };
    let layout = Layout {
        text: Column::Name(kept(text_column)),
        pair: pair.map(|name| Column::Name(kept(name))),
        label: Column::Name(kept(label_column)),
    };
    let (id, label, metrics) = (kept(id), kept(name), Vec::leak(metrics));
    Ok(Custom { id, label, layout, labels, metrics, written, format, train, validation, test })
}

fn kept(text: String) -> &'static str {
    String::leak(text)
}

enum Labels {
    Classes { names: Vec<String>, written: Vec<(String, usize)> },
    Score { low: f64, high: f64 },
}

/// Every key that a file may have.
const KEYS: [&str; 12] =
    ["name", "text", "pair", "label", "labels", "score", "metric", "train", "validation", "seed", "test", "format"];

/// The keys that are left to be read, with the lines where they stand.
struct File<'a> {
    path: &'a Path,
    source: &'a str,
    table: DeTable<'a>,
}

impl<'a> File<'a> {
    fn open(path: &'a Path, source: &'a str) -> Result<Self, TaskError> {
        match DeTable::parse(source) {
            Ok(table) => Ok(Self { path, source, table: table.into_inner() }),
            Err(error) => {
                let line = error.span().map_or(0, |s| line_of(source, s.start));
                let found = error.message().trim().replace('\n', " ");
                Err(TaskError::File { path: path.into(), line, found, expected: "TOML".into() })
            }
        }
    }

    fn wrong(&self, at: usize, found: impl Into<String>, expected: &str) -> TaskError {
        let line = line_of(self.source, at);
        TaskError::File { path: self.path.into(), line, found: found.into(), expected: expected.into() }
    }

    /// The value as the file writes it.
    fn written(&self, value: &Spanned<DeValue>) -> String {
        untrusted::brief(self.source.get(value.span()).unwrap_or_default(), 80)
    }

    fn lacks(&self, key: &str, expected: &str) -> TaskError {
        let found = format!("no {key}");
        TaskError::File { path: self.path.into(), line: 0, found, expected: expected.into() }
    }

    fn take(&mut self, key: &str) -> Option<Spanned<DeValue<'a>>> {
        self.table.remove(key)
    }

    /// A text that is not empty.
    fn string(&self, key: &str, value: &Spanned<DeValue>) -> Result<String, TaskError> {
        match value.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() && text.chars().count() <= LONGEST_NAME => {
                Ok(text.trim().to_string())
            }
            _ => {
                let found = format!("{key} = {}", self.written(value));
                Err(self.wrong(value.span().start, found, &format!("a text in quotes, at most {LONGEST_NAME} letters")))
            }
        }
    }

    fn text(&mut self, key: &str) -> Result<Option<String>, TaskError> {
        self.take(key).map(|value| self.string(key, &value)).transpose()
    }

    /// The name of a column that a task must have.
    fn column(&mut self, key: &str) -> Result<String, TaskError> {
        let expected = format!("{key} = \"NAME OF THE COLUMN\"");
        self.text(key)?.ok_or_else(|| self.lacks(key, &expected))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(name)
    }

    fn strings(&self, key: &str, list: &DeArray) -> Result<Vec<String>, TaskError> {
        list.iter().map(|value| self.string(key, value)).collect()
    }

    /// A file or several.
    fn paths(&mut self, key: &str) -> Result<Option<Vec<PathBuf>>, TaskError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let names = match value.get_ref() {
            DeValue::Array(list) if !list.is_empty() => self.strings(key, list)?,
            _ => vec![self.string(key, &value)?],
        };
        Ok(Some(names.iter().map(|name| self.path(name)).collect()))
    }

    fn validation(&mut self) -> Result<Held, TaskError> {
        let seed = self.take("seed");
        let asked = self.table.get("validation").and_then(|value| number(value.get_ref()));
        let Some(share) = asked else {
            let files = self.paths("validation")?;
            if let Some(seed) = seed {
                let expected = "no seed where validation names a file: it draws a share of the training rows";
                return Err(self.wrong(seed.span().start, "seed", expected));
            }
            let expected = "validation = \"FILE\", or a share of the training rows, such as 0.1";
            return files.map(Held::Files).ok_or_else(|| self.lacks("validation", expected));
        };
        if let Some(value) = self.take("validation").filter(|_| !(share > 0.0 && share < 1.0)) {
            return Err(self.wrong(value.span().start, format!("validation = {share}"), "a share above 0 and below 1"));
        }
        let seed = match seed {
            None => 0,
            Some(value) => match number(value.get_ref()).filter(|n| (0.0..1e15).contains(n) && n.fract() == 0.0) {
                Some(seed) => seed as u64,
                None => return Err(self.wrong(value.span().start, self.written(&value), "a whole number from 0")),
            },
        };
        Ok(Held::Share { share, seed })
    }

    fn labels(&mut self) -> Result<Labels, TaskError> {
        match (self.take("labels"), self.take("score")) {
            (Some(labels), None) => self.classes(&labels),
            (None, Some(score)) => self.score(&score),
            (Some(_), Some(score)) => {
                Err(self.wrong(score.span().start, "labels and score", "one of them: classes or a number"))
            }
            (None, None) => {
                let expected =
                    "labels = [\"FIRST\", \"SECOND\"] in the order of the outputs, or score = { low = 0, high = 5 }";
                Err(self.lacks("labels", expected))
            }
        }
    }

    fn classes(&self, value: &Spanned<DeValue>) -> Result<Labels, TaskError> {
        let at = value.span().start;
        let mut names: Vec<String> = Vec::new();
        let mut written: Vec<(String, usize)> = Vec::new();
        let many = |n: usize| match n > MOST_CLASSES {
            true => Err(self.wrong(at, format!("{n} labels"), &format!("at most {MOST_CLASSES}"))),
            false => Ok(()),
        };
        let twice = |at: usize, name: &str| Err(self.wrong(at, format!("{name:?} twice"), "every label once"));
        match value.get_ref() {
            DeValue::Array(list) => {
                many(list.len())?;
                for (value, name) in list.iter().zip(self.strings("labels", list)?) {
                    if names.contains(&name) {
                        return twice(value.span().start, &name);
                    }
                    names.push(name);
                }
            }
            DeValue::Table(table) => {
                many(table.len())?;
                let mut entries: Vec<_> = table.iter().collect();
                // The file's own order is that of the outputs.
                entries.sort_by_key(|(key, _)| key.span().start);
                for (key, value) in entries {
                    let (stands, name) = (key.get_ref().trim(), self.string(key.get_ref(), value)?);
                    if written.iter().any(|(known, _)| known == stands) {
                        return twice(key.span().start, stands);
                    }
                    let class = names.iter().position(|known| *known == name).unwrap_or_else(|| {
                        names.push(name);
                        names.len() - 1
                    });
                    written.push((stands.to_string(), class));
                }
            }
            _ => {
                let expected = "labels = [\"FIRST\", \"SECOND\"], or { \"0\" = \"FIRST\", \"1\" = \"SECOND\" }";
                return Err(self.wrong(at, format!("labels = {}", self.written(value)), expected));
            }
        }
        match names.len() {
            0 | 1 => Err(self.wrong(at, format!("{} labels", names.len()), "two or more")),
            _ => Ok(Labels::Classes { names, written }),
        }
    }

    fn score(&self, value: &Spanned<DeValue>) -> Result<Labels, TaskError> {
        let wrong = || {
            let found = format!("score = {}", self.written(value));
            self.wrong(value.span().start, found, "score = { low = NUMBER, high = A LARGER NUMBER }")
        };
        let DeValue::Table(table) = value.get_ref() else { return Err(wrong()) };
        let of = |key: &str| table.get(key).and_then(|value| number(value.get_ref())).ok_or_else(wrong);
        let (low, high) = (of("low")?, of("high")?);
        if table.len() == 2 && low < high { Ok(Labels::Score { low, high }) } else { Err(wrong()) }
    }

    /// The metrics' ids; without the key the usual ones.
    fn metrics(&mut self, classes: Option<usize>) -> Result<Vec<&'static str>, TaskError> {
        let fits = || metric::ALL.iter().filter(|m| m.fits(classes)).map(|m| m.id());
        let Some(value) = self.take("metric") else {
            return Ok(if classes.is_some() { vec!["accuracy"] } else { vec!["pearson", "spearman"] });
        };
        let asked = match value.get_ref() {
            DeValue::Array(list) if !list.is_empty() => self.strings("metric", list)?,
            _ => vec![self.string("metric", &value)?],
        };
        let mut found: Vec<&'static str> = Vec::new();
        for name in &asked {
            match fits().find(|id| id == name) {
                Some(id) if !found.contains(&id) => found.push(id),
                _ => {
                    let what = classes.map_or("a score".into(), |n| format!("{n} labels"));
                    let expected = format!("{}, each once, for {what}", fits().collect::<Vec<_>>().join(", "));
                    return Err(self.wrong(value.span().start, format!("metric {name:?}"), &expected));
                }
            }
        }
        Ok(found)
    }

    /// There is no other key.
    fn ends(&self) -> Result<(), TaskError> {
        match self.table.keys().min_by_key(|key| key.span().start) {
            None => Ok(()),
            Some(key) => {
                let found = format!("the key {:?}", untrusted::brief(key.get_ref(), 40));
                Err(self.wrong(key.span().start, found, &format!("one of {}", KEYS.join(", "))))
            }
        }
    }
}

/// A finite number.
fn number(value: &DeValue) -> Option<f64> {
    let text = match value {
        DeValue::Integer(n) if n.radix() == 10 => n.as_str(),
        DeValue::Float(x) => x.as_str(),
        _ => return None,
    };
    text.parse().ok().filter(|x: &f64| x.is_finite())
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Custom, String> {
        parse(Path::new("/of/mine/reviews.toml"), text).map_err(|e| e.to_string())
    }

    const SIX: &str = "name = \"Reviews\"\ntext = \"review\"\nlabel = \"stars\"\nlabels = [\"bad\", \"good\"]\ntrain = \"train.csv\"\nvalidation = 0.1\n";

    #[test]
    fn six_lines_are_a_task() {
        let task = read(SIX).expect("sound");
        assert_eq!((task.id(), task.label()), ("/of/mine/reviews.toml", "Reviews"));
        assert_eq!(task.labels(), LabelKind::Classes(&["bad", "good"]));
        assert_eq!((task.metric_ids(), task.outputs()), (&["accuracy"][..], 2));
        assert_eq!(task.train, [PathBuf::from("/of/mine/train.csv")]);
        assert_eq!(task.validation, Held::Share { share: 0.1, seed: 0 });
        assert_eq!((task.class("good"), task.class("1")), (Some(1), None));
        assert_eq!(task.expected(), "one of bad, good");
    }

    #[test]
    fn the_example_that_is_printed_is_sound() {
        let task = read(EXAMPLE).expect("sound");
        assert_eq!(task.columns(), ["review", "sentiment"]);
        assert_eq!((task.class("0"), task.class("1")), (Some(0), Some(1)));
        // Every key is in it, if only in a comment.
        for key in KEYS {
            let told = |line: &str| line.trim_start_matches("# ").starts_with(&format!("{key} ="));
            assert!(EXAMPLE.lines().any(told), "{key} is not in the example");
        }
    }

    #[test]
    fn a_map_names_classes_in_the_order_of_the_file() {
        let text = SIX.replace("[\"bad\", \"good\"]", "{ \"2\" = \"yes\", \"0\" = \"no\", \"1\" = \"no\" }");
        let task = read(&text).expect("sound");
        assert_eq!(task.labels(), LabelKind::Classes(&["yes", "no"]));
        assert_eq!(["2", "1", "0", "yes"].map(|t| task.class(t)), [Some(0), Some(1), Some(1), None]);
        assert_eq!(task.expected(), "one of 2, 0, 1");
    }

    #[test]
    fn scores_have_ends_and_their_metrics() {
        let text = SIX.replace("labels = [\"bad\", \"good\"]", "score = { low = -1, high = 2.5 }");
        let task = read(&text).expect("sound");
        assert_eq!(task.labels(), LabelKind::Score { low: -1.0, high: 2.5 });
        assert_eq!((task.metric_ids(), task.outputs()), (&["pearson", "spearman"][..], 1));
    }

    #[test]
    fn faults_name_line_found_and_expected() {
        let told = |from: &str, to: &str| read(&SIX.replace(from, to)).expect_err("a fault");
        let place = "/of/mine/reviews.toml";
        assert_eq!(
            told("stars\"", "stars"),
            format!("{place}, line 3: invalid basic string, expected `\"`; expected TOML")
        );
        assert_eq!(
            told("text = \"review\"", "text = 3"),
            format!("{place}, line 2: text = 3; expected a text in quotes, at most 200 letters")
        );
        assert_eq!(
            told("text = \"review\"\n", ""),
            format!("{place}: no text; expected text = \"NAME OF THE COLUMN\"")
        );
        assert_eq!(told("\"good\"", "\"bad\""), format!("{place}, line 4: \"bad\" twice; expected every label once"));
        assert_eq!(
            told("0.1", "1.5"),
            format!("{place}, line 6: validation = 1.5; expected a share above 0 and below 1")
        );
        assert!(told("validation = 0.1", "validatoin = 0.1").contains("no validation; expected validation = \"FILE\""));
        assert!(told("0.1", "0.1\ncolour = 3").contains("line 7: the key \"colour\"; expected one of name, text"));
        assert!(told("0.1", "\"v.csv\"\nseed = 3").contains("line 7: seed; expected no seed"));
        assert!(told("0.1", "0.1\nseed = -3").contains("line 7: -3; expected a whole number from 0"));
        let metric = told("0.1", "0.1\nmetric = [\"pearson\"]");
        assert_eq!(
            metric,
            format!("{place}, line 7: metric \"pearson\"; expected accuracy, f1, matthews, each once, for 2 labels")
        );
        let three = "labels = [\"a\", \"b\", \"c\"]\nmetric = \"f1\"";
        assert!(
            told("labels = [\"bad\", \"good\"]", three)
                .contains("expected accuracy, matthews, each once, for 3 labels")
        );
        assert!(told("[\"bad\", \"good\"]", "[\"bad\"]").contains("1 labels; expected two or more"));
        let same = told("[\"bad\", \"good\"]", "{ 0 = \"bad\", \" 0\" = \"good\" }");
        assert!(same.contains("line 4: \"0\" twice; expected every label once"), "{same}");
        let many = format!("[{}]", "\"a\", ".repeat(10_001));
        assert!(told("[\"bad\", \"good\"]", &many).contains("10001 labels; expected at most 10000"));
        assert!(told("labels = [\"bad\", \"good\"]\n", "").contains("no labels; expected labels = ["));
        assert!(told("0.1", "0.1\nscore = { low = 0, high = 1 }").contains("labels and score; expected one of them"));
        assert!(
            told("labels = [\"bad\", \"good\"]", "score = { low = 2, high = 1 }").contains("expected score = { low")
        );
    }

    #[test]
    fn a_file_is_read_once_for_each_text() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mine.toml");
        let name = path.to_str().expect("a path");
        std::fs::write(&path, SIX).expect("written");
        let first = find(name).expect("sound");
        assert!(std::ptr::eq(first, find(name).expect("sound")));
        std::fs::write(&path, SIX.replace("good", "fine")).expect("written");
        let second = find(name).expect("sound");
        assert_ne!(first.definition(), second.definition());
        std::fs::write(&path, SIX.replace("Reviews", "Films")).expect("written");
        assert_eq!(find(name).expect("sound").definition(), first.definition(), "a name decides nothing");
        std::fs::write(&path, b"name = \"\xff\"").expect("written");
        let error = find(name).expect_err("no text").to_string();
        assert!(error.contains("not UTF-8 at byte 8; `eigenscope config task-example`"), "{error}");
        assert!(
            find("/no/such/task.toml").expect_err("absent").to_string().contains("/no/such/task.toml: No such file")
        );
    }
}
