//! Families of encoders as transformers names and shapes them. A family is one file here and its line in [`ALL`]: what it does
//! not say is as in BERT. Knows no weights and no arithmetic.

mod bert;
mod camembert;
mod distilbert;
mod electra;
mod roberta;
mod xlm_roberta;

use crate::adapter::AdapterError;
use crate::spec::TARGETS;
use std::fmt;

/// Every family, in the order in which they are listed.
pub const ALL: &[&dyn Family] = &[
    &roberta::ROBERTA,
    &bert::Bert,
    &xlm_roberta::XLM_ROBERTA,
    &camembert::CAMEMBERT,
    &electra::Electra,
    &distilbert::DistilBert,
];

/// Encoders of one `model_type`.
pub trait Family: Sync {
    /// As in config.json.
    fn model_type(&self) -> &'static str;
    /// transformers' class of an encoder with a head for whole texts.
    fn class(&self) -> &'static str;
    /// The first part of the encoder's tensor names.
    fn prefix(&self) -> &'static str {
        self.model_type()
    }
    /// The name in config.json of what BERT's calls `bert`.
    fn field(&self, bert: &'static str) -> &'static str {
        bert
    }
    /// What transformers takes for fields that config.json lacks.
    fn defaults(&self) -> Defaults {
        BERT
    }
    /// Where the layers stand under the prefix.
    fn layers(&self) -> &'static str {
        "encoder.layer"
    }
    /// The module of a layer that BERT calls `bert`.
    fn module(&self, bert: &'static str) -> &'static str {
        bert
    }
    /// The layer between embeddings and encoder where they differ in width; `None`: they never do.
    fn projection(&self) -> Option<&'static str> {
        None
    }
    fn positions(&self) -> Positions {
        Positions::FromZero
    }
    /// Whether tokens of a pair's second text are of another type; transformers' tokenizers of other families give none.
    fn has_token_types(&self) -> bool {
        true
    }
    /// Whether the output of the attention's dense layer is dropped, as all other outputs are.
    fn drops_attention_output(&self) -> bool {
        true
    }
    fn head(&self) -> Head;
    /// Published models by name, with what their config.json changes of the defaults.
    fn published(&self) -> &'static [Published];
}

/// A model's name and its fields that differ from the family's defaults.
pub type Published = (&'static str, &'static [(&'static str, u64)]);

/// Values of missing fields; the embeddings are as wide as the layers where nothing else is said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Defaults {
    pub vocab_size: u64,
    pub embedding_size: Option<u64>,
    pub hidden_size: u64,
    pub num_hidden_layers: u64,
    pub num_attention_heads: u64,
    pub intermediate_size: u64,
    pub max_position_embeddings: u64,
    pub type_vocab_size: u64,
    pub pad_token_id: u32,
    /// As dropout elsewhere where nothing else is said.
    pub classifier_dropout: Option<f64>,
}

const BERT: Defaults = Defaults {
    vocab_size: 30_522,
    embedding_size: None,
    hidden_size: 768,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    intermediate_size: 3072,
    max_position_embeddings: 512,
    type_vocab_size: 2,
    pad_token_id: 0,
    classifier_dropout: None,
};

/// Which position a token has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Positions {
    /// 0, 1, 2, ...
    FromZero,
    /// pad_id + 1, pad_id + 2, ... over what is no pad; pads have pad_id.
    AfterPad,
}

/// The classification head on the first token: dropout or not, dense, activation, dropout, out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Module of the dense layer [hidden, hidden], prefix included, and of the last layer.
    pub dense: &'static str,
    pub out: &'static str,
    pub activation: Activation,
    pub drops_input: bool,
    /// The dense layer was trained with the encoder: it is taken even where the last one is new.
    pub pretrained: bool,
}

impl Head {
    const ROBERTA: Head = Head {
        dense: "classifier.dense",
        out: "classifier.out_proj",
        activation: Activation::Tanh,
        drops_input: true,
        pretrained: false,
    };
}

/// After the head's dense layer. The numbers are those of the kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    Tanh = 0,
    Gelu = 1,
    Relu = 2,
}

impl PartialEq for dyn Family {
    fn eq(&self, other: &Self) -> bool {
        self.model_type() == other.model_type()
    }
}

impl fmt::Debug for dyn Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.model_type())
    }
}

/// The family of a `model_type`.
pub fn find(model_type: &str) -> Option<&'static dyn Family> {
    ALL.iter().copied().find(|f| f.model_type() == model_type)
}

/// `roberta, bert, ...`
pub fn names() -> String {
    ALL.iter().map(|f| f.model_type()).collect::<Vec<_>>().join(", ")
}

impl dyn Family + '_ {
    /// The path of a layer's module that BERT calls `bert`, prefix included.
    pub fn path(&self, layer: usize, bert: &'static str) -> String {
        format!("{}.{}.{layer}.{}", self.prefix(), self.layers(), self.module(bert))
    }

    /// The path of an adapter's target: the module whose `weight` is W0.
    pub fn module_path(&self, layer: usize, target: &str) -> Result<String, AdapterError> {
        let module = module_of(target).ok_or_else(|| AdapterError::Target { found: target.into() })?;
        Ok(self.path(layer, module))
    }

    /// The canonical name of a tensor: the prefix where it was left out, and `weight` and `bias` of layer norms that once were
    /// `gamma` and `beta`.
    pub fn canonical(&self, name: &str) -> String {
        let name = match name.rsplit_once('.') {
            Some((norm, "gamma")) if norm.ends_with("LayerNorm") => format!("{norm}.weight"),
            Some((norm, "beta")) if norm.ends_with("LayerNorm") => format!("{norm}.bias"),
            _ => name.to_string(),
        };
        let first = |path: &str| path.split('.').next().map(str::to_string);
        let own = [Some("embeddings"), Some("pooler"), Some(self.layers()), self.projection()];
        let bare = own.into_iter().flatten().any(|part| first(part) == first(&name));
        if bare { format!("{}.{name}", self.prefix()) } else { name }
    }
}

/// BERT's module of an adapter's target.
fn module_of(target: &str) -> Option<&'static str> {
    match target {
        "query" => Some("attention.self.query"),
        "key" => Some("attention.self.key"),
        "value" => Some("attention.self.value"),
        "output" => Some("attention.output.dense"),
        _ => None,
    }
}

/// An adapted matrix by the name of one of its tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    pub layer: u32,
    pub target: &'static str,
    /// The module's path, with whatever stands before the family's prefix.
    pub path: &'a str,
    /// The end of the path from the layer on, such as `attention.self.query`.
    pub module: &'a str,
    /// What follows the path and its dot.
    pub suffix: &'a str,
}

/// Where a tensor such as `roberta.encoder.layer.3.attention.self.query.lora_A.weight` belongs.
pub fn place(name: &str) -> Option<Place<'_>> {
    place_of(name).filter(|p| p.path.len() < name.len())
}

/// The same of the path of a module, which nothing follows.
pub fn place_of(name: &str) -> Option<Place<'_>> {
    ALL.iter().find_map(|family| {
        let (_, rest) = name.split_once(&format!("{}.", family.layers()))?;
        let (layer, rest) = rest.split_once('.')?;
        TARGETS.iter().find_map(|target| {
            let beyond = rest.strip_prefix(family.module(module_of(target)?))?;
            let suffix = if beyond.is_empty() { beyond } else { beyond.strip_prefix('.')? };
            let path = &name[..name.len() - beyond.len()];
            let module = &rest[..rest.len() - beyond.len()];
            Some(Place { layer: layer.parse().ok()?, target, path, module, suffix })
        })
    })
}

/// Layer and target of such a name.
pub fn layer_and_target(name: &str) -> Option<(u32, &'static str)> {
    place(name).map(|p| (p.layer, p.target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_layer_and_target() {
        for family in ALL {
            for target in TARGETS {
                let path = family.module_path(11, target).expect("a path");
                assert!(path.starts_with(&format!("{}.", family.prefix())), "{path}");
                for before in ["", "base_model.model."] {
                    let name = format!("{before}{path}.lora_A.weight");
                    let path = &format!("{before}{path}");
                    let found = place(&name).expect("a place");
                    assert_eq!((found.layer, found.target, found.path), (11, target, path.as_str()), "{name}");
                    assert_eq!(found.suffix, "lora_A.weight");
                    assert!(path.ends_with(&format!(".11.{}", found.module)), "{path}");
                    assert_eq!(place_of(path).map(|p| (p.path, p.suffix)), Some((path.as_str(), "")));
                    assert_eq!(place(path), None, "a module is no tensor");
                }
            }
            assert!(family.module_path(0, "gate").is_err());
        }
        for none in ["roberta.encoder.layer.1.output.dense.weight", "encoder.layer.x.attention.self.query.weight", ""] {
            assert_eq!(place(none), None, "{none}");
        }
        let path = find("distilbert").expect("a family").module_path(2, "query").expect("a path");
        assert_eq!(path, "distilbert.transformer.layer.2.attention.q_lin");
    }

    #[test]
    fn tensors_have_one_name() {
        let bert = find("bert").expect("a family");
        for (found, expected) in [
            ("embeddings.LayerNorm.gamma", "bert.embeddings.LayerNorm.weight"),
            ("bert.encoder.layer.0.output.LayerNorm.beta", "bert.encoder.layer.0.output.LayerNorm.bias"),
            ("pooler.dense.weight", "bert.pooler.dense.weight"),
            ("cls.predictions.bias", "cls.predictions.bias"),
            ("gamma", "gamma"),
        ] {
            assert_eq!(bert.canonical(found), expected);
        }
        let of = |family: &str, name: &str| find(family).expect("a family").canonical(name);
        assert_eq!(of("electra", "embeddings_project.bias"), "electra.embeddings_project.bias");
        assert_eq!(of("xlm-roberta", "encoder.layer.1.output.dense.bias"), "roberta.encoder.layer.1.output.dense.bias");
        assert_eq!(
            of("distilbert", "transformer.layer.0.ffn.lin1.bias"),
            "distilbert.transformer.layer.0.ffn.lin1.bias"
        );
    }

    #[test]
    fn a_family_is_found_by_its_type_alone() {
        for (i, family) in ALL.iter().enumerate() {
            assert_eq!(find(family.model_type()), Some(*family));
            assert!(ALL[..i].iter().all(|other| other != family), "{family:?}");
            assert!(family.class().ends_with("ForSequenceClassification") && !family.published().is_empty());
        }
        assert_eq!(find("gpt2"), None);
    }
}
