//! From a line of text to the terms of a filter, and back to text.

use super::field::{NUMBERS, STATES, TEXTS};
use super::{Order, Term, TermKind};
use thiserror::Error;

/// What cannot be understood of a filter.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum FilterError {
    #[error("no field {0:?}: quote it to find it as a word; fields are {fields}", fields = ids().join(" "))]
    Field(String),
    #[error("{0} takes : and a text, as {0}:abc")]
    IsText(&'static str),
    #[error("{0} takes < <= = >= > and a number, as {0}>=2")]
    IsNumber(&'static str),
    #[error("{0}: {1:?} is no number")]
    Number(&'static str, String),
    #[error("is:{0}: there are {states}", states = STATES.iter().map(|s| format!("is:{}", s.id)).collect::<Vec<_>>().join(" "))]
    State(String),
}

/// Every field, texts first.
pub(super) fn ids() -> Vec<&'static str> {
    TEXTS.iter().map(|t| t.id).chain(["is"]).chain(NUMBERS.iter().map(|n| n.id)).collect()
}

/// A character and whether it stood in quotes, where no sign means anything.
type Character = (char, bool);

pub(super) fn parse(text: &str) -> (Vec<Vec<Term>>, Option<FilterError>) {
    let mut first = None;
    let mut alternatives = vec![Vec::new()];
    for token in tokens(text) {
        match token {
            None => alternatives.push(Vec::new()),
            Some(characters) => match term(&characters) {
                Ok(term) => {
                    if let Some(terms) = alternatives.last_mut() {
                        terms.push(term);
                    }
                }
                Err(error) => first = first.or(Some(error)),
            },
        }
    }
    alternatives.retain(|terms| !terms.is_empty());
    (alternatives, first)
}

/// Terms, and none for each `|`. An open quote goes to the end.
fn tokens(text: &str) -> Vec<Option<Vec<Character>>> {
    let mut all = Vec::new();
    let mut now: Option<Vec<Character>> = None;
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                // Empty quotes are a term too.
                now.get_or_insert_default();
            }
            _ if quoted => now.get_or_insert_default().push((c, true)),
            '|' => {
                all.extend(now.take().map(Some));
                all.push(None);
            }
            _ if c.is_whitespace() => all.extend(now.take().map(Some)),
            _ => now.get_or_insert_default().push((c, false)),
        }
    }
    all.extend(now.map(Some));
    all
}

fn term(characters: &[Character]) -> Result<Term, FilterError> {
    let (negated, rest) = match characters {
        [('-', false), rest @ ..] if !rest.is_empty() => (true, rest),
        _ => (false, characters),
    };
    Ok(Term { negated, kind: kind(rest)? })
}

fn string(characters: &[Character]) -> String {
    characters.iter().map(|(c, _)| c).collect()
}

fn kind(characters: &[Character]) -> Result<TermKind, FilterError> {
    let sign = characters.iter().position(|(c, quoted)| !quoted && matches!(c, ':' | '<' | '>' | '='));
    let Some(sign) = sign else { return Ok(TermKind::Word(string(characters).to_lowercase())) };
    let (name, rest) = (string(&characters[..sign]).to_lowercase(), &characters[sign..]);
    let text = TEXTS.iter().find(|f| f.id == name);
    let number = NUMBERS.iter().find(|f| f.id == name);
    if rest[0].0 == ':' {
        let value = string(&rest[1..]).to_lowercase();
        return match (text, number) {
            (Some(field), _) => Ok(TermKind::Text { field, value }),
            (None, Some(field)) => Err(FilterError::IsNumber(field.id)),
            (None, None) if name == "is" => {
                let state = STATES.iter().find(|s| s.id == value);
                state.map(TermKind::Is).ok_or(FilterError::State(value))
            }
            (None, None) => Err(FilterError::Field(name)),
        };
    }
    let field = number.ok_or_else(|| match text {
        Some(field) => FilterError::IsText(field.id),
        None => FilterError::Field(name.clone()),
    })?;
    let written = string(rest);
    let (sign, order) = Order::ALL.into_iter().find(|(sign, _)| written.starts_with(sign)).unwrap_or(Order::ALL[4]);
    let value = written[sign.len()..].trim();
    let parsed = value.parse::<f64>().ok().filter(|v| v.is_finite());
    let value = parsed.ok_or_else(|| FilterError::Number(field.id, value.into()))?;
    Ok(TermKind::Number { field, order, value })
}

/// The text with quotes where it would be read as something else without.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '/' | '+' | '-');
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        text.into()
    } else {
        format!("\"{text}\"")
    }
}
