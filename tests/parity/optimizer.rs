//! AdamW, clipping and the schedule alone, on given gradients.

use crate::folder::{self, close, items, members, near, number, numbers, whole};
use eigenscope::train::optim::{AdamW, Segment, clip};
use eigenscope::train::schedule::Schedule;

#[test]
fn adamw_clipping_and_schedule_f64() {
    for (c, case) in items(&folder::json("optimizer_unit.json")).iter().enumerate() {
        let start = members(&case["start"]);
        let mut values = Vec::new();
        let mut segments = Vec::new();
        for (name, tensor) in &start {
            let from = values.len();
            values.extend(numbers(tensor));
            segments.push(Segment { range: from..values.len(), decay: name.as_str() == "matrix" });
        }
        let total = whole(&case["total_steps"]) as u64;
        let schedule = Schedule::new(number(&case["lr"]), 0.06, total);
        assert_eq!(schedule.warmup_steps(), whole(&case["warmup_steps"]) as u64);
        let max = case["clip"].as_f64().unwrap_or(0.0);
        let mut optimizer =
            AdamW::<f64>::new(values.len(), segments, number(&case["eps"]), number(&case["weight_decay_on_matrix"]));
        for (i, step) in items(&case["steps"]).iter().enumerate() {
            let what = format!("case {c} step {i}");
            let lr = schedule.lr(i as u64);
            close(&format!("{what} lr"), &[lr], &[number(&step["lr"])], 1e-15);
            let gradients: Vec<f64> = start.iter().flat_map(|(n, _)| numbers(&step["grads"][n.as_str()])).collect();
            let clipped = clip(&gradients, max);
            match step["grad_norm"].as_f64() {
                Some(expected) => near(&format!("{what} norm"), clipped.norm, expected, 1e-13),
                None => assert!(case["clip"].is_null(), "{what}: clipped without a norm"),
            }
            optimizer.update(&mut values, &gradients, clipped.factor, lr);
            let after: Vec<f64> = start.iter().flat_map(|(n, _)| numbers(&step["after"][n.as_str()])).collect();
            close(&what, &values, &after, 1e-12);
        }
    }
}
