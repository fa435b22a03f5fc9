//! A spec in which any field may hold a list: the grid of all combinations.

use super::{FIELDS, Field, Kind, RunSpec, SpecError};

/// For each named field the values it takes, in the order they were given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SweepSpec {
    pub values: Vec<(&'static str, Vec<String>)>,
}

impl SweepSpec {
    /// Most runs that one sweep may make.
    pub const MAX_RUNS: usize = 10_000;

    /// The values of a field, where it is named.
    pub fn get(&self, name: &str) -> Option<&[String]> {
        self.values.iter().find(|(n, _)| *n == name).map(|(_, values)| values.as_slice())
    }

    /// Takes a field's values away.
    pub fn take(&mut self, name: &str) -> Option<Vec<String>> {
        let at = self.values.iter().position(|(n, _)| *n == name)?;
        Some(self.values.remove(at).1)
    }

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
        Self::from_table(&table)
    }

    /// The same from a table that was read.
    pub fn from_table(table: &toml::Table) -> Result<Self, SpecError> {
        let mut sweep = Self::default();
        for (name, value) in table {
            let values = match value {
                toml::Value::Array(items) if name == "targets" && items.iter().all(|i| i.is_str()) => {
                    vec![items.iter().filter_map(|i| i.as_str()).collect::<Vec<_>>().join("+")]
                }
                // A list of lists is a dimension here too.
                toml::Value::Array(items) if name == "targets" && items.iter().all(|i| i.is_array()) => {
                    let joined = |item: &toml::Value| {
                        let names = item.as_array().into_iter().flatten().map(|i| scalar(name, i));
                        Ok(names.collect::<Result<Vec<_>, SpecError>>()?.join("+"))
                    };
                    items.iter().map(joined).collect::<Result<_, SpecError>>()?
                }
                toml::Value::Array(items) => items.iter().map(|i| scalar(name, i)).collect::<Result<_, _>>()?,
                other => vec![scalar(name, other)?],
            };
            sweep.set(name, values)?;
        }
        Ok(sweep)
    }

    /// As TOML that [`SweepSpec::from_toml`] reads back: every field in the order of the form, a list where it takes several
    /// values.
    pub fn to_toml(&self) -> Result<String, SpecError> {
        let mut text = String::new();
        for field in FIELDS {
            let given = self.values.iter().find(|(name, _)| *name == field.name).map(|(_, values)| values.clone());
            let values = given.unwrap_or_else(|| vec![field.get(&RunSpec::default())]);
            let values = values.iter().map(|v| written(field, v)).collect::<Result<Vec<_>, _>>()?;
            let value = if let [one] = &values[..] { one.clone() } else { format!("[{}]", values.join(", ")) };
            text += &format!("{} = {value}\n", field.name);
        }
        Ok(text)
    }

    /// All combinations as validated specs, the last named field varying fastest.
    pub fn runs(&self) -> Result<Vec<RunSpec>, SpecError> {
        self.runs_from(&RunSpec::default())
    }

    /// The same with `base` for the fields that are not named.
    pub fn runs_from(&self, base: &RunSpec) -> Result<Vec<RunSpec>, SpecError> {
        let mut specs = vec![base.clone()];
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

/// A value as TOML has it, in the digits of its number.
fn written(field: &Field, text: &str) -> Result<String, SpecError> {
    let mut spec = RunSpec::default();
    field.set(&mut spec, text)?;
    let value = field.get(&spec);
    let quoted = |text: &str| toml::Value::String(text.into()).to_string();
    Ok(match field.kind {
        Kind::Integer { .. } | Kind::Real { .. } => value,
        Kind::Targets => format!("[{}]", value.split('+').map(quoted).collect::<Vec<_>>().join(", ")),
        Kind::Text | Kind::Task | Kind::Method | Kind::Choice(_) => quoted(&value),
    })
}

fn scalar(name: &str, value: &toml::Value) -> Result<String, SpecError> {
    match value {
        toml::Value::String(s) => Ok(s.clone()),
        toml::Value::Integer(i) => Ok(i.to_string()),
        toml::Value::Float(f) => Ok(format!("{f:?}")),
        other => Err(SpecError::new(name, other.type_str(), "a string or a number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_is_read_back_as_it_was_written() {
        let mut sweep = SweepSpec::default();
        let values = |texts: &[&str]| texts.iter().map(|t| (*t).to_string()).collect::<Vec<_>>();
        for (name, texts) in [
            ("lr", &["1e-3", ".5", "2"][..]),
            ("seed", &["0", "1"]),
            ("targets", &["query", "query+value"]),
            ("adam_eps", &["1e-8"]),
            ("data", &["a \"folder\"\\ of = mine"]),
        ] {
            sweep.set(name, values(texts)).expect("a field");
        }
        let text = sweep.to_toml().expect("valid");
        let read = SweepSpec::from_toml(&text).expect("readable");
        let sorted = |sweep: &SweepSpec| {
            let mut runs: Vec<String> = sweep.runs().expect("valid").iter().map(RunSpec::to_toml).collect();
            runs.sort();
            runs
        };
        assert_eq!(sorted(&read), sorted(&sweep), "{text}");
        assert_eq!(sorted(&read).len(), 12);
        assert!(text.contains("targets = [[\"query\"], [\"query\", \"value\"]]"), "{text}");
        sweep.set("rank", values(&["none"])).expect("a field");
        assert_eq!(sweep.to_toml().expect_err("no number").field, "rank");
    }
}
