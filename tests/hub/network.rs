//! A network that is away for a moment, a hub that asks to wait, and a token that is none.

use super::*;

#[test]
fn a_network_that_comes_back_is_waited_for() {
    let mut world = World::new();
    world.settings.pause = Duration::from_millis(50);
    world.server.faults(&[Fault::Away(100_000, Duration::from_millis(300))]);
    let fetched = world.fetch().expect("fetched");
    assert!(fs::read(fetched.folder.join(WEIGHTS)).expect("weights") == bytes(SIZE));
    assert_eq!(contents(&world.server.seen()), [None, Some("bytes=100000-".into())]);

    // One that stays away ends it, and what came is kept.
    world.folder = tempfile::tempdir().expect("a folder");
    world.settings.pause = Duration::from_millis(5);
    world.server.faults(&[Fault::Away(100_000, Duration::from_secs(600))]);
    let error = world.refusal(&["cannot reach http://127.0.0.1", "refused"]);
    assert!(matches!(error, HubError::Unreachable { .. }));
    assert_eq!(world.part().metadata().expect("a part").len(), 100_000);
}

#[test]
fn a_list_that_is_cut_is_asked_for_again() {
    let world = World::new();
    world.server.faults_of_lists(&[Fault::Cut(20), Fault::Cut(0), Fault::Cut(90)]);
    assert_eq!(world.fetch().expect("fetched").files.len(), 3);
    let world = World::new();
    world.server.faults_of_lists(&[Fault::Cut(20), Fault::Cut(20), Fault::Cut(20), Fault::Cut(20)]);
    world.refusal(&["model org/tiny", "cut off, 4 times"]);
}

#[test]
fn a_hub_that_asks_to_wait_is_waited_for() {
    let world = World::new();
    world.server.faults_of_lists(&[Fault::RetryAfter(1)]);
    let start = Instant::now();
    assert_eq!(world.fetch().expect("fetched").files.len(), 3);
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    world.server.faults_of_lists(&[Fault::RetryAfter(3_600)]);
    world.refusal(&["answers 429", "1 times", "try again in 3600 s"]);
    assert!(start.elapsed() < Duration::from_secs(30), "nobody waits for an hour");
}

#[test]
fn a_token_that_is_none_is_told_and_never_shown() {
    let mut world = World::new();
    for token in ["hf_one\nhf_two", "hf_\u{e9}t\u{e9}", "hf_one two"] {
        world.settings.token = Some(token.into());
        let error = world.refusal(&["HF_TOKEN holds no token", "one line"]).to_string();
        assert!(!error.contains("HF_ENDPOINT") && !error.contains("one two") && !error.contains("hf_two"), "{error}");
    }
    assert!(world.server.seen().is_empty(), "nothing was asked");
    // The file beside the cache, as a careless paste leaves it.
    fs::write(world.folder.path().join("token"), "hf_one\nhf_two\n").expect("a file");
    let said = refused(&world, &["fetch", "model", "org/tiny"]);
    says(&said, &[&world.folder.path().join("token").display().to_string(), "more than one line"]);
    assert!(!said.contains("hf_one"), "{said}");
}
