//! What a person asks of a sweep, from a TOML file and flags, and the [`Sweep`] that it makes.

use super::Sweep;
use crate::spec::{RunSpec, SpecError, SweepSpec, preset, whole_task};
use crate::task;

/// Grid of learning rates and batch sizes, where neither a preset nor the person names some.
const LR: [&str; 5] = ["1e-4", "2e-4", "5e-4", "1e-3", "2e-3"];
const BATCH: [&str; 2] = ["16", "32"];

/// A sweep as it was asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    pub name: Option<String>,
    pub preset: Option<String>,
    /// How many seeds, or which ones, as text: `3` or `1,2,5`.
    pub seeds: Option<String>,
    /// Values of the fields, lists being dimensions of the grid.
    pub fields: SweepSpec,
    /// Failed runs are tried again.
    pub retry: bool,
}

impl Asked {
    /// Reads a TOML table of fields with a table `[sweep]` of `name`, `preset` and `seeds`.
    pub fn from_toml(text: &str) -> Result<Self, SpecError> {
        let wrong = |e: toml::de::Error| SpecError::new("spec", e.to_string().trim(), "a TOML table of fields");
        let mut table: toml::Table = text.parse().map_err(wrong)?;
        let mut asked = Self::default();
        match table.remove("sweep") {
            None => {}
            Some(toml::Value::Table(own)) => {
                for (name, value) in own {
                    asked.take(&name, &value)?;
                }
            }
            Some(other) => return Err(SpecError::new("sweep", other.type_str(), "a table of name, preset and seeds")),
        }
        asked.fields = SweepSpec::from_table(&table)?;
        Ok(asked)
    }

    fn take(&mut self, name: &str, value: &toml::Value) -> Result<(), SpecError> {
        let wrong = |expected: &str| SpecError::new(&format!("sweep.{name}"), value, expected);
        let text = || value.as_str().map(str::to_string).ok_or_else(|| wrong("a text"));
        match name {
            "name" => self.name = Some(text()?),
            "preset" => self.preset = Some(text()?),
            "seeds" => {
                let several =
                    |items: &Vec<toml::Value>| items.iter().map(toml::Value::to_string).collect::<Vec<_>>().join(",");
                self.seeds = Some(value.as_array().map_or_else(|| value.to_string(), several));
            }
            _ => return Err(SpecError::new(&format!("sweep.{name}"), "an unknown setting", "name, preset or seeds")),
        }
        Ok(())
    }

    /// The grid over tasks, methods and every list, from the preset's settings for each task where one is asked for.
    pub fn sweep(&self, default_name: &str) -> Result<Sweep, SpecError> {
        let preset = match &self.preset {
            None => None,
            Some(name) => Some(preset::find(name).ok_or_else(|| {
                let known: Vec<&str> = preset::PRESETS.iter().map(|p| p.name).collect();
                SpecError::new("preset", format!("{name:?}"), format!("one of {}", known.join(", ")))
            })?),
        };
        let mut fields = self.fields.clone();
        let owned = |names: &[&str]| names.iter().map(|n| (*n).to_string()).collect::<Vec<_>>();
        let all_tasks =
            || if preset.is_some_and(|p| p.name == "demo") { preset::DEMO_TASKS.to_vec() } else { task::ids() };
        let tasks = fields.take("task").unwrap_or_else(|| owned(&all_tasks()));
        let tasks: Vec<String> = tasks.iter().map(|task| whole_task(task)).collect();
        let methods = fields.take("method").unwrap_or_else(|| owned(&preset::METHODS));
        let (seed, seeds) = self.seeds(&mut fields)?;
        fields.set("seed", vec![seed.to_string()])?;
        if preset.is_none() && fields.get("lr").is_none() && fields.get("batch_size").is_none() {
            fields.set("lr", owned(&LR))?;
            fields.set("batch_size", owned(&BATCH))?;
        }
        let mut grid = Vec::new();
        for task in &tasks {
            for method in &methods {
                let base = match preset {
                    None => Some(RunSpec { task: task.clone(), method: method.clone(), ..RunSpec::default() }),
                    Some(preset) => (preset.of)(task, method, preset.model),
                };
                let base = base.ok_or_else(|| SpecError::new("task", format!("{task:?}"), task::ids().join(", ")))?;
                grid.extend(fields.runs_from(&base)?);
                if grid.len() > SweepSpec::MAX_RUNS {
                    let most = format!("at most {} runs", SweepSpec::MAX_RUNS);
                    return Err(SpecError::new("spec", "too many combinations", most));
                }
            }
        }
        let name = self.name.clone().or_else(|| self.preset.clone()).unwrap_or_else(|| default_name.into());
        Ok(Sweep { name, grid, seeds, retry: self.retry })
    }

    /// The grid's seed and those of its best. A list under `seed` names the latter too.
    fn seeds(&self, fields: &mut SweepSpec) -> Result<(u64, Vec<u64>), SpecError> {
        let read = |field: &str, text: &str| -> Result<Vec<u64>, SpecError> {
            let wrong = || SpecError::new(field, format!("{text:?}"), "whole numbers from 0");
            text.split(',').map(|v| v.trim().parse().map_err(|_| wrong())).collect()
        };
        let given = read("seed", &fields.take("seed").unwrap_or_else(|| vec!["0".into()]).join(","))?;
        let first = given.first().copied().unwrap_or(0);
        let seeds = match self.seeds.as_deref().map(|text| read("seeds", text)).transpose()? {
            None => given,
            Some(_) if given.len() > 1 => {
                return Err(SpecError::new("seed", "a list beside seeds", "either seeds or a list under seed"));
            }
            Some(count) if count.len() == 1 => {
                (0..count[0].min(SweepSpec::MAX_RUNS as u64)).map(|i| first + i).collect()
            }
            Some(seeds) => seeds,
        };
        Ok((first, seeds))
    }
}
