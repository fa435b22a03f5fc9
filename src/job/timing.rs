//! Times of training steps on generated full rows.

use super::{JobError, ModelSource, backend, check};
use crate::data::{Batch, Labels};
use crate::model::shape;
use crate::random::Stream;
use crate::spec::RunSpec;
use crate::task;
use std::time::Instant;

/// Unmeasured steps before the measured ones.
const WARM_UP: usize = 5;

/// Times in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Timing {
    /// From `start` to the end of the first step.
    pub first_ms: f64,
    /// Forward, backward, clip and update of each measured step.
    pub steps_ms: Vec<f64>,
}

/// Runs steps of `spec.batch_size` rows of exactly `spec.max_length` random tokens.
/// On a model of the shape `shape` with random weights where one is named.
pub fn time_steps(spec: &RunSpec, shape: Option<&str>, steps: usize, start: &Instant) -> Result<Timing, JobError> {
    let shaped = shape.and_then(shape::random);
    if shaped.is_none() {
        check(spec)?;
    }
    let threads = rayon::ThreadPoolBuilder::new()
        .num_threads(spec.threads)
        .build()
        .map_err(|e| JobError::Threads(e.to_string()))?;
    threads.install(|| {
        let model = shaped.unwrap_or_else(|| ModelSource::resolve(&spec.model)?.load())?;
        let task = task::find(&spec.task)?;
        let mut backend = backend(spec, &model, task)?;
        let (rows, width) = (spec.batch_size, spec.max_length);
        let vocabulary = model.config.vocab_size as f64;
        let draw = Stream::new(spec.seed, 0, crate::random::site_of("bench"));
        let ids = draw.uniform(5f64.min(vocabulary - 1.0), vocabulary, rows * width);
        let batch = Batch {
            rows,
            width,
            ids: ids.into_iter().map(|v| v as u32).collect(),
            type_ids: vec![0; rows * width],
            mask: vec![1; rows * width],
            labels: Labels::Classes((0..rows).map(|r| r as u32 % 2).collect()),
        };
        let mut timing = Timing { first_ms: 0.0, steps_ms: Vec::with_capacity(steps) };
        for step in 0..WARM_UP + steps {
            let begun = Instant::now();
            backend.step(&batch, step as u64, 1e-3)?;
            if step == 0 {
                timing.first_ms = start.elapsed().as_secs_f64() * 1e3;
            }
            if step >= WARM_UP {
                timing.steps_ms.push(begun.elapsed().as_secs_f64() * 1e3);
            }
        }
        Ok(timing)
    })
}
