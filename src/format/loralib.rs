//! loralib's checkpoints (Hu et al., 2021): a state dict of `PATH.lora_A` [r, in] and `PATH.lora_B` [out, r], with the head of
//! the task, as `torch.save` or safetensors write it. They do not say their alpha, task or model.

use super::{Format, FormatError, lora};
use crate::train::NamedTensor;
use crate::train::checkpoint::Contents;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

pub struct Loralib;

/// What DistributedDataParallel puts before all names.
const PARALLEL: &str = "module.";

const FACTORS: [&str; 2] = [".lora_A", ".lora_B"];

impl Format for Loralib {
    fn id(&self) -> &'static str {
        "loralib"
    }

    fn help(&self) -> &'static str {
        "a state dict of loralib, .bin or .safetensors; does not say its alpha, task and model"
    }

    fn tensors(&self, path: &Path) -> Option<PathBuf> {
        (!path.is_dir()).then(|| path.into())
    }

    fn knows(&self, tensors: &HashMap<String, NamedTensor>) -> bool {
        tensors.keys().any(|name| super::factor(name, FACTORS).is_some())
    }

    fn read(&self, file: &Path, (metadata, tensors): Contents) -> Result<Contents, FormatError> {
        let (told, tensors) = lora(file, super::stripped(file, tensors, PARALLEL)?, FACTORS)?;
        Ok((metadata.into_iter().chain(told).collect(), tensors))
    }
}
