//! CoLA: acceptability of a sentence (Warstadt et al. 2018). Its files have no header.

use super::{Column, Glue, HubLayout, LabelKind, Layout, Origin, Task, TestFile};

pub struct Cola;

impl Task for Cola {
    fn id(&self) -> &'static str {
        "cola"
    }

    fn label(&self) -> &'static str {
        "CoLA"
    }

    fn layout(&self) -> Layout {
        Layout { text: Column::Index(3), pair: None, label: Column::Index(1) }
    }

    fn labels(&self) -> LabelKind {
        LabelKind::Classes(&["0", "1"])
    }

    fn metric_ids(&self) -> &'static [&'static str] {
        &["matthews"]
    }

    fn origin(&self) -> Origin<'_> {
        Origin::Glue(self)
    }
}

impl Glue for Cola {
    fn folder(&self) -> &'static str {
        "CoLA"
    }

    fn hub(&self) -> HubLayout {
        HubLayout {
            folder: "cola",
            text: "sentence",
            pair: None,
            validation: "validation",
            classes: &[("unacceptable", "0"), ("acceptable", "1")],
        }
    }

    fn test_rows(&self) -> usize {
        1_063
    }

    fn test_files(&self) -> Vec<TestFile> {
        // Unlike its labelled files these have a header.
        vec![TestFile {
            name: self.label(),
            path: "CoLA/test.tsv".into(),
            id: "index",
            text: Column::Name("sentence"),
            pair: None,
            rows: self.test_rows(),
            optional: false,
        }]
    }
}
