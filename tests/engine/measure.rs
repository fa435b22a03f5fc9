//! Values off the start, and how far two engines are from each other.

use eigenscope::random::{Stream, site_of};
use eigenscope::train::{Backend, NamedTensor, Values};

pub fn wide(tensor: &NamedTensor) -> Vec<f64> {
    match &tensor.values {
        Values::F32(v) => v.iter().map(|v| f64::from(*v)).collect(),
        Values::F64(v) => v.clone(),
    }
}

pub fn norm(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// ||found - expected|| against ||expected||, or against `floor` where that is larger.
pub fn distance(found: &[f64], expected: &[f64], floor: f64) -> f64 {
    assert_eq!(found.len(), expected.len());
    let difference: Vec<f64> = found.iter().zip(expected).map(|(a, b)| a - b).collect();
    norm(&difference) / norm(expected).max(floor).max(1e-30)
}

/// Values off the start, as training makes them: no factor is 0 and no lambda is 1.
pub fn shaken(backend: &dyn Backend, seed: u64) -> Vec<NamedTensor> {
    let values = backend.state().expect("a state").values;
    let moved = values.into_iter().map(|t| {
        let std = if t.shape.len() == 2 { 0.5 / (t.shape[0].max(t.shape[1]) as f64).sqrt() } else { 0.2 };
        let by = Stream::new(seed, 2, site_of(&t.name)).normal(std, t.shape.iter().product());
        let values = wide(&t).iter().zip(by).map(|(v, by)| f64::from((v + by) as f32)).collect();
        NamedTensor { values: Values::F64(values), ..t }
    });
    moved.collect()
}
