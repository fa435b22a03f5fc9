//! The terminal's modes: entered once, left however the screens end. Knows nothing of what is drawn.

use super::UiError;
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use std::io::{IsTerminal, Stdout, stdin, stdout};
use std::sync::Once;
use std::thread::ThreadId;

/// The screen in raw mode; dropping it gives the terminal back as it was.
pub struct Screen {
    pub terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    pub fn enter() -> Result<Self, UiError> {
        if !is_terminal() {
            return Err(UiError::NoTerminal);
        }
        restore_on_panic(std::thread::current().id());
        enable_raw_mode()?;
        execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, EnableMouseCapture)
            .inspect_err(|_| restore())?;
        let terminal = Terminal::new(CrosstermBackend::new(stdout())).inspect_err(|_| restore())?;
        Ok(Self { terminal })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
        let _ = self.terminal.show_cursor();
    }
}

/// Both ends are a terminal.
pub fn is_terminal() -> bool {
    stdin().is_terminal() && stdout().is_terminal()
}

fn restore() {
    // Nobody is left to tell when the terminal itself is gone.
    let _ = disable_raw_mode();
    let _ = execute!(stdout(), DisableMouseCapture, DisableBracketedPaste, LeaveAlternateScreen);
}

/// A worker's panic must not tear the screen down; only one of the screens' own thread does.
fn restore_on_panic(own: ThreadId) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if std::thread::current().id() == own {
                restore();
                before(info);
            } else {
                tracing::error!("{info}");
            }
        }));
    });
}
