//! ELECTRA's discriminators: BERT's layers, embeddings of a width of their own with a layer that widens them, and a head with
//! GELU.

use super::{Activation, BERT, Defaults, Family, Head, Published};

pub struct Electra;

impl Family for Electra {
    fn model_type(&self) -> &'static str {
        "electra"
    }

    fn class(&self) -> &'static str {
        "ElectraForSequenceClassification"
    }

    fn defaults(&self) -> Defaults {
        Defaults {
            embedding_size: Some(128),
            hidden_size: 256,
            num_attention_heads: 4,
            intermediate_size: 1024,
            ..BERT
        }
    }

    fn projection(&self) -> Option<&'static str> {
        Some("embeddings_project")
    }

    fn head(&self) -> Head {
        Head { activation: Activation::Gelu, ..Head::ROBERTA }
    }

    fn published(&self) -> &'static [Published] {
        const BASE: &[(&str, u64)] =
            &[("embedding_size", 768), ("hidden_size", 768), ("num_attention_heads", 12), ("intermediate_size", 3072)];
        &[("electra-small", &[]), ("electra-base", BASE)]
    }
}
