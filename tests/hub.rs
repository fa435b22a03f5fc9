//! Fetching against a hub on the loopback: whole, cut and resumed, wrong, refused, slow, absent. Nothing half-written is ever
//! used, a second fetch downloads nothing, the token stays with the hub.

#[path = "hub/cached.rs"]
mod cached;
#[path = "hub/network.rs"]
mod network;
#[path = "hub/program.rs"]
mod program;
#[path = "hub/server.rs"]
mod server;

use eigenscope::cache::{Cache, Kind, MAIN};
use eigenscope::hub::{self, Fetched, Hub, HubError, Progress, Settings, Wanted};
use server::{COMMIT, Fault, Seen, Server, hex};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const WEIGHTS: &str = "model.safetensors";
const SIZE: usize = 300_000;

fn bytes(n: usize) -> Vec<u8> {
    (0..n as u64).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// An encoder's, and words enough for a tokenizer.
fn config() -> Vec<u8> {
    br#"{"model_type":"bert","hidden_size":8,"num_attention_heads":2,"num_hidden_layers":1,"intermediate_size":16,"vocab_size":6}"#.to_vec()
}

fn tokenizer() -> Vec<u8> {
    br#"{"model":{"type":"WordLevel","vocab":{"[UNK]":0,"a":1},"unk_token":"[UNK]"}}"#.to_vec()
}

const WORDS: &[u8] = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n";

/// Bytes of both.
fn small() -> u64 {
    (config().len() + tokenizer().len()) as u64
}

struct World {
    server: Server,
    folder: TempDir,
    settings: Settings,
}

impl World {
    fn new() -> Self {
        Self::with(&[
            ("config.json", config()),
            ("tokenizer.json", tokenizer()),
            (WEIGHTS, bytes(SIZE)),
            ("pytorch_model.bin", bytes(20_000)),
            ("README.md", b"hello".to_vec()),
        ])
    }

    fn with(files: &[(&str, Vec<u8>)]) -> Self {
        let server = Server::start("models/org/tiny", files);
        let settings = Settings {
            endpoint: server.address.clone(),
            timeout: Duration::from_millis(400),
            pause: Duration::from_millis(5),
            ..Settings::default()
        };
        Self { server, folder: tempfile::tempdir().expect("a folder"), settings }
    }

    fn cache(&self) -> Cache {
        Cache::at(self.folder.path().join("hub"))
    }

    fn fetch_of(&self, id: &str, revision: &str) -> Result<Fetched, HubError> {
        let hub = Hub::new(self.settings.clone(), self.cache());
        hub.fetch(&Wanted::Model { id: id.into() }, revision, &mut |_| {})
    }

    fn fetch(&self) -> Result<Fetched, HubError> {
        self.fetch_of("org/tiny", MAIN)
    }

    fn refusal(&self, words: &[&str]) -> HubError {
        let error = self.fetch().expect_err("refused");
        says(&error, words);
        error
    }

    fn repo(&self) -> PathBuf {
        self.folder.path().join("hub/models--org--tiny")
    }

    fn part(&self) -> PathBuf {
        self.repo().join("blobs").join(format!("{}.incomplete", sha256(&bytes(SIZE))))
    }

    /// No file has its name but with the right content, and nothing says that the model is here.
    fn nothing_is_used(&self) {
        assert!(!self.repo().join("snapshots").join(COMMIT).join(WEIGHTS).exists(), "weights are in the snapshot");
        assert!(!self.repo().join("refs/main").exists(), "the revision is said to be here");
        assert!(!self.repo().join("blobs").join(sha256(&bytes(SIZE))).exists());
        assert_eq!(self.cache().repo(Kind::Model, "org/tiny", MAIN).expect("a name").fetched(), None);
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref())
}

fn says(error: &dyn std::fmt::Display, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
}

/// Requests for the content of large files.
fn contents(seen: &[Seen]) -> Vec<Option<String>> {
    seen.iter().filter(|s| s.elsewhere && s.method == "GET").map(|s| s.range.clone()).collect()
}

#[test]
fn a_model_comes_whole_and_a_second_time_nothing_comes() {
    let mut world = World::new();
    world.settings.token = Some("secret".into());
    world.server.demand("secret");
    let fetched = world.fetch().expect("fetched");
    let names: Vec<&str> = fetched.files.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["config.json", "tokenizer.json", WEIGHTS]);
    assert_eq!((fetched.commit.as_str(), fetched.downloaded()), (COMMIT, small() + SIZE as u64));
    assert_eq!(fetched.folder, world.repo().join("snapshots").join(COMMIT));
    assert!(fs::read(fetched.folder.join(WEIGHTS)).expect("weights") == bytes(SIZE));
    assert_eq!(fs::read_to_string(world.repo().join("refs/main")).expect("a ref"), COMMIT);
    #[cfg(unix)]
    {
        let target = fs::read_link(fetched.folder.join(WEIGHTS)).expect("a link");
        assert_eq!(target, Path::new("../../blobs").join(sha256(&bytes(SIZE))), "as the hub's own programs link");
    }
    let seen = world.server.seen();
    assert!(seen.iter().all(|s| s.token.is_some() != s.elsewhere), "the token goes to the hub alone: {seen:?}");
    let left: Vec<_> = walk(world.folder.path()).into_iter().filter(|p| p.ends_with(".incomplete")).collect();
    assert!(left.is_empty(), "{left:?}");

    let again = world.fetch().expect("fetched");
    assert_eq!((again.downloaded(), again.files.len()), (0, 3));
    let seen = world.server.seen();
    assert_eq!(seen.len(), 1, "only the list is asked for: {seen:?}");

    // Another revision of the same commit is a name more, no file.
    let tag = world.fetch_of("org/tiny", "v1/x").expect("fetched");
    assert_eq!(tag.downloaded(), 0);
    assert_eq!(fs::read_to_string(world.repo().join("refs/v1/x")).expect("a ref"), COMMIT);

    world.settings.offline = true;
    assert_eq!(world.fetch().expect("it is here").files, again.files);
    assert_eq!(world.server.seen().len(), 1, "offline nothing is asked");
    let list = hub::list(&world.cache());
    let names: Vec<String> = list.iter().map(|c| c.name()).collect();
    assert_eq!((names, list[0].bytes()), (vec!["org/tiny".into(), "org/tiny@v1/x".into()], small() + SIZE as u64));
}

fn walk(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.extend(walk(&path));
        } else {
            all.push(path.display().to_string());
        }
    }
    all
}

#[test]
fn a_cut_is_resumed_in_the_same_call() {
    let world = World::new();
    world.server.faults(&[Fault::Cut(100_000), Fault::Cut(50_000)]);
    let fetched = world.fetch().expect("fetched");
    assert!(fs::read(fetched.folder.join(WEIGHTS)).expect("weights") == bytes(SIZE));
    assert_eq!(fetched.downloaded(), small() + SIZE as u64, "no byte came twice");
    let ranges = contents(&world.server.seen());
    assert_eq!(ranges, [None, Some("bytes=100000-".into()), Some("bytes=150000-".into())]);
}

#[test]
fn a_cut_is_resumed_in_the_next_call() {
    let world = World::new();
    world.server.faults(&[Fault::Cut(120_000), Fault::Cut(0), Fault::Cut(0), Fault::Cut(0), Fault::Cut(0)]);
    let error = world.refusal(&["model.safetensors of org/tiny", "cut off", "goes on from there"]);
    assert!(matches!(error, HubError::Cut { .. }));
    world.nothing_is_used();
    assert_eq!(world.part().metadata().expect("a part").len(), 120_000);
    world.server.seen();
    world.server.faults(&[]);
    let mut resumed = 0;
    let hub = Hub::new(world.settings.clone(), world.cache());
    let fetched = hub.fetch(&Wanted::Model { id: "org/tiny".into() }, MAIN, &mut |p: &Progress| {
        if p.file == WEIGHTS {
            resumed = p.resumed;
        }
    });
    assert_eq!(fetched.expect("fetched").downloaded(), SIZE as u64 - 120_000);
    assert_eq!(resumed, 120_000);
    let seen = world.server.seen();
    assert_eq!(contents(&seen), [Some("bytes=120000-".into())]);
    assert!(!world.part().exists());
}

#[test]
fn a_server_that_knows_no_parts_sends_all_anew() {
    let world = World::new();
    world.server.faults(&[Fault::Cut(100_000), Fault::IgnoreRange]);
    let fetched = world.fetch().expect("fetched");
    assert!(fs::read(fetched.folder.join(WEIGHTS)).expect("weights") == bytes(SIZE));
    assert_eq!(contents(&world.server.seen()), [None, Some("bytes=100000-".into())]);
}

#[test]
fn a_part_that_is_longer_than_the_file_is_thrown_away() {
    let world = World::new();
    fs::create_dir_all(world.part().parent().expect("a folder")).expect("a folder");
    fs::write(world.part(), bytes(SIZE + 5)).expect("a part");
    let fetched = world.fetch().expect("fetched");
    assert!(fs::read(fetched.folder.join(WEIGHTS)).expect("weights") == bytes(SIZE));
}

#[test]
fn what_has_another_hash_is_never_used() {
    let world = World::new();
    world.server.faults(&[Fault::Wrong]);
    let error = world.refusal(&["model.safetensors of org/tiny", &sha256(&bytes(SIZE)), "thrown away", "Fetch again"]);
    assert!(matches!(error, HubError::Hash { .. }));
    world.nothing_is_used();
    assert!(!world.part().exists(), "what is wrong is not resumed");
    // A part that is wrong from an earlier time is found out too.
    fs::write(world.part(), vec![7; 1_000]).expect("a part");
    assert!(matches!(world.fetch(), Err(HubError::Hash { .. })));
    world.nothing_is_used();
    assert_eq!(world.fetch().expect("fetched").files.len(), 3);
}

#[test]
fn a_small_file_is_checked_too() {
    let world = World::new();
    let commit = world.repo().join("blobs");
    fs::create_dir_all(&commit).expect("a folder");
    let blob = [format!("blob {}\0", tokenizer().len()).as_bytes(), &tokenizer()].concat();
    let etag = hex(ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &blob).as_ref());
    fs::write(commit.join(format!("{etag}.incomplete")), vec![0; tokenizer().len()]).expect("a part");
    let error = world.refusal(&["tokenizer.json of org/tiny"]);
    assert!(matches!(error, HubError::Hash { .. }), "{error}");
    assert!(!world.repo().join("snapshots").join(COMMIT).join("tokenizer.json").exists());
}

#[test]
fn refusals_say_what_to_do() {
    let mut world = World::new();
    for (refusal, words) in [
        ((401, "RepoNotFound"), &["no model org/tiny for you (401)", "spelt", "HF_TOKEN"][..]),
        ((401, "GatedRepo"), &["gated", "accept its terms at http://127.0.0.1", "/org/tiny"]),
        ((403, "GatedRepo"), &["model org/tiny is gated", "HF_TOKEN"]),
        ((403, ""), &["refuses model org/tiny (403)", "rights"]),
        ((404, "RepoNotFound"), &["no model org/tiny (404)", "spelt"]),
        ((404, "RevisionNotFound"), &["revision \"main\" of model org/tiny (404)"]),
        ((500, ""), &["answers 500", "4 times", "later"]),
        ((429, ""), &["answers 429"]),
    ] {
        world.server.refuse(Some(refusal));
        world.refusal(words);
    }
    world.server.refuse(None);
    says(&world.fetch_of("org/none", MAIN).expect_err("no such model"), &["no model org/none (404)"]);
    says(&world.fetch_of("org/tiny", "v9").expect_err("no such revision"), &["revision \"v9\" of model org/tiny"]);
    says(&world.fetch_of("../x", MAIN).expect_err("no id"), &["\"../x\" is no id of the hub"]);
    world.settings.token = Some("old".into());
    world.server.demand("new");
    world.refusal(&["does not accept the token (401)", "/settings/tokens"]);
    world.settings.token = None;
    world.refusal(&["no model org/tiny for you (401)"]);
    world.nothing_is_used();
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let world = World::new();
    let hub = Hub::new(world.settings.clone(), world.cache());
    // Listed, then gone: the index names it.
    let index = br#"{"weight_map":{"a":"model-00001-of-00002.safetensors","b":"../../evil"}}"#;
    let pieces = World::with(&[
        ("config.json", config()),
        ("vocab.txt", WORDS.to_vec()),
        ("model.safetensors.index.json", index.to_vec()),
        ("model-00001-of-00002.safetensors", bytes(9)),
        ("../../evil", bytes(9)),
    ]);
    pieces.refusal(&["model org/tiny", "model.safetensors.index.json", "../../evil", "expected the name of"]);
    let escaped = walk(pieces.folder.path()).into_iter().find(|p| p.contains("evil"));
    assert_eq!(escaped, None);
    let none = World::with(&[("README.md", b"x".to_vec())]);
    none.refusal(&["model org/tiny", "no config.json"]);
    let tasks = hub.fetch(&Wanted::Glue { tasks: vec!["colla".into()] }, MAIN, &mut |_| {});
    says(&tasks.expect_err("no task"), &["\"colla\"", "cola, qnli"]);
}

#[test]
fn weights_in_pieces_come_with_their_index() {
    let index = br#"{"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}"#;
    let world = World::with(&[
        ("config.json", config()),
        ("vocab.txt", WORDS.to_vec()),
        ("model.safetensors.index.json", index.to_vec()),
        ("model-00001-of-00002.safetensors", bytes(9)),
        ("model-00002-of-00002.safetensors", bytes(20_000)),
    ]);
    assert_eq!(world.fetch().expect("fetched").files.len(), 5);
}

#[test]
fn slow_is_not_stalled() {
    let mut world = World::new();
    world.server.faults(&[Fault::Slow(50_000, Duration::from_millis(150))]);
    assert_eq!(world.fetch().expect("slow and yet whole").downloaded(), small() + SIZE as u64);

    let world_2 = World::new();
    world_2.server.faults(&[Fault::Stall(60_000), Fault::Stall(0), Fault::Stall(0), Fault::Stall(0), Fault::Stall(0)]);
    let start = Instant::now();
    let error = world_2.refusal(&["model.safetensors of org/tiny", "nothing came for", "--timeout"]);
    assert!(matches!(error, HubError::Stalled { .. }) && start.elapsed() < Duration::from_secs(10), "{error}");
    world_2.nothing_is_used();
    assert_eq!(world_2.part().metadata().expect("a part").len(), 60_000);

    // One stall is waited out.
    world.folder = tempfile::tempdir().expect("a folder");
    world.server.faults(&[Fault::Stall(60_000), Fault::Status(503)]);
    assert_eq!(world.fetch().expect("fetched").files.len(), 3);
}

#[test]
fn stopping_takes_no_time_and_keeps_what_came() {
    let mut world = World::new();
    world.settings.timeout = Duration::from_secs(15);
    world.server.faults(&[Fault::Stall(80_000)]);
    let hub = Hub::new(world.settings.clone(), world.cache());
    let stopper = hub.clone();
    let mut asked = false;
    let start = Instant::now();
    let result = hub.fetch(&Wanted::Model { id: "org/tiny".into() }, MAIN, &mut |p: &Progress| {
        if p.done == 80_000 && !asked {
            asked = true;
            let stopper = stopper.clone();
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(200));
                stopper.stop();
            });
        }
    });
    assert!(matches!(result, Err(HubError::Stopped)), "{result:?}");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    world.nothing_is_used();
    assert_eq!(world.part().metadata().expect("a part").len(), 80_000);
}

#[test]
fn no_network_and_offline_are_told_apart() {
    let mut world = World::new();
    world.settings.offline = true;
    world.refusal(&["offline (HF_HUB_OFFLINE)", "org/tiny is not whole", "unset HF_HUB_OFFLINE"]);
    assert!(world.server.seen().is_empty());
    world.settings.offline = false;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    world.settings.endpoint = format!("http://{}", closed.local_addr().expect("an address"));
    drop(closed);
    world.refusal(&["cannot reach http://127.0.0.1", "refused", "HTTPS_PROXY", "HF_ENDPOINT"]);
    world.settings.endpoint = "http://no-such-host.invalid".into();
    world.refusal(&["cannot reach http://no-such-host.invalid"]);
    world.settings.endpoint = "huggingface.co".into();
    world.refusal(&["HF_ENDPOINT \"huggingface.co\" is no address", "https://"]);
}

#[test]
fn what_is_no_hub_is_told() {
    let world = World::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let settings = Settings {
        endpoint: format!("http://{}", listener.local_addr().expect("an address")),
        ..world.settings.clone()
    };
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>");
        }
    });
    let hub = Hub::new(settings, world.cache());
    let error = hub.fetch(&Wanted::Model { id: "org/tiny".into() }, MAIN, &mut |_| {}).expect_err("no hub");
    says(&error, &["model org/tiny", "does not answer as a hub does", "HF_ENDPOINT"]);
}

#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let world = World::new();
    // A file where the folder would be: also root cannot write there.
    fs::write(world.folder.path().join("hub"), "a file").expect("a file");
    let error = world.refusal(&["hub", "may you write there", "HF_HOME"]);
    assert!(matches!(error, HubError::Disk { .. }));
}

#[test]
fn a_renamed_model_is_found_under_its_old_name() {
    let world = World::new();
    let fetched = world.fetch_of("old-name", MAIN).expect("fetched");
    assert!(fetched.folder.starts_with(world.folder.path().join("hub/models--old-name")));
    assert!(fs::read(fetched.folder.join(WEIGHTS)).expect("weights") == bytes(SIZE));
}

#[test]
fn two_at_once_fetch_it_once() {
    let world = World::new();
    world.server.faults(&[Fault::Slow(30_000, Duration::from_millis(60))]);
    std::thread::scope(|scope| {
        let both = [scope.spawn(|| world.fetch()), scope.spawn(|| world.fetch())];
        for one in both {
            one.join().expect("no panic").expect("fetched");
        }
    });
    assert_eq!(contents(&world.server.seen()).len(), 1);
}

/// The program itself, with the hub's own variables.
fn program(world: &World, args: &[&str]) -> std::process::Output {
    let mut command = assert_cmd::Command::cargo_bin("eigenscope").expect("the program");
    for name in ["HF_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE", "HF_TOKEN_PATH", "HTTP_PROXY", "http_proxy"] {
        command.env_remove(name);
    }
    command.env("HF_HOME", world.folder.path()).env("HF_ENDPOINT", &world.server.address);
    command.arg("--runs").arg(world.folder.path().join("runs")).args(args).output().expect("it runs")
}

/// A call that is refused for what was asked, not for the way to it; what it says.
fn refused(world: &World, args: &[&str]) -> String {
    let output = program(world, args);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{args:?}: {said}");
    said
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_fetched_model_trains_by_its_name_and_fetched_rows_by_theirs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read(root.join(path)).expect("a file");
    let names = ["config.json", "tokenizer.json", "model.safetensors"];
    let files: Vec<(&str, Vec<u8>)> = names.map(|n| (n, read(&format!("assets/mini-roberta/{n}")))).into();
    let mut world = World::with(&files);
    let train: &[&str] = &[
        "train",
        "--task",
        "sst-2",
        "--epochs",
        "1",
        "--max-length",
        "16",
        "--batch-size",
        "8",
        "--json",
        "--model",
        "org/tiny",
        "--data",
        "hub:nyu-mll/glue",
    ];
    let absent = program(&world, train);
    assert_eq!(absent.status.code(), Some(3));
    says(&text(&absent.stderr), &["eigenscope fetch model org/tiny"]);

    let fetched = program(&world, &["fetch", "model", "org/tiny", "--json"]);
    assert!(fetched.status.success(), "{}", text(&fetched.stderr));
    let told: serde_json::Value = serde_json::from_slice(&fetched.stdout).expect("JSON on stdout");
    assert_eq!((told["commit"].as_str(), told["files"].as_array().map(Vec::len)), (Some(COMMIT), Some(3)));
    assert!(text(&fetched.stderr).contains("3/3 model.safetensors"), "{}", text(&fetched.stderr));
    let absent = program(&world, train);
    says(&text(&absent.stderr), &["hub:nyu-mll/glue", "eigenscope fetch glue"]);

    // The same cache, filled from a hub of rows.
    let rows: Vec<(String, Vec<u8>)> = ["train", "validation"]
        .map(|split| format!("sst2/{split}-00000-of-00001.parquet"))
        .map(|name| (name.clone(), read(&format!("tests/fixtures/glue-parquet/{name}"))))
        .into();
    let rows: Vec<(&str, Vec<u8>)> = rows.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    world.server = Server::start("datasets/nyu-mll/glue", &rows);
    let glue = program(&world, &["fetch", "glue", "sst-2"]);
    assert!(glue.status.success(), "{}", text(&glue.stderr));
    says(&text(&glue.stdout), &["nyu-mll/glue at 0123456789ab: 2 files", "--data hub:nyu-mll/glue"]);
    let trained = program(&world, train);
    assert!(trained.status.success(), "{}", text(&trained.stderr));
    let shown = program(&world, &["runs", "show", "r0001", "--json"]);
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).expect("JSON on stdout");
    let told = shown.to_string();
    assert!(told.contains("model_commit") && told.contains("data_commit") && told.contains(COMMIT), "{told}");
    let other = program(&world, &[&["train", "--task", "cola"], &train[3..]].concat());
    assert_eq!(other.status.code(), Some(3));
    says(&text(&other.stderr), &["CoLA of hub:nyu-mll/glue", "eigenscope fetch glue cola"]);
    let list = program(&world, &["fetch", "list"]);
    says(&text(&list.stdout), &["model    org/tiny", "dataset  nyu-mll/glue"]);
}
