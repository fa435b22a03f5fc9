//! This program's own adapters: one safetensors file of F32 tensors that says all of itself, for every method.
//!
//! For each adapted matrix W0 [n, n], `PATH` being `roberta.encoder.layer.3.attention.self.query` (or `bert. ...`; `.self.key`,
//! `.self.value`, `attention.output.dense`), the tensors of its method:
//!
//! | method | tensors | acts as |
//! |---|---|---|
//! | `symlora`, `symlora-frozen`, `symlora-nested` | `PATH.symlora_Q` [n, r], `PATH.symlora_L` [r], `PATH.symlora_lambda` [1] | y = lambda (W0 x) + b + (alpha/r) Q diag(L) Q^T x |
//! | `symlora-rowlambda` | the same, `symlora_lambda` [n] | lambda . (W0 x) |
//! | `symlora-nolambda` | `symlora_Q`, `symlora_L` | lambda = 1 |
//! | `symlora-sign` | `symlora_Q`, `symlora_Q0` [n, r], `symlora_S` [r] | W0 x + b + (alpha/r) (Q diag(S) Q^T - Q0 diag(S) Q0^T) x |
//! | `symdora` | those of `symlora`, `symdora_m` [n] | rows of lambda W0 + (alpha/r) Q diag(L) Q^T given the lengths m |
//! | `lora`, `lora-nested` | `PATH.lora_A.weight` [r, n], `PATH.lora_B.weight` [n, r] | y = W0 x + b + (alpha/r) B A x |
//!
//! The trained head is beside: `classifier.dense.weight` [n, n], `.bias` [n], `classifier.out_proj.weight` [classes, n],
//! `.bias` (RoBERTa); `bert.pooler.dense.*` and `classifier.*` (BERT). `full` has every weight of the encoder instead.
//!
//! Metadata, all texts: `layout` ("eigenscope/1"), `method`, `r`, `alpha` (the scale is alpha / r), `targets` (query, key,
//! value, output joined by commas), `task`, `base_model`, `max_length` (of the rows in training), `format` ("pt").

use super::{Format, FormatError, Writer};
use crate::spec::RunSpec;
use crate::train::NamedTensor;
use crate::train::checkpoint::{self, BEST_ADAPTER, Contents};
use std::path::{Path, PathBuf};

pub struct Own;

impl Format for Own {
    fn id(&self) -> &'static str {
        "eigenscope"
    }

    fn help(&self) -> &'static str {
        "this program's own file, for every method: adapter.safetensors, by itself or in its folder"
    }

    fn tensors(&self, path: &Path) -> Option<PathBuf> {
        let of_run = path.join(BEST_ADAPTER);
        if path.is_dir() { of_run.is_file().then_some(of_run) } else { Some(path.into()) }
    }

    /// Names as PEFT writes them, of a file that lost its configuration, are told apart by their beginning only.
    fn read(&self, file: &Path, (metadata, tensors): Contents) -> Result<Contents, FormatError> {
        Ok((metadata, super::stripped(file, tensors, super::peft::PREFIX)?))
    }

    fn writer(&self) -> Option<Writer> {
        Some(Writer::Whole(write))
    }
}

fn write(spec: &RunSpec, tensors: &[&NamedTensor], to: &Path) -> Result<u64, FormatError> {
    Ok(checkpoint::write_adapter(&to.join(BEST_ADAPTER), spec, tensors.iter().copied())?)
}
