//! A place among the steps at which a run's layers were recorded; at the newest it goes on with the run.

use crate::record::RunDetail;

/// The recorded step that is shown; none: the newest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Records(pub Option<u64>);

impl Records {
    /// Goes by so many records, later where positive.
    pub fn scrub(&mut self, detail: &RunDetail, by: isize) {
        let steps = &detail.norm_steps;
        let last = steps.len().saturating_sub(1);
        // From the record that was asked for: the one that is shown may be on its way.
        let at = self.0.and_then(|step| steps.iter().position(|s| *s == step)).unwrap_or(last);
        let next = at.saturating_add_signed(by).min(last);
        self.0 = steps.get(next).copied().filter(|_| next < last);
    }

    /// Number of the record that was brought, counted from 1, and of all.
    pub fn place(detail: &RunDetail) -> (usize, usize) {
        let steps = &detail.norm_steps;
        (steps.iter().position(|s| *s == detail.norms_step).map_or(0, |i| i + 1), steps.len())
    }
}
