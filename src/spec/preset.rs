//! Named starting points for launches and sweeps.

use super::RunSpec;

/// The demo's tasks: SST-2 first, then by the length of their rows.
pub const DEMO_TASKS: [&str; 8] = ["sst-2", "cola", "qqp", "sts-b", "mnli", "mrpc", "qnli", "rte"];
/// Figure 1's methods.
pub const METHODS: [&str; 2] = ["symlora", "lora"];
/// The model of the presets `paper` and `loralib`: a folder of that name, where no other is given.
pub const ROBERTA: &str = "roberta-base";
/// Tasks that LoRA's authors trained on from MNLI's adapter.
pub const FROM_MNLI: [&str; 3] = ["mrpc", "rte", "sts-b"];

/// A named preset: the settings that it has for a task, if it has some.
pub struct Preset {
    pub name: &'static str,
    pub help: &'static str,
    /// Model where no other is given.
    pub model: &'static str,
    /// From task, method and model.
    pub of: fn(&str, &str, &str) -> Option<RunSpec>,
}

/// Every preset; the first is what the launch form starts with.
pub const PRESETS: [Preset; 3] = [
    Preset {
        name: "demo",
        help: "3 epochs at lr 5e-3 in batches of 32, on the embedded model",
        model: "mini-roberta",
        of: |task, method, model| Some(sample(task, method, model)),
    },
    Preset { name: "paper", help: "the paper's settings for RoBERTa-base", model: ROBERTA, of: paper },
    Preset {
        name: "loralib",
        help: "the paper's with length 512 and alpha 16; MRPC, RTE and STS-B from MNLI's adapter, as LoRA's authors",
        model: ROBERTA,
        of: loralib,
    },
];

/// The preset of this name.
pub fn find(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|p| p.name == name)
}

/// Three epochs from the embedded rows.
fn sample(task: &str, method: &str, model: &str) -> RunSpec {
    let (task, method, model) = (task.into(), method.into(), model.into());
    RunSpec { task, method, model, lr: 5e-3, batch_size: 32, epochs: 3, ..RunSpec::default() }
}

/// Both of Figure 1's methods on each of `tasks`, from the embedded model and rows: ten epochs on SST-2, three on the others.
pub fn demo(tasks: &[&str]) -> Vec<RunSpec> {
    let run = |task: &str, method: &str| {
        let run = sample(task, method, &RunSpec::default().model);
        RunSpec { epochs: if task == "sst-2" { 10 } else { run.epochs }, ..run }
    };
    tasks.iter().flat_map(|task| METHODS.map(|method| run(task, method))).collect()
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
    Some(RunSpec {
        task: task.into(),
        method: method.into(),
        model: model.into(),
        rank: 8,
        alpha: 8.0,
        max_length: 128,
        warmup_ratio: 0.06,
        weight_decay: 0.1,
        batch_size,
        epochs,
        lr,
        ..RunSpec::default()
    })
}

/// The paper's settings with length and alpha of the scripts of LoRA's authors, who trained some tasks on from MNLI's adapter.
pub fn loralib(task: &str, method: &str, model: &str) -> Option<RunSpec> {
    let init_adapter = if FROM_MNLI.contains(&task) { "best:mnli".into() } else { String::new() };
    Some(RunSpec { max_length: 512, alpha: 16.0, init_adapter, ..paper(task, method, model)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_valid_and_differ_where_they_should() {
        for preset in &PRESETS {
            for task in DEMO_TASKS {
                let spec = (preset.of)(task, "lora", preset.model).expect("every task has settings");
                assert_eq!((spec.validate(), spec.task.as_str()), (Ok(()), task), "{}", preset.name);
            }
        }
        let (paper, lib) = (paper("rte", "lora", "m").expect("set"), loralib("rte", "lora", "m").expect("set"));
        assert_eq!((paper.scaling(), lib.scaling(), lib.max_length), (1.0, 2.0, 512));
        assert_eq!((paper.init_adapter.as_str(), lib.init_adapter.as_str()), ("", "best:mnli"));
        assert_eq!(loralib("mnli", "lora", "m").expect("set").init_adapter, "");
        assert_eq!((lib.batch_size, lib.epochs, lib.lr), (32, 80, 5e-4));
    }
}
