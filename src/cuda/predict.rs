//! GPU memory of a run, told before anything is loaded: from a model's sizes, a spec and the largest batch. Needs no GPU; knows
//! no weights and no rows.

use super::batch::Bucket;
use super::error::CudaError;
use super::matmul::WORKSPACE;
use super::projection::Matrix;
use super::room::{Room, Sizes};
use super::trained::BLOCKS;
use super::weights::Weight;
use super::{Precision, adapter};
use crate::model::Config;
use crate::model::family::layer_and_target;
use crate::spec::RunSpec;
use crate::train::BackendError;
use half::bf16;

/// What a process holds beside its regions: the driver's context, loaded kernels and cuBLASLt.
pub const CONTEXT: u64 = 520 << 20;

/// The driver gives a region of at least `ALONE` bytes whole pages of its own; smaller ones share pages in whole grains.
const ALONE: usize = 1 << 20;
const PAGE: usize = 2 << 20;
const GRAIN: usize = 512;

/// Bytes of a GPU that a process holds which trains `runs` runs like `spec` side by side on it; `largest` covers all their
/// batches, also those of evaluations.
pub fn process_bytes(
    config: &Config,
    spec: &RunSpec,
    outputs: usize,
    largest: Bucket,
    runs: usize,
) -> Result<u64, BackendError> {
    Ok(CONTEXT + runs as u64 * run_bytes(config, spec, outputs, largest)?)
}

/// Bytes of the regions of one run, or why the engine cannot train it.
pub fn run_bytes(config: &Config, spec: &RunSpec, outputs: usize, largest: Bucket) -> Result<u64, BackendError> {
    let method = adapter::find(&spec.method)?;
    let precision = Precision::find(&spec.precision).ok_or_else(|| CudaError::Precision(spec.precision.clone()))?;
    let sizes = Sizes::new(config, spec, method, precision, outputs)?;
    let mut regions = weights(config, &sizes);
    regions.extend(trained(&sizes));
    // A room grows to cover every batch that it has met, and the old one goes before the new one comes.
    regions.extend([Room::bytes(&sizes, largest), WORKSPACE]);
    Ok(held(&regions))
}

/// Bytes of each region of frozen weights.
fn weights(config: &Config, sizes: &Sizes) -> Vec<usize> {
    let Sizes { n, rank, layers, real, width, width_output, apart, apart_output, adapted, .. } = *sizes;
    // Square matrices of the attention stand stacked below; matrices are stored narrow, vectors in f32.
    let stands_alone = |name: &str, shape: &[usize]| shape.len() < 2 || layer_and_target(name).is_none();
    let shapes = config.encoder_shapes().into_iter().filter(|(name, shape)| stands_alone(name, shape));
    let mut regions: Vec<usize> =
        shapes.map(|(_, s)| s.iter().product::<usize>() * if s.len() < 2 { 4 } else { real }).collect();
    if sizes.precision == Precision::Tf32 {
        let wide = [sizes.wide; 2];
        let rows = [width, width_output].into_iter().chain(wide);
        let split = rows.map(|rows| rows * Weight::COPIES * n * size_of::<bf16>());
        regions.extend(split.flat_map(|bytes| std::iter::repeat_n(bytes, layers)));
        if config.projection().is_some() {
            regions.push(n * Weight::COPIES * sizes.embedding * size_of::<bf16>());
        }
    }
    if config.type_vocab_size == 0 {
        // A row of zeros stands in for the types.
        regions.push(sizes.embedding * real);
    }
    for (width, apart) in [(width, apart), (width_output, apart_output)] {
        // A second time with c.W0.
        let copies = if apart > 0 { 2 } else { 1 };
        regions.extend(std::iter::repeat_n(width * n * real, copies * layers));
    }
    regions.extend(std::iter::repeat_n(rank * n * real, adapted * layers));
    regions
}

/// Bytes of each region that training changes: values, gradients, two moments, flags of decay, sums of squares, the report;
/// and of the adapters' descriptions.
fn trained(sizes: &Sizes) -> [usize; 8] {
    let (floats, descriptions) = (4 * sizes.values, sizes.adapted * sizes.layers * size_of::<Matrix>());
    [floats, floats, floats, floats, sizes.values, 8 * BLOCKS, 8, descriptions]
}

/// Bytes that the driver takes for regions of these sizes.
fn held(regions: &[usize]) -> u64 {
    let (large, small): (Vec<usize>, Vec<usize>) = regions.iter().partition(|bytes| **bytes >= ALONE);
    let alone: usize = large.into_iter().map(|bytes| bytes.next_multiple_of(PAGE)).sum();
    let shared: usize = small.into_iter().map(|bytes| bytes.next_multiple_of(GRAIN)).sum();
    (alone + shared.next_multiple_of(PAGE)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ModelSource, family};
    use proptest::prelude::*;

    fn config() -> Config {
        let text = serde_json::json!({
            "model_type": "roberta", "vocab_size": 50_265, "hidden_size": 768, "num_hidden_layers": 12,
            "num_attention_heads": 12, "intermediate_size": 3072, "max_position_embeddings": 514,
            "type_vocab_size": 1, "pad_token_id": 1, "layer_norm_eps": 1e-5,
        });
        Config::parse(&text.to_string()).expect("a config")
    }

    fn spec(method: &str, precision: &str, rank: usize) -> RunSpec {
        RunSpec { method: method.into(), precision: precision.into(), rank, ..RunSpec::default() }
    }

    #[test]
    fn regions_take_whole_pages() {
        assert_eq!(held(&[]), 0);
        assert_eq!(held(&[1, 513]), 2 << 20, "small ones share");
        assert_eq!(held(&[ALONE, PAGE + 1]), 6 << 20);
    }

    #[test]
    fn sizes_are_those_of_the_forms() {
        let all = ["query", "key", "value", "output"].map(str::to_string).to_vec();
        let of = |method: &str, targets: &[String]| {
            let spec = RunSpec { targets: targets.to_vec(), ..spec(method, "bf16", 6) };
            let method = adapter::find(method).expect("a method");
            Sizes::new(&config(), &spec, method, Precision::Bf16, 3).expect("sizes")
        };
        let symlora = of("symlora", &all);
        assert_eq!((symlora.width, symlora.apart), (3 * 768 + 24, 3 * 768), "18 columns of V^T x, padded");
        assert_eq!((symlora.width_output, symlora.apart_output), (768 + 8, 768));
        assert_eq!((symlora.adapted, symlora.sets, symlora.real), (4, 2, 2));
        assert_eq!(symlora.adapters, 12 * 4 * (769 * 6 + 1));
        assert_eq!(symlora.values - symlora.adapters, 768 * 768 + 768 + 3 * 768 + 3);
        let lora = of("lora", &all[..1]);
        assert_eq!((lora.width, lora.apart, lora.apart_output), (3 * 768 + 8, 0, 0));
        assert_eq!((lora.width_output, lora.adapted, lora.sets), (768, 1, 1));
        assert_eq!(lora.adapters, 12 * 2 * 6 * 768);
    }

    #[test]
    fn frozen_weights_are_all_there_once() {
        let sizes = |method: &str| {
            let spec = spec(method, "bf16", 8);
            Sizes::new(&config(), &spec, adapter::find(method).expect("a method"), Precision::Bf16, 2).expect("sizes")
        };
        let bytes = |method: &str| weights(&config(), &sizes(method)).iter().sum::<usize>();
        let shapes = config().encoder_shapes();
        let count = |dims: usize| -> usize {
            shapes.iter().filter(|(_, s)| s.len() == dims).map(|(_, s)| s.iter().product::<usize>()).sum()
        };
        // Two adapters of rank 8 a layer: rows of V^T below the weights, and copies of U.
        let factors = 12 * 2 * 2 * 8 * 768;
        assert_eq!(bytes("lora"), 2 * (count(2) + factors) + 4 * count(1));
        assert_eq!(bytes("symlora") - bytes("lora"), 12 * 2 * sizes("symlora").width * 768, "and c.W0");
    }

    #[test]
    fn every_family_has_all_its_weights_counted() {
        for family in family::ALL {
            let config =
                Config::parse(&format!("{{\"model_type\": \"{}\"}}", family.model_type())).expect("the defaults");
            let lora = adapter::find("lora").expect("a method");
            let sizes = Sizes::new(&config, &spec("lora", "bf16", 8), lora, Precision::Bf16, 2).expect("sizes");
            let bytes = |shape: &[usize]| shape.iter().product::<usize>() * if shape.len() == 2 { 2 } else { 4 };
            let (n, layers) = (config.hidden_size, config.num_hidden_layers);
            let whole: usize = config.encoder_shapes().iter().map(|(_, shape)| bytes(shape)).sum();
            let types = if config.type_vocab_size == 0 { 2 * config.embedding_size } else { 0 };
            let factors = 2 * layers * 2 * 2 * 8 * n;
            let biases = 4 * 4 * n * layers;
            let found: usize = weights(&config, &sizes).iter().sum();
            assert!(found.abs_diff(whole + types + factors) <= biases, "{family:?}: {found}");
            // What widens the embeddings has a room of its own.
            let one = Room::bytes(&sizes, Bucket::new(64, 1, 64));
            let same = Room::bytes(&Sizes { embedding: n, ..sizes }, Bucket::new(64, 1, 64));
            assert_eq!(one > same, config.projection().is_some(), "{family:?}");
        }
    }

    #[test]
    fn what_the_engine_cannot_train_is_refused() {
        let bucket = Bucket::new(64, 1, 64);
        let refused = |spec: &RunSpec| run_bytes(&config(), spec, 2, bucket).expect_err("refused").to_string();
        assert!(refused(&spec("full", "bf16", 8)).contains("full"));
        assert!(refused(&spec("lora", "f16", 8)).contains("f16"));
        assert!(refused(&spec("lora", "bf16", 300)).contains("rank"));
        let mini = ModelSource::Embedded.config().expect("a config");
        assert!(run_bytes(&mini, &spec("lora", "bf16", 8), 2, bucket).expect("bytes") < 64 << 20);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn more_needs_more(
            method in prop::sample::select(vec!["symlora", "lora"]),
            tokens in 1usize..9_000,
            rows in 1usize..600,
            longest in 1usize..500,
            rank in 1usize..200,
        ) {
            let bytes = |precision: &str, rank: usize, bucket: Bucket| {
                run_bytes(&config(), &spec(method, precision, rank), 2, bucket).expect("bytes")
            };
            let least = Bucket::new(tokens, rows, longest);
            let base = bytes("tf32", rank, least);
            prop_assert!(bytes("tf32", rank, Bucket::new(tokens + 2_500, rows, longest)) > base);
            prop_assert!(bytes("tf32", rank, Bucket::new(tokens, rows + 300, longest)) > base);
            prop_assert!(bytes("tf32", rank, Bucket::new(tokens, rows, longest + 64)) >= base);
            prop_assert!(bytes("tf32", rank + 40, least) > base);
            prop_assert!(bytes("bf16", rank, least) < base);
            prop_assert!(bytes("f32", rank, least) > bytes("bf16", rank, least));
            let process = |runs| process_bytes(&config(), &spec(method, "tf32", rank), 2, least, runs).expect("bytes");
            prop_assert_eq!(process(3) - process(1), 2 * base);
        }
    }
}
