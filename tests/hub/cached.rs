//! Models that cannot be used are told before their weights come; a cache that other programs filled, or a fetch that was stopped
//! left, is listed as what can be used of it.

use super::*;

fn with(files: &[(&str, &[u8])]) -> World {
    let all: Vec<(&str, Vec<u8>)> = files.iter().map(|(name, bytes)| (*name, bytes.to_vec())).collect();
    World::with(&[all, vec![(WEIGHTS, bytes(SIZE))]].concat())
}

#[test]
fn a_model_that_cannot_be_used_is_told_before_its_weights_come() {
    let gpt = br#"{"model_type":"gpt2"}"#;
    let other = br#"{"tokenizer_class":"XLNetTokenizer"}"#;
    let (config, tokenizer) = (config(), tokenizer());
    for (files, words) in [
        (&[("config.json", &gpt[..]), ("tokenizer.json", &tokenizer)][..], &["\"gpt2\" is not", "roberta", "bert"][..]),
        (&[("config.json", b"{}"), ("tokenizer.json", &tokenizer)], &["model_type", "roberta"]),
        (
            &[("config.json", &config), ("vocab.txt", WORDS), ("tokenizer_config.json", other)],
            &["vocab.txt", "XLNetTokenizer", "BertTokenizer"],
        ),
        (&[("config.json", &config), ("tokenizer.json", b"{\"model\":{\"type\":\"New\"}}")], &["tokenizer.json"]),
        (&[("config.json", &config), ("spiece.model", b"x")], &["no tokenizer.json", "AutoTokenizer"]),
    ] {
        let world = with(files);
        world.refusal(&[words, &["model org/tiny"]].concat());
        assert_eq!(contents(&world.server.seen()), [], "no weights were asked for: {words:?}");
        world.nothing_is_used();
    }
}

#[test]
fn an_index_is_read_as_it_is_when_the_model_is_loaded() {
    let index = br#"{"weight_map":{"a":"sub/model-00001.safetensors"}}"#;
    let world = World::with(&[
        ("config.json", config()),
        ("tokenizer.json", tokenizer()),
        ("model.safetensors.index.json", index.to_vec()),
        ("sub/model-00001.safetensors", bytes(SIZE)),
    ]);
    world.refusal(&["model.safetensors.index.json", "sub/model-00001.safetensors", "in the same folder"]);
    assert_eq!(contents(&world.server.seen()), []);
}

/// Puts a snapshot into the cache, and the names of its commit.
fn place(world: &World, repo: &str, commit: char, files: &[&str], names: &[&str]) {
    let (repo, commit) = (world.folder.path().join("hub").join(repo), commit.to_string().repeat(40));
    let write = |path: PathBuf, bytes: &[u8]| {
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    };
    for file in files {
        let index = br#"{"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors","c":"m-3.safetensors"}}"#;
        let content = if file.ends_with("index.json") { &index[..] } else { b"x" };
        write(repo.join("snapshots").join(&commit).join(file), content);
    }
    names.iter().for_each(|name| write(repo.join("refs").join(name), commit.as_bytes()));
}

const WHOLE: &[&str] = &["config.json", "tokenizer.json", "model.safetensors"];
const INDEX: &str = "model.safetensors.index.json";

#[test]
fn the_list_is_what_can_be_used_with_the_name_that_finds_it() {
    let world = World::new();
    place(&world, "models--org--two", 'a', WHOLE, &["v1"]);
    place(&world, "models--org--two", 'b', WHOLE, &["v2/x"]);
    place(&world, "models--org--one", 'a', WHOLE, &["v1"]);
    place(&world, "models--org--moved", 'a', WHOLE, &[]);
    place(&world, "models--org--moved", 'b', WHOLE, &["main"]);
    // As transformers leaves it where the tokenizer alone was asked for, and what a stop left of three files of weights.
    place(&world, "models--org--tok", 'a', &["config.json", "tokenizer.json"], &["main"]);
    let rest = ["config.json", "tokenizer.json", INDEX, "m-1.safetensors"];
    place(&world, "models--org--shards", 'a', &rest, &[]);
    place(&world, "models--org--shards", 'b', &[&rest[..], &["m-2.safetensors", "m-3.safetensors"]].concat(), &[]);
    let rows = |split: &str, at: usize| format!("qqp/{split}-0000{at}-of-00002.parquet");
    let half = [rows("train", 0), rows("validation", 0), rows("validation", 1)];
    let cola = ["cola/train-00000-of-00001.parquet", "cola/validation-00000-of-00001.parquet"];
    let all: Vec<&str> = half.iter().map(String::as_str).chain(cola).collect();
    place(&world, "datasets--nyu-mll--glue", 'a', &all, &["main"]);
    place(&world, "datasets--nyu-mll--glue", 'b', &all[..3], &[]);
    let list = hub::list(&world.cache());
    let (a, b) = ("a".repeat(40), "b".repeat(40));
    let names: Vec<String> = list.iter().map(|c| c.name()).collect();
    assert_eq!(
        names,
        [
            "org/moved",
            &format!("org/moved@{a}"),
            "org/one@v1",
            &format!("org/shards@{b}"),
            "org/two@v1",
            "org/two@v2/x",
            "nyu-mll/glue"
        ]
    );
    let rows: Vec<&str> = list[6].files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(rows, cola, "a task that is not whole is not offered");
    // What is listed is found by that name.
    for one in &list[..6] {
        let repo = world.cache().repo(one.kind, &one.id, &one.revision).expect("a name");
        assert_eq!(repo.fetched().and_then(|f| eigenscope::cache::commit_of(&f)), Some(one.commit.clone()));
    }
}

#[test]
fn what_is_here_in_part_says_how_to_get_the_rest() {
    let world = World::new();
    place(&world, "models--org--tok", 'a', &["config.json", "tokenizer.json"], &["main", "v1"]);
    place(&world, "models--org--shards", 'a', &["config.json", "tokenizer.json", INDEX, "m-1.safetensors"], &["main"]);
    for (name, missing) in [("org/tok", WEIGHTS), ("org/tok@v1", WEIGHTS), ("org/shards", "m-2.safetensors")] {
        let said = refused(&world, &["train", "--task", "sst-2", "--model", name]);
        says(&said, &[&format!("`eigenscope fetch model {name}`"), &format!("{missing} is missing")]);
    }
}
