//! A look at the rows before anything is trained on them: counts, labels, empty and repeated texts, texts of training that stand in
//! validation too. One pass with a hash of every text: 400,000 rows take less than a second.

use super::{Example, Rows};
use crate::record::{SplitSurvey, Survey};
use crate::task::{LabelKind, Task};
use crate::untrusted;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// Ranges of a histogram of scores.
const RANGES: usize = 10;
/// Letters of a text in a warning.
const SHOWN: usize = 60;
/// Classes that a warning names.
const NAMED: usize = 5;

/// A split to look at: its name, where it comes from, its rows.
pub struct Part<'a> {
    pub name: &'static str,
    pub files: Vec<String>,
    pub rows: &'a Rows,
}

/// Looks at a task's splits, that of training first.
pub fn survey(task: &dyn Task, parts: &[Part]) -> Survey {
    let hasher = RandomState::new();
    let mut survey = Survey { task: task.label().into(), ..Survey::default() };
    let mut trained: Option<Known> = None;
    for part in parts {
        let mut split = SplitSurvey {
            name: part.name.into(),
            files: part.files.clone(),
            rows: part.rows.examples.len() as u64,
            ..SplitSurvey::default()
        };
        labels(task, part, &mut split);
        let known = Known::of(&hasher, part.rows);
        empty(part, &mut split, &mut survey.warnings);
        repeated(task, part, &known, &mut split, &mut survey.warnings);
        match &trained {
            None => trained = Some(known),
            Some(trained) => leaked(task, part, trained, &known, &mut split, &mut survey.warnings),
        }
        survey.splits.push(split);
    }
    unseen(task, &mut survey);
    survey
}

/// Why nothing can be learned from training rows with these counts, if that is so.
pub fn hopeless(task: &dyn Task, train: &[Example]) -> Option<String> {
    let first = train.first()?;
    let same = train.len() > 1 && train.iter().all(|e| e.label.to_bits() == first.label.to_bits());
    same.then(|| {
        let label = label_text(task, first.label);
        format!("all {} training rows have the label {label}: there is nothing to learn", train.len())
    })
}

/// A label as it is shown: the name of the class, or the score.
pub fn label_text(task: &dyn Task, label: f64) -> String {
    match task.labels() {
        LabelKind::Classes(names) => names.get(label as usize).copied().unwrap_or("?").to_string(),
        LabelKind::Score { .. } => label.to_string(),
    }
}

fn labels(task: &dyn Task, part: &Part, split: &mut SplitSurvey) {
    let examples = &part.rows.examples;
    match task.labels() {
        LabelKind::Classes(names) => {
            let mut counts = vec![0; names.len()];
            for example in examples {
                if let Some(count) = counts.get_mut(example.label as usize) {
                    *count += 1;
                }
            }
            split.labels = names.iter().map(|n| n.to_string()).zip(counts).collect();
        }
        LabelKind::Score { low, high } => {
            let mut counts = [0; RANGES];
            for example in examples {
                let at = (example.label - low) / (high - low) * RANGES as f64;
                counts[(at as usize).min(RANGES - 1)] += 1;
            }
            let edge = |i: usize| low + (high - low) * i as f64 / RANGES as f64;
            let range = |i: usize| format!("{} to {}", short(edge(i)), short(edge(i + 1)));
            split.labels = counts.iter().enumerate().map(|(i, n)| (range(i), *n)).collect();
            split.mean = Some(examples.iter().map(|e| e.label).sum::<f64>() / examples.len().max(1) as f64);
        }
    }
}

/// At most two decimals.
fn short(value: f64) -> String {
    ((value * 100.0).round() / 100.0).to_string()
}

/// Rows by the hash of their texts: of equal ones the first.
struct Known<'a> {
    rows: &'a Rows,
    hashes: Vec<u64>,
    first: HashMap<u64, u32, PassedOn>,
}

/// A hash is its own hash.
#[derive(Clone, Copy, Default)]
struct PassedOn;

impl BuildHasher for PassedOn {
    type Hasher = Kept;

    fn build_hasher(&self) -> Kept {
        Kept(0)
    }
}

struct Kept(u64);

impl std::hash::Hasher for Kept {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|b| self.0 = (self.0 << 8) ^ u64::from(*b));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

fn alike(a: &Example, b: &Example) -> bool {
    a.text == b.text && a.pair == b.pair
}

impl<'a> Known<'a> {
    fn of(hasher: &RandomState, rows: &'a Rows) -> Self {
        let hashes: Vec<u64> = rows.examples.iter().map(|e| hasher.hash_one((&e.text, &e.pair))).collect();
        let mut first = HashMap::with_capacity_and_hasher(hashes.len(), PassedOn);
        for (i, hash) in hashes.iter().enumerate() {
            first.entry(*hash).or_insert(i as u32);
        }
        Self { rows, hashes, first }
    }

    /// The first row with the texts of `example`.
    fn find(&self, hash: u64, example: &Example) -> Option<usize> {
        let at = *self.first.get(&hash)? as usize;
        // Two texts of one hash are as good as never met; that the texts are equal is looked at all the same.
        alike(&self.rows.examples[at], example).then_some(at)
    }
}

fn share(rows: u64, of: u64) -> String {
    format!("{rows} of {of} rows ({:.1}%)", 100.0 * rows as f64 / of.max(1) as f64)
}

fn quoted(example: &Example) -> String {
    format!("\"{}\"", untrusted::brief(&example.text, SHOWN))
}

fn empty(part: &Part, split: &mut SplitSurvey, warnings: &mut Vec<String>) {
    let blank = |e: &Example| e.text.trim().is_empty() || e.pair.as_ref().is_some_and(|p| p.trim().is_empty());
    let examples = &part.rows.examples;
    split.empty = examples.iter().filter(|e| blank(e)).count() as u64;
    if let Some(first) = examples.iter().position(blank) {
        let have = if split.empty == 1 { "has" } else { "have" };
        let counted = share(split.empty, split.rows);
        warnings.push(format!("{}: {counted} {have} an empty text, first {}", part.name, part.rows.place(first)));
    }
}

fn repeated(task: &dyn Task, part: &Part, known: &Known, split: &mut SplitSurvey, warnings: &mut Vec<String>) {
    let mut example = None;
    let mut contradiction = None;
    for (i, row) in part.rows.examples.iter().enumerate() {
        let Some(first) = known.find(known.hashes[i], row).filter(|first| *first != i) else { continue };
        split.repeated += 1;
        example.get_or_insert((first, i));
        if part.rows.examples[first].label.to_bits() != row.label.to_bits() {
            split.contradicting += 1;
            contradiction.get_or_insert((first, i));
        }
    }
    let places = |(first, i): (usize, usize)| {
        let row = &part.rows.examples[i];
        format!("{} and {}: {}", part.rows.place(first), part.rows.place(i), quoted(row))
    };
    if let Some(pair) = example {
        let be = if split.repeated == 1 { "repeats" } else { "repeat" };
        let counted = share(split.repeated, split.rows);
        warnings.push(format!("{}: {counted} {be} an earlier one, as {}", part.name, places(pair)));
    }
    if let Some(pair) = contradiction {
        let of = |i: usize| label_text(task, part.rows.examples[i].label);
        warnings.push(format!(
            "{}: {} of them with another label, as {} is {} and then {}",
            part.name,
            split.contradicting,
            places(pair),
            of(pair.0),
            of(pair.1)
        ));
    }
}

fn leaked(
    task: &dyn Task,
    part: &Part,
    trained: &Known,
    known: &Known,
    split: &mut SplitSurvey,
    warnings: &mut Vec<String>,
) {
    let mut example = None;
    let mut other = 0;
    for (i, row) in part.rows.examples.iter().enumerate() {
        let Some(first) = trained.find(known.hashes[i], row) else { continue };
        split.leaked += 1;
        other += u64::from(trained.rows.examples[first].label.to_bits() != row.label.to_bits());
        example.get_or_insert((first, i));
    }
    let Some((first, i)) = example else { return };
    let row = &part.rows.examples[i];
    let others = if other > 0 { format!(", {other} of them with another label") } else { String::new() };
    let stand = if split.leaked == 1 { "stands" } else { "stand" };
    warnings.push(format!(
        "{}: {} {stand} in the training rows too{others}: its score flatters; as {} here, {} there: {} is {}",
        part.name,
        share(split.leaked, split.rows),
        part.rows.place(i),
        trained.rows.place(first),
        quoted(row),
        label_text(task, row.label)
    ));
}

/// Classes that training never shows.
fn unseen(task: &dyn Task, survey: &mut Survey) {
    let (LabelKind::Classes(_), Some(train)) = (task.labels(), survey.splits.first()) else { return };
    let mut told = Vec::new();
    let absent: Vec<&str> = train.labels.iter().filter(|(_, n)| *n == 0).map(|(name, _)| name.as_str()).collect();
    if !absent.is_empty() {
        let more = if absent.len() > NAMED { format!(" and {} more", absent.len() - NAMED) } else { String::new() };
        let names: Vec<String> = absent.iter().take(NAMED).map(|n| untrusted::brief(n, 40)).collect();
        let asked: u64 = survey.splits[1..]
            .iter()
            .flat_map(|s| &s.labels)
            .filter(|(name, _)| absent.contains(&name.as_str()))
            .map(|(_, n)| n)
            .sum();
        let asked = if asked > 0 { format!(", but {asked} rows of the other splits have") } else { String::new() };
        told.push(format!("train: no row has the label {}{more}{asked}", names.join(", ")));
    }
    survey.warnings.extend(told);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::format::Place;
    use crate::task;

    fn rows(all: &[(&str, Option<&str>, f64)]) -> Rows {
        let example = |(text, pair, label): &(&str, Option<&str>, f64)| Example {
            text: (*text).into(),
            pair: pair.map(str::to_string),
            label: *label,
        };
        let mut rows = Rows::of("rows.tsv");
        all.iter().zip(2..).for_each(|(row, line)| rows.push(example(row), Place::Line(line)));
        rows
    }

    fn look(id: &str, train: &Rows, validation: &Rows) -> Survey {
        let part = |name, rows| Part { name, files: Vec::new(), rows };
        survey(task::find(id).expect("a task"), &[part("train", train), part("validation", validation)])
    }

    #[test]
    fn what_is_odd_is_counted_with_an_example() {
        let train =
            rows(&[("good", None, 1.0), ("bad", None, 0.0), ("good", None, 1.0), ("bad", None, 1.0), (" ", None, 0.0)]);
        let validation = rows(&[("fine", None, 1.0), ("bad", None, 1.0)]);
        let found = look("sst-2", &train, &validation);
        let (first, second) = (&found.splits[0], &found.splits[1]);
        assert_eq!(first.labels, [("0".to_string(), 2), ("1".into(), 3)]);
        assert_eq!((first.rows, first.empty, first.repeated, first.contradicting), (5, 1, 2, 1));
        assert_eq!((second.leaked, second.repeated), (1, 0));
        assert_eq!(
            found.warnings,
            [
                "train: 1 of 5 rows (20.0%) has an empty text, first line 6",
                "train: 2 of 5 rows (40.0%) repeat an earlier one, as line 2 and line 4: \"good\"",
                "train: 1 of them with another label, as line 3 and line 5: \"bad\" is 0 and then 1",
                "validation: 1 of 2 rows (50.0%) stands in the training rows too, 1 of them with another label: its score \
                 flatters; as line 3 here, line 3 there: \"bad\" is 1",
            ]
        );
    }

    #[test]
    fn a_pair_is_the_same_with_both_texts_only() {
        let train = rows(&[("a", Some("b"), 0.0), ("a", Some("c"), 1.0)]);
        let found = look("rte", &train, &rows(&[("a", Some("d"), 0.0), ("ab", Some(""), 1.0)]));
        assert_eq!((found.splits[0].repeated, found.splits[1].leaked, found.splits[1].empty), (0, 0, 1));
    }

    #[test]
    fn labels_that_training_lacks_are_told() {
        let train = rows(&[("a", Some("b"), 0.0), ("c", Some("d"), 2.0)]);
        let found = look("mnli", &train, &rows(&[("e", Some("f"), 1.0)]));
        assert_eq!(found.warnings, ["train: no row has the label neutral, but 1 rows of the other splits have"]);
        let task = task::find("mnli").expect("a task");
        assert_eq!(hopeless(task, &train.examples), None);
        let told = hopeless(task, &rows(&[("a", None, 2.0), ("b", None, 2.0)]).examples).expect("one class");
        assert_eq!(told, "all 2 training rows have the label contradiction: there is nothing to learn");
        assert_eq!(hopeless(task, &train.examples[..1]), None, "one row is a test's");
    }

    #[test]
    fn scores_fall_into_ranges() {
        let train = rows(&[("a", Some("b"), 0.0), ("c", Some("d"), 5.0), ("e", Some("f"), 2.6)]);
        let found = look("sts-b", &train, &rows(&[]));
        let counts: Vec<u64> = found.splits[0].labels.iter().map(|(_, n)| *n).collect();
        assert_eq!(counts, [1, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
        assert_eq!(found.splits[0].labels[5].0, "2.5 to 3");
        assert!((found.splits[0].mean.expect("a mean") - 7.6 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn of_several_files_a_row_tells_its_own() {
        let mut train = rows(&[("a", None, 0.0)]);
        train.begin("/of/mine/second.csv");
        train.push(Example { text: "a".into(), pair: None, label: 0.0 }, Place::Line(2));
        train.begin("third.parquet");
        train.push(Example { text: "b".into(), pair: None, label: 1.0 }, Place::Row(1));
        assert_eq!([0, 1, 2].map(|i| train.place(i)), ["rows.tsv line 2", "second.csv line 2", "third.parquet row 1"]);
        let found = look("sst-2", &train, &rows(&[]));
        assert!(found.warnings[0].contains("as rows.tsv line 2 and second.csv line 2"), "{:?}", found.warnings);
        assert_eq!(train.only(|i| i > 0).place(0), "second.csv line 2");
    }

    #[test]
    fn many_rows_are_counted() {
        let text = |i: u32| format!("a premise with the number {i} in it");
        let mut train = Rows::of("rows.tsv");
        for i in 0..40_000 {
            let example =
                Example { text: text(i % 39_000), pair: Some("a hypothesis".into()), label: f64::from(i % 3) };
            train.push(example, Place::Line(u64::from(i) + 2));
        }
        let found = look("mnli", &train, &rows(&[]));
        assert_eq!((found.splits[0].rows, found.splits[0].repeated), (40_000, 1_000));
    }
}
