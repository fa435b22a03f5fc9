//! What the devices of this machine are doing, asked once a second, with what they did in the last minutes.

use crate::cuda::{self, Card};
use crate::event::DeviceFigures;
use crate::train::host;
use crate::view::Device;
use std::time::Instant;

/// Samples that are remembered of each device.
const KEPT: usize = 240;
/// Shortest span over which the share of processor time is told.
const SPAN: f64 = 0.2;

pub(super) struct Sampler {
    cards: Vec<Card>,
    threads: usize,
    /// Processor time at the last sample.
    before: Option<(Instant, f64)>,
    /// Of the CPU, then of each card.
    histories: Vec<Vec<f64>>,
}

impl Sampler {
    pub fn new(cards: Vec<Card>) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let histories = vec![Vec::new(); 1 + cards.len()];
        Self { cards, threads, before: None, histories }
    }

    /// Asks every device, the CPU first.
    pub fn sample(&mut self) -> Vec<Device> {
        let utilisation = self.processor_share();
        let host = host::figures().map(|f| DeviceFigures { utilisation, ..f });
        let mut all = vec![("cpu".to_string(), format!("{} threads", self.threads), host)];
        all.extend(self.cards.iter().map(|c| (c.id.clone(), c.name.clone(), cuda::meter::figures(c))));
        let with_history = |((id, name, figures), history): ((_, _, Option<DeviceFigures>), &mut Vec<f64>)| {
            history.extend(figures.and_then(|f| f.utilisation));
            history.drain(..history.len().saturating_sub(KEPT));
            Device { id, name, figures, history: history.clone() }
        };
        all.into_iter().zip(&mut self.histories).map(with_history).collect()
    }

    /// Share of the machine's processor time that this process took since the last call.
    fn processor_share(&mut self) -> Option<f64> {
        let (now, used) = (Instant::now(), host::processor_seconds()?);
        let (then, before) = self.before.replace((now, used))?;
        let span = now.duration_since(then).as_secs_f64();
        (span >= SPAN).then(|| ((used - before) / span / self.threads as f64).clamp(0.0, 1.0))
    }
}

/// The devices in a few words for the title line.
pub(super) fn line(devices: &[Device]) -> String {
    let one = |d: &Device| match d.figures.filter(|_| d.id != "cpu") {
        Some(figures) => format!("{} {}", d.id, figures.in_words()),
        None => format!("{} {}", d.id, d.name),
    };
    devices.iter().map(one).collect::<Vec<_>>().join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_process_shows_and_the_history_is_bounded() {
        let mut sampler = Sampler::new(Vec::new());
        sampler.sample();
        let start = Instant::now();
        while start.elapsed().as_secs_f64() < 2.0 * SPAN {
            std::hint::black_box(start);
        }
        let devices = sampler.sample();
        assert_eq!(devices.len(), 1);
        assert_eq!(line(&devices), format!("cpu {} threads", sampler.threads));
        if host::processor_seconds().is_some() {
            let busy = devices[0].figures.and_then(|f| f.utilisation).expect("told on Linux");
            assert!(busy > 0.0, "{busy}");
            assert_eq!(devices[0].history, [busy]);
        }
        sampler.histories[0] = vec![0.5; 2 * KEPT];
        assert_eq!(sampler.sample()[0].history.len(), KEPT);
    }
}
