//! MNLI: inference between two sentences (Williams et al. 2018); validated on the matched genres.

use super::{Column, Glue, HubLayout, LabelKind, Layout, Origin, Task, TestFile};

pub struct Mnli;

impl Task for Mnli {
    fn id(&self) -> &'static str {
        "mnli"
    }

    fn label(&self) -> &'static str {
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

    fn origin(&self) -> Origin<'_> {
        Origin::Glue(self)
    }
}

impl Glue for Mnli {
    fn folder(&self) -> &'static str {
        "MNLI"
    }

    fn hub(&self) -> HubLayout {
        HubLayout {
            folder: "mnli",
            text: "premise",
            pair: Some("hypothesis"),
            validation: "validation_matched",
            classes: &[("entailment", "entailment"), ("neutral", "neutral"), ("contradiction", "contradiction")],
        }
    }

    fn validation_files(&self) -> &'static [&'static str] {
        &["dev_matched.tsv", "dev.tsv"]
    }

    fn test_rows(&self) -> usize {
        9_796
    }

    /// Matched and mismatched genres, and GLUE's diagnostic sentences, which its website asks about MNLI's model.
    fn test_files(&self) -> Vec<TestFile> {
        let Layout { text, pair, .. } = self.layout();
        let file = |name: &'static str, path: &str, rows: usize, optional: bool| TestFile {
            name,
            path: path.into(),
            id: "index",
            text,
            pair,
            rows,
            optional,
        };
        vec![
            file("MNLI-m", "MNLI/test_matched.tsv", self.test_rows(), false),
            file("MNLI-mm", "MNLI/test_mismatched.tsv", 9_847, false),
            file("AX", "diagnostic/diagnostic.tsv", 1_104, true),
        ]
    }
}
