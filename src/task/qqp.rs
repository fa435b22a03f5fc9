//! QQP: whether two questions mean the same (Quora).

use super::{Column, Glue, HubLayout, LabelKind, Layout, Origin, Task, TestFile};

pub struct Qqp;

impl Task for Qqp {
    fn id(&self) -> &'static str {
        "qqp"
    }

    fn label(&self) -> &'static str {
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

    fn origin(&self) -> Origin<'_> {
        Origin::Glue(self)
    }
}

impl Glue for Qqp {
    fn folder(&self) -> &'static str {
        "QQP"
    }

    fn hub(&self) -> HubLayout {
        HubLayout {
            folder: "qqp",
            text: "question1",
            pair: Some("question2"),
            validation: "validation",
            classes: &[("not_duplicate", "0"), ("duplicate", "1")],
        }
    }

    fn test_rows(&self) -> usize {
        390_965
    }

    fn test_files(&self) -> Vec<TestFile> {
        let Layout { text, pair, .. } = self.layout();
        let path = "QQP/test.tsv".into();
        vec![TestFile { name: self.label(), path, id: "id", text, pair, rows: self.test_rows(), optional: false }]
    }
}
