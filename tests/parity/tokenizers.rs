//! Token ids, type ids and tokens against transformers' fast tokenizers.

use crate::folder::{bytes, items, json, members, numbers, text, whole};
use eigenscope::data::Tokenizer;
use serde_json::Value;

#[test]
fn tokenizers() {
    for (family, cases) in members(&json("tokenizer_cases.json")) {
        let file = bytes(&format!("tiny-{family}/tokenizer.json"));
        for case in items(cases) {
            let sentence = text(&case["text"]);
            let tokenizer = Tokenizer::from_bytes(&file, whole(&case["max_length"])).expect("a sound tokenizer");
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
