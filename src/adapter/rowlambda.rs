//! SymLoRA with a lambda for each row of W0: y = lambda.(W0 x) + b + (alpha/r) Q diag(L) Q^T x. Knows only its own shapes.

use super::symlora::{L, LAMBDA, form, l, lambda, q};
use super::{AdapterError, AdapterParameter, Form, Method};

pub struct RowLambda;

impl Method for RowLambda {
    fn id(&self) -> &'static str {
        "symlora-rowlambda"
    }

    fn label(&self) -> &'static str {
        "SymLoRA row λ"
    }

    fn help(&self) -> &'static str {
        "SymLoRA with one lambda for each row of W0; charts show their mean; trains Q, L and lambda"
    }

    fn parameters(
        &self,
        matrix: &str,
        output: usize,
        input: usize,
        rank: usize,
    ) -> Result<Vec<AdapterParameter>, AdapterError> {
        Ok(vec![q(self.label(), matrix, output, input, rank)?, l(rank), lambda(output)])
    }

    fn form(&self) -> Option<Form> {
        Some(form(Some(LAMBDA), L))
    }

    fn parameter_count(&self, n: usize, rank: usize) -> u64 {
        (n as u64 + 1) * rank as u64 + n as u64
    }
}
