//! Which devices there are here, and the backend that trains a spec on its own. Knows no files.

use super::JobError;
use crate::adapter;
use crate::cpu::Cpu;
use crate::cuda::{self, Cuda};
use crate::model::{Checkpoint, Config};
use crate::spec::{RunSpec, SpecError};
use crate::task::{LabelKind, Task};
use crate::train::autograd::Autograd;
use crate::train::{Backend, BackendError};

const CPU: &str = "cpu";

/// Ids of the devices that can train here: the CPU, then every usable GPU.
pub fn devices() -> Vec<String> {
    let cards = cuda::cards().unwrap_or_default();
    [CPU.to_string()].into_iter().chain(cards.into_iter().map(|c| c.id)).collect()
}

/// The device of each worker: one for the CPU, which a run has to itself, `runs_per_gpu` for each GPU.
pub fn workers(runs_per_gpu: usize) -> Vec<String> {
    let count = |device: &String| if device == CPU { 1 } else { runs_per_gpu };
    devices().into_iter().flat_map(|d| std::iter::repeat_n(d.clone(), count(&d))).collect()
}

/// The device of `spec` with the card's name, such as `cuda:0 (NVIDIA H100 80GB HBM3)`.
pub fn name(spec: &RunSpec) -> String {
    let cards = if spec.device == CPU { Vec::new() } else { cuda::cards().unwrap_or_default() };
    let card = cards.into_iter().find(|c| c.id == spec.device);
    card.map_or_else(|| spec.device.clone(), |card| format!("{} ({})", card.id, card.name))
}

/// Whether `spec` names a device that is here, and a precision and method that it has.
pub fn check(spec: &RunSpec) -> Result<(), JobError> {
    let method = adapter::find(&spec.method)?;
    if spec.device == CPU {
        if spec.precision != "f32" {
            return Err(SpecError::new("precision", &spec.precision, "f32 on device cpu").into());
        }
        return Ok(());
    }
    if cuda::ordinal(&spec.device).is_none() {
        let expected = "cpu, cuda:0, cuda:1 and so on";
        return Err(SpecError::new("device", format!("{:?}", spec.device), expected).into());
    }
    if let Some(lacks) = cuda::lacking(method) {
        let expected = format!("cpu: {} {lacks}, which the kernels of a GPU do not know", method.id());
        return Err(SpecError::new("device", format!("{:?} for {}", spec.device, method.id()), expected).into());
    }
    let here = devices();
    if !here.contains(&spec.device) {
        let reason = cuda::check().err().map_or_else(String::new, |e| format!(" ({e})"));
        let found = format!("{:?}{reason}", spec.device);
        return Err(SpecError::new("device", found, format!("one of {}", here.join(", "))).into());
    }
    Ok(())
}

/// Whether the device of `spec` takes a model of these sizes.
pub fn check_model(spec: &RunSpec, config: &Config) -> Result<(), JobError> {
    if spec.device != CPU {
        Cuda::check(config, spec).map_err(BackendError::from)?;
    }
    Ok(())
}

/// The backend for `spec`'s device.
pub fn backend(spec: &RunSpec, model: &Checkpoint, task: &dyn Task) -> Result<Box<dyn Backend>, JobError> {
    check(spec)?;
    let regression = matches!(task.labels(), LabelKind::Score { .. });
    let outputs = task.outputs();
    Ok(match (spec.device.as_str(), Cpu::trains(adapter::find(&spec.method)?)) {
        (CPU, true) => Box::new(Cpu::new(model, spec, outputs, regression)?),
        (CPU, false) => Box::new(Autograd::<f32>::new(model, spec, outputs, regression)?),
        _ => Box::new(Cuda::new(model, spec, outputs, regression)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelSource;

    #[test]
    fn a_method_that_the_kernels_do_not_know_is_refused_before_a_gpu_is_looked_for() {
        for (method, reason) in [
            ("full", "has no linear form"),
            ("symlora-frozen", "has factors that stay as they start"),
            ("symlora-sign", "subtracts the factors of its start"),
            ("lora-nested", "trains other columns in each step"),
            ("symdora", "scales the rows of whole matrices"),
        ] {
            let on = |device: &str| RunSpec { method: method.into(), device: device.into(), ..RunSpec::default() };
            let error = check(&on("cuda:0")).expect_err("refused");
            assert!(error.is_input() && error.field() == Some("device"), "{error}");
            let text = error.to_string();
            assert!(text.contains(&format!("expected cpu: {method} {reason}")), "{text}");
            check(&on(CPU)).expect("the CPU trains it");
        }
    }

    #[test]
    fn sizes_that_a_gpu_does_not_take_are_the_specs_fault() {
        let config = ModelSource::Embedded.config().expect("a configuration");
        let on = |device: &str, rank| RunSpec { device: device.into(), rank, ..RunSpec::default() };
        assert!(check_model(&on("cuda:0", 8), &config).is_ok() && check_model(&on("cpu", 300), &config).is_ok());
        let error = check_model(&on("cuda:0", 300), &config).expect_err("too large a rank");
        assert!(error.is_input() && !error.loses_device(), "{error}");
        assert!(error.to_string().contains("rank: found 300, expected at most 256"), "{error}");
    }
}
