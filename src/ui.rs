//! The terminal program: events in, frames out, at most thirty a second. Talks to the rest only through [`Port`]; knows neither
//! the store nor training.

mod action;
mod filter;
mod keymap;
mod overlay;
mod plot;
mod screen;
mod terminal;
mod text;
mod theme;

pub use filter::Filter;
pub use terminal::is_terminal;
pub use theme::Colours;

use crate::event::{RunId, Status};
use crate::view::{About, Interest, Message, Port, Request, View};
use action::Action;
use crossterm::event::{Event, KeyEvent, KeyEventKind, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use screen::{Effect, Kind, Scene, Screen};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use theme::Theme;

/// Shortest time between two frames, and longest wait for a key.
const FRAME: Duration = Duration::from_millis(33);
const IDLE: Duration = Duration::from_millis(100);
/// How long a notice that is no error stays in the status line.
const NOTICE: Duration = Duration::from_secs(6);
/// Smallest terminal that is drawn.
const FLOOR: (u16, u16) = (60, 16);

#[derive(Debug, thiserror::Error)]
pub enum UiError {
    #[error("this is no terminal; use `eigenscope train`, `demo --headless` or `runs list` in scripts")]
    NoTerminal,
    #[error("terminal: {0}")]
    Io(#[from] std::io::Error),
}

/// Ids that the launch form offers.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    pub tasks: Vec<&'static str>,
    pub methods: Vec<&'static str>,
    pub devices: Vec<String>,
}

/// The screens and what they share, without a terminal: driven by events, drawn into any buffer.
pub struct Ui<'a> {
    port: &'a dyn Port,
    screens: Vec<Box<dyn Screen>>,
    current: usize,
    open: Option<RunId>,
    /// The run that the table of runs had selected when it was last looked at.
    selected: Option<RunId>,
    marked: Vec<RunId>,
    view: Arc<View>,
    theme: Theme,
    /// The status line and when it appeared.
    status: Option<(Message, Instant)>,
    overlay: Overlay,
    interest: Interest,
    width: u16,
    /// Where the screen was last drawn.
    body: Rect,
    dirty: bool,
    done: bool,
}

/// What lies over the screen and takes the keys.
#[derive(Clone, Debug, PartialEq)]
enum Overlay {
    None,
    /// Lines scrolled down.
    Help(u16),
    Confirm {
        question: String,
        request: Request,
    },
    Quit,
}

impl<'a> Ui<'a> {
    pub fn new(port: &'a dyn Port, choices: &Choices, colours: Colours) -> Self {
        Self {
            port,
            screens: screen::all(choices),
            current: 0,
            open: None,
            selected: None,
            marked: Vec::new(),
            view: port.view(),
            theme: Theme { colours },
            status: None,
            overlay: Overlay::None,
            interest: Interest::default(),
            width: 80,
            body: Rect::ZERO,
            dirty: true,
            done: false,
        }
    }

    /// The person asked to leave.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Takes in what the program has to say; true when a new frame is due.
    pub fn refresh(&mut self) -> bool {
        let view = self.port.view();
        if !Arc::ptr_eq(&view, &self.view) {
            self.view = view;
            self.marked.retain(|id| self.view.run(id).is_some());
            self.dirty = true;
        }
        for message in self.port.messages() {
            self.hear(message);
        }
        if self.status.as_ref().is_some_and(|(m, since)| !m.error && since.elapsed() >= NOTICE) {
            self.status = None;
            self.dirty = true;
        }
        self.look();
        std::mem::take(&mut self.dirty)
    }

    /// Shows a message; a launch that went well leaves its form, one that was refused is told in it.
    fn hear(&mut self, message: Message) {
        self.dirty = true;
        if matches!(message.about, About::Launch { .. }) {
            self.screens.iter_mut().for_each(|s| s.answered(&message));
            match (self.kind() == Kind::Launch, message.error) {
                (true, true) => return,
                (true, false) => self.go(Kind::Runs),
                (false, _) => {}
            }
        }
        self.say(message);
    }

    fn say(&mut self, message: Message) {
        self.status = Some((message, Instant::now()));
        self.dirty = true;
    }

    fn look(&mut self) {
        let interest = self.screens[self.current].interest(&self.scene(), self.width);
        if self.kind() == Kind::Runs {
            self.selected = interest.open.clone();
        }
        if interest != self.interest {
            self.interest = interest.clone();
            self.port.look(interest);
        }
    }

    fn scene(&self) -> Scene<'_> {
        Scene { view: &self.view, theme: &self.theme, open: self.open.as_ref(), marked: &self.marked }
    }

    fn kind(&self) -> Kind {
        self.screens[self.current].kind()
    }

    fn go(&mut self, kind: Kind) {
        if let Some(index) = self.screens.iter().position(|s| s.kind() == kind) {
            self.current = index;
        }
    }

    pub fn event(&mut self, event: &Event) {
        self.dirty = true;
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.key(*key),
            Event::Paste(text) => self.screens[self.current].pasted(text),
            Event::Mouse(mouse) if self.overlay == Overlay::None => self.mouse(*mouse),
            _ => {}
        }
        self.look();
    }

    /// What a screen has no use for, the wheel does as the keys up and down do.
    fn mouse(&mut self, mouse: MouseEvent) {
        if self.body.contains(Position::new(mouse.column, mouse.row)) || matches!(mouse.kind, MouseEventKind::Up(_)) {
            let (view, theme, open, marked) = (&self.view, &self.theme, self.open.as_ref(), &self.marked);
            let scene = Scene { view, theme, open, marked };
            if let Some(effect) = self.screens[self.current].mouse(mouse, self.body, &scene) {
                return self.take(effect);
            }
        }
        match mouse.kind {
            MouseEventKind::ScrollUp => self.act(Action::Up),
            MouseEventKind::ScrollDown => self.act(Action::Down),
            _ => {}
        }
    }

    fn key(&mut self, key: KeyEvent) {
        let name = keymap::name(key).unwrap_or_default();
        // An error stays until the person goes on.
        self.status = None;
        match &mut self.overlay {
            Overlay::None => {}
            Overlay::Help(scroll) => {
                match name.as_str() {
                    "j" | "down" => *scroll = scroll.saturating_add(1),
                    "k" | "up" => *scroll = scroll.saturating_sub(1),
                    _ => self.overlay = Overlay::None,
                }
                return;
            }
            Overlay::Confirm { request, .. } => {
                let request = request.clone();
                self.overlay = Overlay::None;
                if name == "y" {
                    self.port.ask(request);
                }
                return;
            }
            Overlay::Quit => {
                self.overlay = Overlay::None;
                self.done = matches!(name.as_str(), "s" | "y" | "q" | "ctrl-c");
                return;
            }
        }
        if self.screens[self.current].typed(key) {
            return;
        }
        if let Some(action) = keymap::action(key, self.kind()) {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Help => self.overlay = Overlay::Help(0),
            Action::Quit => {
                let active = self.active();
                self.done = active == 0;
                self.overlay = if active > 0 { Overlay::Quit } else { Overlay::None };
            }
            Action::Screen(digit) => {
                let there = self.open.as_ref().is_some_and(|id| self.view.run(id).is_some());
                if digit == '2' && !there {
                    self.show(self.selected.clone());
                }
                let index = self.screens.iter().position(|s| s.digit() == digit);
                self.current = index.unwrap_or(self.current);
            }
            Action::NewRun => self.go(Kind::Launch),
            Action::Compare => self.go(Kind::Compare),
            _ => {
                let (view, theme, open, marked) = (&self.view, &self.theme, self.open.as_ref(), &self.marked);
                let effect = self.screens[self.current].act(action, &Scene { view, theme, open, marked });
                self.take(effect);
            }
        }
    }

    fn show(&mut self, run: Option<RunId>) {
        if self.open != run {
            self.open = run;
            self.screens.iter_mut().for_each(|s| s.opened());
        }
    }

    fn take(&mut self, effect: Effect) {
        match effect {
            Effect::None => {}
            Effect::Go(kind) => self.go(kind),
            Effect::Open(id) => {
                self.show(Some(id));
                self.go(Kind::Run);
            }
            Effect::Mark(id) => match self.marked.iter().position(|m| *m == id) {
                Some(at) => drop(self.marked.remove(at)),
                None => self.marked.push(id),
            },
            Effect::Ask(request) => self.port.ask(request),
            Effect::Confirm { question, request } => self.overlay = Overlay::Confirm { question, request },
            Effect::Say(text) => self.say(Message::notice(text)),
        }
    }

    fn active(&self) -> usize {
        self.view.runs.iter().filter(|r| r.status.is_live()).count()
    }

    /// Draws one frame; any size is fine.
    pub fn draw(&mut self, frame: &mut Frame) {
        let area = frame.area();
        self.width = area.width;
        if area.width < FLOOR.0 || area.height < FLOOR.1 {
            let text = format!("{}x{}: eigenscope needs {}x{}", area.width, area.height, FLOOR.0, FLOOR.1);
            let line = Rect { height: area.height.min(1), ..area };
            return frame.render_widget(ratatui::text::Line::raw(text), line);
        }
        let notice = overlay::status_rows(self.status.as_ref().map(|(m, _)| m), area.width);
        let below = notice.len().max(1) as u16;
        let [title, body, keys, status] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Min(0),
            Constraint::Length(1),
            Constraint::Length(below),
        ])
        .areas(area);
        let count = |status: Status| self.view.runs.iter().filter(|r| r.status == status).count();
        let tabs: Vec<(char, &str, bool)> =
            self.screens.iter().enumerate().map(|(i, s)| (s.digit(), s.title(), i == self.current)).collect();
        let queue = format!("{} running · {} queued", count(Status::Running), count(Status::Queued));
        overlay::title_line(frame, title, &tabs, &self.port.device_line(), &queue, &self.theme);
        self.body = body;
        let scene = self.scene();
        self.screens[self.current].draw(frame, body, &scene);
        overlay::key_line(frame, keys, self.kind(), &self.theme);
        let error = self.status.as_ref().is_some_and(|(m, _)| m.error);
        overlay::status_line(frame, status, notice, error, &self.theme);
        match &self.overlay {
            Overlay::None => {}
            Overlay::Help(scroll) => overlay::help(frame, area, self.kind(), *scroll, &self.theme),
            Overlay::Confirm { question, .. } => {
                overlay::question(frame, area, question, "y yes · any other key no", &self.theme);
            }
            Overlay::Quit => {
                let text = match self.active() {
                    1 => "1 run is active; quitting saves it, and r resumes it later".into(),
                    n => format!("{n} runs are active; quitting saves them, and r resumes them later"),
                };
                overlay::question(frame, area, &text, "s stop, save and quit · any other key stay", &self.theme);
            }
        }
    }
}

/// Runs the terminal program until the person leaves or `end` is set.
pub fn run(port: &dyn Port, choices: &Choices, colours: Colours, end: &AtomicBool) -> Result<(), UiError> {
    let mut screen = terminal::Screen::enter()?;
    let input = terminal::Input::start()?;
    let mut ui = Ui::new(port, choices, colours);
    let mut drawn: Option<Instant> = None;
    while !ui.is_done() && !end.load(Ordering::SeqCst) {
        let due = drawn.is_none_or(|d| d.elapsed() >= FRAME);
        if due && ui.refresh() {
            screen.terminal.draw(|frame| ui.draw(frame))?;
            drawn = Some(Instant::now());
        }
        let wait = if ui.dirty { FRAME } else { IDLE };
        // All that waits is taken before the next frame: a burst of keys costs one frame.
        let mut next = input.wait(wait)?;
        while let Some(event) = next {
            ui.event(&event);
            next = if ui.is_done() { None } else { input.wait(Duration::ZERO)? };
        }
    }
    if ui.is_done() {
        input.stop();
    }
    Ok(())
}

/// Times of a frame and of keys on a view, drawn to memory at 200x60.
pub struct Timings {
    pub first_frame: Duration,
    /// From each key to its finished frame.
    pub keys: Vec<Duration>,
}

/// Measures the screens on `port`; `start` is when the program began.
pub fn measure(port: &dyn Port, choices: &Choices, start: Instant) -> Result<Timings, UiError> {
    use crossterm::event::{KeyCode, KeyModifiers};
    let backend = ratatui::backend::TestBackend::new(200, 60);
    let failed = |e: std::convert::Infallible| -> UiError { match e {} };
    let mut terminal = ratatui::Terminal::new(backend).map_err(failed)?;
    let mut ui = Ui::new(port, choices, Colours::True);
    ui.refresh();
    terminal.draw(|frame| ui.draw(frame)).map_err(failed)?;
    let first_frame = start.elapsed();
    let mut keys = Vec::new();
    for code in ['j', 'j', 'G', 'g', 's', 'S', '2', '4', '1', '?', '?'].into_iter().cycle().take(220) {
        let pressed = Instant::now();
        ui.event(&Event::Key(KeyEvent::new(KeyCode::Char(code), KeyModifiers::NONE)));
        ui.refresh();
        terminal.draw(|frame| ui.draw(frame)).map_err(failed)?;
        keys.push(pressed.elapsed());
    }
    Ok(Timings { first_frame, keys })
}
