//! What the regions of a model were predicted to take of a GPU, against what the driver says. It has a process of its own: other
//! models in it would count too. Where there is no GPU it says that it was skipped.

use eigenscope::cuda::{self, Bucket, Cuda, meter, predict};
use eigenscope::data::{Batch, Labels};
use eigenscope::model::{ModelSource, shape};
use eigenscope::spec::RunSpec;
use eigenscope::train::Backend;

fn batch(rows: usize, width: usize) -> Batch {
    Batch {
        rows,
        width,
        ids: (0..rows * width).map(|i| 5 + i as u32 % 50).collect(),
        type_ids: vec![0; rows * width],
        mask: vec![1; rows * width],
        labels: Labels::Classes((0..rows).map(|r| r as u32 % 2).collect()),
    }
}

#[test]
fn a_models_regions_take_what_was_predicted() {
    let card = match cuda::cards() {
        Ok(cards) if !cards.is_empty() => cards[0].clone(),
        Ok(_) => return eprintln!("a_models_regions_take_what_was_predicted: skipped, no GPU"),
        Err(error) => return eprintln!("a_models_regions_take_what_was_predicted: skipped, {error}"),
    };
    let held = || meter::own_memory(&card).expect("NVML tells") as f64;
    let base = shape::random("roberta-base").expect("a shape").expect("a model");
    let mini = ModelSource::Embedded.load().expect("a model");
    for (method, precision) in [("symlora", "bf16"), ("lora", "bf16"), ("symlora", "tf32"), ("lora", "f32")] {
        let spec = RunSpec {
            method: method.into(),
            precision: precision.into(),
            device: card.id.clone(),
            ..RunSpec::default()
        };
        // The driver's context and the libraries come with the first model.
        let mut small = Cuda::new(&mini, &spec, 2, false).expect("a model");
        small.step(&batch(4, 16), 0, 1e-4).expect("a step");
        let before = held();
        let mut engine = Cuda::new(&base, &spec, 2, false).expect("a model");
        // A larger batch makes the room anew, a smaller one after it does not.
        for (rows, width) in [(8, 40), (32, 128), (4, 64)] {
            engine.step(&batch(rows, width), 0, 1e-4).expect("a step");
        }
        engine.logits(&batch(100, 64)).expect("logits");
        let taken = held() - before;
        let largest = Bucket::new(100 * 64, 100, 128);
        let predicted = predict::run_bytes(&base.config, &spec, 2, largest).expect("bytes") as f64;
        let mib = f64::from(1u32 << 20);
        println!("{method} {precision}: {:.0} MiB predicted, {:.0} MiB taken", predicted / mib, taken / mib);
        assert!((predicted / taken - 1.0).abs() < 0.1, "{method} {precision}: {predicted} and {taken}");
    }
}
