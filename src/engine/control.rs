//! The flag between a person's request and a run's loop. Knows neither who asks nor what is trained.

use crate::event::Control;
use crate::train::Signal;
use std::sync::atomic::{AtomicU8, Ordering};

/// Request that a run reads between two batches. Stop and cancel are final.
#[derive(Debug, Default)]
pub struct Signals(AtomicU8);

const GO: u8 = 0;
const HOLD: u8 = 1;
const STOP: u8 = 2;
const CANCEL: u8 = 3;

impl Signals {
    pub fn set(&self, control: Control) {
        let wanted = match control {
            Control::Resume => GO,
            Control::Pause => HOLD,
            Control::Stop => STOP,
            Control::Cancel => CANCEL,
        };
        // A later pause or resume must not revive a run that is being ended.
        let _ =
            self.0.try_update(Ordering::SeqCst, Ordering::SeqCst, |now| (now < STOP || wanted > now).then_some(wanted));
    }

    pub fn get(&self) -> Signal {
        match self.0.load(Ordering::SeqCst) {
            GO => Signal::Go,
            HOLD => Signal::Hold,
            STOP => Signal::Stop,
            _ => Signal::Cancel,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ending_is_final() {
        let signals = Signals::default();
        assert_eq!(signals.get(), Signal::Go);
        signals.set(Control::Pause);
        assert_eq!(signals.get(), Signal::Hold);
        signals.set(Control::Resume);
        assert_eq!(signals.get(), Signal::Go);
        signals.set(Control::Stop);
        signals.set(Control::Resume);
        assert_eq!(signals.get(), Signal::Stop);
        signals.set(Control::Cancel);
        assert_eq!(signals.get(), Signal::Cancel);
    }
}
