//! The terminal's modes: entered once, left however the screens end. Knows nothing of what is drawn.

use super::UiError;
use super::graphics::{Answer, Graphics};
use crate::untrusted::is_guarded;
use crossbeam::channel::{Receiver, RecvTimeoutError, bounded};
use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture, Event};
use crossterm::execute;
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use rustix::event::{PollFd, PollFlags, Timespec};
use std::io::{IsTerminal, Stdout, Write, stdin, stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::thread::{JoinHandle, ThreadId};
use std::time::{Duration, Instant};

/// Events that may wait for the screens.
const EVENTS: usize = 1_024;
/// Longest wait for the terminal to say which pictures it can show.
const ANSWER: Duration = Duration::from_millis(700);
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
        // What the shell wrote meanwhile is not known.
        self.repaint()?;
        Ok(since.elapsed())
    }

    /// Has everything drawn anew. Clearing the old screen through ratatui would ask the terminal where its cursor is, while the
    /// thread of the keys reads the answer.
    pub fn repaint(&mut self) -> Result<(), UiError> {
        execute!(stdout(), Clear(ClearType::All))?;
        self.terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
        Ok(())
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

/// Writes what the terminal is to act on.
pub fn write(text: &str) -> Result<(), UiError> {
    let mut out = stdout();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// What comes from the terminal.
pub enum Got {
    Event(Event),
    /// The question for its graphics may be written now: the answer is no key.
    Listening,
    Graphics(Graphics),
}

/// Keys and clicks, read on a thread of their own: crossterm's read never returns once the terminal is gone, and whoever
/// waited in it could no longer save and end.
pub struct Input {
    got: Receiver<std::io::Result<Got>>,
    asked: Arc<AtomicBool>,
    leaving: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Input {
    pub fn start() -> Result<Self, UiError> {
        let (sender, got) = bounded(EVENTS);
        let leaving = Arc::new(AtomicBool::new(false));
        let asked = Arc::new(AtomicBool::new(false));
        let (left, asking) = (leaving.clone(), asked.clone());
        let read = move || {
            while !left.load(Ordering::SeqCst) {
                let next = if asking.swap(false, Ordering::SeqCst) {
                    if sender.send(Ok(Got::Listening)).is_err() {
                        return;
                    }
                    listen().map(Got::Graphics)
                } else {
                    match crossterm::event::poll(LOOK) {
                        Ok(false) => continue,
                        Ok(true) => crossterm::event::read().map(Got::Event),
                        Err(error) => Err(error),
                    }
                };
                let failed = next.is_err();
                if sender.send(next).is_err() || failed {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("keys".into()).spawn(read)?;
        Ok(Self { got, asked, leaving, thread })
    }

    /// What comes next, if something does within `time`.
    pub fn wait(&self, time: Duration) -> Result<Option<Got>, UiError> {
        match self.got.recv_timeout(time) {
            Ok(got) => Ok(Some(got?)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(UiError::NoTerminal),
        }
    }

    /// Has the terminal asked which pictures it can show; [`Got::Listening`] and [`Got::Graphics`] follow.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::SeqCst);
    }

    /// Ends the thread, so that it takes no key that is meant for who comes next. Where the terminal goes at this moment it is
    /// never done with its read; then it ends with the process.
    pub fn stop(self) {
        self.leaving.store(true, Ordering::SeqCst);
        drop(self.got);
        let asked = Instant::now();
        while !self.thread.is_finished() && asked.elapsed() < 4 * LOOK {
            std::thread::sleep(LOOK / 10);
        }
    }
}

/// Reads the answer to the question for graphics. A terminal that gives none within [`ANSWER`] shows half blocks.
fn listen() -> std::io::Result<Graphics> {
    let mut answer = Answer::new();
    let until = Instant::now() + ANSWER;
    let mut bytes = [0; 256];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let time = Timespec { tv_sec: 0, tv_nsec: i64::from(left.subsec_nanos()) };
        let stdin = stdin();
        match rustix::event::poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&time)) {
            Ok(0) => break,
            Ok(_) => {}
            // A signal, as of another size.
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        // Not through std's buffer: what is no answer is left for crossterm.
        let count = rustix::io::read(&stdin, &mut bytes)?;
        if count == 0 || answer.hear(&bytes[..count]) {
            break;
        }
    }
    Ok(answer.meaning(cell(), |name| std::env::var(name).ok()))
}

/// Pixels of a cell, where the system knows them.
fn cell() -> Option<(u16, u16)> {
    let size = crossterm::terminal::window_size().ok()?;
    let one = |pixels: u16, cells: u16| pixels.checked_div(cells).filter(|p| *p > 0);
    Some((one(size.width, size.columns)?, one(size.height, size.rows)?))
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
            if is_guarded() {
                // It is caught and told as an error.
            } else if std::thread::current().id() == own {
                restore();
                before(info);
            } else {
                tracing::error!("{info}");
            }
        }));
    });
}
