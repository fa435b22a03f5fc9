//! QNLI: whether a sentence answers a question (from SQuAD, Rajpurkar et al. 2016).

use super::{Column, Glue, HubLayout, LabelKind, Layout, Origin, Task};

pub struct Qnli;

impl Task for Qnli {
    fn id(&self) -> &'static str {
        "qnli"
    }

    fn label(&self) -> &'static str {
        "QNLI"
    }

    fn layout(&self) -> Layout {
        Layout { text: Column::Name("question"), pair: Some(Column::Name("sentence")), label: Column::Name("label") }
    }

    fn labels(&self) -> LabelKind {
        LabelKind::Classes(&["entailment", "not_entailment"])
    }

    fn metric_ids(&self) -> &'static [&'static str] {
        &["accuracy"]
    }

    fn origin(&self) -> Origin<'_> {
        Origin::Glue(self)
    }
}

impl Glue for Qnli {
    fn folder(&self) -> &'static str {
        "QNLI"
    }

    fn hub(&self) -> HubLayout {
        HubLayout {
            folder: "qnli",
            text: "question",
            pair: Some("sentence"),
            validation: "validation",
            classes: &[("entailment", "entailment"), ("not_entailment", "not_entailment")],
        }
    }

    fn test_rows(&self) -> usize {
        5_463
    }
}
