//! What a GPU is doing, as the driver's management library (NVML) tells it. Without that library there are no figures.

use super::device::Card;
use crate::event::DeviceFigures;
use nvml_wrapper::Nvml;
use nvml_wrapper::enum_wrappers::device::TemperatureSensor;
use nvml_wrapper::enums::device::UsedGpuMemory;
use std::sync::OnceLock;

fn library() -> Option<&'static Nvml> {
    static LIBRARY: OnceLock<Option<Nvml>> = OnceLock::new();
    LIBRARY.get_or_init(|| Nvml::init().ok()).as_ref()
}

/// What `card` is doing now.
pub fn figures(card: &Card) -> Option<DeviceFigures> {
    let device = library()?.device_by_uuid(card.uuid.as_str()).ok()?;
    let memory = device.memory_info().ok()?;
    Some(DeviceFigures {
        utilisation: device.utilization_rates().ok().map(|u| f64::from(u.gpu) / 100.0),
        memory: memory.used,
        memory_total: memory.total,
        temperature: device.temperature(TemperatureSensor::Gpu).ok().map(f64::from),
        power: device.power_usage().ok().map(|milliwatts| f64::from(milliwatts) / 1e3),
    })
}

/// Bytes of `card` that this process holds, the driver's own share included; where NVML does not tell processes apart, what
/// everyone holds.
pub fn own_memory(card: &Card) -> Option<u64> {
    let device = library()?.device_by_uuid(card.uuid.as_str()).ok()?;
    let own = device.running_compute_processes().ok()?.into_iter().find(|p| p.pid == std::process::id());
    match own.map(|p| p.used_gpu_memory) {
        Some(UsedGpuMemory::Used(bytes)) => Some(bytes),
        _ => Some(device.memory_info().ok()?.used),
    }
}
