//! GPU memory of a run, told before it is launched: a sample of its rows says how large its largest batch is. Reads no weights.

use super::{JobError, tokenizer, training_rows};
use crate::cuda::{self, Bucket, predict};
use crate::data::{self, Example, Source, Split, Tokenizer};
use crate::model::{Config, ModelSource};
use crate::random;
use crate::spec::RunSpec;
use crate::task::{self, Task};
use crate::train::evaluate::BATCH_TOKENS;

/// Rows of a split that are tokenised, evenly spaced; the others count as long as their neighbours.
const SAMPLE: usize = 1_000;
/// Longest texts that are tokenised too: one long row decides how long all of its batch may be.
const LONGEST: usize = 64;
/// Rows that are put into training batches at random to meet a large one, and how often each may be.
const DRAWN: usize = 1 << 18;
const MOST_EPOCHS: usize = 10;

/// Bytes of the GPU that a process holds which trains `spec` alone on it, the driver's own share included; `None` where its
/// device is no GPU. Seed and epochs do not matter. Reads `config.json`, `tokenizer.json` and the rows.
pub fn predict_memory(spec: &RunSpec) -> Result<Option<u64>, JobError> {
    if cuda::ordinal(&spec.device).is_none() {
        return Ok(None);
    }
    let task = task::find(&spec.task)?;
    let model = ModelSource::resolve(&spec.model)?;
    let config = model.config()?;
    // What cannot be trained at all is told without reading a row.
    predict(spec, &config, task, largest([]), 1)?;
    let tokenizer = tokenizer(spec, &config, &model.tokenizer()?)?;
    let train = lengths(&tokenizer, &training_rows(spec, task)?)?;
    let validation = lengths(&tokenizer, &data::load(task, &Source::resolve(&spec.data)?, Split::Validation)?)?;
    let met = largest(training_buckets(&train, spec.batch_size).chain(evaluation_buckets(&validation)));
    predict(spec, &config, task, met, 1)
}

/// The same of `runs` runs side by side whose batches `largest` covers.
pub fn predict(
    spec: &RunSpec,
    config: &Config,
    task: &dyn Task,
    largest: Bucket,
    runs: usize,
) -> Result<Option<u64>, JobError> {
    if cuda::ordinal(&spec.device).is_none() {
        return Ok(None);
    }
    Ok(Some(predict::process_bytes(config, spec, task.outputs(), largest, runs)?))
}

/// The smallest bucket that covers all of these.
pub fn largest(buckets: impl IntoIterator<Item = Bucket>) -> Bucket {
    buckets.into_iter().fold(Bucket::new(1, 1, 1), |all, one| all.with(&one))
}

/// The bucket of a batch of rows of these lengths.
pub fn bucket(lengths: &[usize]) -> Bucket {
    Bucket::new(lengths.iter().sum(), lengths.len(), lengths.iter().copied().max().unwrap_or(0))
}

/// Length of each row in tokens, of most by the sample.
fn lengths(tokenizer: &Tokenizer, rows: &[Example]) -> Result<Vec<usize>, JobError> {
    let sample = rows.len().min(SAMPLE);
    let len = |i: usize| tokenizer.encode_example(&rows[i]).map(|row| row.ids.len());
    let sampled = (0..sample).map(|k| len((k * rows.len()).div_ceil(sample))).collect::<Result<Vec<_>, _>>()?;
    let mut lengths: Vec<usize> = (0..rows.len()).map(|i| sampled[i * sample / rows.len()]).collect();
    if rows.len() > sample {
        let bytes = |i: &usize| rows[*i].text.len() + rows[*i].pair.as_ref().map_or(0, String::len);
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.select_nth_unstable_by_key(LONGEST, |i| std::cmp::Reverse(bytes(i)));
        for i in order.into_iter().take(LONGEST) {
            lengths[i] = len(i)?;
        }
    }
    Ok(lengths)
}

/// Buckets of training batches of rows of these lengths in random order.
fn training_buckets(lengths: &[usize], batch_size: usize) -> impl Iterator<Item = Bucket> {
    let epochs = (DRAWN / lengths.len().max(1)).clamp(1, MOST_EPOCHS) as u64;
    (0..epochs).flat_map(move |epoch| {
        let order: Vec<usize> = random::permutation(0, epoch, lengths.len()).into_iter().map(|i| lengths[i]).collect();
        order.chunks(batch_size).map(bucket).collect::<Vec<_>>()
    })
}

/// Buckets of the batches that an evaluation of rows of these lengths forms.
fn evaluation_buckets(lengths: &[usize]) -> impl Iterator<Item = Bucket> {
    let of = |rows: Vec<usize>| bucket(&rows.into_iter().map(|i| lengths[i]).collect::<Vec<_>>());
    data::by_length(lengths, BATCH_TOKENS).into_iter().map(of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dataset;

    fn spec() -> RunSpec {
        RunSpec { device: "cuda:0".into(), precision: "bf16".into(), ..RunSpec::default() }
    }

    fn rows(count: usize) -> Vec<Example> {
        let text = |i: usize| "a film ".repeat(1 + i * 7 % 23);
        (0..count).map(|i| Example { text: text(i), pair: None, label: 0.0 }).collect()
    }

    fn embedded_tokenizer(spec: &RunSpec) -> Tokenizer {
        let model = ModelSource::Embedded;
        let config = model.config().expect("a config");
        tokenizer(spec, &config, &model.tokenizer().expect("bytes")).expect("a tokenizer")
    }

    #[test]
    fn the_cpu_has_no_prediction_and_a_gpu_need_not_be_here() {
        assert_eq!(predict_memory(&RunSpec::default()).expect("told"), None);
        let bytes = predict_memory(&spec()).expect("told").expect("bytes");
        assert!(bytes > predict::CONTEXT && bytes < 1 << 30, "{bytes}");
    }

    #[test]
    fn what_would_be_refused_is_an_error() {
        for wrong in [
            RunSpec { model: "/no/such/model".into(), ..spec() },
            RunSpec { method: "full".into(), ..spec() },
            RunSpec { data: "/no/such/rows".into(), ..spec() },
            RunSpec { rank: 300, ..spec() },
        ] {
            assert!(predict_memory(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn larger_runs_need_more() {
        let bytes = |spec: &RunSpec| predict_memory(spec).expect("told").expect("bytes");
        let base = bytes(&spec());
        assert!(bytes(&RunSpec { batch_size: 512, ..spec() }) > base);
        assert!(
            bytes(&RunSpec { batch_size: 512, train_rows: 40, ..spec() })
                < bytes(&RunSpec { batch_size: 512, ..spec() })
        );
        assert!(bytes(&RunSpec { precision: "f32".into(), ..spec() }) > base);
        assert!(
            bytes(&RunSpec { task: "qnli".into(), batch_size: 256, ..spec() })
                > bytes(&RunSpec { batch_size: 256, ..spec() })
        );
        assert_eq!(bytes(&RunSpec { seed: 7, epochs: 1, ..spec() }), base);
    }

    #[test]
    fn few_rows_are_all_tokenised() {
        let spec = spec();
        let (tokenizer, rows) = (embedded_tokenizer(&spec), rows(SAMPLE));
        let expected: Vec<usize> = rows.iter().map(|r| tokenizer.encode_example(r).expect("a row").ids.len()).collect();
        assert_eq!(lengths(&tokenizer, &rows).expect("lengths"), expected);
    }

    #[test]
    fn the_longest_of_many_rows_is_found() {
        let spec = spec();
        let (tokenizer, mut rows) = (embedded_tokenizer(&spec), rows(3 * SAMPLE + 77));
        rows[2 * SAMPLE + 5].text = "a film ".repeat(50);
        let found = lengths(&tokenizer, &rows).expect("lengths");
        let exact: Vec<usize> = rows.iter().map(|r| tokenizer.encode_example(r).expect("a row").ids.len()).collect();
        assert_eq!(found.iter().max(), exact.iter().max());
        let mean = |lengths: &[usize]| lengths.iter().sum::<usize>() as f64 / lengths.len() as f64;
        assert!((mean(&found) / mean(&exact) - 1.0).abs() < 0.05, "{} and {}", mean(&found), mean(&exact));
    }

    #[test]
    fn batches_are_those_of_training_and_evaluation() {
        let spec = spec();
        let task = task::find("sst-2").expect("a task");
        let (tokenizer, rows) = (embedded_tokenizer(&spec), rows(700));
        let data = Dataset::new(task, &tokenizer, &rows).expect("rows");
        let of = |indices: &[usize]| {
            let batch = data.batch(indices, 1);
            let row = |mask: &[u8]| mask.iter().map(|m| usize::from(*m)).sum();
            bucket(&batch.mask.chunks(batch.width).map(row).collect::<Vec<usize>>())
        };
        let lengths = lengths(&tokenizer, &rows).expect("lengths");
        let order = random::permutation(0, 0, rows.len());
        let first: Vec<Bucket> = training_buckets(&lengths, 32).take(rows.len().div_ceil(32)).collect();
        assert_eq!(first, order.chunks(32).map(of).collect::<Vec<_>>());
        let evaluated: Vec<Bucket> = data.by_length(BATCH_TOKENS).iter().map(|b| of(b)).collect();
        assert_eq!(evaluation_buckets(&lengths).collect::<Vec<_>>(), evaluated);
    }
}
