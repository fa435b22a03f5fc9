//! safetensors: the input as a file, and as the header of one with some values behind it.
#![no_main]

mod values;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    values::read_all(input.to_vec());
    let mut file = (input.len() as u64).to_le_bytes().to_vec();
    file.extend(input);
    file.extend([1; 96]);
    values::read_all(file);
});
