//! SST-2: sentiment of a film review's phrase (Socher et al. 2013).

use super::{Column, Glue, HubLayout, LabelKind, Layout, Origin, Task};

pub struct Sst2;

impl Task for Sst2 {
    fn id(&self) -> &'static str {
        "sst-2"
    }

    fn label(&self) -> &'static str {
        "SST-2"
    }

    fn layout(&self) -> Layout {
        Layout { text: Column::Name("sentence"), pair: None, label: Column::Name("label") }
    }

    fn labels(&self) -> LabelKind {
        LabelKind::Classes(&["0", "1"])
    }

    fn metric_ids(&self) -> &'static [&'static str] {
        &["accuracy"]
    }

    fn origin(&self) -> Origin<'_> {
        Origin::Glue(self)
    }
}

impl Glue for Sst2 {
    fn folder(&self) -> &'static str {
        "SST-2"
    }

    fn hub(&self) -> HubLayout {
        HubLayout {
            folder: "sst2",
            text: "sentence",
            pair: None,
            validation: "validation",
            classes: &[("negative", "0"), ("positive", "1")],
        }
    }

    fn test_rows(&self) -> usize {
        1_821
    }
}
