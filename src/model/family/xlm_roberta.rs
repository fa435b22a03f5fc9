//! XLM-RoBERTa: RoBERTa's shape with the words of a hundred languages.

use super::roberta::{BASE, ONE_TYPE, Shaped};

pub static XLM_ROBERTA: Shaped = Shaped {
    model_type: "xlm-roberta",
    class: "XLMRobertaForSequenceClassification",
    // transformers' default; published models say their own.
    vocab_size: 30_522,
    published: &[("xlm-roberta-base", &[("vocab_size", 250_002), BASE, ONE_TYPE])],
};
