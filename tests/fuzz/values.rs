//! A file of tensors that was taken for one: every tensor's values are there or refused with a reason.

use eigenscope::tensors::TensorFile;

pub fn read_all(bytes: Vec<u8>) {
    let Ok(file) = TensorFile::parse(bytes.into()) else { return };
    for (name, entry) in file.entries() {
        if let Ok(values) = file.values(entry, f64::from, |v| v) {
            assert_eq!(values.len(), entry.shape.iter().product::<usize>(), "{name}");
        }
    }
}
