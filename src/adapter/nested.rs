//! Nested rank (DyLoRA, Valipour et al. 2022): each training step draws k of 1 to r and uses the first k columns only, so a
//! trained adapter may be cut to any smaller rank. Evaluations use all r, and alpha/r stays. Knows the method that it nests by
//! its trait only.

use super::lora::Lora;
use super::symlora::SymLora;
use super::{AdapterError, AdapterParameter, Form, Method};

pub struct Nested {
    of: &'static dyn Method,
    id: &'static str,
    label: &'static str,
    help: &'static str,
}

pub const SYMLORA: Nested = Nested {
    of: &SymLora,
    id: "symlora-nested",
    label: "SymLoRA nested",
    help: "SymLoRA whose steps train the first k columns of Q, k drawn from 1 to r (as DyLoRA); scores use all r",
};

pub const LORA: Nested = Nested {
    of: &Lora,
    id: "lora-nested",
    label: "LoRA nested",
    help: "LoRA whose steps train the first k columns of B and rows of A, k drawn from 1 to r (DyLoRA); scores use all r",
};

impl Method for Nested {
    fn id(&self) -> &'static str {
        self.id
    }

    fn label(&self) -> &'static str {
        self.label
    }

    fn help(&self) -> &'static str {
        self.help
    }

    fn parameters(
        &self,
        matrix: &str,
        output: usize,
        input: usize,
        rank: usize,
    ) -> Result<Vec<AdapterParameter>, AdapterError> {
        self.of.parameters(matrix, output, input, rank)
    }

    fn form(&self) -> Option<Form> {
        self.of.form().map(|form| Form { nested: true, ..form })
    }

    fn parameter_count(&self, n: usize, rank: usize) -> u64 {
        self.of.parameter_count(n, rank)
    }
}
