//! MRPC: whether two sentences are paraphrases (Dolan and Brockett 2005).

use super::{Column, Glue, HubLayout, LabelKind, Layout, Origin, Task};

pub struct Mrpc;

impl Task for Mrpc {
    fn id(&self) -> &'static str {
        "mrpc"
    }

    fn label(&self) -> &'static str {
        "MRPC"
    }

    fn layout(&self) -> Layout {
        Layout {
            text: Column::Name("#1 String"),
            pair: Some(Column::Name("#2 String")),
            label: Column::Name("Quality"),
        }
    }

    fn labels(&self) -> LabelKind {
        LabelKind::Classes(&["0", "1"])
    }

    fn metric_ids(&self) -> &'static [&'static str] {
        &["accuracy", "f1"]
    }

    fn origin(&self) -> Origin<'_> {
        Origin::Glue(self)
    }
}

impl Glue for Mrpc {
    fn folder(&self) -> &'static str {
        "MRPC"
    }

    fn hub(&self) -> HubLayout {
        HubLayout {
            folder: "mrpc",
            text: "sentence1",
            pair: Some("sentence2"),
            validation: "validation",
            classes: &[("not_equivalent", "0"), ("equivalent", "1")],
        }
    }

    fn test_rows(&self) -> usize {
        1_725
    }
}
