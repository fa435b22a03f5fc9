//! Every family of encoders against transformers: checkpoints that its save_pretrained wrote, some of them changed into what
//! older programs wrote, and tokenizers of folders without a tokenizer.json. tests/fixtures/families/make_reference.py makes all;
//! EIGENSCOPE_FAMILIES names a folder with other results of it, EIGENSCOPE_MERGED one for merged models to be kept in.

#[path = "engine/measure.rs"]
mod measure;

use eigenscope::cpu::Cpu;
use eigenscope::data::{Batch, Labels, Tokenizer};
use eigenscope::job::{self, Given, Saved};
use eigenscope::model::encoder::Dropout;
use eigenscope::model::{Checkpoint, Config, ModelError, ModelSource, family, head};
use eigenscope::spec::RunSpec;
use eigenscope::train::autograd::Autograd;
use eigenscope::train::checkpoint::save_adapter;
use eigenscope::train::{Backend, NamedTensor};
use measure::{distance, norm, shaken, wide};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn fixtures() -> PathBuf {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families");
    std::env::var_os("EIGENSCOPE_FAMILIES").map_or_else(own, PathBuf::from)
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&fs::read(fixtures().join(name)).expect("a file")).expect("JSON")
}

fn models() -> Vec<(String, Value)> {
    let Value::Object(all) = json("reference.json")["models"].take() else { panic!("an object") };
    all.into_iter().collect()
}

/// A copy of a model's folder with the words of a tokenizer.
fn folder(name: &str) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a folder");
    for from in ["", "tokenizers/bert-cased"] {
        let folder = if from.is_empty() { fixtures().join(name) } else { fixtures().join(from) };
        for file in fs::read_dir(folder).expect("a fixture") {
            let path = file.expect("an entry").path();
            fs::copy(&path, copy.path().join(path.file_name().expect("a name"))).expect("a copy");
        }
    }
    copy
}

fn resolve(folder: &Path) -> Result<ModelSource, ModelError> {
    ModelSource::resolve(folder.to_str().expect("UTF-8"))
}

fn load(folder: &Path) -> Result<Checkpoint, ModelError> {
    resolve(folder)?.load()
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(all) => all.iter().flat_map(numbers).collect(),
        one => vec![one.as_f64().expect("a number")],
    }
}

fn batch(told: &Value) -> Batch {
    let ids = |key: &str| -> Vec<u32> { numbers(&told[key]).iter().map(|v| *v as u32).collect() };
    let rows = told["input_ids"].as_array().expect("rows").len();
    Batch {
        rows,
        width: ids("input_ids").len() / rows,
        ids: ids("input_ids"),
        type_ids: ids("token_type_ids"),
        mask: ids("attention_mask").iter().map(|m| *m as u8).collect(),
        labels: Labels::Classes(ids("labels")),
    }
}

fn spec(method: &str) -> RunSpec {
    let targets = ["query", "key", "value", "output"].map(str::to_string).to_vec();
    RunSpec { method: method.into(), dropout: 0.0, rank: 3, targets, ..RunSpec::default() }
}

/// Every engine that runs here, with the largest difference of a logit from transformers'.
fn engines(checkpoint: &Checkpoint) -> Vec<(Box<dyn Backend>, f64)> {
    let spec = spec("lora");
    vec![
        (Box::new(Autograd::<f64>::new(checkpoint, &spec, 3, false).expect("a model")), 1e-10),
        (Box::new(Autograd::<f32>::new(checkpoint, &spec, 3, false).expect("a model")), 1e-5),
        (Box::new(Cpu::new(checkpoint, &spec, 3, false).expect("a model")), 1e-5),
    ]
}

#[test]
fn logits_loss_and_gradients_are_those_of_transformers() {
    let told = models();
    for family in family::ALL {
        let class = family.class();
        assert!(told.iter().any(|(_, m)| m["class"] == class), "no fixture of {class}");
    }
    for (name, told) in told {
        let folder = folder(&name);
        let checkpoint = load(folder.path()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(told["class"], checkpoint.config.family.class(), "{name}");
        assert_eq!(head::note(&checkpoint.config, &checkpoint.weights), None, "{name}");
        let batch = batch(&told["batch"]);
        let expected = numbers(&told["logits"]);
        for (mut engine, limit) in engines(&checkpoint) {
            let of = format!("{name} on {}", engine.name());
            // LoRA begins as the pre-trained model.
            let logits = engine.logits(&batch).expect("logits").concat();
            let worst = logits.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(logits.len() == expected.len() && worst < limit, "{of}: {worst:e} off");
            let loss = engine.loss_and_gradients(&batch, 0).expect("gradients");
            assert!((loss - told["loss"].as_f64().expect("a loss")).abs() < limit, "{of}: loss {loss}");
            let gradients = engine.gradients().expect("gradients");
            let Value::Object(heads) = &told["head_gradient_norms"] else { panic!("an object") };
            assert_eq!(heads.len(), 4, "{name}");
            for (tensor, length) in heads {
                let found = gradients.iter().find(|g| g.name == *tensor).unwrap_or_else(|| panic!("{of}: no {tensor}"));
                let (found, length) = (norm(&wide(found)), length.as_f64().expect("a length"));
                assert!((found - length).abs() < 10.0 * limit * length.max(0.1), "{of}: {tensor} {found} {length}");
            }
        }
    }
}

#[test]
fn the_cpu_engine_has_the_gradients_of_autograd_in_every_family() {
    for (name, told) in models() {
        let folder = folder(&name);
        let checkpoint = load(folder.path()).expect("a model");
        let batch = batch(&told["batch"]);
        for method in ["symlora", "lora"] {
            let spec = RunSpec { dropout: 0.1, ..spec(method) };
            let mut reference = Autograd::<f64>::new(&checkpoint, &spec, 3, false).expect("a model");
            let mut cpu = Cpu::new(&checkpoint, &spec, 3, false).expect("a model");
            let values = shaken(&reference, 5);
            let both: [&mut dyn Backend; 2] = [&mut reference, &mut cpu];
            let [expected, found] = both.map(|engine| {
                engine.load(&values).expect("values");
                engine.loss_and_gradients(&batch, 3).expect("gradients");
                let gradients = engine.gradients().expect("gradients");
                engine.update(1e-3).expect("an update");
                (gradients, engine.state().expect("a state").values)
            });
            let whole = |all: &[NamedTensor]| norm(&all.iter().map(|t| norm(&wide(t))).collect::<Vec<_>>());
            // A lambda of these few rows is a sum of terms that cancel: it keeps their rounding.
            let floor = 0.05 * whole(&expected.0);
            for (a, b) in expected.0.iter().zip(&found.0) {
                let off = distance(&wide(b), &wide(a), floor);
                assert!(a.name == b.name && off < 1e-5, "{name} {method}: {}: {off:e}", a.name);
            }
            let moved = expected.1.iter().zip(&found.1).map(|(a, b)| distance(&wide(b), &wide(a), 0.1));
            assert!(moved.fold(0.0, f64::max) < 1e-4, "{name} {method}: after an update");
        }
    }
}

#[test]
fn dropout_is_where_transformers_has_it() {
    for family in family::ALL {
        let config = Config::parse(&format!("{{\"model_type\": \"{}\"}}", family.model_type())).expect("the defaults");
        let own = Dropout::new(&config, -1.0, 0, 0);
        let distil = family.model_type() == "distilbert";
        assert_eq!(
            (own.hidden, own.attention, own.classifier),
            (0.1, 0.1, if distil { 0.2 } else { 0.1 }),
            "{family:?}"
        );
        // DistilBERT's attention ends without dropout, whatever is asked for.
        assert_eq!(own.attention_output, if distil { 0.0 } else { 0.1 }, "{family:?}");
        assert_eq!(Dropout::new(&config, 0.3, 0, 0).attention_output, if distil { 0.0 } else { 0.3 }, "{family:?}");
    }
}

#[test]
fn a_missing_pooler_is_made_anew_and_told() {
    let folder = folder("bert-no-pooler");
    let checkpoint = load(folder.path()).expect("an encoder");
    let note = head::note(&checkpoint.config, &checkpoint.weights).expect("a note");
    assert!(note.contains("bert.pooler.dense") && note.contains("model.safetensors"), "{note}");
    let values = head::initial_values(&checkpoint.config, &checkpoint.weights, 3, 0).expect("values");
    let std = norm(&values[0]) / (values[0].len() as f64).sqrt();
    assert!((std - 0.02).abs() < 0.005 && values[1].iter().all(|v| *v == 0.0), "{std}");
}

#[test]
fn shards_are_looked_at_before_they_are_read() {
    let folder = folder("distilroberta-shards");
    let index = folder.path().join("model.safetensors.index.json");
    let whole = fs::read_to_string(&index).expect("an index");
    let shard = "model-00002-of-00008.safetensors";
    let fails = |text: &str| {
        fs::write(&index, text).expect("written");
        load(folder.path()).err().expect("refused").to_string()
    };
    let error = fails(&whole.replace(shard, "../elsewhere.safetensors"));
    assert!(error.contains("model.safetensors.index.json") && error.contains("../elsewhere"), "{error}");
    let error = fails(&whole.replace(shard, "model-00009-of-00008.safetensors"));
    assert!(error.contains("model-00009-of-00008.safetensors is missing"), "{error}");
    let error = fails(&whole.replacen("classifier.dense.bias", "classifier.dense.other", 1));
    assert!(
        error.contains("no tensor \"classifier.dense.other\"") && error.contains("index.json looks for"),
        "{error}"
    );
    assert!(fails(&" ".repeat(9 << 20)).contains("at most"), "a cap");
    assert!(fails("{\"weight_map\": 3}").contains("weight_map"));
    fs::write(&index, &whole).expect("written");
    fs::remove_file(folder.path().join(shard)).expect("removed");
    let error = load(folder.path()).err().expect("refused").to_string();
    assert!(error.contains(&format!("{shard} is missing")), "{error}");
}

#[test]
fn what_cannot_be_computed_is_refused_by_field() {
    let refused = |name: &str, change: &dyn Fn(&mut Value)| {
        let folder = folder(name);
        let path = folder.path().join("config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path).expect("a file")).expect("JSON");
        change(&mut config);
        fs::write(&path, config.to_string()).expect("written");
        load(folder.path()).err().expect("refused").to_string()
    };
    let says = |error: String, parts: &[&str]| {
        for part in parts {
            assert!(error.contains(part), "{error:?} lacks {part:?}");
        }
    };
    let all: Vec<&str> = family::ALL.iter().map(|f| f.model_type()).collect();
    says(refused("bert", &|c| c["model_type"] = "gpt2\u{202e}".into()), &[&["gpt2\\u{202e}"], &all[..]].concat());
    says(refused("bert", &|c| c["model_type"] = Value::Null), &[&["model_type", "found null"], &all[..]].concat());
    for (field, value, expected) in [
        ("is_decoder", Value::from(true), "false"),
        ("add_cross_attention", true.into(), "false"),
        ("is_encoder_decoder", true.into(), "false"),
        ("position_embedding_type", "relative_key".into(), "\"absolute\""),
        ("pruned_heads", serde_json::json!({ "0": [1] }), "{}"),
        ("hidden_act", "gelu_new".into(), "\"gelu\""),
        ("hidden_act", "relu".into(), "\"gelu\""),
        ("pad_token_id", 60.into(), "less than vocab_size 60"),
        ("num_attention_heads", 3.into(), "a divisor of hidden_size 16"),
        ("vocab_size", "\u{1b}[2J".into(), "\\u001b"),
    ] {
        let error = refused("bert", &|c| c[field] = value.clone());
        says(error, &[field, expected]);
    }
    says(refused("distilbert", &|c| c["activation"] = "relu".into()), &["activation", "\"relu\"", "\"gelu\""]);
    says(refused("distilbert", &|c| c["n_heads"] = 5.into()), &["n_heads", "a divisor of dim 16"]);
    says(refused("electra-small", &|c| c["embedding_size"] = 12.into()), &["word_embeddings", "[60, 8]", "[60, 12]"]);
    // What is missing is as in transformers: another width.
    let error = refused("bert", &|c| _ = c.as_object_mut().expect("an object").remove("hidden_size"));
    says(error, &["word_embeddings", "[60, 768]"]);
    // A decoder's fields that say that it is none are no fault.
    let folder = folder("bert");
    let path = folder.path().join("config.json");
    let text = fs::read_to_string(&path).expect("a file").replacen(
        '{',
        "{\"pruned_heads\": {}, \"position_embedding_type\": \"absolute\",",
        1,
    );
    fs::write(&path, text.replace("\"gelu\"", "\"gelu_python\"")).expect("written");
    load(folder.path()).expect("a sound config");
    fs::write(&path, " ".repeat(2 << 20)).expect("written");
    says(load(folder.path()).err().expect("refused").to_string(), &["config.json", "at most"]);
}

/// The tokenizer of a folder as a run has it.
fn tokenizer(folder: &Path, max_length: usize) -> Tokenizer {
    let bytes = ModelSource::Folder(folder.into()).tokenizer().expect("a tokenizer");
    Tokenizer::from_bytes(&bytes, max_length).expect("a sound tokenizer")
}

#[test]
fn tokenizers_of_words_and_pieces_are_those_of_transformers() {
    let Value::Object(all) = json("tokenizers.json") else { panic!("an object") };
    assert_eq!(all.len(), 9);
    for (name, cases) in all {
        let folder = fixtures().join("tokenizers").join(&name);
        let tokenizers = [64, 7].map(|most| (most, tokenizer(&folder, most)));
        for case in cases.as_array().expect("cases") {
            let most = case["max_length"].as_u64().expect("a length") as usize;
            let (_, tokenizer) = tokenizers.iter().find(|(m, _)| *m == most).expect("a tokenizer");
            let text = case["text"].as_str().expect("a text");
            let found = tokenizer.encode(text, case["pair"].as_str()).expect("ids");
            let of = |key: &str| -> Vec<u32> { numbers(&case[key]).iter().map(|v| *v as u32).collect() };
            assert_eq!(found.ids, of("ids"), "{name}: {text:?} {:?} {most}", case["pair"]);
            let types = if case["type_ids"].is_null() { vec![0; found.ids.len()] } else { of("type_ids") };
            assert_eq!(found.type_ids, types, "{name}: {text:?} {:?} {most}", case["pair"]);
        }
    }
}

#[test]
fn words_that_make_no_tokenizer_are_refused_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &[u8]| fs::write(folder.path().join(name), text).expect("written");
    let error = || ModelSource::Folder(folder.path().into()).tokenizer().err().map(|e| e.to_string());
    write("vocab.txt", b"[PAD]\n[UNK]\n[CLS]\nword\n");
    assert!(error().expect("no [SEP]").contains("vocab.txt: no token \"[SEP]\""));
    write("vocab.txt", b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n\xff\n");
    assert!(error().expect("no text").contains("vocab.txt"));
    write("vocab.txt", b"[PAD]\n[UNK]\n[CLS]\n[SEP]\nword\n");
    assert_eq!(error(), None);
    write("tokenizer_config.json", b"{\"tokenizer_class\": \"BertJapaneseTokenizer\"}");
    let text = error().expect("another kind");
    assert!(text.contains("BertJapaneseTokenizer") && text.contains("tokenizer.json"), "{text}");
    write("tokenizer_config.json", b"{");
    assert!(error().expect("no JSON").contains("tokenizer_config.json"));
    fs::remove_file(folder.path().join("tokenizer_config.json")).expect("removed");
    fs::remove_file(folder.path().join("vocab.txt")).expect("removed");
    write("vocab.json", b"{\"<s>\": 0, \"</s>\": 1, \"a\": 2}");
    write("merges.txt", b"#version: 0.2\na b c\n");
    assert!(error().expect("three parts").contains("merges.txt: line 2"));
    write("merges.txt", b"#version: 0.2\n");
    assert_eq!(error(), None);
    // A folder of a kind that transformers must convert says so.
    let other = tempfile::tempdir().expect("a folder");
    for name in ["config.json", "model.safetensors", "sentencepiece.bpe.model"] {
        fs::write(other.path().join(name), "").expect("written");
    }
    let text = resolve(other.path()).expect_err("refused").to_string();
    assert!(text.contains("sentencepiece.bpe.model") && text.contains("save_pretrained"), "{text}");
}

#[test]
fn tokenizer_files_that_break_the_library_are_errors() {
    let hostile: [&[u8]; 6] = [
        b"",
        b"{}",
        b"[[[[[[[[[[",
        br#"{"version":"1.0","model":{"type":"WordPiece","vocab":{},"unk_token":"[UNK]","continuing_subword_prefix":"~","max_input_chars_per_word":100}}"#,
        br#"{"version":"1.0","model":{"type":"Unigram","unk_id":7,"vocab":[["a",-1.0]]}}"#,
        br#"{"version":"1.0","post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"\u001b[2J","type_id":0}}],"pair":[],"special_tokens":{}},"model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"b"}}"#,
    ];
    for bytes in hostile {
        let made = Tokenizer::from_bytes(bytes, 8).and_then(|t| t.encode("a text", Some("b")).map(|_| ()));
        let text = made.expect_err(&String::from_utf8_lossy(bytes)).to_string();
        assert!(text.contains("tokenizer.json") && !text.contains('\u{1b}'), "{text}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tokenizer.json");
    fs::File::create(&path).and_then(|f| f.set_len(65 << 20)).expect("a large file");
    let error = ModelSource::Folder(folder.path().into()).tokenizer().expect_err("too large").to_string();
    assert!(error.contains("tokenizer.json") && error.contains("at most"), "{error}");
}

/// Random and short: a run of each family from its folder to an adapter, and that adapter merged.
#[test]
fn every_family_trains_and_merges_into_a_folder_that_loads() {
    let out = std::env::var_os("EIGENSCOPE_MERGED").map(PathBuf::from);
    for (name, told) in models() {
        let folder = folder(&name);
        let model = folder.path().to_str().expect("UTF-8");
        let spec = RunSpec { model: model.into(), max_length: 12, task: "cola".into(), ..spec("symlora") };
        job::check(&spec, folder.path()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let checkpoint = load(folder.path()).expect("a model");
        let mut engine = Cpu::new(&checkpoint, &spec, 2, false).expect("a model");
        let values = shaken(&engine, 9);
        engine.load(&values).expect("values");
        let run = tempfile::tempdir().expect("a folder");
        let file = run.path().join("adapter.safetensors");
        save_adapter(&file, &spec, engine.parameters(), &values).expect("saved");
        let saved = Saved::of_run(&spec, run.path()).expect("an adapter");
        let target = out.clone().unwrap_or_else(|| run.path().into()).join(&name);
        job::merge(&saved, &checkpoint, &target).unwrap_or_else(|e| panic!("{name}: {e}"));
        let merged = load(&target).expect("a merged model");
        assert!(target.join("tokenizer_config.json").is_file(), "{name}: what is said of the tokenizer goes along");
        let two = Batch { labels: Labels::Classes(vec![0; 5]), ..batch(&told["batch"]) };
        let mut plain = Autograd::<f64>::new(&merged, &RunSpec { method: "lora".into(), ..spec.clone() }, 2, false)
            .expect("a model");
        let (a, b) = (engine.logits(&two).expect("logits").concat(), plain.logits(&two).expect("logits").concat());
        let worst = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-4, "{name}: merged {worst:e} off");
        // As PEFT keeps it, on a model with lambda W0, and read again from there.
        let (peft, base) = (run.path().join("peft"), run.path().join("base"));
        let format = eigenscope::format::find("peft").expect("a format");
        job::convert(&saved, Some(&checkpoint), format, &peft, Some(&base)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let given = Given { model: base.to_str().map(String::from), ..Given::default() };
        let again = Saved::open(&peft, &given).unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut lora = again.backend(&again.model().expect("a model")).unwrap_or_else(|e| panic!("{name}: {e}"));
        let b = lora.logits(&two).expect("logits").concat();
        let worst = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-4, "{name}: as PEFT has it {worst:e} off");
        if out.is_some() {
            let told = serde_json::json!({ "batch": told["batch"], "logits": b });
            fs::write(target.join("logits.json"), told.to_string()).expect("written");
        }
    }
}
