//! Labelled and test files of every task: what is read must be rows that the task can have. The first byte picks the task.
#![no_main]

use eigenscope::data;
use eigenscope::task::{self, LabelKind};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((pick, file)) = input.split_first() else { return };
    let task = task::ALL[usize::from(*pick) % task::ALL.len()];
    if let Ok(rows) = data::parse(task, "fuzzed", file) {
        assert!(!rows.is_empty());
        for row in rows {
            match task.labels() {
                LabelKind::Classes(names) => {
                    assert!(row.label.fract() == 0.0 && (0.0..names.len() as f64).contains(&row.label))
                }
                LabelKind::Score { low, high } => assert!((low..=high).contains(&row.label)),
            }
        }
    }
    for test in task.test_files() {
        let _ = data::parse_test(&test, "fuzzed", file);
    }
});
