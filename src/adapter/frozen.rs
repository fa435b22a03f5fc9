//! SymLoRA with a random Q that stays as drawn, in the manner of VeRA (Kopiczko et al. 2023): L and lambda train. Q is saved
//! in the adapter: the logarithms and cosines that draw it differ in their last bits between platforms.

use super::symlora::{L, LAMBDA, form, l, lambda, q};
use super::{AdapterError, AdapterParameter, Form, Method};

pub struct Frozen;

impl Method for Frozen {
    fn id(&self) -> &'static str {
        "symlora-frozen"
    }

    fn label(&self) -> &'static str {
        "SymLoRA frozen Q"
    }

    fn help(&self) -> &'static str {
        "SymLoRA with a random Q that stays (as VeRA's factors do); trains L and lambda; takes a higher lr"
    }

    fn parameters(
        &self,
        matrix: &str,
        output: usize,
        input: usize,
        rank: usize,
    ) -> Result<Vec<AdapterParameter>, AdapterError> {
        Ok(vec![q(self.label(), matrix, output, input, rank)?.frozen(), l(rank), lambda(1)])
    }

    fn form(&self) -> Option<Form> {
        Some(form(Some(LAMBDA), L))
    }

    fn parameter_count(&self, _n: usize, rank: usize) -> u64 {
        rank as u64 + 1
    }
}
