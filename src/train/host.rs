//! What this process takes of the machine, as the system tells it. Knows no backend.

use crate::event::DeviceFigures;

/// Memory that is resident, and all there is; `None` where the system does not tell (it does on Linux).
pub fn figures() -> Option<DeviceFigures> {
    // The sizes in /proc are in KiB, whatever the size of a page.
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let all = std::fs::read_to_string("/proc/meminfo").ok()?;
    let memory = kibibytes(&status, "VmRSS:")? << 10;
    let memory_total = kibibytes(&all, "MemTotal:")? << 10;
    Some(DeviceFigures { utilisation: None, memory, memory_total, temperature: None, power: None })
}

/// Seconds of processor time that this process has used, over all its threads; `None` where the system does not tell.
pub fn processor_seconds() -> Option<f64> {
    // Fields 14 and 15 of /proc/self/stat are user and system time in ticks of 1/100 s.
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    Some((fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?) / 100.0)
}

/// The number of a line such as `VmRSS:      1234 kB`.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_proc_is_read_by_its_name() {
        let text = "Name:\tx\nVmRSS:\t   1234 kB\nMemTotal: 5 kB\n";
        assert_eq!(
            [kibibytes(text, "VmRSS:"), kibibytes(text, "MemTotal:"), kibibytes(text, "No:")],
            [Some(1234), Some(5), None]
        );
    }

    #[test]
    fn this_process_takes_some_of_what_there_is() {
        if let Some(figures) = figures() {
            assert!(figures.memory > 1 << 20 && figures.memory < figures.memory_total, "{figures:?}");
        }
    }
}
