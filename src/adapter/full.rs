//! Full fine-tuning, the baseline: every encoder weight trains. Adds no tensors of its own.

use super::{AdapterError, AdapterParameter, Form, Method};

pub struct Full;

impl Method for Full {
    fn id(&self) -> &'static str {
        "full"
    }

    fn label(&self) -> &'static str {
        "Full"
    }

    fn help(&self) -> &'static str {
        "every encoder weight trains; the baseline, without rank and alpha"
    }

    fn parameters(
        &self,
        _matrix: &str,
        _output: usize,
        _input: usize,
        _rank: usize,
    ) -> Result<Vec<AdapterParameter>, AdapterError> {
        Ok(Vec::new())
    }

    fn form(&self) -> Option<Form> {
        None
    }

    fn parameter_count(&self, n: usize, _rank: usize) -> u64 {
        n as u64 * n as u64
    }
}
