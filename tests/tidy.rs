//! The structure holds itself: imports go down the layers only, each foreign crate has its owner, every file says what it is.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules of each layer, lowest first; a module imports from its own layer or a lower one.
const LAYERS: &[&[&str]] = &[
    &["event", "record", "spec", "untrusted", "whole", "sqlite", "config"],
    &[
        "cache", "hub", "random", "metric", "stats", "task", "data", "tensors", "adapter", "model", "analysis",
        "train", "cpu", "cuda", "format", "job", "sweep", "tracker",
    ],
    &["store"],
    &["engine"],
    &["figure", "view", "chart"],
    &["ui", "export", "report", "cli"],
    &["app"],
];

/// Imports that the layers alone would allow.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("spec", &["config"]),
    ("event", &["spec", "config", "record"]),
    ("untrusted", &["event", "record", "spec", "config"]),
    ("whole", &["event", "record", "spec", "config", "untrusted"]),
    ("sqlite", &["event", "record", "spec", "config", "untrusted", "whole"]),
    ("random", &["metric", "stats", "task", "data", "adapter", "model", "analysis", "train"]),
    ("metric", &["task", "data", "adapter", "model", "analysis", "train"]),
    ("stats", &["task", "data", "adapter", "model", "analysis", "train"]),
    ("task", &["data", "adapter", "model", "analysis", "train"]),
    ("cache", &["hub", "random", "metric", "stats", "task", "data", "adapter", "model", "analysis", "train"]),
    ("hub", &["tensors", "adapter", "analysis", "train", "cpu", "cuda", "format", "job", "sweep"]),
    ("data", &["hub", "adapter", "model", "analysis", "train"]),
    ("tensors", &["task", "data", "adapter", "model", "analysis", "train"]),
    ("adapter", &["data", "tensors", "model", "analysis", "train"]),
    ("analysis", &["model", "train"]),
    ("model", &["hub", "train", "cpu", "cuda", "format", "job"]),
    ("train", &["cpu", "cuda", "format", "job"]),
    ("cpu", &["cuda", "format", "job"]),
    ("cuda", &["cpu", "format", "job"]),
    ("format", &["cpu", "cuda", "job", "sweep"]),
    ("store", &["config", "train", "cpu", "cuda", "job", "task", "model", "data", "adapter", "tracker"]),
    ("tracker", &["tensors", "adapter", "model", "train", "cpu", "cuda", "format", "job"]),
    ("figure", &["view", "chart", "store", "engine"]),
    ("view", &["cache", "hub", "store", "engine", "train", "cpu", "cuda", "job", "model", "data", "chart"]),
    ("chart", &["store", "engine", "train", "cpu", "cuda", "job", "model", "data"]),
    ("ui", &["cache", "hub", "cli", "store", "engine", "train", "cpu", "cuda", "job", "model"]),
    ("export", &["ui", "cli", "report"]),
    ("report", &["ui", "cli", "store", "engine", "train", "cpu", "cuda", "job", "model", "data"]),
];

/// Foreign crates with one owner each.
const OWNERS: &[(&str, &[&str])] = &[
    ("rusqlite", &["sqlite", "store", "tracker"]),
    ("cudarc", &["cuda"]),
    ("candle_core", &["model", "train"]),
    ("candle_nn", &["model", "train"]),
    ("ratatui", &["ui"]),
    ("crossterm", &["ui"]),
    ("nucleo_matcher", &["ui"]),
    ("ratatui_image", &["ui"]),
    ("rustix", &["ui"]),
    ("plotters", &["export"]),
    ("clap", &["cli"]),
    ("tokenizers", &["data"]),
    ("zip", &["data"]),
    ("parquet", &["data", "tracker"]),
    ("hf_hub", &["cache"]),
    ("ureq", &["hub"]),
    ("ring::digest", &["hub", "data"]),
    ("anyhow", &["main", "app", "cli"]),
];

struct Source {
    path: PathBuf,
    module: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src can be listed") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let first = path.strip_prefix(&root).expect("under src").components().next().expect("a name");
                let module = first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_string();
                let text = fs::read_to_string(&path).expect("utf-8 source");
                found.push(Source { path, module, text });
            }
        }
    }
    assert!(found.len() > 20, "the sources were not found");
    found
}

/// Lines of code: comments and doc comments hold no imports.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter(|(_, l)| !l.trim_start().starts_with("//")).map(|(i, l)| (i + 1, l))
}

/// Names that follow `crate::` in a line.
fn imported(line: &str) -> Vec<String> {
    let name = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    line.match_indices("crate::")
        .flat_map(|(at, word)| {
            let rest = &line[at + word.len()..];
            match rest.strip_prefix('{') {
                Some(list) => list.split(',').map(|item| name(item.trim())).collect(),
                None => vec![name(rest)],
            }
        })
        .collect()
}

fn layer_of() -> BTreeMap<&'static str, usize> {
    LAYERS.iter().enumerate().flat_map(|(i, names)| names.iter().map(move |n| (*n, i))).collect()
}

/// Imports of `module` that go up, each as "line: name".
fn upward(module: &str, text: &str) -> Vec<String> {
    let layers = layer_of();
    let Some(own) = layers.get(module) else { return Vec::new() };
    let forbidden = FORBIDDEN.iter().find(|(m, _)| *m == module).map_or(&[][..], |(_, f)| f);
    let mut wrong = Vec::new();
    for (number, line) in code(text) {
        for name in imported(line) {
            let above = layers.get(name.as_str()).is_some_and(|l| l > own);
            if above || forbidden.contains(&name.as_str()) {
                wrong.push(format!("{number}: {name}"));
            }
        }
    }
    wrong
}

#[test]
fn every_module_has_a_layer() {
    let layers = layer_of();
    for source in sources() {
        let known = ["lib", "main"].contains(&source.module.as_str()) || layers.contains_key(source.module.as_str());
        assert!(known, "{}: its module stands in no layer", source.path.display());
    }
}

#[test]
fn imports_go_down() {
    let wrong: Vec<String> = sources()
        .iter()
        .flat_map(|s| upward(&s.module, &s.text).into_iter().map(|w| format!("{}:{w}", s.path.display())))
        .collect();
    assert!(wrong.is_empty(), "imports that go up:\n{}", wrong.join("\n"));
}

#[test]
fn an_upward_import_is_caught() {
    assert_eq!(upward("store", "use crate::view::View;"), ["1: view"]);
    assert_eq!(upward("model", "fn f() { crate::train::g() }"), ["1: train"]);
    assert_eq!(upward("spec", "use crate::{event::RunId, ui};"), ["1: ui"]);
    assert!(upward("view", "use crate::event::RunId;\n// crate::ui").is_empty());
}

#[test]
fn foreign_crates_have_one_owner() {
    for source in sources() {
        for (foreign, owners) in OWNERS {
            let word = format!("{foreign}::");
            let used = code(&source.text).find(|(_, l)| l.contains(&word) && !l.contains(&format!("_{word}")));
            if let Some((line, _)) = used {
                let allowed = owners.contains(&source.module.as_str());
                assert!(allowed, "{}:{line}: {foreign} belongs to {owners:?}", source.path.display());
            }
        }
    }
}

#[test]
fn every_file_says_what_it_is() {
    for source in sources() {
        let first = source.text.lines().next().unwrap_or_default();
        assert!(first.starts_with("//! ") && first.len() > 20, "{}: no //! opening", source.path.display());
    }
}

#[test]
fn files_stay_small() {
    for source in sources() {
        let lines = source.text.lines().count();
        assert!(lines <= 600, "{}: {lines} lines; split it along its meaning", source.path.display());
    }
}
