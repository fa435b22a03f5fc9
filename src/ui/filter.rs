//! The filter of the table of runs: `task:cola method:lora lr>=1e-3 -status:failed word | task:rte`. Terms of one alternative
//! must all hold; `|` separates alternatives; `-` negates a term.

use crate::record::RunSummary;

/// A parsed filter; empty lets every run through.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    alternatives: Vec<Vec<Term>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Term {
    negated: bool,
    kind: TermKind,
}

#[derive(Clone, Debug, PartialEq)]
enum TermKind {
    /// Anywhere in id or name.
    Word(String),
    /// A field that begins with a text.
    Text { field: &'static str, value: String },
    /// A number compared.
    Number { field: &'static str, order: Order, value: f64 },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Order {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

const TEXTS: [&str; 6] = ["task", "method", "status", "model", "name", "id"];
const NUMBERS: [&str; 7] = ["lr", "seed", "rank", "best", "loss", "epochs", "step"];

impl Filter {
    /// Never fails: what is no known field is a word.
    pub fn parse(text: &str) -> Self {
        let alternative = |part: &str| part.split_whitespace().map(Term::parse).collect::<Vec<_>>();
        let alternatives = text.split('|').map(alternative).filter(|terms| !terms.is_empty()).collect();
        Self { alternatives }
    }

    pub fn holds(&self, run: &RunSummary) -> bool {
        self.alternatives.is_empty() || self.alternatives.iter().any(|terms| terms.iter().all(|t| t.holds(run)))
    }
}

impl Term {
    fn parse(text: &str) -> Self {
        let (negated, text) = match text.strip_prefix('-') {
            Some(rest) if !rest.is_empty() => (true, rest),
            _ => (false, text),
        };
        let kind = comparison(text).or_else(|| field(text)).unwrap_or_else(|| TermKind::Word(text.to_lowercase()));
        Self { negated, kind }
    }

    fn holds(&self, run: &RunSummary) -> bool {
        let holds = match &self.kind {
            TermKind::Word(word) => run.name.to_lowercase().contains(word) || run.id.as_str().contains(word.as_str()),
            TermKind::Text { field, value } => text_of(run, field).to_lowercase().starts_with(value.as_str()),
            TermKind::Number { field, order, value } => number_of(run, field).is_some_and(|n| match order {
                Order::Less => n < *value,
                Order::LessOrEqual => n <= *value,
                Order::Equal => n == *value,
                Order::GreaterOrEqual => n >= *value,
                Order::Greater => n > *value,
            }),
        };
        holds != self.negated
    }
}

fn field(text: &str) -> Option<TermKind> {
    let (name, value) = text.split_once(':')?;
    let field = *TEXTS.iter().find(|f| **f == name)?;
    Some(TermKind::Text { field, value: value.to_lowercase() })
}

fn comparison(text: &str) -> Option<TermKind> {
    let orders = [
        ("<=", Order::LessOrEqual),
        (">=", Order::GreaterOrEqual),
        ("<", Order::Less),
        (">", Order::Greater),
        ("=", Order::Equal),
    ];
    orders.into_iter().find_map(|(sign, order)| {
        let (name, value) = text.split_once(sign)?;
        let field = *NUMBERS.iter().find(|f| **f == name)?;
        Some(TermKind::Number { field, order, value: value.parse().ok()? })
    })
}

fn text_of<'a>(run: &'a RunSummary, field: &str) -> &'a str {
    match field {
        "task" => &run.spec.task,
        "method" => &run.spec.method,
        "status" => run.status.as_str(),
        "model" => &run.spec.model,
        "id" => run.id.as_str(),
        _ => &run.name,
    }
}

fn number_of(run: &RunSummary, field: &str) -> Option<f64> {
    match field {
        "lr" => Some(run.spec.lr),
        "seed" => Some(run.spec.seed as f64),
        "rank" => Some(run.spec.rank as f64),
        "best" => run.best,
        "loss" => run.loss,
        "epochs" => Some(run.spec.epochs as f64),
        _ => Some(run.step as f64),
    }
}
