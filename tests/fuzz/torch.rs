//! PyTorch's `.bin`: the input as a file, and as the pickle of one with two storages.
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

fuzz_target!(|input: &[u8]| {
    values::read_all(input.to_vec());
    if let Some(file) = archive(input) {
        values::read_all(file);
    }
});
