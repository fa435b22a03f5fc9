//! `adapter_config.json`: which LoRA it describes, or why that cannot be had here.

use super::super::{Outgoing, is_plain};
use crate::cache::{self, Cache, Kind, MAIN};
use crate::model::family;
use crate::tensors::shown;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What a configuration says that matters here.
#[derive(Debug, PartialEq)]
pub struct Config {
    pub r: usize,
    /// Of the scale alpha / r.
    pub alpha: f64,
    /// Where its model comes from; one of the hub as `ID@REVISION` where a revision is told.
    pub base: Option<String>,
}

/// Members that may have any value: they say nothing of what a trained adapter does, or its tensors say it themselves.
const FREE: &[&str] = &[
    "auto_mapping",
    "base_model_name_or_path",
    "ensure_weight_tying",
    "exclude_modules",
    "inference_mode",
    "init_lora_weights",
    "layers_pattern",
    "layers_to_transform",
    "loftq_config",
    "lora_alpha",
    "lora_dropout",
    "megatron_core",
    "modules_to_save",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "r",
    "revision",
    "runtime_config",
    "target_modules",
    "task_type",
    "use_rslora",
];

/// Members that must say nothing, and what they would do.
const REFUSED: &[(&str, &str)] = &[
    ("use_dora", "DoRA gives the rows of each matrix a length of their own"),
    ("fan_in_fan_out", "its matrices are stored [in, out]"),
    ("bias", "biases were trained too, and they are frozen here"),
    ("lora_bias", "B has a bias"),
    ("alpha_pattern", "matrices have different alphas; one for all is read"),
    ("rank_pattern", "matrices have different ranks; one for all is read"),
    ("layer_replication", "layers stand more than once"),
    ("alora_invocation_tokens", "it acts on some tokens only"),
    ("trainable_token_indices", "embeddings were trained too, and they are frozen here"),
];

/// Ways to start that change W0 itself, by their beginning.
const CHANGES_W0: [&str; 5] = ["pissa", "olora", "corda", "loftq", "lora_ga"];

/// Reads the JSON text of a configuration. Errors name the member, what was found and why it is refused.
pub fn read(text: &[u8]) -> Result<Config, String> {
    let config: Map<String, Value> =
        serde_json::from_slice(text).map_err(|e| format!("expected a JSON object: {e}"))?;
    let get = |name: &str| config.get(name).unwrap_or(&Value::Null);
    let found = |name: &str| shown(&get(name).to_string());
    match get("peft_type").as_str() {
        Some("LORA") => {}
        _ => return Err(format!("peft_type: found {}, expected \"LORA\"", found("peft_type"))),
    }
    for (name, value) in &config {
        if FREE.contains(&name.as_str()) || says_nothing(name, value) {
            continue;
        }
        let why = REFUSED.iter().find(|(refused, _)| refused == name).map(|(_, why)| *why);
        let why = why.unwrap_or("what that does is not known here");
        return Err(format!(
            "{} is {}: {why}; merge it into its model with PEFT's merge_and_unload and load that as a model",
            shown(name),
            shown(&value.to_string())
        ));
    }
    if let Some(start) = get("init_lora_weights").as_str()
        && CHANGES_W0.iter().any(|changes| start.starts_with(changes))
    {
        return Err(format!(
            "init_lora_weights is {}: that start takes a part out of W0, so the adapter does not fit the model as it is; \
             convert it with PEFT's save_pretrained(path_initial_model_for_weight_conversion=...)",
            shown(start)
        ));
    }
    let r = get("r").as_u64().filter(|r| (1..=65_536).contains(r)).map(|r| r as usize);
    let r = r.ok_or_else(|| format!("r: found {}, expected a rank from 1 to 65536", found("r")))?;
    let alpha = get("lora_alpha").as_f64().filter(|a| a.is_finite() && *a > 0.0);
    let alpha = alpha.ok_or_else(|| format!("lora_alpha: found {}, expected a number above 0", found("lora_alpha")))?;
    // rsLoRA divides by the root of r: with alpha sqrt(r) in the place of alpha that is alpha / r.
    let alpha = if get("use_rslora").as_bool() == Some(true) { alpha * (r as f64).sqrt() } else { alpha };
    let base = get("base_model_name_or_path").as_str().map(str::to_string).filter(|base| !base.is_empty());
    if base.as_ref().is_some_and(|base| !is_plain(base)) {
        return Err(format!("base_model_name_or_path: found {}, expected a name", found("base_model_name_or_path")));
    }
    let revision = match get("revision") {
        Value::Null => "",
        Value::String(revision) => revision,
        _ => return Err(format!("revision: found {}, expected a branch, a tag or a commit", found("revision"))),
    };
    let base = match base {
        // A folder has no revision, whatever is said of it.
        Some(id) if !matches!(revision, "" | MAIN) && is_of_hub(&id, MAIN) => {
            if !is_of_hub(&id, revision) {
                return Err(format!("revision: found {}, expected a branch, a tag or a commit", found("revision")));
            }
            Some(format!("{id}@{revision}"))
        }
        base => base,
    };
    Ok(Config { r, alpha, base })
}

/// A name that the hub can have, of no folder that is here.
fn is_of_hub(id: &str, revision: &str) -> bool {
    !Path::new(id).is_dir() && Cache::at(PathBuf::new()).repo(Kind::Model, id, revision).is_ok()
}

/// A member that is off: absent, false, empty or "none".
fn says_nothing(name: &str, value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty() || (name == "bias" && text == "none"),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// The configuration of an adapter on its way out.
pub fn write(adapter: &Outgoing) -> Vec<u8> {
    // The end of a module's path, as much as tells it from others: `query`, `attention.output.dense`.
    let module = |target: &String| {
        let path =
            adapter.products.iter().find_map(|(path, _, _)| family::place_of(path).filter(|p| p.target == target));
        let module = path.map_or(target.as_str(), |place| place.module);
        let end = module.rsplit('.').next().unwrap_or(module);
        if target == "output" { module.to_string() } else { end.to_string() }
    };
    let targets: Vec<String> = adapter.spec.targets.iter().map(module).collect();
    // A module is saved whole, by its name; PEFT would leave BERT's pooler as it was.
    let head = ["classifier", "pooler", "pre_classifier"].into_iter();
    let head = head.filter(|module| adapter.head.iter().any(|t| t.name.split('.').any(|part| part == *module)));
    let head: Vec<&str> = head.collect();
    // PEFT's own type is a whole number.
    let alpha = match adapter.alpha.fract() == 0.0 && adapter.alpha.abs() < 1e15 {
        true => json!(adapter.alpha as i64),
        false => json!(adapter.alpha),
    };
    // PEFT and the hub take the revision by itself.
    let (base, revision) = match cache::split(&adapter.base) {
        (id, revision) if !Path::new(&adapter.base).is_dir() && is_of_hub(id, revision) => (id, revision),
        _ => (adapter.base.as_str(), MAIN),
    };
    let mut config = json!({
        "base_model_name_or_path": base,
        "bias": "none",
        "fan_in_fan_out": false,
        "inference_mode": true,
        "init_lora_weights": true,
        "lora_alpha": alpha,
        "lora_dropout": 0.0,
        "modules_to_save": head,
        "peft_type": "LORA",
        "r": adapter.rank,
        "target_modules": targets,
        "task_type": "SEQ_CLS",
        "use_dora": false,
        "use_rslora": false,
    });
    if revision != MAIN {
        config["revision"] = json!(revision);
    }
    let places = adapter.products.iter().filter_map(|(path, _, _)| family::place_of(path));
    let layers: BTreeSet<u32> = places.map(|place| place.layer).collect();
    // PEFT would look for the factors of the others.
    if layers.last().is_some_and(|last| *last as usize >= layers.len()) {
        config["layers_to_transform"] = json!(layers);
    }
    format!("{config:#}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> Value {
        json!({ "peft_type": "LORA", "r": 4, "lora_alpha": 16, "bias": "none", "use_dora": false, "alpha_pattern": {},
            "base_model_name_or_path": "roberta-base", "megatron_core": "megatron.core", "qalora_group_size": 16 })
    }

    fn with(name: &str, value: Value) -> Result<Config, String> {
        let mut config = plain();
        config[name] = value;
        read(config.to_string().as_bytes())
    }

    #[test]
    fn what_is_plain_lora_is_read() {
        let expected = Config { r: 4, alpha: 16.0, base: Some("roberta-base".into()) };
        assert_eq!(read(plain().to_string().as_bytes()), Ok(expected));
        assert_eq!(with("use_rslora", json!(true)).map(|c| c.alpha), Ok(32.0));
        assert_eq!(with("some_new_member", Value::Null).map(|c| c.r), Ok(4));
        assert_eq!(with("init_lora_weights", json!("gaussian")).map(|c| c.r), Ok(4));
    }

    #[test]
    fn a_revision_goes_with_a_model_of_the_hub() {
        let base = |base: &str, revision: Value| {
            let mut config = plain();
            (config["base_model_name_or_path"], config["revision"]) = (json!(base), revision);
            read(config.to_string().as_bytes()).map(|c| c.base.unwrap_or_default())
        };
        for (id, revision, expected) in [
            ("org/x", json!("v2"), "org/x@v2"),
            ("roberta-base", json!("refs/pr/3"), "roberta-base@refs/pr/3"),
            ("org/x", json!("main"), "org/x"),
            ("org/x", json!(""), "org/x"),
            ("org/x", Value::Null, "org/x"),
            // No ids of the hub: folders that have no revision.
            ("/models/x", json!("v2"), "/models/x"),
            ("src", json!("v2"), "src"),
        ] {
            assert_eq!(base(id, revision.clone()).as_deref(), Ok(expected), "{id} {revision}");
        }
        for wrong in [json!("../../x"), json!("a\u{1b}[2J"), json!("a\u{202e}b"), json!(3)] {
            let error = base("org/x", wrong).expect_err("no revision");
            assert!(error.starts_with("revision: found") && !error.contains(['\u{1b}', '\u{202e}']), "{error}");
        }
    }

    #[test]
    fn what_does_more_is_refused_with_its_reason() {
        let cases = [
            ("peft_type", json!("LOHA"), "expected \"LORA\""),
            ("use_dora", json!(true), "DoRA"),
            ("bias", json!("all"), "biases were trained"),
            ("fan_in_fan_out", json!(true), "[in, out]"),
            ("alpha_pattern", json!({"query": 8}), "different alphas"),
            ("rank_pattern", json!({"query": 8}), "different ranks"),
            ("init_lora_weights", json!("pissa_niter_4"), "takes a part out of W0"),
            ("some_new_member", json!(true), "not known here"),
            ("some_\u{1b}[2J", json!(1), "\\u{1b}"),
            ("r", json!(0), "from 1 to 65536"),
            ("r", json!("8"), "from 1 to 65536"),
            ("lora_alpha", json!(null), "above 0"),
            ("base_model_name_or_path", json!("a\u{7}"), "expected a name"),
            ("base_model_name_or_path", json!("a\u{202e}b"), "expected a name"),
        ];
        for (name, value, words) in cases {
            let error = with(name, value).expect_err(name);
            assert!(error.contains(words) && !error.contains('\u{1b}'), "{error}");
        }
        assert!(read(b"[1]").is_err() && read("{\"a\":".repeat(100_000).as_bytes()).is_err());
    }
}
