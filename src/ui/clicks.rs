//! Clicks on the rows of a list: which row was meant, and whether it was meant to be opened.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use std::time::{Duration, Instant};

/// Longest time between the clicks of a double click.
const DOUBLE: Duration = Duration::from_millis(400);

/// Remembers the last click.
#[derive(Debug, Default)]
pub struct Clicks(Option<(Instant, u16)>);

impl Clicks {
    /// The left button went down at this row of the screen; true where it did so just before.
    pub fn is_double(&mut self, event: MouseEvent) -> bool {
        let double = self.0.is_some_and(|(when, row)| row == event.row && when.elapsed() < DOUBLE);
        // A third click begins anew.
        self.0 = (!double).then(|| (Instant::now(), event.row));
        double
    }
}

/// The left button went down.
pub fn is_click(event: MouseEvent) -> bool {
    event.kind == MouseEventKind::Down(MouseButton::Left)
}

/// First of `count` lines that `height` rows show around the line `at`.
pub fn first_shown(at: usize, height: usize, count: usize) -> usize {
    at.saturating_sub(height / 2).min(count.saturating_sub(height))
}
