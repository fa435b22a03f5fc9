//! The times of frames and keys, measured without a terminal.

use super::theme::Colours;
use super::{Choices, Ui, UiError};
use crate::view::Port;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use std::time::{Duration, Instant};

/// Times of a frame and of keys on a view, drawn to memory at 200x60.
pub struct Timings {
    pub first_frame: Duration,
    /// From each key to its finished frame.
    pub keys: Vec<Duration>,
}

/// What is typed while it is measured: every screen, its sorting, filtering, marking, panes, scrubbing and choices.
const KEYS_MEASURED: &str =
    "jjGgsSsss  \x1b/task:cola\rjG\x1bjjj2\t\t\tjl[]SX+<=3jl+-Xt4jlltmbbbR5jljk7jjl[]0jk6\t\tx\x1b1jjG??";

/// Measures the screens on `port`; `start` is when the program began.
pub fn measure(port: &dyn Port, choices: &Choices, start: Instant) -> Result<Timings, UiError> {
    let backend = ratatui::backend::TestBackend::new(200, 60);
    let failed = |e: std::convert::Infallible| -> UiError { match e {} };
    let mut terminal = ratatui::Terminal::new(backend).map_err(failed)?;
    let mut ui = Ui::new(port, choices, Colours::True);
    ui.refresh();
    terminal.draw(|frame| ui.draw(frame)).map_err(failed)?;
    let first_frame = start.elapsed();
    let mut keys = Vec::new();
    for code in KEYS_MEASURED.chars().cycle().take(4 * KEYS_MEASURED.len()) {
        let code = match code {
            '\t' => KeyCode::Tab,
            '\x1b' => KeyCode::Esc,
            '\r' => KeyCode::Enter,
            character => KeyCode::Char(character),
        };
        let pressed = Instant::now();
        ui.event(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
        ui.refresh();
        terminal.draw(|frame| ui.draw(frame)).map_err(failed)?;
        keys.push(pressed.elapsed());
    }
    Ok(Timings { first_frame, keys })
}
