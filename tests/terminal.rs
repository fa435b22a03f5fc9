//! The real program in a pseudo-terminal, driven by keys; and what is left when its process is killed.
#![cfg(unix)]

use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Longest wait for something to appear; training steps lie between.
const PATIENCE: Duration = Duration::from_secs(90);

struct Terminal {
    child: Box<dyn portable_pty::Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    screen: Arc<Mutex<vt100::Parser>>,
    /// All that was written, to see which modes were left.
    raw: Arc<Mutex<Vec<u8>>>,
    master: Box<dyn MasterPty + Send>,
    closing: Arc<AtomicBool>,
    /// Nobody reads what the program writes, as after ctrl-s.
    held: Arc<AtomicBool>,
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("a size")
}

impl Terminal {
    fn start(runs: &Path, columns: u16, rows: u16) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_eigenscope"));
        command.args(["--runs", runs.to_str().expect("a path")]);
        Self::spawn(command, runs, columns, rows)
    }

    fn spawn(mut command: CommandBuilder, runs: &Path, columns: u16, rows: u16) -> Self {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).expect("a pseudo-terminal");
        command.env("COLORTERM", "truecolor");
        command.env("TERM", "xterm-256color");
        command.env("LC_ALL", "C.UTF-8");
        command.env("XDG_CONFIG_HOME", runs.join("settings"));
        // What is remembered between starts is the test's own too.
        command.env("XDG_STATE_HOME", runs.join("state"));
        let child = pty.slave.spawn_command(command).expect("started");
        drop(pty.slave);
        let mut output = pty.master.try_clone_reader().expect("output");
        let screen = Arc::new(Mutex::new(vt100::Parser::new(cells(rows), cells(columns), 0)));
        let raw = Arc::new(Mutex::new(Vec::new()));
        let (to_screen, to_raw) = (screen.clone(), raw.clone());
        let closing = Arc::new(AtomicBool::new(false));
        let closed = closing.clone();
        let held = Arc::new(AtomicBool::new(false));
        let holding = held.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n) = output.read(&mut bytes) {
                if n == 0 || closed.load(Ordering::SeqCst) {
                    return;
                }
                to_screen.lock().expect("screen").process(&bytes[..n]);
                to_raw.lock().expect("raw").extend_from_slice(&bytes[..n]);
                while holding.load(Ordering::SeqCst) && !closed.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        });
        let keys = pty.master.take_writer().expect("input");
        Self { child, keys, screen, raw, master: pty.master, closing, held }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("typed");
        self.keys.flush().expect("typed");
    }

    fn text(&self) -> String {
        self.screen.lock().expect("screen").screen().contents()
    }

    fn wait_for(&self, what: &str, seen: impl Fn(&str) -> bool) {
        let start = Instant::now();
        while !seen(&self.text()) {
            assert!(start.elapsed() < PATIENCE, "{what} did not appear:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    fn wait_for_text(&self, text: &str) {
        self.wait_for(text, |screen| screen.contains(text));
    }

    /// Closes the terminal under the program, which must end by itself.
    fn hang_up(self) {
        let Self { mut child, keys, master, closing, .. } = self;
        closing.store(true, Ordering::SeqCst);
        drop((keys, master));
        let start = Instant::now();
        while child.try_wait().expect("a state").is_none() {
            if start.elapsed() > PATIENCE {
                child.kill().expect("killed");
                panic!("the program went on without its terminal");
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Leaves by q, saving what trains; the exit code. Between two runs nothing does, and it is not asked.
    fn left(mut self) -> u32 {
        self.press("q");
        let asked = |screen: &str| screen.contains("active; quitting saves");
        self.wait_for("the question or the end", |s| asked(s) || !s.contains("1 Runs"));
        if asked(&self.text()) {
            self.press("s");
        }
        self.ended()
    }

    /// The exit code; the terminal must have been given back.
    fn ended(mut self) -> u32 {
        let code = self.child.wait().expect("ended").exit_code();
        std::thread::sleep(Duration::from_millis(100));
        let raw = String::from_utf8_lossy(&self.raw.lock().expect("raw")).into_owned();
        for mode in ["\u{1b}[?1049l", "\u{1b}[?2004l", "\u{1b}[?25h"] {
            assert!(raw.contains(mode), "{mode:?} was not sent");
        }
        code
    }
}

#[test]
fn from_first_start_to_export_and_deletion() {
    let folder = tempfile::tempdir().expect("a folder");
    let exports = || std::fs::read_dir(folder.path().join("exports")).map_or(0, Iterator::count);
    let mut terminal = Terminal::start(folder.path(), 80, 24);
    // First start, then the demo.
    terminal.wait_for_text("No runs yet");
    terminal.press("\r");
    terminal.wait_for_text("16 runs are queued");
    terminal.wait_for_text("▶");
    // Live: the loss moves while one watches.
    terminal.press("g\r");
    terminal.wait_for_text("sst-2-symlora-s0");
    terminal.wait_for("a step", |s| (3..320).any(|n| s.contains(&format!("step {n}/320"))));
    terminal.wait_for_text("train (smoothed)");
    terminal.press("\t\t\t");
    terminal.wait_for_text("layer 1 query: λ =");
    // The picture of an export: this terminal answers no question, so it is drawn in half blocks.
    terminal.press("P");
    terminal.wait_for_text("half blocks");
    terminal.wait_for("the picture", |s| s.matches(['▀', '▄']).count() > 200);
    terminal.press("e");
    terminal.wait_for_text("wrote");
    terminal.press("\u{1b}");
    terminal.wait_for_text("layer 1 query: λ =");
    assert_eq!(exports(), 1);
    // Mark and compare.
    terminal.press("1");
    terminal.wait_for_text("Runs (16/16)");
    // Whichever of the two comes first: their rows move as they train.
    terminal.press("/id:r0001 | id:r0002\r");
    terminal.wait_for_text("Runs (2/16)");
    terminal.press("g ");
    terminal.wait_for_text("1 marked");
    terminal.press("\u{1}");
    terminal.wait_for_text("2 marked");
    terminal.press("c");
    terminal.wait_for_text("paired difference");
    terminal.wait_for("both runs", |s| s.contains("r0001 sst-2") && s.contains("r0002 sst-2"));
    terminal.press("\t\t");
    terminal.wait_for_text("only what differs");
    for (key, text) in
        [("4", "SymLoRA: difference"), ("5", "Table 1: scores"), ("7", "effective rank"), ("0", "Queue (")]
    {
        terminal.press(key);
        terminal.wait_for_text(text);
    }
    terminal.press("?");
    terminal.wait_for_text("Keys");
    terminal.press("x");
    terminal.wait_for("the screen below", |s| !s.contains("Keys"));
    assert_eq!(terminal.left(), 0);
    assert!(folder.path().join("r0001/checkpoint.safetensors").exists(), "quitting saved the run");

    // Again, wider; what was queued waits, as it goes on for itself.
    let mut again = Terminal::start(folder.path(), 200, 60);
    again.wait_for_text("Runs (16/16)");
    again.press("vk \u{1b}");
    again.wait_for_text("constant columns hidden");
    again.press("/id:r0001\r");
    again.wait_for_text("Runs (1/16)");
    again.wait_for_text("sst-2-symlora-s0");
    // A clone with one change: the cursor stands at the learning rate.
    again.press("C");
    again.wait_for_text("> lr");
    again.press("\u{15}2e-3\r");
    again.wait_for_text("r0017 is queued");
    again.press("/\u{15}id:r0017\r");
    again.wait_for_text("Runs (1/17)");
    again.wait_for_text("2e-3");
    // Deletion asks; another key than y leaves the run.
    again.press("Dn");
    again.press("x");
    again.wait_for_text("% saved");
    again.press("D");
    again.wait_for_text("delete r0017 (sst-2-symlora-s0) with its files?");
    again.wait_for_text("that frees");
    again.press("y");
    again.wait_for_text("r0017 is deleted");
    again.wait_for_text("Runs (0/16)");
    // The first one goes on where it was.
    again.press("/\u{15}id:r0001\r");
    again.wait_for_text("Runs (1/16)");
    again.wait_for_text("% saved");
    again.press("r");
    again.wait_for_text("r0001 is queued to go on");
    assert_eq!(again.left(), 0);
    assert!(!folder.path().join("r0017").exists());

    let third = Terminal::start(folder.path(), 200, 60);
    third.wait_for_text("constant columns hidden");
    assert_eq!(third.left(), 0);
}

/// Steps of all runs together, as another process reads them.
fn steps_of(runs: &Path) -> u64 {
    let list = std::process::Command::new(env!("CARGO_BIN_EXE_eigenscope"))
        .args(["runs", "list", "--json", "--runs", runs.to_str().expect("a path")])
        .output()
        .expect("ran");
    let list: serde_json::Value = serde_json::from_slice(&list.stdout).expect("JSON");
    list.as_array().expect("runs").iter().filter_map(|r| r["steps"].as_u64()).sum()
}

#[test]
fn a_stopped_terminal_delays_no_training() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut terminal = Terminal::start(folder.path(), 200, 60);
    terminal.wait_for_text("No runs yet");
    terminal.press("\r");
    terminal.wait_for_text("▶");
    terminal.held.store(true, Ordering::SeqCst);
    // More than any buffer of a pseudo-terminal holds: the program's write waits from here on.
    for _ in 0..30 {
        terminal.press("21");
        std::thread::sleep(Duration::from_millis(40));
    }
    let (start, before, seen) = (Instant::now(), steps_of(folder.path()), terminal.raw.lock().expect("raw").len());
    while steps_of(folder.path()) < before + 200 {
        assert!(start.elapsed() < PATIENCE, "training waits for the terminal");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(terminal.raw.lock().expect("raw").len() - seen <= 4096, "the terminal was not stopped");
    terminal.held.store(false, Ordering::SeqCst);
    terminal.press("?");
    terminal.wait_for_text("Keys");
    assert!(terminal.raw.lock().expect("raw").len() - seen > 4096, "nothing was waiting to be written");
    terminal.press("xqs");
    assert_eq!(terminal.ended(), 0);
}

#[test]
fn ctrl_z_gives_the_terminal_to_the_shell_and_fg_brings_the_screens_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut shell = CommandBuilder::new("sh");
    shell.arg("-i");
    shell.env("PS1", "prompt> ");
    shell.env("ENV", "");
    let mut terminal = Terminal::spawn(shell, folder.path(), 100, 24);
    terminal.wait_for_text("prompt>");
    let runs = folder.path().display();
    terminal.press(&format!("set -m; {} --runs {runs}\r", env!("CARGO_BIN_EXE_eigenscope")));
    terminal.wait_for_text("No runs yet");
    terminal.press("\u{1a}");
    terminal.wait_for_text("topped");
    terminal.press("echo between $((40+2))\r");
    terminal.wait_for_text("between 42");
    terminal.press("fg\r");
    terminal.wait_for_text("back from the shell");
    terminal.wait_for_text("No runs yet");
    terminal.press("q");
    terminal.wait_for("the shell again", |s| s.trim_end().ends_with("prompt>"));
    terminal.press("exit\r");
    terminal.ended();
}

#[test]
fn a_terminal_that_goes_away_saves_what_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut terminal = Terminal::start(folder.path(), 80, 24);
    terminal.wait_for_text("No runs yet");
    terminal.press("\r");
    terminal.wait_for_text("▶");
    terminal.hang_up();
    let list = std::process::Command::new(env!("CARGO_BIN_EXE_eigenscope"))
        .args(["runs", "list", "--json", "--runs", folder.path().to_str().expect("a path")])
        .output()
        .expect("ran");
    let list: serde_json::Value = serde_json::from_slice(&list.stdout).expect("JSON");
    let states: Vec<&str> = list.as_array().expect("runs").iter().filter_map(|r| r["status"].as_str()).collect();
    assert!(states.contains(&"stopped"), "{states:?}");
    assert!(!states.contains(&"interrupted") && !states.contains(&"running"), "{states:?}");
}

#[test]
fn a_killed_program_leaves_an_interrupted_run_that_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = env!("CARGO_BIN_EXE_eigenscope");
    let runs = folder.path().to_str().expect("a path");
    let call = |args: &[&str]| {
        let output =
            std::process::Command::new(program).args(args).args(["--runs", runs, "--json"]).output().expect("ran");
        serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("JSON")
    };
    let train =
        ["train", "--train-rows", "64", "--batch-size", "8", "--epochs", "400", "--max-length", "16", "--runs", runs];
    let mut child =
        std::process::Command::new(program).args(train).stderr(std::process::Stdio::null()).spawn().expect("started");
    let start = Instant::now();
    let steps = |list: &serde_json::Value| list[0]["steps"].as_u64().unwrap_or(0);
    while steps(&call(&["runs", "list"])) < 12 {
        assert!(start.elapsed() < PATIENCE, "no steps");
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
    let list = call(&["runs", "list"]);
    assert_eq!(list[0]["status"], "interrupted");
    assert!(steps(&list) >= 12, "acknowledged steps are kept");
    assert_eq!(call(&["doctor"])["sound"], true);

    let mut terminal = Terminal::start(folder.path(), 100, 30);
    terminal.wait_for_text("interrupted");
    terminal.press("r");
    terminal.wait_for_text("queued to go on");
    terminal.wait_for_text("▶");
    terminal.press("\r");
    // It went on from its checkpoint: the first epoch's end was step 8.
    terminal.press("\t\t\t\t");
    terminal.wait_for("the resumed step", |s| (1..400).any(|epoch| s.contains(&format!("from step {}", 8 * epoch))));
    terminal.press("qs");
    assert_eq!(terminal.ended(), 0);
}
