//! PyTorch's `.bin`: the input as a file, and as the pickle of one with two storages, as it is saved today and before 1.6.
#![no_main]

mod values;

use libfuzzer_sys::fuzz_target;
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// The archive that torch.save makes, with this pickle.
fn archive(pickle: &[u8]) -> Option<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in [("data.pkl", pickle), ("data/0", &[1; 96]), ("data/1", &[2; 8])] {
        zip.start_file(format!("archive/{name}"), stored).ok()?;
        zip.write_all(bytes).ok()?;
    }
    Some(zip.finish().ok()?.into_inner())
}

/// The file that torch.save made before 1.6, with this pickle.
fn legacy(pickle: &[u8]) -> Vec<u8> {
    let begin = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}X\x0d\0\0\0little_endian\x88s.";
    let keys = b"\x80\x02](X\x01\0\0\0\x30X\x01\0\0\0\x31e.";
    let storages = [&24u64.to_le_bytes()[..], &[1; 96], &2u64.to_le_bytes(), &[2; 8]].concat();
    [begin, pickle, &keys[..], &storages].concat()
}

fuzz_target!(|input: &[u8]| {
    values::read_all(input.to_vec());
    values::read_all(legacy(input));
    if let Some(file) = archive(input) {
        values::read_all(file);
    }
});
