//! Models of one file side by side in a process: what is frozen is in memory once. It has a process of its own: other models
//! in it would count too.

use eigenscope::cpu::Cpu;
use eigenscope::data::{Batch, Labels};
use eigenscope::model::{ModelSource, shape};
use eigenscope::spec::RunSpec;
use eigenscope::train::{Backend, host};

#[test]
fn a_second_model_of_the_same_weights_shares_what_is_frozen() {
    let Some(_) = host::figures() else {
        return eprintln!("skipped: the system does not tell the memory of a process");
    };
    let held = || host::figures().expect("told").memory as f64 / f64::from(1u32 << 20);
    let base = shape::random("roberta-base").expect("a shape").expect("a model");
    let spec = RunSpec::default();
    let start = held();
    let mut first = Cpu::new(&base, &spec, 2, false).expect("a model");
    let one = held() - start;
    let mut second = Cpu::new(&base, &RunSpec { seed: 1, ..spec }, 2, false).expect("a model");
    let both = held() - start;
    println!("RoBERTa-base: one model {one:.0} MiB, two {both:.0} MiB");
    assert!(one > 400.0, "{one}");
    assert!(both - one < 0.35 * one, "{one} {both}");
    let batch = Batch {
        rows: 1,
        width: 4,
        ids: vec![0, 7, 8, 2],
        type_ids: vec![0; 4],
        mask: vec![1; 4],
        labels: Labels::Classes(vec![1]),
    };
    // One in training does not change the other.
    let before = second.logits(&batch).expect("logits");
    first.step(&batch, 0, 0.1).expect("a step");
    assert_eq!(second.logits(&batch).expect("logits"), before);
}

#[test]
fn two_readings_of_a_file_share_and_another_file_does_not() {
    let load = || ModelSource::Embedded.load().expect("a model").weights;
    let name = "roberta.embeddings.LayerNorm.weight";
    let (a, b) = (load(), load());
    let of = |w: &eigenscope::model::weights::Weights| w.frozen(name, &[128]).expect("a tensor");
    let (first, second) = (of(&a), of(&b));
    assert!(std::sync::Arc::ptr_eq(&first, &second));
    let other = load().known_as("another".into());
    let third = of(&other);
    assert!(!std::sync::Arc::ptr_eq(&first, &third) && first == third);
}
