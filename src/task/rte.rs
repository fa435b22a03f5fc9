//! RTE: textual entailment (Dagan et al. 2006 and its successors).

use super::{Column, Glue, HubLayout, LabelKind, Layout, Origin, Task};

pub struct Rte;

impl Task for Rte {
    fn id(&self) -> &'static str {
        "rte"
    }

    fn label(&self) -> &'static str {
        "RTE"
    }

    fn layout(&self) -> Layout {
        Layout { text: Column::Name("sentence1"), pair: Some(Column::Name("sentence2")), label: Column::Name("label") }
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

impl Glue for Rte {
    fn folder(&self) -> &'static str {
        "RTE"
    }

    fn hub(&self) -> HubLayout {
        HubLayout {
            folder: "rte",
            text: "sentence1",
            pair: Some("sentence2"),
            validation: "validation",
            classes: &[("entailment", "entailment"), ("not_entailment", "not_entailment")],
        }
    }

    fn test_rows(&self) -> usize {
        3_000
    }
}
