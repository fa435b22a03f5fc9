//! TensorBoard's event files: the input as a file, and as the content of a record with the right checksums.
#![no_main]

mod disk;

use eigenscope::tracker;
use libfuzzer_sys::fuzz_target;

fn masked(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

fn record(content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u64).to_le_bytes();
    [&length[..], &masked(&length), content, &masked(content)].concat()
}

fuzz_target!(|input: &[u8]| {
    for bytes in [input, &record(input)] {
        let path = disk::file("events.out.tfevents.1", bytes);
        let source = tracker::source(&path).expect("its name is that of an event file");
        if let Ok((runs, _)) = source.read(&path) {
            assert!(runs.len() <= 1, "one file is one run");
        }
    }
});
