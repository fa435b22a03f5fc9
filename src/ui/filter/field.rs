//! What a filter can ask of a run: one line for each field.

use crate::event::RunId;
use crate::record::RunSummary;
use crate::spec::task_name;

/// A field that holds text, written `id:value`.
pub struct Text {
    pub id: &'static str,
    /// Whether the run's text fits the lower-case value.
    pub holds: fn(&RunSummary, &str) -> bool,
    /// The values that a run has of it, for completion; none for prose.
    pub values: fn(&RunSummary) -> Vec<String>,
}

/// A field that holds a number, written `id>=value`.
pub struct Number {
    pub id: &'static str,
    pub of: fn(&RunSummary) -> Option<f64>,
}

/// What a run is or is not, written `is:id`.
pub struct State {
    pub id: &'static str,
    pub holds: fn(&RunSummary, &[RunId]) -> bool,
}

/// The state that changes without the run.
pub const MARKED: &str = "marked";
/// The state that must be asked for: without it archived runs are left out.
pub const ARCHIVED: &str = "archived";

fn begins(text: &str, value: &str) -> bool {
    text.to_lowercase().starts_with(value)
}

fn contains(text: &str, value: &str) -> bool {
    text.to_lowercase().contains(value)
}

/// Values with few letters match from their beginning (`method:lora` is not symlora), prose anywhere.
pub static TEXTS: &[Text] = &[
    Text {
        id: "task",
        holds: |r, v| [&r.spec.task, task_name(&r.spec.task), r.task_label()].iter().any(|t| begins(t, v)),
        values: |r| vec![task_name(&r.spec.task).into()],
    },
    Text { id: "method", holds: |r, v| begins(&r.spec.method, v), values: |r| vec![r.spec.method.clone()] },
    Text { id: "status", holds: |r, v| begins(r.status.as_str(), v), values: |r| vec![r.status.to_string()] },
    Text { id: "tag", holds: |r, v| r.tags.iter().any(|t| begins(t, v)), values: |r| r.tags.clone() },
    Text { id: "note", holds: |r, v| contains(&r.note, v), values: |_| Vec::new() },
    Text { id: "name", holds: |r, v| contains(&r.name, v), values: |r| vec![r.name.clone()] },
    Text { id: "id", holds: |r, v| begins(r.id.as_str(), v), values: |r| vec![r.id.to_string()] },
    Text { id: "model", holds: |r, v| contains(&r.spec.model, v), values: |r| vec![r.spec.model.clone()] },
    Text { id: "device", holds: |r, v| begins(&r.spec.device, v), values: |r| vec![r.spec.device.clone()] },
    Text { id: "precision", holds: |r, v| begins(&r.spec.precision, v), values: |r| vec![r.spec.precision.clone()] },
    Text {
        id: "target",
        holds: |r, v| r.spec.targets.iter().any(|t| begins(t, v)),
        values: |r| r.spec.targets.clone(),
    },
];

pub static NUMBERS: &[Number] = &[
    Number { id: "lr", of: |r| Some(r.spec.lr) },
    Number { id: "seed", of: |r| r.seed().map(|seed| seed as f64) },
    Number { id: "best", of: |r| r.best },
    Number { id: "last", of: |r| r.last },
    Number { id: "loss", of: |r| r.loss },
    Number { id: "rank", of: |r| Some(r.spec.rank as f64) },
    Number { id: "alpha", of: |r| Some(r.spec.effective_alpha()) },
    Number { id: "batch", of: |r| Some(r.spec.batch_size as f64) },
    Number { id: "epochs", of: |r| Some(r.spec.epochs as f64) },
    Number { id: "epoch", of: |r| Some(r.epoch) },
    Number { id: "step", of: |r| Some(r.step as f64) },
    Number { id: "time", of: |r| Some(r.seconds) },
    Number { id: "params", of: |r| Some(r.facts.adapter_parameters as f64) },
    Number { id: "lambda", of: |r| r.lambda },
];

pub static STATES: &[State] = &[
    State { id: MARKED, holds: |r, marked| marked.contains(&r.id) },
    State { id: ARCHIVED, holds: |r, _| r.archived },
    State { id: "live", holds: |r, _| r.status.is_live() },
    State { id: "resumable", holds: |r, _| r.status.is_resumable() },
];

// A field is told from another by its id: the functions of two fields may share an address.
impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id)
    }
}

impl std::fmt::Debug for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id)
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id)
    }
}
