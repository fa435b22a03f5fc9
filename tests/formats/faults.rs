//! Files that do not say one thing only: tensors that are there twice, factors of another model, a whole model in the place of
//! an adapter, texts that would rewrite the screen. Each is refused, the same way every time.

use super::{archive, fixture, float, output, peft, refused, refused_with, saved, text};
use eigenscope::job;
use eigenscope::model::EMBEDDED;
use eigenscope::tensors::TensorFile;
use eigenscope::train::{NamedTensor, Values, checkpoint};
use serde_json::json;
use std::collections::HashMap;
use std::path::Path;

const PATH: &str = "roberta.encoder.layer.0.attention.self.query";

/// A tensor of ones for a state dict.
fn ones(name: impl Into<String>, shape: &[usize]) -> (String, Vec<usize>, Vec<u8>) {
    (name.into(), shape.to_vec(), 1f32.to_le_bytes().repeat(shape.iter().product()))
}

/// LoRA of loralib on one matrix, n = 16, r = 2, with `others` beside.
fn state_dict(file: &Path, others: &[(String, Vec<usize>, Vec<u8>)]) {
    let own = [ones(format!("{PATH}.lora_A"), &[2, 16]), ones(format!("{PATH}.lora_B"), &[16, 2])];
    std::fs::write(file, archive::state_dict(&[&own[..], others].concat())).expect("written");
}

/// An own file of SymLoRA on that matrix with so many numbers lambda, and `told` in its metadata beside.
fn symlora(file: &Path, lambdas: usize, told: &[(&str, &str)]) {
    let named = [("Q", vec![16, 2]), ("L", vec![2]), ("lambda", vec![lambdas])].map(|(part, shape)| {
        let values = Values::F32(vec![1.0; shape.iter().product()]);
        NamedTensor { name: format!("{PATH}.symlora_{part}"), shape, values }
    });
    let said = [("method", "symlora"), ("r", "2"), ("alpha", "2"), ("targets", "query"), ("task", "sst-2")];
    let metadata: HashMap<String, String> =
        said.iter().chain(told).map(|(k, v)| (k.to_string(), v.to_string())).collect();
    checkpoint::write(file, named.iter().map(|t| (t.name.clone(), t)), metadata).expect("written");
}

#[test]
fn what_is_there_twice_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("x.bin");
    let inspect = ["inspect", text(&file), "--alpha", "1"];
    let runs = folder.path();
    for (others, words) in [
        (vec![ones(format!("module.{PATH}.lora_A"), &[2, 16])], ["lora_A\" is there twice", "as another name too"]),
        (vec![ones(format!("x.{PATH}.lora_B"), &[16, 2])], ["are the same tensor", "lora_B"]),
        (
            vec![ones("pooler.dense.weight", &[16, 16]), ones("bert.pooler.dense.weight", &[16, 16])],
            ["bert.pooler.dense.weight\" is there twice", "as \"pooler.dense.weight\""],
        ),
    ] {
        state_dict(&file, &others);
        refused(runs, &inspect, &words);
    }
    state_dict(&file, &[ones("pooler.dense.weight", &[16, 16])]);
    // (1 / 2) B A of ones: 256 entries of (1 / 2) 2.
    assert_eq!(float(&output(runs, &inspect)["layers"][0]["delta_fro"]), 16.0);
}

#[test]
fn a_whole_state_dict_is_no_adapter() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("x.bin");
    let frozen = [
        ones("roberta.embeddings.LayerNorm.bias", &[16]),
        ones(format!("{PATH}.weight"), &[16, 16]),
        ones(format!("{PATH}.bias"), &[16]),
    ];
    state_dict(&file, &frozen);
    let words = ["a whole state dict", "query.weight", "lora.lora_state_dict(model)", "eval mode"];
    refused(folder.path(), &["inspect", text(&file), "--alpha", "1"], &words);
}

#[test]
fn factors_of_another_model_are_not_measured_beside_its_matrices() {
    let folder = tempfile::tempdir().expect("a folder");
    let runs = folder.path().join("runs");
    let file = fixture("adapters/loralib.bin");
    let words = [&format!("{PATH}.lora_")[..], "a factor for 16 x 16", "128 x 128"];
    refused(&runs, &["inspect", text(&file), "--alpha", "8", "--model", EMBEDDED], &words);
    let import = ["runs", "import", text(&file), "--task", "mnli", "--alpha", "8", "--model", EMBEDDED];
    refused(&runs, &import, &words);
    assert_eq!(output(&runs, &["runs", "list"]), json!([]));
    let own = saved(folder.path(), "lora", EMBEDDED);
    let found = output(&runs, &["inspect", text(&own.path), "--model", EMBEDDED]);
    assert!(float(&found["layers"][0]["w0_fro"]) > 0.0, "{found}");

    let file = folder.path().join("symlora.safetensors");
    for (lambdas, fits) in [(1, true), (16, true), (3, false)] {
        symlora(&file, lambdas, &[]);
        match fits {
            true => assert_eq!(output(&runs, &["inspect", text(&file)])["layers"][0]["lambda"], json!(1.0)),
            false => refused(&runs, &["inspect", text(&file)], &["symlora_lambda", "3 numbers", "1, or 16"]),
        }
    }
}

#[test]
fn alpha_is_a_number_wherever_it_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = fixture("adapters/loralib.bin");
    for wrong in ["--alpha=nan", "--alpha=-1", "--alpha=inf", "--alpha=x"] {
        for command in [&["inspect", text(&file)][..], &["runs", "import", text(&file), "--task", "mnli"]] {
            refused_with(2, folder.path(), &[command, &[wrong]].concat(), &["alpha", "a number from 0 to 1000000"]);
        }
    }
    let own = folder.path().join("x.safetensors");
    for wrong in ["NaN", "-1", "two"] {
        symlora(&own, 1, &[("alpha", wrong)]);
        refused(folder.path(), &["inspect", text(&own)], &["alpha", wrong, "a number from 0"]);
    }
    // As in a run, 0 is the rank.
    symlora(&own, 1, &[("alpha", "0")]);
    assert_eq!(output(folder.path(), &["inspect", text(&own)])["alpha"], json!(2.0));
}

#[test]
fn texts_of_a_file_do_not_rewrite_the_screen() {
    let folder = tempfile::tempdir().expect("a folder");
    let (runs, file) = (folder.path().join("runs"), folder.path().join("x.safetensors"));
    for hostile in ["x\u{1b}]0;PWNED\u{7}", "x\u{202e}y", "x\ny"] {
        for member in ["base_model", "task", "method"] {
            symlora(&file, 1, &[(member, hostile)]);
            for command in [&["runs", "import", text(&file)][..], &["inspect", text(&file)]] {
                refused(&runs, command, &[member, "without hidden characters"]);
                let said = super::eigenscope(&runs, command).output().expect("ended").stderr;
                let said = String::from_utf8_lossy(&said).into_owned();
                assert!(!said.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{said:?}");
            }
        }
    }
    assert_eq!(output(&runs, &["runs", "list"]), json!([]));
}

#[test]
fn the_file_that_is_named_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let (runs, dir) = (folder.path().join("runs"), folder.path().join("peft"));
    job::convert(&saved(folder.path(), "lora", EMBEDDED), None, peft(), &dir, None).expect("written");
    let (whole, other) = (dir.join("adapter_model.safetensors"), dir.join("adapter_model.bin"));
    let zeros = |(name, entry): (&String, &eigenscope::tensors::Entry)| {
        (name.clone(), entry.shape.clone(), vec![0; 4 * entry.shape.iter().product::<usize>()])
    };
    let tensors: Vec<_> = TensorFile::open(&whole).expect("a file").entries().iter().map(zeros).collect();
    std::fs::write(&other, archive::state_dict(&tensors)).expect("written");
    let norm = |path: &Path| {
        let found = output(&runs, &["inspect", text(path)]);
        assert_eq!((&found["format"], &found["alpha"]), (&json!("peft"), &json!(6.0)));
        float(&found["layers"][0]["delta_fro"])
    };
    assert_eq!(norm(&other), 0.0);
    assert!(norm(&whole) > 0.0 && norm(&dir) == norm(&whole));
}
