//! SymLoRA (arXiv 2504.03719): y = lambda (W0 x) + b + (alpha/r) Q diag(L) Q^T x; the bias is not scaled. Knows only its
//! own shapes and starts.

use super::{AdapterError, AdapterParameter, Factor, Form, Init, Method, check_rank};

pub struct SymLora;

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
        if output != input {
            return Err(AdapterError::NotSquare { matrix: matrix.into(), output, input, method: self.label() });
        }
        check_rank(matrix, output, input, rank)?;
        let std = 1.0 / (input as f64).sqrt();
        Ok(vec![
            AdapterParameter { suffix: "symlora_Q", shape: vec![input, rank], init: Init::Normal { std }, decay: true },
            AdapterParameter { suffix: "symlora_L", shape: vec![rank], init: Init::Zeros, decay: false },
            AdapterParameter { suffix: "symlora_lambda", shape: vec![1], init: Init::Ones, decay: false },
        ])
    }

    fn form(&self) -> Option<Form> {
        let q = Factor { name: "symlora_Q", transposed: false };
        Some(Form { c: Some("symlora_lambda"), d: Some("symlora_L"), u: q, v: q })
    }

    fn parameter_count(&self, n: usize, rank: usize) -> u64 {
        (n as u64 + 1) * rank as u64 + 1
    }
}
