//! Settings as other programs name them, and the fields of a spec that they are.

use crate::record::Imported;
use crate::spec::{self, Field, RunSpec};
use crate::task;
use crate::untrusted::brief;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Names in Hugging Face's `TrainingArguments` and PEFT's configuration, and what is often written by hand, with the field that
/// each is. A field's own name comes before all of them, then that of several counts which stands first here.
const ALIASES: &[(&str, &str)] = &[
    ("learning_rate", "lr"),
    ("per_device_train_batch_size", "batch_size"),
    ("train_batch_size", "batch_size"),
    ("num_train_epochs", "epochs"),
    ("num_epochs", "epochs"),
    ("adam_epsilon", "adam_eps"),
    ("max_seq_length", "max_length"),
    ("max_seq_len", "max_length"),
    ("task_name", "task"),
    ("dataset_name", "task"),
    ("dataset", "task"),
    ("model_name_or_path", "model"),
    ("base_model_name_or_path", "model"),
    ("_name_or_path", "model"),
    ("model_name", "model"),
    ("peft_type", "method"),
    ("r", "rank"),
    ("lora_r", "rank"),
    ("lora_alpha", "alpha"),
    ("target_modules", "targets"),
];
/// Fields of a spec that say nothing of a run that was trained elsewhere.
const OWN: [&str; 2] = ["name", "init_adapter"];
/// How deep settings within settings are looked into, and how many are kept.
const DEPTH: usize = 4;
const MOST: usize = 1_000;
/// Longest value that is told.
const LONGEST: usize = 200;

/// A spec that says nothing.
pub fn unknown() -> RunSpec {
    let text = || Imported::UNKNOWN.to_string();
    RunSpec {
        name: String::new(),
        task: text(),
        method: text(),
        model: text(),
        data: String::new(),
        init_adapter: String::new(),
        rank: 0,
        alpha: 0.0,
        targets: Vec::new(),
        lr: 0.0,
        batch_size: 0,
        epochs: 0,
        max_length: 0,
        seed: 0,
        weight_decay: 0.0,
        adam_eps: 0.0,
        warmup_ratio: 0.0,
        max_grad_norm: 0.0,
        dropout: -1.0,
        patience: 0,
        norms_every: 0,
        train_rows: 0,
        device: text(),
        precision: text(),
        threads: 0,
    }
}

/// What settings came to: the fields of a spec that they are, and the rest as texts.
#[derive(Debug, Default, PartialEq)]
pub struct Applied {
    pub told: Vec<&'static str>,
    pub rest: Vec<(String, String)>,
}

/// Writes what `settings` say of a spec into it.
pub fn apply(settings: &BTreeMap<String, Value>, spec: &mut RunSpec) -> Applied {
    let mut all = Vec::new();
    flatten("", settings.iter(), DEPTH, &mut all);
    let depth = |name: &str| name.matches('.').count();
    all.sort_by_key(|(name, _)| depth(name));
    // What stands less deep is the run's own: a model's configuration inside it comes after.
    let mut order: Vec<(usize, usize, &'static Field, usize)> = Vec::new();
    for (i, (name, _)) in all.iter().enumerate() {
        let last = name.rsplit('.').next().unwrap_or(name);
        let own = Field::find(last).map(|field| (0, field));
        let alias = || {
            let place = ALIASES.iter().position(|(alias, _)| *alias == last)?;
            Some((1 + place, Field::find(ALIASES[place].1)?))
        };
        if let Some((place, field)) = own.or_else(alias).filter(|(_, field)| !OWN.contains(&field.name)) {
            order.push((depth(name), place, field, i));
        }
    }
    order.sort_by_key(|(depth, place, _, i)| (*depth, *place, *i));
    let (mut told, mut used) = (Vec::new(), BTreeSet::new());
    for (_, _, field, i) in order {
        let value = in_our_words(field.name, &all[i].1).filter(|_| !told.contains(&field.name));
        if value.is_some_and(|value| field.set(spec, &value).is_ok()) {
            told.push(field.name);
            used.insert(i);
        }
    }
    let rest = all.into_iter().enumerate().filter(|(i, _)| !used.contains(i));
    Applied { told, rest: rest.map(|(_, (name, value))| (brief(&name, LONGEST), value)).collect() }
}

/// Whole numbers may come as 3.0, tasks and methods in another spelling. A task's file is none of ours: a log must not choose which
/// files are opened here.
fn in_our_words(field: &str, value: &str) -> Option<String> {
    match field {
        "task" => {
            let bare = |text: &str| text.to_lowercase().replace(['-', '_'], "");
            let of = |t: &&&dyn task::Glue| bare(t.id()) == bare(value);
            // In small letters it might end as a file does.
            let known = task::ALL.iter().find(of).map_or(value.to_lowercase(), |t| t.id().into());
            Some(known).filter(|task| !spec::is_task_file(task))
        }
        "method" => Some(value.to_lowercase()),
        _ => Some(value.strip_suffix(".0").unwrap_or(value).into()),
    }
}

fn flatten<'a>(
    before: &str,
    settings: impl Iterator<Item = (&'a String, &'a Value)>,
    depth: usize,
    all: &mut Vec<(String, String)>,
) {
    for (name, value) in settings {
        if all.len() >= MOST {
            return;
        }
        let name = if before.is_empty() { name.clone() } else { format!("{before}.{name}") };
        let text = match value {
            Value::Null => continue,
            Value::Object(inner) if depth > 0 => {
                flatten(&name, inner.iter(), depth - 1, all);
                continue;
            }
            Value::Array(items) if items.iter().all(Value::is_string) => {
                items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("+")
            }
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if !text.trim().is_empty() {
            all.push((name, brief(text.trim(), LONGEST)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_fits_a_field_is_taken_and_the_rest_is_told() {
        let settings = json!({
            "learning_rate": 2e-4, "per_device_train_batch_size": 16, "num_train_epochs": 3.0, "seed": 3, "task_name": "SST2",
            "peft_config": { "default": { "r": 4, "lora_alpha": 8, "peft_type": "LORA", "target_modules": ["query", "value"] } },
            "optim": "adamw", "warmup_ratio": 7, "logging_dir": null, "name": "\u{1b}[31mred\u{202e}", "id2label": { "0": "no" },
        });
        let settings: BTreeMap<String, Value> = settings.as_object().expect("an object").clone().into_iter().collect();
        let mut spec = unknown();
        let Applied { told, rest } = apply(&settings, &mut spec);
        assert!(told.contains(&"seed") && told.contains(&"alpha") && !told.contains(&"warmup_ratio"), "{told:?}");
        let of = (spec.lr, spec.batch_size, spec.epochs, spec.seed, spec.task.as_str(), spec.rank, spec.alpha);
        assert_eq!(of, (2e-4, 16, 3, 3, "sst-2", 4, 8.0));
        assert_eq!((spec.method.as_str(), spec.targets.join("+")), ("lora", "query+value".to_string()));
        assert_eq!((spec.model.as_str(), spec.name.as_str()), (Imported::UNKNOWN, ""));
        let rest: Vec<(&str, &str)> = rest.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(
            rest,
            [("name", "\\u{1b}[31mred\\u{202e}"), ("optim", "adamw"), ("warmup_ratio", "7"), ("id2label.0", "no")]
        );
    }

    #[test]
    fn of_several_names_the_one_that_says_most_counts() {
        let of = |settings: Value| {
            let settings = settings.as_object().expect("an object").clone().into_iter().collect();
            let mut spec = unknown();
            let rest = apply(&settings, &mut spec).rest;
            (spec.task, spec.model, rest.into_iter().map(|(name, _)| name).collect::<Vec<_>>())
        };
        let settings =
            json!({ "dataset_name": "glue", "task_name": "cola", "model_name": "a", "model_name_or_path": "b" });
        assert_eq!(of(settings), ("cola".into(), "b".into(), vec!["dataset_name".into(), "model_name".into()]));
        let settings = json!({ "data_args": { "task": "rte" }, "dataset": "mrpc", "task_name": "qnli", "task": "" });
        assert_eq!(of(settings).0, "qnli", "what stands less deep comes first");
        let settings = json!({ "task": "rte", "a": { "task": "cola" }, "task_name": "qnli" });
        assert_eq!(of(settings).0, "rte", "a field's own name comes first");
    }

    #[test]
    fn a_log_names_no_file_to_open() {
        for file in ["/tmp/pipe.toml", "q.toml", "Q.TOML"] {
            let mut spec = unknown();
            let rest = apply(&BTreeMap::from([("task_name".to_string(), file.into())]), &mut spec).rest;
            assert_eq!((spec.task.as_str(), rest.len()), (Imported::UNKNOWN, 1), "{file}");
        }
    }
}
