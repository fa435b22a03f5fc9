//! What a GPU is doing, as the driver's management library (NVML) tells it. Without that library there are no figures.

use super::device::Card;
use nvml_wrapper::Nvml;
use nvml_wrapper::enum_wrappers::device::TemperatureSensor;
use nvml_wrapper::enums::device::UsedGpuMemory;
use std::sync::OnceLock;

/// The figures of one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Share of the last moments in which a kernel ran, 0 to 1.
    pub utilisation: f64,
    /// Memory in use by everyone, and all there is, in bytes.
    pub memory: u64,
    pub memory_total: u64,
    /// Degrees Celsius.
    pub temperature: f64,
    /// Watts.
    pub power: f64,
}

fn library() -> Option<&'static Nvml> {
    static LIBRARY: OnceLock<Option<Nvml>> = OnceLock::new();
    LIBRARY.get_or_init(|| Nvml::init().ok()).as_ref()
}

/// What `card` is doing now.
pub fn figures(card: &Card) -> Option<Figures> {
    let device = library()?.device_by_uuid(card.uuid.as_str()).ok()?;
    let memory = device.memory_info().ok()?;
    Some(Figures {
        utilisation: f64::from(device.utilization_rates().ok()?.gpu) / 100.0,
        memory: memory.used,
        memory_total: memory.total,
        temperature: f64::from(device.temperature(TemperatureSensor::Gpu).ok()?),
        power: f64::from(device.power_usage().ok()?) / 1e3,
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
