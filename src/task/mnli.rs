//! MNLI: inference between two sentences (Williams et al. 2018); validated on the matched genres.

use super::{Column, LabelKind, Layout, Task};

pub struct Mnli;

impl Task for Mnli {
    fn id(&self) -> &'static str {
        "mnli"
    }

    fn label(&self) -> &'static str {
        "MNLI"
    }

    fn folder(&self) -> &'static str {
        "MNLI"
    }

    fn layout(&self) -> Layout {
        Layout {
            text: Column::Name("sentence1"),
            pair: Some(Column::Name("sentence2")),
            label: Column::Name("gold_label"),
        }
    }

    fn labels(&self) -> LabelKind {
        LabelKind::Classes(&["entailment", "neutral", "contradiction"])
    }

    fn metric_ids(&self) -> &'static [&'static str] {
        &["accuracy"]
    }

    fn validation_files(&self) -> &'static [&'static str] {
        &["dev_matched.tsv", "dev.tsv"]
    }
}
