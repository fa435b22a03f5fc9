//! The end of a filter that is being typed: which fields and values it may become.

use super::field::{NUMBERS, STATES, TEXTS};
use super::parse::{ids, quoted};
use crate::record::RunSummary;
use std::collections::BTreeSet;

/// Most candidates that are kept of one field.
const MOST: usize = 200;

/// Values of the text fields that some runs have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    values: Vec<(&'static str, Vec<String>)>,
}

impl Known {
    pub fn of<'a>(runs: impl Iterator<Item = &'a RunSummary> + Clone) -> Self {
        let of = |field: &super::Text| {
            let all: BTreeSet<String> = runs.clone().flat_map(|r| (field.values)(r)).collect();
            (field.id, all.into_iter().take(MOST).collect())
        };
        let states = ("is", STATES.iter().map(|s| s.id.to_string()).collect());
        Self { values: TEXTS.iter().map(of).chain([states]).collect() }
    }
}

/// Texts that `text` may become: its last term completed to a field's name or, after a `:`, to a known value.
pub fn complete(text: &str, known: &Known) -> Vec<String> {
    let start = text.rfind(|c: char| c.is_whitespace() || c == '|').map_or(0, |i| i + 1);
    let (before, last) = text.split_at(start);
    let (sign, term) = match last.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", last),
    };
    let made = |ending: String| format!("{before}{sign}{ending}");
    if let Some((field, value)) = term.split_once(':') {
        let value = value.trim_start_matches('"').to_lowercase();
        let values = known.values.iter().find(|(id, _)| *id == field).map_or(&[][..], |(_, v)| v);
        let fitting = values.iter().filter(|v| v.to_lowercase().starts_with(&value));
        return fitting.map(|v| made(format!("{field}:{}", quoted(v)))).collect();
    }
    let numbers = |id: &&str| NUMBERS.iter().any(|n| n.id == *id);
    let fitting = ids().into_iter().filter(|id| id.starts_with(&term.to_lowercase()));
    fitting.map(|id| made(if numbers(&id) { format!("{id}>=") } else { format!("{id}:") })).collect()
}
