//! The filter of the table of runs: `task:cola method:lora lr>=1e-3 -status:failed "two words" | is:marked`. Terms of one
//! alternative must all hold; `|` separates alternatives; `-` negates a term; quotes keep spaces and signs in a text.

mod complete;
mod field;
mod parse;

pub use complete::{Known, complete};
pub use parse::FilterError;

use crate::event::RunId;
use crate::record::RunSummary;
use field::{Number, State, Text};
use std::fmt;

/// A parsed filter; empty lets every run through that is not archived.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// None is empty.
    alternatives: Vec<Vec<Term>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Term {
    negated: bool,
    kind: TermKind,
}

#[derive(Clone, Debug, PartialEq)]
enum TermKind {
    /// Anywhere in id, name or tags.
    Word(String),
    Text {
        field: &'static Text,
        value: String,
    },
    /// A number compared.
    Number {
        field: &'static Number,
        order: Order,
        value: f64,
    },
    Is(&'static State),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Order {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

impl Order {
    /// Longer signs first: `<` begins `<=`.
    const ALL: [(&'static str, Order); 5] = [
        ("<=", Order::LessOrEqual),
        (">=", Order::GreaterOrEqual),
        ("<", Order::Less),
        (">", Order::Greater),
        ("=", Order::Equal),
    ];

    fn sign(self) -> &'static str {
        Self::ALL.iter().find(|(_, order)| *order == self).map_or("", |(sign, _)| sign)
    }

    fn holds(self, found: f64, value: f64) -> bool {
        match self {
            Order::Less => found < value,
            Order::LessOrEqual => found <= value,
            Order::Equal => found == value,
            Order::GreaterOrEqual => found >= value,
            Order::Greater => found > value,
        }
    }
}

impl Filter {
    /// The whole text understood, or the first thing in it that cannot be.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        match Self::read(text) {
            (filter, None) => Ok(filter),
            (_, Some(error)) => Err(error),
        }
    }

    /// What can be understood of the text, for while it is being typed, and the first thing that cannot.
    pub fn read(text: &str) -> (Self, Option<FilterError>) {
        let (alternatives, error) = parse::parse(text);
        (Self { alternatives }, error)
    }

    /// A term is about being marked.
    pub fn is_about_marks(&self) -> bool {
        self.alternatives.iter().flatten().any(|t| matches!(t.kind, TermKind::Is(s) if s.id == field::MARKED))
    }

    /// Whether the run is let through. An archived run is where a term is about being archived.
    pub fn holds(&self, run: &RunSummary, marked: &[RunId]) -> bool {
        if self.alternatives.is_empty() {
            return !run.archived;
        }
        self.alternatives.iter().any(|terms| {
            let shown =
                !run.archived || terms.iter().any(|t| matches!(t.kind, TermKind::Is(s) if s.id == field::ARCHIVED));
            shown && terms.iter().all(|t| t.holds(run, marked))
        })
    }
}

impl Term {
    fn holds(&self, run: &RunSummary, marked: &[RunId]) -> bool {
        let holds = match &self.kind {
            TermKind::Word(word) => {
                let has = |text: &str| text.to_lowercase().contains(word.as_str());
                has(&run.name) || has(run.id.as_str()) || run.tags.iter().any(|t| has(t))
            }
            TermKind::Text { field, value } => (field.holds)(run, value),
            TermKind::Number { field, order, value } => (field.of)(run).is_some_and(|n| order.holds(n, *value)),
            TermKind::Is(state) => (state.holds)(run, marked),
        };
        holds != self.negated
    }
}

/// In a form that is parsed to the same filter.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, terms) in self.alternatives.iter().enumerate() {
            f.write_str(if i > 0 { " | " } else { "" })?;
            for (j, term) in terms.iter().enumerate() {
                f.write_str(if j > 0 { " " } else { "" })?;
                write!(f, "{term}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.negated { "-" } else { "" })?;
        match &self.kind {
            TermKind::Word(word) => f.write_str(&parse::quoted(word)),
            TermKind::Text { field, value } => write!(f, "{}:{}", field.id, parse::quoted(value)),
            TermKind::Number { field, order, value } => write!(f, "{}{}{value:?}", field.id, order.sign()),
            TermKind::Is(state) => write!(f, "is:{}", state.id),
        }
    }
}
