//! XLM-RoBERTa: RoBERTa's shape with the words of a hundred languages.

use super::roberta::{BASE, DEFAULTS, ONE_TYPE};
use super::{Defaults, Family, Head, Positions, Published};

pub struct XlmRoberta;

impl Family for XlmRoberta {
    fn model_type(&self) -> &'static str {
        "xlm-roberta"
    }

    fn class(&self) -> &'static str {
        "XLMRobertaForSequenceClassification"
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
        &[("xlm-roberta-base", &[("vocab_size", 250_002), BASE, ONE_TYPE])]
    }
}
