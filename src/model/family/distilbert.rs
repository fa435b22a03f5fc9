//! DistilBERT: BERT's layers under other names, without token types and pooler, without
//! dropout after the attention, and a head with ReLU.

use super::{Activation, BERT, Defaults, Family, Head, Published};

pub struct DistilBert;

impl Family for DistilBert {
    fn model_type(&self) -> &'static str {
        "distilbert"
    }

    fn class(&self) -> &'static str {
        "DistilBertForSequenceClassification"
    }

    fn field(&self, bert: &'static str) -> &'static str {
        match bert {
            "hidden_size" => "dim",
            "num_hidden_layers" => "n_layers",
            "num_attention_heads" => "n_heads",
            "intermediate_size" => "hidden_dim",
            "hidden_act" => "activation",
            "hidden_dropout_prob" => "dropout",
            "attention_probs_dropout_prob" => "attention_dropout",
            "classifier_dropout" => "seq_classif_dropout",
            same => same,
        }
    }

    fn defaults(&self) -> Defaults {
        Defaults { num_hidden_layers: 6, type_vocab_size: 0, classifier_dropout: Some(0.2), ..BERT }
    }

    fn layers(&self) -> &'static str {
        "transformer.layer"
    }

    fn module(&self, bert: &'static str) -> &'static str {
        match bert {
            "attention.self.query" => "attention.q_lin",
            "attention.self.key" => "attention.k_lin",
            "attention.self.value" => "attention.v_lin",
            "attention.output.dense" => "attention.out_lin",
            "attention.output.LayerNorm" => "sa_layer_norm",
            "intermediate.dense" => "ffn.lin1",
            "output.dense" => "ffn.lin2",
            "output.LayerNorm" => "output_layer_norm",
            same => same,
        }
    }

    fn has_token_types(&self) -> bool {
        false
    }

    fn drops_attention_output(&self) -> bool {
        false
    }

    fn head(&self) -> Head {
        Head {
            dense: "pre_classifier",
            out: "classifier",
            activation: Activation::Relu,
            drops_input: false,
            pretrained: false,
        }
    }

    fn published(&self) -> &'static [Published] {
        &[("distilbert-base", &[])]
    }
}
