//! CamemBERT: RoBERTa's shape with French words.

use super::roberta::{BASE, DEFAULTS, ONE_TYPE};
use super::{Defaults, Family, Head, Positions, Published};

pub struct Camembert;

impl Family for Camembert {
    fn model_type(&self) -> &'static str {
        "camembert"
    }

    fn class(&self) -> &'static str {
        "CamembertForSequenceClassification"
    }

    fn prefix(&self) -> &'static str {
        "roberta"
    }

    fn defaults(&self) -> Defaults {
        DEFAULTS
    }

    fn positions(&self) -> Positions {
        Positions::AfterPad
    }

    fn has_token_types(&self) -> bool {
        false
    }

    fn head(&self) -> Head {
        Head::ROBERTA
    }

    fn published(&self) -> &'static [Published] {
        &[("camembert-base", &[("vocab_size", 32_005), BASE, ONE_TYPE])]
    }
}
