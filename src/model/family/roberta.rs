//! RoBERTa and DistilRoBERTa: BERT's layers with positions after the pad's, one token type, and a head of two layers.

use super::{BERT, Defaults, Family, Head, Positions, Published};

pub struct Roberta;

/// Sizes of the published base models that are not the defaults.
pub(super) const BASE: (&str, u64) = ("max_position_embeddings", 514);
pub(super) const ONE_TYPE: (&str, u64) = ("type_vocab_size", 1);

/// What transformers takes for the families of this shape.
pub(super) const DEFAULTS: Defaults = Defaults { pad_token_id: 1, ..BERT };

impl Family for Roberta {
    fn model_type(&self) -> &'static str {
        "roberta"
    }

    fn class(&self) -> &'static str {
        "RobertaForSequenceClassification"
    }

    fn defaults(&self) -> Defaults {
        Defaults { vocab_size: 50_265, ..DEFAULTS }
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
        const LARGE: &[(&str, u64)] = &[
            BASE,
            ONE_TYPE,
            ("hidden_size", 1024),
            ("num_hidden_layers", 24),
            ("num_attention_heads", 16),
            ("intermediate_size", 4096),
        ];
        &[
            ("roberta-base", &[BASE, ONE_TYPE]),
            ("roberta-large", LARGE),
            ("distilroberta-base", &[BASE, ONE_TYPE, ("num_hidden_layers", 6)]),
        ]
    }
}
