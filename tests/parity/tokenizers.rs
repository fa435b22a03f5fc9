//! Token ids, type ids and tokens against transformers' fast tokenizers.

use crate::folder::{bytes, items, json, members, numbers, path, text, whole};
use eigenscope::data::Tokenizer;
use eigenscope::model::ModelSource;
use serde_json::Value;
use std::path::Path;

/// The tokenizer that the folder would have without its tokenizer.json.
fn of_words(folder: &Path) -> Vec<u8> {
    let copy = tempfile::tempdir().expect("a folder");
    for file in ["vocab.txt", "vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"] {
        if folder.join(file).exists() {
            std::fs::copy(folder.join(file), copy.path().join(file)).expect("a copy");
        }
    }
    ModelSource::Folder(copy.path().into()).tokenizer().expect("a tokenizer").into_owned()
}

#[test]
fn tokenizers() {
    for (family, cases) in members(&json("tokenizer_cases.json")) {
        let file = bytes(&format!("tiny-{family}/tokenizer.json"));
        let made = of_words(&path(&format!("tiny-{family}")));
        for (case, file) in items(cases).iter().flat_map(|case| [(case, &file), (case, &made)]) {
            let sentence = text(&case["text"]);
            let tokenizer = Tokenizer::from_bytes(file, whole(&case["max_length"])).expect("a sound tokenizer");
            let encoded = tokenizer.encode(sentence, case.get("pair").and_then(Value::as_str)).expect("ids");
            let wanted = |key: &str| -> Vec<u32> { numbers(&case[key]).iter().map(|v| *v as u32).collect() };
            assert_eq!(encoded.ids, wanted("ids"), "{family}: {sentence:?}");
            assert_eq!(encoded.type_ids, wanted("type_ids"), "{family}: {sentence:?}");
            let token = |id: &u32| Value::from(tokenizer.token(*id).expect("a token"));
            let tokens: Vec<Value> = encoded.ids.iter().map(token).collect();
            assert_eq!(Value::from(tokens), case["tokens"], "{family}: {sentence:?}");
        }
    }
}
