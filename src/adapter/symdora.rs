//! Symmetric DoRA (after Liu et al. 2024): y = (m . V / ||V||_row) x + b with V = lambda W0 + (alpha/r) Q diag(L) Q^T. The
//! rows' lengths are constants for the gradient, and m starts at those of W0. Outside the linear form: automatic
//! differentiation trains it, on the CPU. Knows only its own shapes.

use super::symlora::{L, LAMBDA, form, l, lambda, q};
use super::{AdapterError, AdapterParameter, Form, Method, Start};

const M: &str = "symdora_m";

pub struct SymDora;

impl Method for SymDora {
    fn id(&self) -> &'static str {
        "symdora"
    }

    fn label(&self) -> &'static str {
        "SymDoRA"
    }

    fn help(&self) -> &'static str {
        "(m . V/||V||_row) x + b, V = lambda W0 + (alpha/r) Q diag(L) Q^T; trains Q, L, lambda and m; slow: by autograd"
    }

    fn parameters(
        &self,
        matrix: &str,
        output: usize,
        input: usize,
        rank: usize,
    ) -> Result<Vec<AdapterParameter>, AdapterError> {
        let m = AdapterParameter::new(M, &[output], Start::RowNorms);
        Ok(vec![q(self.label(), matrix, output, input, rank)?, l(rank), lambda(1), m])
    }

    fn form(&self) -> Option<Form> {
        Some(Form { m: Some(M), ..form(Some(LAMBDA), L) })
    }

    fn parameter_count(&self, n: usize, rank: usize) -> u64 {
        (n as u64 + 1) * rank as u64 + 1 + n as u64
    }
}
