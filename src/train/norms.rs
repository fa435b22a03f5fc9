//! Layer norms of a model in training; those of the frozen weights are taken once. Knows no forward pass.

use super::BackendError;
use super::parameters::Parameters;
use crate::adapter::Method;
use crate::analysis::{Matrix, entrywise_l1, frobenius, measure};
use crate::event::LayerNorm;
use crate::model::Checkpoint;
use crate::model::real::Real;

/// What is known of the pre-trained matrices, in the order of the targets.
pub struct Frozen {
    rows: Vec<W0>,
}

struct W0 {
    fro: f64,
    l1: f64,
    /// The matrix itself, kept where it trains.
    values: Option<Vec<f64>>,
}

impl Frozen {
    pub fn new(
        checkpoint: &Checkpoint,
        method: &dyn Method,
        targets: &[(usize, &'static str, String)],
    ) -> Result<Self, BackendError> {
        let n = checkpoint.config.hidden_size;
        let keep = method.form().is_none();
        let rows = targets.iter().map(|(_, _, path)| {
            let values = checkpoint.weights.values(&format!("{path}.weight"), &[n, n])?;
            Ok(W0 { fro: frobenius(&values), l1: entrywise_l1(&values), values: keep.then_some(values) })
        });
        Ok(Self { rows: rows.collect::<Result<_, BackendError>>()? })
    }

    /// With a form: lambda, ||DeltaW|| and spectrum of the factors. Without: ||W - W0|| and no spectrum.
    pub fn measure<T: Real>(
        &self,
        parameters: &Parameters<T>,
        method: &dyn Method,
        scaling: f64,
    ) -> Result<Vec<LayerNorm>, BackendError> {
        let rows = self.rows.iter().zip(&parameters.targets).map(|(w0, (layer, target, path))| {
            let (lambda, delta_fro, spectrum) = match (method.form(), &w0.values) {
                (Some(form), _) => {
                    let get = |suffix: &str| {
                        let (shape, values) = parameters.wide(&format!("{path}.{suffix}"))?;
                        Matrix::new(shape, values).ok()
                    };
                    let m = measure(&form, scaling, &get)?;
                    (m.lambda, m.delta_fro, m.spectrum)
                }
                (None, Some(start)) => {
                    let name = format!("{path}.weight");
                    let (_, now) = parameters.wide(&name).ok_or(BackendError::Missing(name))?;
                    let change: Vec<f64> = now.iter().zip(start).map(|(a, b)| a - b).collect();
                    (1.0, frobenius(&change), Vec::new())
                }
                (None, None) => return Err(BackendError::Missing(format!("{path}.weight at the start"))),
            };
            Ok(LayerNorm {
                layer: *layer as u32,
                target: target.to_string(),
                lambda,
                w0_fro: w0.fro,
                w0_l1: w0.l1,
                delta_fro,
                spectrum,
            })
        });
        rows.collect()
    }
}
