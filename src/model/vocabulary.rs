//! Older folders without a tokenizer.json: one is written from `vocab.txt` (WordPiece) or `vocab.json` and `merges.txt` (pairs
//! of bytes), as transformers' fast tokenizers are made of them. Splits no text itself.

use super::ModelError;
use super::folder::{PAIRS, SAID, WORDS};
use crate::untrusted::brief;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What a folder says of its tokenizer beside the words: the files of [`SAID`], null where one is not there.
#[derive(Default)]
pub struct Said {
    config: Value,
    map: Value,
    added: Value,
}

impl Said {
    /// Reads the files of [`SAID`].
    pub fn parse(files: [Option<Vec<u8>>; 3]) -> Result<Self, ModelError> {
        let mut values = Vec::new();
        for (name, bytes) in SAID.into_iter().zip(files) {
            values.push(match bytes {
                None => Value::Null,
                Some(bytes) => serde_json::from_slice(&bytes).map_err(|e| wrong(name, e))?,
            });
        }
        let mut values = values.into_iter();
        let mut next = || values.next().unwrap_or_default();
        Ok(Self { config: next(), map: next(), added: next() })
    }

    fn flag(&self, name: &str, absent: bool) -> bool {
        self.config.get(name).and_then(Value::as_bool).unwrap_or(absent)
    }

    /// An error where the words are for a tokenizer of another kind than `classes`.
    fn check(&self, file: &str, classes: &[&str]) -> Result<(), ModelError> {
        let Some(class) = self.config.get("tokenizer_class").and_then(Value::as_str) else { return Ok(()) };
        let plain = class.strip_suffix("Fast").unwrap_or(class);
        if classes.contains(&plain) {
            return Ok(());
        }
        let problem = format!(
            "is for a {}, and only {} are made of it; save the tokenizer with transformers, which writes tokenizer.json",
            brief(class, 60),
            classes.join(", ")
        );
        Err(ModelError::Weights { file: file.into(), problem })
    }

    /// The tokens that are found in a text before it is split, those of `named` among them, each under its key as it is where
    /// nothing else is said; and the content of each named one.
    fn tokens(&self, named: &[(&'static str, Token)]) -> (Vec<Token>, BTreeMap<&'static str, String>) {
        let listed = self.config.get("added_tokens_decoder").and_then(Value::as_object);
        let mut tokens: Vec<(u64, Token)> = match listed {
            Some(all) => all.iter().filter_map(|(id, t)| Some((id.parse().ok()?, Token::read(t)?))).collect(),
            None => Vec::new(),
        };
        // What the map says counts where no list says more.
        let said = |key: &str| {
            let mapped = self.map.get(key).filter(|v| listed.is_none() && !v.is_null());
            mapped.or_else(|| self.config.get(key).filter(|v| !v.is_null()))
        };
        let mut special = Vec::new();
        let mut contents = BTreeMap::new();
        for (key, absent) in named {
            let token = match said(key) {
                // A string says nothing of how it is found.
                Some(Value::String(content)) => Token { content: content.clone(), ..absent.clone() },
                other => other.and_then(Token::read).unwrap_or_else(|| absent.clone()),
            };
            contents.insert(*key, token.content.clone());
            special.push(token);
        }
        for key in ["additional_special_tokens", "extra_special_tokens"] {
            special.extend(said(key).and_then(Value::as_array).into_iter().flatten().filter_map(Token::read));
        }
        if listed.is_none() {
            for (content, id) in self.added.as_object().into_iter().flatten() {
                let is_special = special.iter().any(|t| t.content == *content);
                let token = Token { special: is_special, normalized: !is_special, ..Token::special(content) };
                tokens.push((id.as_u64().unwrap_or(u64::MAX), token));
            }
        }
        tokens.sort_by_key(|(id, _)| *id);
        let mut all: Vec<Token> = tokens.into_iter().map(|(_, t)| t).collect();
        for token in &mut all {
            token.special |= special.iter().any(|s| s.content == token.content);
        }
        for token in special {
            if all.iter().all(|t| t.content != token.content) {
                all.push(token);
            }
        }
        (all, contents)
    }
}

#[derive(Clone, Debug)]
struct Token {
    content: String,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
    special: bool,
}

impl Token {
    fn special(content: &str) -> Self {
        let content = content.into();
        Self { content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
    }

    /// From a string or an object with its settings.
    fn read(value: &Value) -> Option<Self> {
        if let Some(content) = value.as_str() {
            return Some(Self::special(content));
        }
        let flag = |name: &str| value.get(name).and_then(Value::as_bool);
        // A place in the list of added tokens says whether it is special; one by its key always is.
        let special = flag("special").unwrap_or(true);
        Some(Self {
            content: value.get("content")?.as_str()?.into(),
            single_word: flag("single_word").unwrap_or(false),
            lstrip: flag("lstrip").unwrap_or(false),
            rstrip: flag("rstrip").unwrap_or(false),
            normalized: flag("normalized").unwrap_or(!special),
            special,
        })
    }
}

fn wrong(file: &str, problem: impl std::fmt::Display) -> ModelError {
    ModelError::Weights { file: file.into(), problem: brief(&problem.to_string(), 200) }
}

/// A tokenizer.json of the words in `vocab`, one a line, as transformers' BertTokenizer.
pub fn word_pieces(vocab: &[u8], said: &Said) -> Result<Vec<u8>, ModelError> {
    said.check(
        WORDS,
        &["BertTokenizer", "ElectraTokenizer", "DistilBertTokenizer", "PreTrainedTokenizer", "TokenizersBackend"],
    )?;
    let text = std::str::from_utf8(vocab).map_err(|e| wrong(WORDS, e))?;
    // As the tokenizers library reads it: of a word that is there twice the last place counts.
    let words: Map<String, Value> =
        text.lines().enumerate().map(|(i, w)| (w.trim_end().to_string(), i.into())).collect();
    let named = [
        ("unk_token", "[UNK]"),
        ("sep_token", "[SEP]"),
        ("pad_token", "[PAD]"),
        ("cls_token", "[CLS]"),
        ("mask_token", "[MASK]"),
    ]
    .map(|(key, content)| (key, Token::special(content)));
    let (tokens, contents) = said.tokens(&named);
    let (cls, sep, unknown) = (&contents["cls_token"], &contents["sep_token"], &contents["unk_token"]);
    let special = |token: &str, kind: u8| json!({ "SpecialToken": { "id": token, "type_id": kind } });
    let text = |id: &str, kind: u8| json!({ "Sequence": { "id": id, "type_id": kind } });
    let ids =
        [cls, sep].map(|t| id(WORDS, &words, t).map(|id| (t.clone(), json!({ "id": t, "ids": [id], "tokens": [t] }))));
    id(WORDS, &words, unknown)?;
    whole(
        tokens,
        &words,
        json!({
            "normalizer": {
                "type": "BertNormalizer", "clean_text": true,
                "handle_chinese_chars": said.flag("tokenize_chinese_chars", true),
                "strip_accents": said.config.get("strip_accents").and_then(Value::as_bool),
                "lowercase": said.flag("do_lower_case", true),
            },
            "pre_tokenizer": { "type": "BertPreTokenizer" },
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [special(cls, 0), text("A", 0), special(sep, 0)],
                "pair": [special(cls, 0), text("A", 0), special(sep, 0), text("B", 1), special(sep, 1)],
                "special_tokens": ids.into_iter().collect::<Result<Map<_, _>, _>>()?,
            },
            "decoder": { "type": "WordPiece", "prefix": "##", "cleanup": true },
            "model": {
                "type": "WordPiece", "unk_token": unknown, "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100, "vocab": words,
            },
        }),
    )
}

/// A tokenizer.json of pairs of bytes, as transformers' RobertaTokenizer.
pub fn byte_pairs(vocab: &[u8], merges: &[u8], said: &Said) -> Result<Vec<u8>, ModelError> {
    let [vocab_file, merges_file] = PAIRS;
    said.check(vocab_file, &["RobertaTokenizer", "PreTrainedTokenizer", "TokenizersBackend"])?;
    let words: Map<String, Value> = serde_json::from_slice(vocab).map_err(|e| wrong(vocab_file, e))?;
    let text = std::str::from_utf8(merges).map_err(|e| wrong(merges_file, e))?;
    let mut pairs = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.starts_with("#version")) {
        match line.split_once(' ').filter(|(_, right)| !right.contains(' ')) {
            Some((left, right)) => pairs.push([left, right]),
            None => {
                let found = format!("line {}: found {:?}, expected two parts", i + 1, brief(line, 60));
                return Err(wrong(merges_file, found));
            }
        }
    }
    let named = [
        ("bos_token", "<s>"),
        ("eos_token", "</s>"),
        ("unk_token", "<unk>"),
        ("sep_token", "</s>"),
        ("pad_token", "<pad>"),
        ("cls_token", "<s>"),
        ("mask_token", "<mask>"),
    ]
    // A mask stands for a word with the space before it, as in every published tokenizer.json.
    .map(|(key, content)| (key, Token { lstrip: key == "mask_token", ..Token::special(content) }));
    let (tokens, contents) = said.tokens(&named);
    let (sep, cls) = (&contents["sep_token"], &contents["cls_token"]);
    let (prefix, trim) = (said.flag("add_prefix_space", false), said.flag("trim_offsets", true));
    whole(
        tokens,
        &words,
        json!({
            "normalizer": null,
            "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": true, "use_regex": true },
            "post_processor": {
                "type": "RobertaProcessing", "trim_offsets": trim, "add_prefix_space": prefix,
                "sep": [sep, id(vocab_file, &words, sep)?], "cls": [cls, id(vocab_file, &words, cls)?],
            },
            "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true },
            "model": {
                "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "",
                "end_of_word_suffix": "", "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                "vocab": words, "merges": pairs,
            },
        }),
    )
}

fn id(file: &str, words: &Map<String, Value>, token: &str) -> Result<u64, ModelError> {
    let found = words.get(token).and_then(Value::as_u64);
    found.ok_or_else(|| wrong(file, format!("no token {token:?}, which stands around or for parts of a text")))
}

/// The file with its added tokens; what the words lack is numbered after them.
fn whole(tokens: Vec<Token>, words: &Map<String, Value>, mut parts: Value) -> Result<Vec<u8>, ModelError> {
    let mut next = words.len() as u64;
    let mut added = Vec::new();
    for t in tokens {
        let id = words.get(&t.content).and_then(Value::as_u64).unwrap_or_else(|| {
            next += 1;
            next - 1
        });
        added.push(json!({
            "id": id, "content": t.content, "single_word": t.single_word, "lstrip": t.lstrip, "rstrip": t.rstrip,
            "normalized": t.normalized, "special": t.special,
        }));
    }
    if let Some(members) = parts.as_object_mut() {
        let more = [("version", json!("1.0")), ("truncation", Value::Null), ("padding", Value::Null)];
        members.extend(more.map(|(name, value)| (name.to_string(), value)));
        members.insert("added_tokens".into(), added.into());
    }
    serde_json::to_vec(&parts).map_err(|e| wrong(WORDS, e))
}
