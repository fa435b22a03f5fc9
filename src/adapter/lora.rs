//! LoRA (Hu et al. 2021): y = W0 x + b + (alpha/r) B A x. Knows only its own shapes and starts.

use super::{AdapterError, AdapterParameter, Factor, Form, Init, Method, check_rank};

pub struct Lora;

impl Method for Lora {
    fn id(&self) -> &'static str {
        "lora"
    }

    fn label(&self) -> &'static str {
        "LoRA"
    }

    fn help(&self) -> &'static str {
        "W0 x + b + (alpha/r) B A x; trains A and B"
    }

    fn parameters(
        &self,
        matrix: &str,
        output: usize,
        input: usize,
        rank: usize,
    ) -> Result<Vec<AdapterParameter>, AdapterError> {
        check_rank(matrix, output, input, rank)?;
        // torch's kaiming_uniform_ with a = sqrt(5), as in PEFT.
        let bound = 1.0 / (input as f64).sqrt();
        Ok(vec![
            AdapterParameter::init("lora_A.weight", &[rank, input], Init::Uniform { bound }),
            AdapterParameter::init("lora_B.weight", &[output, rank], Init::Zeros),
        ])
    }

    fn form(&self) -> Option<Form> {
        let b = Factor { name: "lora_B.weight", transposed: false };
        let a = Factor { name: "lora_A.weight", transposed: true };
        Some(Form::of(b, a))
    }

    fn parameter_count(&self, n: usize, rank: usize) -> u64 {
        2 * n as u64 * rank as u64
    }
}
