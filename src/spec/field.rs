//! The table of a spec's fields: one line each for the TOML file, the flags and the launch form alike.

use super::{PRECISIONS, RunSpec, SpecError, TARGETS};

/// What a field holds; the surfaces choose their editor by it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Text,
    /// Id of a task, resolved by the task module.
    Task,
    /// Id of an adapter method, resolved by the adapter module.
    Method,
    /// One of these ids.
    Choice(&'static [&'static str]),
    /// Names joined by `+`.
    Targets,
    Integer {
        min: u64,
        max: u64,
    },
    Real {
        min: f64,
        max: f64,
        min_open: bool,
    },
}

/// One field of [`RunSpec`], read and written as text.
pub struct Field {
    pub name: &'static str,
    pub help: &'static str,
    pub kind: Kind,
    read: fn(&RunSpec) -> String,
    write: fn(&mut RunSpec, Value),
}

/// A checked value on its way into a spec.
enum Value {
    Text(String),
    List(Vec<String>),
    Integer(u64),
    Real(f64),
}

impl Value {
    fn text(self) -> String {
        if let Value::Text(v) = self { v } else { String::new() }
    }
    fn list(self) -> Vec<String> {
        if let Value::List(v) = self { v } else { Vec::new() }
    }
    fn integer(self) -> u64 {
        if let Value::Integer(v) = self { v } else { 0 }
    }
    fn real(self) -> f64 {
        if let Value::Real(v) = self { v } else { 0.0 }
    }
}

macro_rules! text {
    ($name:ident, $kind:expr, $help:literal) => {
        Field {
            name: stringify!($name),
            help: $help,
            kind: $kind,
            read: |s| s.$name.clone(),
            write: |s, v| s.$name = v.text(),
        }
    };
}
macro_rules! integer {
    ($name:ident, $min:literal, $max:expr, $help:literal) => {
        Field {
            name: stringify!($name),
            help: $help,
            kind: Kind::Integer { min: $min, max: $max },
            read: |s| s.$name.to_string(),
            write: |s, v| s.$name = v.integer() as _,
        }
    };
}
macro_rules! real {
    ($name:ident, $min:expr, $max:expr, $open:literal, $help:literal) => {
        Field {
            name: stringify!($name),
            help: $help,
            kind: Kind::Real { min: $min, max: $max, min_open: $open },
            read: |s| format!("{:?}", s.$name),
            write: |s, v| s.$name = v.real(),
        }
    };
}

/// Every field, in the order of the launch form.
pub static FIELDS: &[Field] = &[
    text!(task, Kind::Task, "GLUE task, or FILE.toml of a task of your own"),
    text!(method, Kind::Method, "adapter method"),
    text!(model, Kind::Text, "mini-roberta (embedded), a folder, or a fetched ID[@REVISION]"),
    text!(data, Kind::Text, "GLUE's folder, or hub:nyu-mll/glue; empty: embedded sample"),
    integer!(rank, 1, 65_536, "rank r of the adapter"),
    real!(alpha, 0.0, 1e6, false, "the update is scaled by alpha / rank; 0: alpha = rank"),
    Field {
        name: "targets",
        help: "adapted matrices, joined by +: query, key, value, output",
        kind: Kind::Targets,
        read: |s| s.targets.join("+"),
        write: |s, v| s.targets = v.list(),
    },
    real!(lr, 0.0, 10.0, true, "peak learning rate"),
    integer!(batch_size, 1, 65_536, "rows in a batch"),
    integer!(epochs, 1, 100_000, "passes over the training rows"),
    integer!(seed, 0, i64::MAX as u64, "seed of initial values, order and dropout"),
    integer!(max_length, 4, 8_192, "longest row in tokens"),
    real!(weight_decay, 0.0, 10.0, false, "decoupled weight decay on matrices"),
    real!(adam_eps, 0.0, 1.0, true, "AdamW's epsilon"),
    real!(warmup_ratio, 0.0, 1.0, false, "share of the steps with rising learning rate"),
    real!(max_grad_norm, 0.0, 1e9, false, "clip the gradient norm at this; 0: off"),
    real!(dropout, -1.0, 0.99, false, "dropout probability; negative: the model's own"),
    integer!(patience, 0, 100_000, "epochs without a better score before an early end; 0: off"),
    integer!(norms_every, 1, 1_000_000_000, "steps between two records of the layer norms"),
    integer!(train_rows, 0, 1_000_000_000, "use at most this many training rows; 0: all"),
    text!(device, Kind::Text, "device that trains: cpu, or cuda:0 and so on"),
    text!(precision, Kind::Choice(&PRECISIONS), "what a GPU multiplies in; the CPU takes f32"),
    integer!(threads, 0, 4_096, "threads of the mathematics; 0: all cores"),
    text!(init_adapter, Kind::Text, "adapter to start from: a file, a run's id, best:TASK; empty: anew"),
    text!(name, Kind::Text, "name of the run; empty: task-method-seed"),
];

impl Field {
    pub fn find(name: &str) -> Option<&'static Field> {
        let name = name.replace('-', "_");
        FIELDS.iter().find(|f| f.name == name)
    }

    /// The flag's long name.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// What it takes, where it is not one of ids: `1 to 65536`; empty for free text.
    pub fn range(&self) -> String {
        match self.kind {
            Kind::Text | Kind::Task | Kind::Method => String::new(),
            Kind::Choice(ids) => ids.join(", "),
            Kind::Targets => TARGETS.join(", "),
            Kind::Integer { min, max } if max == i64::MAX as u64 => format!("{min} or more"),
            Kind::Integer { min, max } => format!("{min} to {max}"),
            Kind::Real { min, max, min_open: true } => format!("above {min}, to {max}"),
            Kind::Real { min, max, min_open: false } => format!("{min} to {max}"),
        }
    }

    pub fn get(&self, spec: &RunSpec) -> String {
        (self.read)(spec)
    }

    /// Checks `text` and writes it into `spec`; the spec is unchanged on error.
    pub fn set(&self, spec: &mut RunSpec, text: &str) -> Result<(), SpecError> {
        let value = self.parse(text.trim())?;
        (self.write)(spec, value);
        Ok(())
    }

    fn parse(&self, text: &str) -> Result<Value, SpecError> {
        let wrong = |expected: String| SpecError::new(self.name, format!("{text:?}"), expected);
        match self.kind {
            Kind::Text => Ok(Value::Text(text.into())),
            Kind::Task | Kind::Method if text.is_empty() => Err(wrong("an id".into())),
            Kind::Task => Ok(Value::Text(super::whole_task(text))),
            Kind::Method => Ok(Value::Text(text.into())),
            Kind::Choice(ids) if !ids.contains(&text) => Err(wrong(format!("one of {}", ids.join(", ")))),
            Kind::Choice(_) => Ok(Value::Text(text.into())),
            Kind::Targets => {
                let names: Vec<String> = text.split('+').map(|t| t.trim().to_string()).collect();
                let known = names.iter().all(|n| TARGETS.contains(&n.as_str()));
                let distinct = names.iter().enumerate().all(|(i, n)| !names[..i].contains(n));
                if known && distinct {
                    Ok(Value::List(names))
                } else {
                    Err(wrong(format!("distinct names of {} joined by +", TARGETS.join(", "))))
                }
            }
            Kind::Integer { min, max } => {
                let v = text.parse::<u64>().ok().filter(|v| (min..=max).contains(v));
                v.map(Value::Integer).ok_or_else(|| wrong(format!("a whole number from {min} to {max}")))
            }
            Kind::Real { min, max, min_open } => {
                let inside = |v: &f64| *v <= max && if min_open { *v > min } else { *v >= min };
                let v = text.parse::<f64>().ok().filter(|v| v.is_finite()).filter(inside);
                let from = if min_open { "above" } else { "from" };
                v.map(Value::Real).ok_or_else(|| wrong(format!("a number {from} {min} to {max}")))
            }
        }
    }
}
