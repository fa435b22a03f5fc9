//! QQP: whether two questions mean the same (Quora).

use super::{Column, LabelKind, Layout, Task};

pub struct Qqp;

impl Task for Qqp {
    fn id(&self) -> &'static str {
        "qqp"
    }

    fn label(&self) -> &'static str {
        "QQP"
    }

    fn folder(&self) -> &'static str {
        "QQP"
    }

    fn layout(&self) -> Layout {
        Layout {
            text: Column::Name("question1"),
            pair: Some(Column::Name("question2")),
            label: Column::Name("is_duplicate"),
        }
    }

    fn labels(&self) -> LabelKind {
        LabelKind::Classes(&["0", "1"])
    }

    fn metric_ids(&self) -> &'static [&'static str] {
        &["accuracy", "f1"]
    }
}
