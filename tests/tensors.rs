//! PyTorch's `.bin`, read by value, refused with a reason, and fed with bytes that mean harm.

#[path = "tensors/archive.rs"]
mod archive;

use archive::{state_dict, zip};
use eigenscope::model::{Checkpoint, ModelSource};
use eigenscope::tensors::{Entry, TensorFile};
use serde_json::Value;
use std::borrow::Cow;
use std::path::PathBuf;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/adapters").join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).expect("a fixture")
}

fn parse(bytes: Vec<u8>) -> Result<TensorFile, String> {
    TensorFile::parse(Cow::Owned(bytes)).map_err(|e| e.to_string())
}

fn refusal(bytes: Vec<u8>, words: &[&str]) {
    let error = parse(bytes).err().expect("refused");
    for word in words {
        assert!(error.contains(word), "{error:?} lacks {word:?}");
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("an array").iter().map(|v| v.as_f64().expect("a number")).collect()
}

#[test]
fn tensors_of_every_type_are_read() {
    let reference: Value = serde_json::from_slice(&bytes("tensors.json")).expect("JSON");
    let reference = reference.as_object().expect("an object");
    // Saved as it is, under a name beside things that are no tensors, and as before PyTorch 1.6.
    for name in ["tensors.bin", "nested.bin", "legacy.bin"] {
        let file = TensorFile::open(&path(name)).expect("a file");
        assert_eq!(file.entries().len(), reference.len());
        for (tensor, entry) in file.entries() {
            let expected = &reference[tensor];
            let shape: Vec<f64> = entry.shape.iter().map(|d| *d as f64).collect();
            assert_eq!(shape, numbers(&expected["shape"]), "{tensor}");
            let values = file.values(entry, f64::from, |v| v);
            if tensor == "int64" {
                assert!(values.expect_err("integers").to_string().contains("I64"));
            } else {
                assert_eq!(values.expect("values"), numbers(&expected["values"]), "{tensor}");
            }
        }
    }
}

#[test]
fn what_is_not_read_is_told_with_what_to_do() {
    refusal(bytes("strided.bin"), &["\"w\"", "[3, 2]", "strides [1, 3]", ".contiguous()"]);
    refusal(bytes("module.bin"), &["torch.nn.modules", "only dictionaries of tensors", "python -c"]);
    refusal(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n".to_vec(), &["git lfs pull"]);
    refusal(vec![0; 4], &["truncated"]);
    let whole = bytes("tensors.bin");
    refusal(whole[..whole.len() - 1].to_vec(), &["truncated zip"]);
    let error = TensorFile::open(std::path::Path::new("/dev")).err().expect("a folder").to_string();
    assert!(!error.is_empty());
}

/// A `.bin` with this data.pkl and one storage of four floats.
fn torch(pickle: &[u8]) -> Vec<u8> {
    zip(&[("a/data.pkl", pickle), ("a/data/0", &[0; 16])])
}

const STORAGE: &[u8] = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x04tQ";

/// {"w": a tensor with this offset, shape and strides}
fn tensor(rest: &[u8]) -> Vec<u8> {
    let call = b"\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n(";
    torch(&[call, STORAGE, rest, b"\x89NtRs."].concat())
}

#[test]
fn tensors_end_where_their_storage_ends() {
    assert_eq!(parse(tensor(b"K\0K\x02K\x02\x86K\x02K\x01\x86")).expect("2 x 2").entries()["w"].shape, [2, 2]);
    let wrong: [&[u8]; 6] = [
        b"K\0K\x05\x85K\x01\x85",
        b"K\x01K\x02K\x02\x86K\x02K\x01\x86",
        b"J\xff\xff\xff\xffK\x01\x85K\x01\x85",
        b"K\0J\xff\xff\xff\x7f\x85K\x01\x85",
        // Products beyond what can be counted.
        b"K\0\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7fK\x04\x86K\x04K\x01\x86",
        b"K\0K\x02K\x02\x86K\x01\x85",
    ];
    for rest in wrong {
        assert!(parse(tensor(rest)).is_err(), "{rest:?}");
    }
}

#[test]
fn harmful_pickles_are_refused() {
    let open: &[u8] = b"\x80\x02";
    // Code that a real unpickler would run.
    let shell = [open, b"cposix\nsystem\nX\x02\0\0\0id\x85R."].concat();
    refusal(torch(&shell), &["\"posix.system\"", "nothing in them is run"]);
    refusal(torch(b"\x80\x02cbuiltins\nev\x1b]0;x\x07al\n."), &["\\u{1b}", "\\u{7}"]);
    // A text of 4 GiB, an integer of 255 bytes, arguments that are not there.
    refusal(torch(b"\x80\x02}X\xff\xff\xff\xffw"), &["its pickle is broken", "ends too early"]);
    refusal(torch(b"\x80\x02\x8a\xff\x01"), &["ends too early"]);
    refusal(torch(b"\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n)Rs."), &["arguments that do not fit"]);
    refusal(torch(b"\x80\x02}R."), &["empty stack"]);
    refusal(torch(b"\x80\x02(K\x01s."), &["empty stack"]);
    refusal(torch(b"\x80\x05."), &["protocol 5"]);
    // A tuple of itself, twice as large with every step: 2^200 values.
    let doubled = (0..200u8).flat_map(|i| [b'h', i, b'h', i, 0x86, b'q', i + 1]);
    let bomb: Vec<u8> = [open, b")q\0"].concat().into_iter().chain(doubled).chain(*b".").collect();
    refusal(torch(&bomb), &["no tensors"]);
    // A dictionary in itself.
    refusal(torch(b"\x80\x02}q\0X\x01\0\0\0wh\0s."), &["no tensors"]);
    // As many values, marks and stack entries as the bytes allow.
    for (opcode, words) in [(b']', "values on its stack"), (b'(', "marks")] {
        refusal(torch(&[open, &vec![opcode; 1 << 20]].concat()), &[words]);
    }
    let popped: Vec<u8> = b"}]s".iter().copied().cycle().take(6 << 20).collect();
    assert!(parse(torch(&popped)).is_err());
    refusal(torch(&vec![b'N'; (16 << 20) + 1]), &["at most 16777216"]);
    // A dictionary of tensors, named so often that looking at each would never end.
    let named = b"X\x01\0\0\0kh\x01s".repeat(100_000);
    let first = b"X\x01\0\0\0aq\0}q\x01h\0ctorch._utils\n_rebuild_tensor_v2\n(";
    let inner = [first, STORAGE, b"K\0K\x04\x85K\x01\x85\x89NtRq\x02s", &b"h\0h\x02s".repeat(100_000), b"s"].concat();
    refusal(torch(&[open, b"}", &inner, &named, b"."].concat()), &["100001 tensors, at most 20000"]);
}

#[test]
fn what_was_saved_before_torch_1_6_is_checked_as_well() {
    let whole = bytes("legacy.bin");
    let changed = |from: &[u8], to: &[u8]| {
        let at = whole.windows(from.len()).position(|w| w == from).expect("it is there");
        [&whole[..at], to, &whole[at + from.len()..]].concat()
    };
    refusal(whole[..whole.len() - 1].to_vec(), &["truncated: it ends within its storage"]);
    refusal(whole[..100].to_vec(), &["its pickle is broken", "ends too early"]);
    refusal(changed(b"M\xe9\x03.", b"M\xe8\x03."), &["other than 1001"]);
    refusal(changed(b"little_endianq\x02\x88", b"little_endianq\x02\x89"), &["byteorder is not little"]);
    // A storage of one value, behind its count.
    let counts = whole.windows(8).rposition(|w| w == 1u64.to_le_bytes()).expect("a count");
    let mut more = whole.clone();
    more[counts] = 2;
    refusal(more, &["has 2 values, 1 expected"]);
}

#[test]
fn harmful_archives_are_refused() {
    refusal(zip(&[("a/data/0", &[0; 16])]), &["0 data.pkl"]);
    refusal(zip(&[("a/data.pkl", b"."), ("b/data.pkl", b".")]), &["2 data.pkl"]);
    refusal(zip(&[("a/data.pkl", b"."), ("a/data.pkl", b".")]), &["twice"]);
    refusal(zip(&[("a/data.pkl", b"."), ("a/byteorder", b"big")]), &["byteorder"]);
    let mut packed = torch(b"\x80\x02}.");
    let directory = packed.windows(4).position(|w| w == b"PK\x01\x02").expect("a directory");
    packed[directory + 10] = 8;
    refusal(packed, &["\"a/data.pkl\"", "compressed"]);
    let gone =
        [b"\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n(", STORAGE, b"K\0K\x04\x85K\x01\x85\x89NtRs."];
    refusal(zip(&[("a/data.pkl", &gone.concat())]), &["\"w\"", "storage \"0\" is not in the file"]);
}

/// Flips, cuts and copies of bytes: nothing of it may panic, and what is still read stays within the file.
#[test]
fn changed_bytes_do_no_harm() {
    let mut state = 0x2504_u64;
    let mut draw = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1) as u64) as usize
    };
    let mut read = 0;
    for whole in [bytes("tensors.bin"), bytes("nested.bin"), bytes("loralib.bin"), bytes("legacy.bin")] {
        for round in 0..20_000 {
            let mut changed = whole.clone();
            for _ in 0..1 + draw(4) {
                let at = draw(changed.len());
                match draw(3) {
                    0 => changed[at] = draw(256) as u8,
                    1 => changed[at] ^= 1 << draw(8),
                    _ => {
                        let from = draw(changed.len());
                        let length = draw(12).min(changed.len() - at.max(from));
                        changed.copy_within(from..from + length, at);
                    }
                }
            }
            if round % 10 == 0 {
                changed.truncate(draw(whole.len()));
            }
            let Ok(file) = parse(changed) else { continue };
            read += 1;
            for entry in file.entries().values() {
                let _ = file.values(entry, f64::from, |v| v);
            }
        }
    }
    assert!(read > 0, "no change left a file that can be read");
}

#[test]
fn a_model_folder_may_hold_pytorch_model_bin() {
    let assets = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("assets/mini-roberta");
    let whole = TensorFile::open(&assets.join("model.safetensors")).expect("weights");
    let tensor = |(name, entry): (&String, &Entry)| {
        let values = whole.values(entry, |v| v, |v| v as f32).expect("values");
        (name.clone(), entry.shape.clone(), values.iter().flat_map(|v| v.to_le_bytes()).collect())
    };
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = whole.entries().iter().map(tensor).collect();
    let folder = tempfile::tempdir().expect("a folder");
    for file in ["config.json", "tokenizer.json"] {
        std::fs::copy(assets.join(file), folder.path().join(file)).expect("a copy");
    }
    let named = folder.path().display().to_string();
    let load = || ModelSource::resolve(&named).and_then(|source| source.load());
    let error = load().err().expect("no weights").to_string();
    assert!(error.contains("model.safetensors or pytorch_model.bin"), "{error}");
    let file = folder.path().join("pytorch_model.bin");
    let bytes = state_dict(&tensors);
    std::fs::write(&file, &bytes).expect("written");
    let (own, embedded) = (load().expect("a model"), ModelSource::Embedded.load().expect("a model"));
    for (name, shape) in own.config.encoder_shapes() {
        let values = |model: &Checkpoint| model.weights.values::<f64>(&name, &shape).expect("values");
        assert_eq!(values(&own), values(&embedded), "{name}");
    }
    std::fs::write(&file, &bytes[..bytes.len() / 2]).expect("written");
    let error = load().err().expect("half a file").to_string();
    assert!(error.contains("pytorch_model.bin") && error.contains("truncated"), "{error}");
}
