//! The terminal program: events in, frames out, at most thirty a second. Talks to the rest only through [`Port`]; knows neither
//! the store nor training.

mod action;
mod clicks;
mod edit;
mod filter;
mod finish;
mod graphics;
mod keymap;
mod measure;
mod overlay;
mod palette;
mod plot;
mod preview;
mod prompt;
mod screen;
mod settings;
mod terminal;
mod text;
mod theme;
mod title;

pub use filter::{Filter, FilterError};
pub use graphics::{Format, Graphics};
pub use measure::{Timings, measure};
pub use settings::Settings;
pub use terminal::is_terminal;
pub use theme::{Colours, Scheme};

use crate::config::{Problem, State};
use crate::event::{RunId, Status};
use crate::record::RowsOf;
use crate::view::{About, Interest, Message, Port, Request, View};
use action::Action;
use crossterm::event::{Event, KeyEvent, KeyEventKind, MouseEvent, MouseEventKind};
use overlay::{Overlay, Reply};
use palette::Palette;
use preview::{Preview, Progress};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use screen::{Effect, Kind, Scene, Screen};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use terminal::Got;
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

/// What a screen may look at; a macro, as a function would borrow the screens too.
macro_rules! scene {
    ($ui:ident, $theme:ident) => {
        Scene { view: &$ui.view, theme: &$theme, open: $ui.open.as_ref(), marked: &$ui.marked }
    };
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
    /// How the screens are left, for the next start.
    state: State,
    view: Arc<View>,
    /// What the terminal can show.
    colours: Colours,
    /// How it shows pictures, once it was asked.
    graphics: Option<Graphics>,
    settings: Settings,
    /// Where title line and screen were last drawn.
    title: Rect,
    body: Rect,
    orders: Vec<Order>,
    /// The status line and when it appeared.
    status: Option<(Message, Instant)>,
    overlay: Overlay,
    interest: Interest,
    width: u16,
    dirty: bool,
    done: bool,
}

/// What is asked of the terminal itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Give the terminal back and stop until the shell says go on.
    Suspend,
    /// Put the text on the clipboard.
    Copy(String),
    /// Ask which pictures it can show.
    Graphics,
    /// Draw all anew: it still shows what no cell holds.
    Repaint,
}

impl<'a> Ui<'a> {
    pub fn new(port: &'a dyn Port, choices: &Choices, colours: Colours) -> Self {
        let state = port.remembered();
        Self {
            port,
            screens: screen::all(choices, &state),
            current: 0,
            open: None,
            selected: None,
            marked: Vec::new(),
            state,
            view: port.view(),
            colours,
            graphics: None,
            settings: Settings::default(),
            title: Rect::default(),
            body: Rect::default(),
            orders: Vec::new(),
            status: None,
            overlay: Overlay::None,
            interest: Interest::default(),
            width: 80,
            dirty: true,
            done: false,
        }
    }

    /// The same with a person's settings; what in their file cannot be used is told first.
    pub fn set(mut self, settings: Settings, problems: &[Problem]) -> Self {
        self.settings = settings;
        let more = match problems.len().saturating_sub(1) {
            0 => String::new(),
            n => format!(" (and {n} more: `eigenscope config check`)"),
        };
        if let Some(first) = problems.first() {
            self.say(Message::error(format!("{first}{more}")));
        }
        self
    }

    /// What the terminal is asked for since the last call.
    pub fn orders(&mut self) -> Vec<Order> {
        std::mem::take(&mut self.orders)
    }

    /// The program was stopped and goes on.
    pub fn resumed(&mut self, stopped: Duration) {
        let text = match self.active() {
            0 => "back from the shell".into(),
            _ => format!(
                "back after {}: training in this process stood still too while it was in the background",
                text::duration(stopped.as_secs_f64())
            ),
        };
        self.say(Message { error: self.active() > 0, ..Message::notice(text) });
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
            if !self.marked.is_empty() {
                let known: HashSet<&RunId> = self.view.runs.iter().map(|r| &r.id).collect();
                self.marked.retain(|id| known.contains(id));
            }
            self.dirty = true;
        }
        for message in self.port.messages() {
            self.hear(message);
        }
        if self.status.as_ref().is_some_and(|(m, since)| !m.error && since.elapsed() >= NOTICE) {
            self.status = None;
            self.dirty = true;
        }
        self.step_preview();
        self.look();
        std::mem::take(&mut self.dirty)
    }

    /// Shows a message; a launch that went well leaves its form, one that was refused is told in it.
    fn hear(&mut self, message: Message) {
        self.dirty = true;
        if let Overlay::Preview(preview) = &mut self.overlay {
            match &message.about {
                About::Picture { number, picture } => preview.hear(*number, picture),
                _ if message.error => self.overlay = Overlay::None,
                _ => {}
            }
        }
        if matches!(message.about, About::Picture { .. }) {
            return;
        }
        // Its own screen tells it already.
        if message.about == About::Fetch && self.kind() == Kind::Hub {
            return;
        }
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

    /// Goes on with the picture over the screen, if there is one.
    fn step_preview(&mut self) {
        let Overlay::Preview(preview) = &mut self.overlay else { return };
        match preview.step(self.graphics) {
            Ok(Progress::Nothing) => {}
            Ok(Progress::Ready) => self.dirty = true,
            Ok(Progress::Stale) => self.repaint(),
            Err(text) => {
                self.overlay = Overlay::None;
                self.say(Message::error(text));
            }
        }
    }

    /// The terminal was asked which pictures it can show.
    pub fn shows(&mut self, graphics: Graphics) {
        self.graphics = Some(graphics);
        self.dirty = true;
    }

    fn say(&mut self, message: Message) {
        self.status = Some((message, Instant::now()));
        self.dirty = true;
    }

    fn look(&mut self) {
        let theme = self.theme();
        let scene = scene!(self, theme);
        let mut interest = self.screens[self.current].interest(&scene, self.width);
        if self.kind() == Kind::Runs {
            self.selected = interest.open.clone();
        }
        if let Overlay::Confirm { request: Request::Delete(ids), .. } = &self.overlay {
            interest.disk_of = ids.clone();
        }
        if interest != self.interest {
            self.interest = interest.clone();
            self.port.look(interest);
        }
    }

    fn theme(&self) -> Theme {
        Theme::new(self.colours, self.settings.scheme)
    }

    /// Digit and title of every screen, and whether it is shown.
    fn tabs(&self) -> Vec<title::Tab> {
        let shown = self.kind();
        let tab = |s: &dyn Screen| title::Tab { digit: s.digit(), name: s.title(), current: s.kind() == shown };
        self.screens.iter().map(|s| tab(s.as_ref())).collect()
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
            Event::Paste(text) if self.overlay.is_none() => self.screens[self.current].pasted(text),
            Event::Paste(text) => self.overlay.pasted(text),
            Event::Mouse(mouse) => self.mouse(*mouse),
            _ => {}
        }
        self.look();
    }

    fn mouse(&mut self, event: MouseEvent) {
        let down = event.kind == MouseEventKind::ScrollDown;
        let turned = down || event.kind == MouseEventKind::ScrollUp;
        if !self.overlay.is_none() {
            if turned {
                self.overlay.wheel(down);
            }
            return;
        }
        if event.row == self.title.y && clicks::is_click(event) {
            let tab = title::tab_at(&self.tabs(), self.title.width, event.column.saturating_sub(self.title.x));
            return tab.into_iter().for_each(|digit| self.act(Action::Screen(digit)));
        }
        let (theme, body) = (self.theme(), self.body);
        let scene = scene!(self, theme);
        let here = body.contains(Position::new(event.column, event.row)) || matches!(event.kind, MouseEventKind::Up(_));
        let used = here.then(|| self.screens[self.current].mouse(event, body, &scene)).flatten();
        match used {
            Some(effect) => self.take(effect),
            // What a screen has no use for, the wheel does as the keys up and down do.
            None if turned => self.act(if down { Action::Down } else { Action::Up }),
            None => {}
        }
    }

    fn key(&mut self, key: KeyEvent) {
        // An error stays until the person goes on.
        self.status = None;
        let action = self.settings.keymap.action(key, self.kind());
        if !self.overlay.is_none() {
            return match self.overlay.key(key, action) {
                Reply::Stay => {}
                Reply::Close => self.close(),
                Reply::Act(action) => {
                    self.close();
                    self.act(action);
                }
                Reply::Ask(request) => {
                    self.close();
                    self.port.ask(request);
                }
                Reply::AskAndStay(request) => self.port.ask(request),
                Reply::Leave => self.done = true,
            };
        }
        if self.screens[self.current].typed(key) {
            return;
        }
        if let Some(action) = action {
            self.act(action);
        }
    }

    /// Takes away what lies over the screen.
    fn close(&mut self) {
        if self.overlay.is_preview() {
            self.repaint();
        }
        self.overlay = Overlay::None;
    }

    /// Has the terminal drawn anew where it may show more than cells.
    fn repaint(&mut self) {
        if self.graphics.is_some_and(Graphics::lingers) {
            self.orders.push(Order::Repaint);
        }
    }

    /// Shows the picture that an export of what is shown would write.
    fn preview(&mut self) {
        let theme = self.theme();
        let scene = scene!(self, theme);
        let effect = self.screens[self.current].act(Action::Export, &scene);
        let Effect::Ask(Request::Export { file_stem, figure }) = effect else { return self.take(effect) };
        if self.settings.ascii || theme.colours == Colours::None {
            let text = "a preview needs colours and more than plain characters: e writes the picture to a file";
            return self.say(Message::notice(text.into()));
        }
        if self.graphics.is_none() {
            self.orders.push(Order::Graphics);
        }
        let (preview, request) = Preview::new(file_stem, figure);
        self.port.ask(request);
        self.overlay = Overlay::Preview(Box::new(preview));
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
                if matches!(digit, '2' | '7') && !there {
                    self.show(self.selected.clone());
                }
                if digit == '9' && self.kind() != Kind::Data {
                    self.look_at_rows();
                }
                let index = self.screens.iter().position(|s| s.digit() == digit);
                self.current = index.unwrap_or(self.current);
            }
            Action::NewRun => self.go(Kind::Launch),
            Action::Compare => self.go(Kind::Compare),
            Action::Palette => {
                let titles: Vec<(char, &str)> = self.screens.iter().map(|s| (s.digit(), s.title())).collect();
                self.overlay = Overlay::Palette(Palette::new(&self.settings.keymap, self.kind(), &titles));
            }
            Action::Theme => {
                self.settings.scheme = self.settings.scheme.next();
                let name = self.settings.scheme.name();
                self.say(Message::notice(format!("theme {name}; theme = {name:?} in config.toml keeps it")));
            }
            Action::Suspend => self.orders.push(Order::Suspend),
            Action::Preview => self.preview(),
            _ => {
                let theme = self.theme();
                let scene = scene!(self, theme);
                let effect = self.screens[self.current].act(action, &scene);
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

    /// The rows of the run that is selected in the table, elsewhere of the open one.
    fn look_at_rows(&mut self) {
        let run = match (self.kind(), &self.open) {
            (Kind::Runs, _) | (_, None) => self.selected.as_ref(),
            (_, open) => open.as_ref(),
        };
        if let Some(run) = run.and_then(|id| self.view.run(id)) {
            let of = RowsOf::spec(&run.spec);
            self.screens.iter_mut().for_each(|s| s.look_at(&of, Kind::Runs));
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
            Effect::Mark(ids) => self.marked = ids,
            Effect::Ask(request) => self.port.ask(request),
            Effect::Filter(text) => {
                self.screens.iter_mut().for_each(|s| s.filter(&text));
                self.go(Kind::Runs);
            }
            Effect::Prompt(prompt) => self.overlay = Overlay::Prompt(prompt),
            Effect::Fill(spec) => {
                self.screens.iter_mut().for_each(|s| s.fill(&spec));
                self.go(Kind::Launch);
            }
            Effect::Set(fields) => {
                for (name, value) in &fields {
                    self.screens.iter_mut().for_each(|s| s.set(name, value));
                }
                self.go(Kind::Launch);
            }
            Effect::LookAt(of) => {
                let from = self.kind();
                self.screens.iter_mut().for_each(|s| s.look_at(&of, from));
                self.go(Kind::Data);
            }
            Effect::Remember(runs) => {
                self.state.runs = runs;
                self.port.ask(Request::Remember(self.state.clone()));
            }
            Effect::Several(effects) => effects.into_iter().for_each(|e| self.take(e)),
            Effect::Confirm { question, request } => self.overlay = Overlay::Confirm { question, request },
            Effect::Say(text) => self.say(Message::notice(text)),
            Effect::Copy(text) => {
                let shown = match text.lines().count() {
                    0 | 1 => crate::untrusted::harmless(text.trim_end()),
                    n => format!("{n} lines"),
                };
                self.say(Message::notice(format!("copied {shown}")));
                self.orders.push(Order::Copy(text));
            }
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
        let queue = format!("{} running · {} queued", count(Status::Running), count(Status::Queued));
        (self.title, self.body) = (title, body);
        let (theme, keymap) = (self.theme(), &self.settings.keymap);
        title::draw(frame, title, &self.tabs(), &self.port.device_line(), &queue, &theme);
        let scene = scene!(self, theme);
        self.screens[self.current].draw(frame, body, &scene);
        let idle = |action: Action| self.screens[self.current].idle(action, &scene);
        overlay::key_line(frame, keys, (self.kind(), keymap), &idle, &theme);
        let error = self.status.as_ref().is_some_and(|(m, _)| m.error);
        overlay::status_line(frame, status, notice, error, &theme);
        let about = overlay::About {
            view: &self.view,
            active: self.active(),
            kind: self.kind(),
            keymap,
            graphics: self.graphics,
            theme: &theme,
        };
        let place = Rect { height: area.height - below, ..area };
        self.overlay.draw(frame, if self.overlay.is_preview() { place } else { area }, &about);
        finish::finish(frame.buffer_mut(), &theme, self.settings.ascii);
    }
}

/// Runs the terminal program until the person leaves or `end` is set.
pub fn run(mut ui: Ui, end: &AtomicBool) -> Result<(), UiError> {
    let mut screen = terminal::Screen::enter()?;
    let input = terminal::Input::start()?;
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
        while let Some(got) = next {
            match got {
                Got::Event(event) => ui.event(&event),
                // Written here: the frames are written by this thread too.
                Got::Listening => terminal::write(&graphics::question())?,
                Got::Graphics(graphics) => ui.shows(graphics),
            }
            next = if ui.is_done() { None } else { input.wait(Duration::ZERO)? };
        }
        for order in ui.orders() {
            match order {
                Order::Copy(text) => terminal::copy(&text)?,
                Order::Graphics => input.ask(),
                Order::Repaint => {
                    screen.repaint()?;
                    ui.dirty = true;
                }
                Order::Suspend => {
                    let stopped = screen.suspend()?;
                    ui.resumed(stopped);
                }
            }
        }
    }
    if ui.is_done() {
        input.stop();
    }
    Ok(())
}
