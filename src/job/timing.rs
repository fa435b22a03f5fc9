//! Times of training steps: on generated full rows, or on a task's own rows, by one backend or several side by side.

use super::memory::{self, bucket};
use super::{JobError, ModelSource, backend, check};
use crate::cuda::{self, Bucket, Card, Precision};
use crate::data::{self, Batch, Dataset, Labels, Source, Split, Tokenizer};
use crate::model::{Checkpoint, Config, shape};
use crate::random::{self, Stream};
use crate::spec::RunSpec;
use crate::task;
use crate::train::Backend;
use std::path::Path;
use std::sync::Barrier;
use std::time::Instant;

/// Unmeasured steps before the measured ones.
const WARM_UP: usize = 5;

/// Times in milliseconds, and what else a step took.
#[derive(Clone, Debug, PartialEq)]
pub struct Timing {
    /// From `start` to the end of the first step.
    pub first_ms: f64,
    /// Forward, backward, clip and update of each measured step.
    pub steps_ms: Vec<f64>,
    /// Memory of the device that this process held at the end, in bytes; `None` on the CPU.
    pub peak_bytes: Option<u64>,
    /// What was predicted of that.
    pub predicted_bytes: Option<u64>,
    /// Multiplications and additions of one step, counted as [`operations`] does.
    pub operations: f64,
    /// What the device could do in a second; `None` where it is not known.
    pub limit: Option<f64>,
}

/// Runs steps of `spec.batch_size` rows of exactly `spec.max_length` random tokens, on a model of the shape `shape` with
/// random weights where one is named.
pub fn time_steps(spec: &RunSpec, shape: Option<&str>, steps: usize, start: &Instant) -> Result<Timing, JobError> {
    on_threads(spec, || {
        let model = model(spec, shape)?;
        let task = task::find(&spec.task)?;
        let mut backend = backend(spec, &model, task)?;
        let (rows, width) = (spec.batch_size, spec.max_length);
        let vocabulary = model.config.vocab_size as f64;
        let draw = Stream::new(spec.seed, 0, random::site_of("bench"));
        let ids = draw.uniform(5f64.min(vocabulary - 1.0), vocabulary, rows * width);
        let batch = Batch {
            rows,
            width,
            ids: ids.into_iter().map(|v| v as u32).collect(),
            type_ids: vec![0; rows * width],
            mask: vec![1; rows * width],
            labels: Labels::Classes((0..rows).map(|r| r as u32 % 2).collect()),
        };
        let card = card(spec);
        let full = Bucket::new(rows * width, rows, width);
        let precision = Precision::find(&spec.precision);
        let mut timing = Timing {
            first_ms: 0.0,
            steps_ms: Vec::with_capacity(steps),
            peak_bytes: None,
            predicted_bytes: memory::predict(spec, &model.config, task, full, 1)?,
            operations: operations(&model.config, rows, width),
            limit: card.as_ref().zip(precision).and_then(|(card, precision)| card.limit(precision)),
        };
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
        timing.peak_bytes = card.as_ref().and_then(cuda::meter::own_memory);
        Ok(timing)
    })
}

/// The card of `spec`'s device; none where that is the CPU.
fn card(spec: &RunSpec) -> Option<Card> {
    cuda::cards().ok()?.into_iter().find(|c| c.id == spec.device)
}

/// Operations of a step with adapters in every layer: each encoder weight once forward and once for the gradient of its input,
/// and five products of the attention for its two; and what widens the embeddings, once.
fn operations(config: &Config, rows: usize, width: usize) -> f64 {
    let (n, wide, layers) =
        (config.hidden_size as f64, config.intermediate_size as f64, config.num_hidden_layers as f64);
    let (rows, width) = (rows as f64, width as f64);
    let weights = 4.0 * n * n + 2.0 * n * wide;
    let widened =
        if config.projection().is_some() { 2.0 * rows * width * n * config.embedding_size as f64 } else { 0.0 };
    widened + layers * (2.0 * 2.0 * rows * width * weights + (2.0 + 5.0) * 2.0 * rows * width * width * n)
}

/// Steps on a task's rows.
#[derive(Clone, Debug, PartialEq)]
pub struct RowsTiming {
    /// Wall time of all measured steps of all backends, in seconds.
    pub seconds: f64,
    /// Rows of all of them.
    pub samples: usize,
    /// Steps of each.
    pub steps: usize,
    /// Mean tokens of a row, without and with the pads up to the longest of its batch.
    pub mean_tokens: f64,
    pub mean_padded: f64,
    /// Memory of the device that this process held once every batch had been met, in bytes, and what was predicted of that;
    /// `None` on the CPU.
    pub peak_bytes: Option<u64>,
    pub predicted_bytes: Option<u64>,
}

/// Trains `adapters` backends side by side, each for `steps` batches of the task's training rows in random order. The rows
/// are tokenised before, with `tokenizer` where the model has none.
pub fn time_rows(
    spec: &RunSpec,
    shape: Option<&str>,
    tokenizer: Option<&Path>,
    steps: usize,
    adapters: usize,
) -> Result<RowsTiming, JobError> {
    on_threads(spec, || {
        let model = model(spec, shape)?;
        let task = task::find(&spec.task)?;
        let bytes = tokenizer
            .map(|path| std::fs::read(path).map_err(|source| data::DataError::Io { path: path.into(), source }));
        let tokenizer =
            Tokenizer::from_bytes(bytes.transpose()?.as_ref().unwrap_or(&model.tokenizer), spec.max_length)?
                .with_types(model.config.family.has_token_types());
        let source = Source::resolve(&spec.data)?;
        let rows = Dataset::new(task, &tokenizer, &data::load(task, &source, Split::Train)?)?;
        let order = random::permutation(spec.seed, 0, rows.len());
        let pad = model.config.pad_token_id;
        let batches: Vec<Batch> =
            order.chunks_exact(spec.batch_size).cycle().take(steps).map(|i| rows.batch(i, pad)).collect();
        let tokens: usize = batches.iter().flat_map(|b| &b.mask).map(|m| usize::from(*m)).sum();
        let padded: usize = batches.iter().map(|b| b.mask.len()).sum();
        let samples: usize = batches.iter().map(|b| b.rows).sum();
        let lengths = |b: &Batch| -> Vec<usize> {
            b.mask.chunks(b.width.max(1)).map(|row| row.iter().map(|m| usize::from(*m)).sum()).collect()
        };
        let largest = memory::largest(batches.iter().map(|b| bucket(&lengths(b))));
        let predicted_bytes = memory::predict(spec, &model.config, task, largest, adapters)?;
        let card = card(spec);
        let together = Barrier::new(adapters + 1);
        let run = |seed: u64| -> Result<(), JobError> {
            let spec = RunSpec { seed, ..spec.clone() };
            // Every shape is met once before the clock starts.
            let warm = backend(&spec, &model, task)
                .and_then(|mut backend| steps_on(&mut *backend, &batches).map(|()| backend));
            together.wait();
            together.wait();
            steps_on(&mut *warm?, &batches)
        };
        let run = &run;
        let (seconds, peak_bytes) = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..adapters as u64).map(|seed| scope.spawn(move || run(seed))).collect();
            together.wait();
            // All are there and wait: none has given its memory back.
            let peak = card.as_ref().and_then(cuda::meter::own_memory);
            together.wait();
            let begun = Instant::now();
            for thread in threads {
                thread.join().map_err(|_| JobError::Threads("a timed thread stopped".into()))??;
            }
            Ok::<_, JobError>((begun.elapsed().as_secs_f64(), peak))
        })?;
        let all = samples.max(1) as f64;
        let (mean_tokens, mean_padded) = (tokens as f64 / all, padded as f64 / all);
        let samples = samples * adapters;
        Ok(RowsTiming { seconds, samples, steps, mean_tokens, mean_padded, peak_bytes, predicted_bytes })
    })
}

fn steps_on(backend: &mut dyn Backend, batches: &[Batch]) -> Result<(), JobError> {
    for (step, batch) in batches.iter().enumerate() {
        backend.step(batch, step as u64, 1e-4)?;
    }
    Ok(())
}

fn model(spec: &RunSpec, shape: Option<&str>) -> Result<Checkpoint, JobError> {
    match shape.and_then(shape::random) {
        Some(model) => Ok(model?),
        None => {
            check(spec, std::path::Path::new(""))?;
            Ok(ModelSource::resolve(&spec.model)?.load()?)
        }
    }
}

fn on_threads<R: Send>(spec: &RunSpec, work: impl FnOnce() -> Result<R, JobError> + Send) -> Result<R, JobError> {
    let threads = rayon::ThreadPoolBuilder::new()
        .num_threads(spec.threads)
        .build()
        .map_err(|e| JobError::Threads(e.to_string()))?;
    threads.install(work)
}
