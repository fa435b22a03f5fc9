//! SymLoRA (arXiv 2504.03719): y = lambda (W0 x) + b + (alpha/r) Q diag(L) Q^T x; the bias is not scaled. Knows only its
//! own shapes and starts, which its variants share.

use super::{AdapterError, AdapterParameter, Factor, Form, Init, Method, check_rank, check_square};

/// The factor and its diagonal.
pub(super) const Q: &str = "symlora_Q";
pub(super) const L: &str = "symlora_L";
pub(super) const LAMBDA: &str = "symlora_lambda";

pub struct SymLora;

/// Q [n, r], which draws its start, for a square matrix; `method` names who asks in errors.
pub(super) fn q(
    method: &'static str,
    matrix: &str,
    output: usize,
    input: usize,
    rank: usize,
) -> Result<AdapterParameter, AdapterError> {
    check_square(method, matrix, output, input)?;
    check_rank(matrix, output, input, rank)?;
    let std = 1.0 / (input as f64).sqrt();
    Ok(AdapterParameter::init(Q, &[input, rank], Init::Normal { std }))
}

/// L [r], which starts at 0: so does the update.
pub(super) fn l(rank: usize) -> AdapterParameter {
    AdapterParameter::init(L, &[rank], Init::Zeros)
}

/// lambda, one value or one for each of `len` rows.
pub(super) fn lambda(len: usize) -> AdapterParameter {
    AdapterParameter::init(LAMBDA, &[len], Init::Ones)
}

/// Q diag(L) Q^T beside c.W0.
pub(super) const fn form(c: Option<&'static str>, d: &'static str) -> Form {
    let q = Factor { name: Q, transposed: false };
    Form { c, d: Some(d), ..Form::of(q, q) }
}

impl Method for SymLora {
    fn id(&self) -> &'static str {
        "symlora"
    }

    fn label(&self) -> &'static str {
        "SymLoRA"
    }

    fn help(&self) -> &'static str {
        "lambda (W0 x) + b + (alpha/r) Q diag(L) Q^T x; trains Q, L and lambda; square matrices only"
    }

    fn parameters(
        &self,
        matrix: &str,
        output: usize,
        input: usize,
        rank: usize,
    ) -> Result<Vec<AdapterParameter>, AdapterError> {
        Ok(vec![q(self.label(), matrix, output, input, rank)?, l(rank), lambda(1)])
    }

    fn form(&self) -> Option<Form> {
        Some(form(Some(LAMBDA), L))
    }

    fn parameter_count(&self, n: usize, rank: usize) -> u64 {
        (n as u64 + 1) * rank as u64 + 1
    }
}
