//! BERT and models of its shape such as MiniLM: positions from 0, and a pooler that was trained with the encoder.

use super::{Activation, Family, Head, Published};

pub struct Bert;

impl Family for Bert {
    fn model_type(&self) -> &'static str {
        "bert"
    }

    fn class(&self) -> &'static str {
        "BertForSequenceClassification"
    }

    fn head(&self) -> Head {
        Head {
            dense: "bert.pooler.dense",
            out: "classifier",
            activation: Activation::Tanh,
            drops_input: false,
            pretrained: true,
        }
    }

    fn published(&self) -> &'static [Published] {
        &[
            ("bert-base", &[]),
            ("minilm-l12-h384", &[("hidden_size", 384), ("intermediate_size", 1536)]),
            ("minilm-l6-h384", &[("hidden_size", 384), ("intermediate_size", 1536), ("num_hidden_layers", 6)]),
        ]
    }
}
