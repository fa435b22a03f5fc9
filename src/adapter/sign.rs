//! Signs only: y = W0 x + b + (alpha/r) (Q S Q^T - Q0 S Q0^T) x, S = diag(1, -1, 1, ...) and Q0 the Q of the start, so the
//! update starts at 0 while Q has a gradient at once. Q0 and S are saved in the adapter. Knows only its own shapes.

use super::symlora::{Q, form, q};
use super::{AdapterError, AdapterParameter, Form, Init, Method, Start};

const Q0: &str = "symlora_Q0";
const S: &str = "symlora_S";

pub struct Sign;

impl Method for Sign {
    fn id(&self) -> &'static str {
        "symlora-sign"
    }

    fn label(&self) -> &'static str {
        "SymLoRA sign"
    }

    fn help(&self) -> &'static str {
        "W0 x + b + (alpha/r) (Q S Q^T - Q0 S Q0^T) x, S = diag(1, -1, 1, ...), Q0 the start of Q; trains Q"
    }

    fn parameters(
        &self,
        matrix: &str,
        output: usize,
        input: usize,
        rank: usize,
    ) -> Result<Vec<AdapterParameter>, AdapterError> {
        Ok(vec![
            q(self.label(), matrix, output, input, rank)?,
            AdapterParameter::new(Q0, &[input, rank], Start::Like(Q)).frozen(),
            AdapterParameter::init(S, &[rank], Init::Alternating).frozen(),
        ])
    }

    fn form(&self) -> Option<Form> {
        Some(Form { start: Some(Q0), ..form(None, S) })
    }

    fn parameter_count(&self, n: usize, rank: usize) -> u64 {
        n as u64 * rank as u64
    }
}
