//! Named starting points for launches.

use super::RunSpec;

/// The demo's tasks: SST-2 first, then by the length of their rows.
pub const DEMO_TASKS: [&str; 8] = ["sst-2", "cola", "qqp", "sts-b", "mnli", "mrpc", "qnli", "rte"];

/// Both of Figure 1's methods on each of `tasks`, from the embedded model and rows: ten epochs on SST-2, three on the others.
pub fn demo(tasks: &[&str]) -> Vec<RunSpec> {
    let run = |task: &str, method: &str| RunSpec {
        task: task.into(),
        method: method.into(),
        lr: 5e-3,
        batch_size: 32,
        epochs: if task == "sst-2" { 10 } else { 3 },
        ..RunSpec::default()
    };
    tasks.iter().flat_map(|task| ["symlora", "lora"].map(|method| run(task, method))).collect()
}

/// The paper's settings for a task: batch, epochs and learning rate of its table of hyperparameters.
pub fn paper(task: &str, method: &str, model: &str) -> Option<RunSpec> {
    let (batch_size, epochs, lr) = match task {
        "mnli" => (16, 30, 5e-4),
        "sst-2" => (16, 60, 5e-4),
        "mrpc" => (16, 30, 4e-4),
        "cola" => (32, 80, 4e-4),
        "qnli" => (32, 25, 4e-4),
        "qqp" => (16, 25, 5e-4),
        "rte" => (32, 80, 5e-4),
        "sts-b" => (16, 40, 4e-4),
        _ => return None,
    };
    let (task, method, model) = (task.into(), method.into(), model.into());
    Some(RunSpec { task, method, model, batch_size, epochs, lr, ..RunSpec::default() })
}
