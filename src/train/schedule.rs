//! The learning rate of each step. Knows no optimizer.

/// Linear rise, then linear fall to 0, as transformers' `get_linear_schedule_with_warmup`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    lr: f64,
    warmup: u64,
    total: u64,
}

impl Schedule {
    /// `lr` is the peak; the rise takes ceil(`ratio` * `total`) of the `total` steps.
    pub fn new(lr: f64, ratio: f64, total: u64) -> Self {
        Self { lr, warmup: (ratio * total as f64).ceil() as u64, total }
    }

    pub fn warmup_steps(&self) -> u64 {
        self.warmup
    }

    /// Learning rate of the step with this index from 0; index 0 has 0 where there is a rise.
    pub fn lr(&self, index: u64) -> f64 {
        let factor = if index < self.warmup {
            index as f64 / self.warmup as f64
        } else {
            self.total.saturating_sub(index) as f64 / self.total.saturating_sub(self.warmup).max(1) as f64
        };
        self.lr * factor
    }
}
