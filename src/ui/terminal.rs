//! The terminal's modes: entered once, left however the screens end. Knows nothing of what is drawn.

use super::UiError;
use crossbeam::channel::{Receiver, RecvTimeoutError, bounded};
use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture, Event};
use crossterm::execute;
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use std::io::{IsTerminal, Stdout, stdin, stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::thread::{JoinHandle, ThreadId};
use std::time::{Duration, Instant};

/// Events that may wait for the screens.
const EVENTS: usize = 1_024;
/// How often the thread of the keys looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(50);

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
        start()?;
        let terminal = Terminal::new(CrosstermBackend::new(stdout())).inspect_err(|_| restore())?;
        Ok(Self { terminal })
    }

    /// Gives the terminal back, stops the process as ctrl-z does elsewhere, and takes the terminal again when the shell says go
    /// on; how long that was.
    pub fn suspend(&mut self) -> Result<Duration, UiError> {
        let since = Instant::now();
        restore();
        self.terminal.show_cursor()?;
        // All threads stop inside this call.
        signal_hook::low_level::raise(signal_hook::consts::SIGTSTP)?;
        start()?;
        // What the shell wrote meanwhile is not known: everything is drawn anew. Clearing the old screen would ask the terminal
        // where its cursor is, while the thread of the keys reads the answer.
        execute!(stdout(), Clear(ClearType::All))?;
        self.terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
        Ok(since.elapsed())
    }
}

fn start() -> std::io::Result<()> {
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, EnableMouseCapture).inspect_err(|_| restore())
}

/// Puts a text on the clipboard of the terminal at the person's end, also through ssh (OSC 52).
pub fn copy(text: &str) -> Result<(), UiError> {
    Ok(execute!(stdout(), CopyToClipboard::to_clipboard_from(text))?)
}

/// Keys and clicks, read on a thread of their own: crossterm's read never returns once the terminal is gone, and whoever
/// waited in it could no longer save and end.
pub struct Input {
    events: Receiver<std::io::Result<Event>>,
    leaving: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Input {
    pub fn start() -> Result<Self, UiError> {
        let (sender, events) = bounded(EVENTS);
        let leaving = Arc::new(AtomicBool::new(false));
        let left = leaving.clone();
        let read = move || {
            while !left.load(Ordering::SeqCst) {
                let event = match crossterm::event::poll(LOOK) {
                    Ok(false) => continue,
                    Ok(true) => crossterm::event::read(),
                    Err(error) => Err(error),
                };
                let failed = event.is_err();
                if sender.send(event).is_err() || failed {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("keys".into()).spawn(read)?;
        Ok(Self { events, leaving, thread })
    }

    /// The next event, if one comes within `time`.
    pub fn wait(&self, time: Duration) -> Result<Option<Event>, UiError> {
        match self.events.recv_timeout(time) {
            Ok(event) => Ok(Some(event?)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(UiError::NoTerminal),
        }
    }

    /// Ends the thread, so that it takes no key that is meant for who comes next. Where the terminal goes at this moment it is
    /// never done with its read; then it ends with the process.
    pub fn stop(self) {
        self.leaving.store(true, Ordering::SeqCst);
        drop(self.events);
        let asked = Instant::now();
        while !self.thread.is_finished() && asked.elapsed() < 4 * LOOK {
            std::thread::sleep(LOOK / 10);
        }
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
