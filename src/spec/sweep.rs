//! A spec in which any field may hold a list: the grid of all combinations.

use super::{FIELDS, Field, RunSpec, SpecError};

/// For each named field the values it takes, in the order they were given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SweepSpec {
    pub values: Vec<(&'static str, Vec<String>)>,
}

impl SweepSpec {
    /// Most runs that one sweep may make.
    pub const MAX_RUNS: usize = 10_000;

    /// Replaces a field's values.
    pub fn set(&mut self, name: &str, values: Vec<String>) -> Result<(), SpecError> {
        let field = Field::find(name).ok_or_else(|| {
            let known: Vec<&str> = FIELDS.iter().map(|f| f.name).collect();
            SpecError::new(name, "an unknown field", format!("one of {}", known.join(", ")))
        })?;
        if values.is_empty() {
            return Err(SpecError::new(field.name, "an empty list", "at least one value"));
        }
        self.values.retain(|(n, _)| *n != field.name);
        self.values.push((field.name, values));
        Ok(())
    }

    /// Reads a TOML table; a list under a field other than `targets` is a dimension of the grid.
    pub fn from_toml(text: &str) -> Result<Self, SpecError> {
        let table: toml::Table = text
            .parse()
            .map_err(|e: toml::de::Error| SpecError::new("spec", e.to_string().trim(), "a TOML table of fields"))?;
        let mut sweep = Self::default();
        for (name, value) in &table {
            let values = match value {
                toml::Value::Array(items) if name == "targets" && items.iter().all(|i| i.is_str()) => {
                    vec![items.iter().filter_map(|i| i.as_str()).collect::<Vec<_>>().join("+")]
                }
                toml::Value::Array(items) => items.iter().map(|i| scalar(name, i)).collect::<Result<_, _>>()?,
                other => vec![scalar(name, other)?],
            };
            sweep.set(name, values)?;
        }
        Ok(sweep)
    }

    /// All combinations as validated specs, the last named field varying fastest.
    pub fn runs(&self) -> Result<Vec<RunSpec>, SpecError> {
        let mut specs = vec![RunSpec::default()];
        for (name, values) in &self.values {
            if specs.len().saturating_mul(values.len()) > Self::MAX_RUNS {
                return Err(SpecError::new(name, "too many combinations", format!("at most {} runs", Self::MAX_RUNS)));
            }
            let mut next = Vec::with_capacity(specs.len() * values.len());
            for spec in &specs {
                for value in values {
                    let mut spec = spec.clone();
                    if let Some(field) = Field::find(name) {
                        field.set(&mut spec, value)?;
                    }
                    next.push(spec);
                }
            }
            specs = next;
        }
        Ok(specs)
    }
}

fn scalar(name: &str, value: &toml::Value) -> Result<String, SpecError> {
    match value {
        toml::Value::String(s) => Ok(s.clone()),
        toml::Value::Integer(i) => Ok(i.to_string()),
        toml::Value::Float(f) => Ok(format!("{f:?}")),
        other => Err(SpecError::new(name, other.type_str(), "a string or a number")),
    }
}
