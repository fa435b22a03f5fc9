//! CamemBERT: RoBERTa's shape with French words.

use super::roberta::{BASE, ONE_TYPE, Shaped};

pub static CAMEMBERT: Shaped = Shaped {
    model_type: "camembert",
    class: "CamembertForSequenceClassification",
    // transformers' default; published models say their own.
    vocab_size: 30_522,
    published: &[("camembert-base", &[("vocab_size", 32_005), BASE, ONE_TYPE])],
};
