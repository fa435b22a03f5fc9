//! RoBERTa and DistilRoBERTa, and the shape that other families share with them: BERT's layers with positions after the pad's,
//! one token type, and a head of two layers.

use super::{BERT, Defaults, Family, Head, Positions, Published};

/// A family of RoBERTa's shape and tensor names; what differs is what it is called and which words it has.
pub struct Shaped {
    pub model_type: &'static str,
    pub class: &'static str,
    pub vocab_size: u64,
    pub published: &'static [Published],
}

pub static ROBERTA: Shaped = Shaped {
    model_type: "roberta",
    class: "RobertaForSequenceClassification",
    vocab_size: 50_265,
    published: &[
        ("roberta-base", &[BASE, ONE_TYPE]),
        ("roberta-large", LARGE),
        ("distilroberta-base", &[BASE, ONE_TYPE, ("num_hidden_layers", 6)]),
    ],
};

const LARGE: &[(&str, u64)] = &[
    BASE,
    ONE_TYPE,
    ("hidden_size", 1024),
    ("num_hidden_layers", 24),
    ("num_attention_heads", 16),
    ("intermediate_size", 4096),
];

/// Sizes of the published base models that are not the defaults.
pub(super) const BASE: (&str, u64) = ("max_position_embeddings", 514);
pub(super) const ONE_TYPE: (&str, u64) = ("type_vocab_size", 1);

impl Family for Shaped {
    fn model_type(&self) -> &'static str {
        self.model_type
    }

    fn class(&self) -> &'static str {
        self.class
    }

    fn prefix(&self) -> &'static str {
        "roberta"
    }

    fn defaults(&self) -> Defaults {
        Defaults { vocab_size: self.vocab_size, pad_token_id: 1, ..BERT }
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
        self.published
    }
}
