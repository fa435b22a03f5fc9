//! What Trackio records of a machine, as figures of the device that trains. Knows no database.

use super::trackio::number;
use crate::event::DeviceFigures;
use serde_json::{Map, Value};

const GIB: f64 = (1u64 << 30) as f64;

/// Of the GPUs together: the mean of what they work, their memory and power in all, the highest temperature. Without a GPU those of
/// the machine. None where nothing of that is told.
pub fn figures(told: &Map<String, Value>) -> Option<DeviceFigures> {
    let one = |name: &str| told.get(name).and_then(number).filter(|v| v.is_finite());
    // `gpu/0/power` and so on.
    let each = |what: &str| -> Vec<f64> {
        let of = |name: &str| {
            let (index, named) = name.strip_prefix("gpu/")?.split_once('/')?;
            (named == what && index.parse::<u32>().is_ok()).then(|| one(name))?
        };
        told.keys().filter_map(|name| of(name)).collect()
    };
    let sum = |values: &[f64]| (!values.is_empty()).then(|| values.iter().sum::<f64>());
    let bytes = |gib: Option<f64>| gib.map_or(0, |gib| (gib * GIB).round() as u64);
    let work = each("utilization");
    let (memory, all) = (each("allocated_memory"), each("total_memory"));
    let gpu = !work.is_empty() || !memory.is_empty();
    let mean = sum(&work).map(|total| total / work.len() as f64);
    let (utilisation, memory, memory_total) = match gpu {
        true => (mean, sum(&memory), sum(&all)),
        false => (one("cpu/utilization"), one("memory/used"), one("memory/total")),
    };
    (utilisation.is_some() || memory.is_some()).then(|| DeviceFigures {
        utilisation: utilisation.map(|percent| percent / 100.0),
        memory: bytes(memory),
        memory_total: bytes(memory_total),
        temperature: each("temp").into_iter().reduce(f64::max),
        power: sum(&each("power")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn gpus_count_together_and_before_the_machine() {
        let of = |told: Value| figures(told.as_object().expect("an object"));
        let two = json!({ "gpu/0/utilization": 50, "gpu/1/utilization": 100, "gpu/0/allocated_memory": 1.5, "gpu/1/allocated_memory": 0.5,
            "gpu/0/total_memory": 80, "gpu/1/total_memory": 80, "gpu/0/power": 200.5, "gpu/1/power": 100, "gpu/0/temp": 40,
            "gpu/1/temp": 60, "gpu/mean_utilization": 75, "gpu/x/power": 1, "cpu/utilization": 3 });
        let found = DeviceFigures {
            utilisation: Some(0.75),
            memory: 2 << 30,
            memory_total: 160 << 30,
            temperature: Some(60.0),
            power: Some(300.5),
        };
        assert_eq!(of(two), Some(found));
        let machine = of(json!({ "cpu/utilization": 25.0, "memory/used": 4, "memory/total": 8 })).expect("figures");
        assert_eq!((machine.utilisation, machine.memory, machine.memory_total), (Some(0.25), 4 << 30, 8 << 30));
        assert_eq!(of(json!({ "disk/read_iops": 7, "gpu/0/utilization": "NaN" })), None);
    }
}
