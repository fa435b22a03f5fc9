//! STS-B: similarity of two sentences from 0 to 5 (Cer et al. 2017).

use super::{Column, Glue, HubLayout, LabelKind, Layout, Origin, Task};

pub struct StsB;

impl Task for StsB {
    fn id(&self) -> &'static str {
        "sts-b"
    }

    fn label(&self) -> &'static str {
        "STS-B"
    }

    fn layout(&self) -> Layout {
        Layout { text: Column::Name("sentence1"), pair: Some(Column::Name("sentence2")), label: Column::Name("score") }
    }

    fn labels(&self) -> LabelKind {
        LabelKind::Score { low: 0.0, high: 5.0 }
    }

    fn metric_ids(&self) -> &'static [&'static str] {
        &["pearson", "spearman"]
    }

    fn origin(&self) -> Origin<'_> {
        Origin::Glue(self)
    }
}

impl Glue for StsB {
    fn folder(&self) -> &'static str {
        "STS-B"
    }

    fn hub(&self) -> HubLayout {
        HubLayout { folder: "stsb", text: "sentence1", pair: Some("sentence2"), validation: "validation", classes: &[] }
    }

    fn test_rows(&self) -> usize {
        1_379
    }
}
