//! What a launch will take, in words: trained numbers, bytes, GPU memory. Knows no form.

use crate::spec::RunSpec;
use crate::view::{AdapterSize, MemoryNeed};

/// Trained numbers and bytes of a run, or from the smallest to the largest of a grid; nothing where one cannot be told.
pub(super) fn sizes(wanted: &[RunSpec], known: &[AdapterSize]) -> String {
    let found: Option<Vec<(u64, u64)>> = wanted
        .iter()
        .map(|w| known.iter().find(|k| k.of == *w).map(|k| (k.parameters, k.bytes.div_ceil(1024))))
        .collect();
    let found = found.unwrap_or_default();
    match (found.iter().min(), found.iter().max()) {
        (Some((n, kib)), Some(most)) if (*n, *kib) == *most => format!(" · {n} params, {kib} KiB a run"),
        (Some((n, kib)), Some((most, most_kib))) => format!(" · {n} to {most} params, {kib} to {most_kib} KiB a run"),
        _ => String::new(),
    }
}

/// Memory of a run on each GPU, or from the smallest to the largest of a grid, and whether all fit their cards; nothing of a
/// device where one cannot be told.
pub(super) fn memory(wanted: &[RunSpec], known: &[MemoryNeed]) -> (String, bool) {
    let gib = |bytes: u64| format!("{:.1}", bytes as f64 / f64::from(1u32 << 30));
    let mut devices: Vec<&str> = Vec::new();
    for spec in wanted {
        if !devices.contains(&spec.device.as_str()) {
            devices.push(&spec.device);
        }
    }
    let (mut text, mut fits) = (String::new(), true);
    for device in devices {
        let of = wanted.iter().filter(|w| w.device == device);
        let needs: Option<Vec<&MemoryNeed>> = of.map(|w| known.iter().find(|k| k.of == *w)).collect();
        let needs = needs.unwrap_or_default();
        let bytes = || needs.iter().map(|n| n.bytes);
        let (Some(least), Some(most)) = (bytes().min(), bytes().max()) else { continue };
        let range = if gib(least) == gib(most) { gib(most) } else { format!("{} to {}", gib(least), gib(most)) };
        match needs[0].card.filter(|card| most > *card) {
            Some(card) => {
                fits = false;
                text += &format!(" · {range} GiB, more than the {} GiB of {device}", gib(card));
            }
            None => text += &format!(" · {range} GiB on {device}"),
        }
    }
    (text, fits)
}
