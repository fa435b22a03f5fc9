//! What is written, loaded by PEFT itself: the same logits, for RoBERTa and for BERT with its pooler. It takes a python
//! with torch, transformers and peft, which EIGENSCOPE_PYTHON names, and is run when it is asked for.

use super::convert::without_the_first_layer;
use super::{distance, fixture, logits, model_of, peft, saved};
use eigenscope::job::{self, Given, Saved};
use eigenscope::model::EMBEDDED;
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};

#[test]
#[ignore = "needs torch, transformers and peft: EIGENSCOPE_PYTHON names a python with them"]
fn peft_gives_our_logits() {
    let python = std::env::var("EIGENSCOPE_PYTHON").unwrap_or_else(|_| "python3".into());
    let folder = tempfile::tempdir().expect("a folder");
    let bert = fixture("parity/tiny-bert").display().to_string();
    for (family, model) in [("roberta", EMBEDDED), ("bert", &bert)] {
        let root = folder.path().join(family);
        std::fs::create_dir(&root).expect("a folder");
        let (mut cases, mut expected, mut rows) = (Vec::new(), Vec::new(), Value::Null);
        for id in ["symlora", "lora", "symlora-sign", "symlora-rowlambda"] {
            let own = saved(&root, id, model);
            let checkpoint = model_of(&own);
            let [to, base, again] = ["to", "base", "again"].map(|name| root.join(format!("{id}-{name}")));
            job::convert(&own, Some(&checkpoint), peft(), &to, Some(&base)).expect("converted");
            cases.push(json!({ "base": base, "adapter": to, "save": again }));
            let (dataset, found) = logits(&own, &checkpoint);
            expected.push((id, found, again));
            // An adapter of some layers, as it is written again.
            if id == "lora" {
                let [without, zeroed, some, again] = ["without", "zeroed", "some", "some-again"].map(|n| root.join(n));
                without_the_first_layer(&to, &without, &zeroed);
                let partial = Saved::open(&without, &Given::default()).expect("an adapter");
                job::convert(&partial, None, peft(), &some, None).expect("converted");
                cases.push(json!({ "base": base, "adapter": some, "save": again }));
                expected.push(("lora of some layers", logits(&partial, &checkpoint).1, again));
            }
            let batch = dataset.batch(&(0..dataset.len()).collect::<Vec<_>>(), checkpoint.config.pad_token_id);
            let rowed = |values: &[u32]| values.chunks(batch.width).map(<[u32]>::to_vec).collect::<Vec<_>>();
            let mask: Vec<u32> = batch.mask.iter().map(|m| u32::from(*m)).collect();
            rows = json!({ "input_ids": rowed(&batch.ids), "attention_mask": rowed(&mask),
                "token_type_ids": rowed(&batch.type_ids) });
        }
        let file = root.join("rows.json");
        std::fs::write(&file, rows.to_string()).expect("written");
        let script = fixture("adapters/peft_logits.py");
        let mut command = Command::new(&python);
        command.arg(script).arg(&file).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("python");
        child.stdin.take().expect("stdin").write_all(json!(cases).to_string().as_bytes()).expect("written");
        let output = child.wait_with_output().expect("python");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found: Vec<Vec<Vec<f64>>> = serde_json::from_slice(&output.stdout).expect("logits");
        for ((id, expected, again), found) in expected.iter().zip(found) {
            let off = distance(&found.concat(), expected);
            assert!(off < 1e-5, "{family} {id}: PEFT is off by {off}");
            // And what PEFT then saves is read with the same logits.
            let back =
                Saved::open(again, &Given { task: Some("sst-2".into()), ..Given::default() }).expect("an adapter");
            let off = distance(&logits(&back, &model_of(&back)).1, expected);
            assert!(off < 1e-5, "{family} {id}: PEFT's own file is off by {off}");
        }
    }
}
