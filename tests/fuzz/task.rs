//! Files of tasks of a person's own: what is understood is a task that can be trained on.
#![no_main]

use eigenscope::metric;
use eigenscope::task::{self, Held, LabelKind, Task};
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|text: &str| {
    let Ok(task) = task::parse(Path::new("/fuzzed/task.toml"), text) else { return };
    let classes = match task.labels() {
        LabelKind::Classes(names) => {
            assert!(names.len() > 1);
            for (i, name) in names.iter().enumerate() {
                assert!(!name.is_empty() && !names[..i].contains(name), "{names:?}");
            }
            Some(names.len())
        }
        LabelKind::Score { low, high } => {
            assert!(low.is_finite() && high.is_finite() && low < high);
            None
        }
    };
    assert!(!task.metric_ids().is_empty() && !task.label().is_empty() && !task.train.is_empty());
    for id in task.metric_ids() {
        assert!(metric::find(id).is_some_and(|m| m.fits(classes)), "{id}");
    }
    match &task.validation {
        Held::Files(files) => assert!(!files.is_empty()),
        Held::Share { share, .. } => assert!(*share > 0.0 && *share < 1.0),
    }
    assert!(!task.expected().is_empty() && task.columns().len() >= 2);
});
