//! Hugging Face's PEFT: a folder of `adapter_config.json` and `adapter_model.safetensors` (or `.bin`). LoRA is read where it
//! acts as (alpha/r) B A beside a frozen matrix, and refused with the reason where it does more.

mod config;

use super::{FACTORS, Format, FormatError, Outgoing, Writer, content, lora};
use crate::train::checkpoint::{self, Contents};
use crate::untrusted::read_capped;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

pub struct Peft;

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: [&str; 2] = ["adapter_model.safetensors", "adapter_model.bin"];
/// What stands before every name.
pub(super) const PREFIX: &str = "base_model.model.";
/// Largest configuration that is read, in bytes.
const MAX_CONFIG: u64 = 1 << 20;
/// What a file tells that PEFT's configuration has no place for.
const BESIDE: [&str; 2] = ["task", "max_length"];

impl Format for Peft {
    fn id(&self) -> &'static str {
        "peft"
    }

    fn help(&self) -> &'static str {
        "a folder of Hugging Face's PEFT: adapter_config.json and adapter_model.safetensors"
    }

    fn tensors(&self, path: &Path) -> Option<PathBuf> {
        if !path.is_dir() {
            // Of two files the one that is named.
            let of_it = WEIGHTS.iter().any(|w| path.ends_with(w)) && path.with_file_name(CONFIG).is_file();
            return of_it.then(|| path.into());
        }
        if !path.join(CONFIG).is_file() {
            return None;
        }
        let mut files = WEIGHTS.iter().map(|w| path.join(w));
        Some(files.find(|f| f.is_file()).unwrap_or_else(|| path.join(WEIGHTS[0])))
    }

    fn read(&self, file: &Path, (kept, tensors): Contents) -> Result<Contents, FormatError> {
        let path = file.with_file_name(CONFIG);
        let text = read_capped(&path, MAX_CONFIG).map_err(|source| FormatError::Io { path: path.clone(), source })?;
        let config = config::read(&text).map_err(|what| content(&path, what))?;
        let (mut metadata, tensors) = lora(file, super::stripped(file, tensors, PREFIX)?, FACTORS)?;
        let rank = metadata.get("r").cloned().unwrap_or_default();
        if rank != config.r.to_string() {
            return Err(content(file, format!("its factors are of rank {rank}, {CONFIG} says r = {}", config.r)));
        }
        metadata.insert("alpha".into(), config.alpha.to_string());
        metadata.extend(config.base.map(|base| ("base_model".to_string(), base)));
        metadata.extend(kept.into_iter().filter(|(key, _)| BESIDE.contains(&key.as_str())));
        Ok((metadata, tensors))
    }

    fn writer(&self) -> Option<Writer> {
        Some(Writer::Product(write))
    }
}

fn write(adapter: &Outgoing, to: &Path) -> Result<u64, FormatError> {
    let factors = adapter.products.iter().flat_map(|(path, b, a)| {
        [(a, FACTORS[0]), (b, FACTORS[1])].map(|(tensor, suffix)| (format!("{PREFIX}{path}{suffix}"), tensor))
    });
    let head = adapter.head.iter().map(|tensor| (format!("{PREFIX}{}", tensor.name), *tensor));
    let mut metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    metadata.insert("task".into(), adapter.spec.task.clone());
    metadata.insert("max_length".into(), adapter.spec.max_length.to_string());
    let path = to.join(CONFIG);
    let text = config::write(adapter);
    // The configuration last: without it a folder is no adapter.
    let bytes = checkpoint::write(&to.join(WEIGHTS[0]), factors.chain(head), metadata)?;
    std::fs::write(&path, &text).map_err(|source| FormatError::Io { path, source })?;
    Ok(bytes + text.len() as u64)
}
