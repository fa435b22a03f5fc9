//! An export before it is written: the picture over the screen. It is drawn by the program and made ready for the terminal on
//! a thread of its own; until then the overlay says what it waits for.

use super::graphics::Graphics;
use super::overlay::centred;
use super::theme::Theme;
use crate::figure::Figure;
use crate::untrusted::harmless;
use crate::view::{Picture, Request};
use ratatui::Frame;
use ratatui::layout::{Rect, Size};
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};
use ratatui_image::Image;
use ratatui_image::protocol::Protocol;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, channel};

/// What is made ready on a thread, for so many cells.
type Work = (Size, Receiver<Result<Protocol, String>>);

/// What going on with it came to.
pub enum Progress {
    Nothing,
    Ready,
    /// What the terminal still shows has another size.
    Stale,
}

pub struct Preview {
    /// Tells its picture from those of previews that were closed.
    number: u64,
    file_stem: String,
    figure: Figure,
    picture: Option<Arc<Picture>>,
    /// Cells that there are for the picture, since it was last drawn.
    room: Size,
    work: Option<Work>,
    /// Ready for so many cells.
    ready: Option<(Size, Protocol)>,
}

impl Preview {
    /// The preview of an export, and what to ask for.
    pub fn new(file_stem: String, figure: Figure) -> (Self, Request) {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let request = Request::Picture { number, figure: figure.clone() };
        let room = Size::default();
        (Self { number, file_stem, figure, picture: None, room, work: None, ready: None }, request)
    }

    /// The export itself.
    pub fn export(&self) -> Request {
        Request::Export { file_stem: self.file_stem.clone(), figure: self.figure.clone() }
    }

    /// A picture came; it is taken where it is the one that was asked for.
    pub fn hear(&mut self, number: u64, picture: &Arc<Picture>) {
        if number == self.number {
            self.picture = Some(picture.clone());
        }
    }

    /// Starts what can be started and takes what is ready.
    pub fn step(&mut self, graphics: Option<Graphics>) -> Result<Progress, String> {
        if let Some((size, answer)) = self.work.take() {
            let made = match answer.try_recv() {
                Ok(made) => made?,
                Err(TryRecvError::Disconnected) => return Err("the picture could not be made ready".into()),
                Err(TryRecvError::Empty) => {
                    self.work = Some((size, answer));
                    return Ok(Progress::Nothing);
                }
            };
            // Meanwhile the terminal may have another size: then it is made once more.
            self.ready = (size == self.room).then_some((size, made));
            return Ok(Progress::Ready);
        }
        let wanted = self.room.width > 0 && self.ready.as_ref().is_none_or(|(size, _)| *size != self.room);
        if let (true, Some(picture), Some(graphics)) = (wanted, self.picture.clone(), graphics) {
            let (send, answer) = channel();
            let room = self.room;
            let make = move || {
                // Nobody waits any more where the preview was closed.
                let _ = send.send(graphics.encode(&picture, room));
            };
            let started = std::thread::Builder::new().name("preview".into()).spawn(make);
            started.map_err(|e| format!("cannot start a thread: {e}"))?;
            self.work = Some((room, answer));
            if self.ready.take().is_some() {
                return Ok(Progress::Stale);
            }
        }
        Ok(Progress::Nothing)
    }

    pub fn draw(&mut self, frame: &mut Frame, area: Rect, graphics: Option<Graphics>, theme: &Theme) {
        let bottom = Line::styled(" e writes it · esc closes ", theme.title()).centered();
        let how = graphics.map_or(String::new(), |g| format!("· {} ", g.name()));
        let title = vec![
            Span::styled(format!(" {}.png ", harmless(&self.file_stem)), theme.title()),
            Span::styled(how, theme.faint()),
        ];
        let block = Block::bordered().border_style(theme.focused()).title(Line::from(title)).title_bottom(bottom);
        let inner = block.inner(area);
        frame.render_widget(Clear, area);
        frame.render_widget(block, area);
        self.room = inner.as_size();
        let Some((size, picture)) = self.ready.as_ref().filter(|(size, _)| *size == self.room) else {
            let text = match (&self.picture, graphics) {
                (None, _) => "drawing the picture",
                (_, None) => "asking the terminal which pictures it can show",
                _ => "making the picture ready",
            };
            let place = centred(inner, inner.width.min(text.len() as u16), 1);
            return frame.render_widget(Paragraph::new(text).style(theme.faint()), place);
        };
        let shown = picture.size();
        let place = centred(inner, shown.width.min(size.width), shown.height.min(size.height));
        frame.render_widget(Image::new(picture), place);
        if matches!(picture, Protocol::Halfblocks(_)) {
            nearest(frame, place, theme);
        }
    }
}

/// The colours of half blocks as far as the terminal has them.
fn nearest(frame: &mut Frame, place: Rect, theme: &Theme) {
    let near = |colour: Color| match colour {
        Color::Rgb(r, g, b) => theme.colour((r, g, b)).unwrap_or(Color::Reset),
        other => other,
    };
    for at in place.positions() {
        let cell = &mut frame.buffer_mut()[at];
        cell.set_style(Style::new().fg(near(cell.fg)).bg(near(cell.bg)));
    }
}
