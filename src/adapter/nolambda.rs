//! SymLoRA without lambda: y = W0 x + b + (alpha/r) Q diag(L) Q^T x. Tells what lambda is for. Knows only its own shapes.

use super::symlora::{L, form, l, q};
use super::{AdapterError, AdapterParameter, Form, Method};

pub struct NoLambda;

impl Method for NoLambda {
    fn id(&self) -> &'static str {
        "symlora-nolambda"
    }

    fn label(&self) -> &'static str {
        "SymLoRA λ=1"
    }

    fn help(&self) -> &'static str {
        "SymLoRA without lambda: W0 x + b + (alpha/r) Q diag(L) Q^T x; trains Q and L"
    }

    fn parameters(
        &self,
        matrix: &str,
        output: usize,
        input: usize,
        rank: usize,
    ) -> Result<Vec<AdapterParameter>, AdapterError> {
        Ok(vec![q(self.label(), matrix, output, input, rank)?, l(rank)])
    }

    fn form(&self) -> Option<Form> {
        Some(form(None, L))
    }

    fn parameter_count(&self, n: usize, rank: usize) -> u64 {
        (n as u64 + 1) * rank as u64
    }
}
