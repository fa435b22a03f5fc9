//! What pictures a terminal can show: how it is asked, what its answer means, and a picture made ready for it. Reads and
//! writes no terminal.

use crate::view::Picture;
use image::imageops::FilterType;
use image::{DynamicImage, RgbImage};
use ratatui::layout::Size;
use ratatui_image::picker::ProtocolType;
use ratatui_image::picker::cap_parser::{Parser, QueryStdioOptions, Response};
use ratatui_image::protocol::Protocol;
use ratatui_image::protocol::halfblocks::Halfblocks;
use ratatui_image::protocol::iterm2::Iterm2;
use ratatui_image::protocol::kitty::Kitty;
use ratatui_image::protocol::sixel::Sixel;
use std::sync::atomic::{AtomicU32, Ordering};

/// How pictures are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Graphics {
    /// Two coloured halves in each cell: any terminal with colours.
    HalfBlocks,
    /// In pixels, of which a cell is so many wide and high.
    Pixels { format: Format, cell: (u16, u16) },
}

/// A way of sending pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Kitty,
    Sixel,
    Iterm2,
}

/// A terminal that is better known by its name than by what it answers, if the environment names one.
fn named(variable: impl Fn(&str) -> Option<String>) -> Option<Format> {
    // What is behind tmux may be any terminal, and the names that it left are of the one that it was started in.
    if variable("TMUX").is_some_and(|v| !v.is_empty()) {
        return None;
    }
    let program = variable("TERM_PROGRAM").unwrap_or_default();
    let known = ["iTerm", "WezTerm", "mintty", "rio"].iter().any(|name| program.contains(name));
    let remote = variable("LC_TERMINAL").is_some_and(|v| v.contains("iTerm"));
    (known || remote).then_some(Format::Iterm2)
}

/// What to write to the terminal. The last of it every terminal answers, so that the end of the answer is known.
pub fn question() -> String {
    let options = QueryStdioOptions {
        // Konsole takes kitty's pictures but not their placeholders, and its sixels are cut.
        blacklist_protocols: match std::env::var("KONSOLE_VERSION") {
            Ok(version) if !version.is_empty() => vec![ProtocolType::Kitty, ProtocolType::Sixel],
            _ => Vec::new(),
        },
        ..QueryStdioOptions::default()
    };
    Parser::query(false, options)
}

/// The terminal's answer, as far as it has come.
pub struct Answer {
    parser: Parser,
    heard: Vec<Response>,
}

impl Answer {
    pub fn new() -> Self {
        Self { parser: Parser::new(), heard: Vec::new() }
    }

    /// Takes in what came; true where that was all.
    pub fn hear(&mut self, bytes: &[u8]) -> bool {
        let heard = bytes.iter().flat_map(|b| self.parser.push(char::from(*b))).collect::<Vec<_>>();
        self.heard.extend(heard);
        self.heard.contains(&Response::Status)
    }

    /// What it came to. `cell` is the size of a cell where the terminal does not tell it.
    pub fn meaning(&self, cell: Option<(u16, u16)>, variable: impl Fn(&str) -> Option<String>) -> Graphics {
        let told = self.heard.iter().find_map(|r| if let Response::CellSize(size) = r { *size } else { None });
        let format = named(variable).or(if self.heard.contains(&Response::Kitty) {
            Some(Format::Kitty)
        } else {
            self.heard.contains(&Response::Sixel).then_some(Format::Sixel)
        });
        match (format, told.or(cell)) {
            (Some(format), Some(cell)) if cell.0 > 0 && cell.1 > 0 => Graphics::Pixels { format, cell },
            _ => Graphics::HalfBlocks,
        }
    }
}

impl Graphics {
    /// In words, for the frame around a picture.
    pub fn name(self) -> &'static str {
        match self {
            Graphics::HalfBlocks => "half blocks: too coarse for text",
            Graphics::Pixels { format: Format::Kitty, .. } => "kitty graphics",
            Graphics::Pixels { format: Format::Sixel, .. } => "sixel graphics",
            Graphics::Pixels { format: Format::Iterm2, .. } => "iTerm2 graphics",
        }
    }

    /// What it shows stays until all is drawn anew.
    pub fn lingers(self) -> bool {
        self != Graphics::HalfBlocks
    }

    /// The largest picture in `room` with the proportions of `picture`, ready to be drawn. Takes a moment: not for the thread
    /// of the screens.
    pub fn encode(self, picture: &Picture, room: Size) -> Result<Protocol, String> {
        let (across, down) = match self {
            Graphics::HalfBlocks => (1, 2),
            Graphics::Pixels { cell, .. } => (u32::from(cell.0), u32::from(cell.1)),
        };
        // The pixel of a half block is about as high as it is wide.
        let size = fit((picture.width, picture.height), (across, down), room);
        let (width, height) = (u32::from(size.width) * across, u32::from(size.height) * down);
        let whole = RgbImage::from_raw(picture.width, picture.height, picture.pixels.clone());
        let whole = DynamicImage::ImageRgb8(whole.ok_or("the picture has too few pixels")?);
        let scaled = whole.resize_exact(width, height, FilterType::Triangle);
        let made = match self {
            Graphics::HalfBlocks => Halfblocks::new(scaled, size).map(Protocol::Halfblocks),
            Graphics::Pixels { format: Format::Sixel, .. } => Sixel::new(scaled, size, false).map(Protocol::Sixel),
            Graphics::Pixels { format: Format::Iterm2, .. } => Iterm2::new(scaled, size, false).map(Protocol::ITerm2),
            Graphics::Pixels { format: Format::Kitty, .. } => {
                Kitty::new(scaled, size, fresh_id(), false, false).map(Protocol::Kitty)
            }
        };
        made.map_err(|e| e.to_string())
    }
}

/// Cells of the largest picture with the proportions of `picture` in `room`.
fn fit(picture: (u32, u32), cell: (u32, u32), room: Size) -> Size {
    let room_pixels = (f64::from(room.width) * f64::from(cell.0), f64::from(room.height) * f64::from(cell.1));
    let (width, height) = (f64::from(picture.0.max(1)), f64::from(picture.1.max(1)));
    let scale = (room_pixels.0 / width).min(room_pixels.1 / height);
    let cells = |pixels: f64, cell: u32, most: u16| ((pixels * scale / f64::from(cell)) as u16).clamp(1, most.max(1));
    Size::new(cells(width, cell.0, room.width), cells(height, cell.1, room.height))
}

/// A number that no other picture of this program has; terminals remember pictures by them.
fn fresh_id() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // 24 bits, and not those that another program in the terminal begins with.
    (std::process::id().wrapping_mul(0x9e37) & 0xff_f000) | (NEXT.fetch_add(1, Ordering::Relaxed) & 0xfff) | 1 << 23
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(bytes: &[u8], cell: Option<(u16, u16)>, program: Option<&str>) -> Graphics {
        let mut answer = Answer::new();
        answer.hear(bytes);
        answer.meaning(cell, |name| program.filter(|_| name == "TERM_PROGRAM").map(str::to_string))
    }

    #[test]
    fn what_a_terminal_answers_decides() {
        let pixels = |format| Graphics::Pixels { format, cell: (9, 18) };
        let kitty = b"\x1b_Gi=31;OK\x1b\\\x1b[?62;4c\x1b[6;18;9t\x1b[0n";
        assert_eq!(heard(kitty, None, None), pixels(Format::Kitty));
        let sixel = b"\x1b[?62;4;22c\x1b[6;18;9t\x1b[0n";
        assert_eq!(heard(sixel, None, None), pixels(Format::Sixel));
        assert_eq!(heard(sixel, None, Some("iTerm.app")), pixels(Format::Iterm2));
        // A cell's size may come from the system; without one pixels have no place.
        assert_eq!(heard(b"\x1b[?62;4c\x1b[0n", Some((9, 18)), None), pixels(Format::Sixel));
        assert_eq!(heard(b"\x1b[?62;4c\x1b[0n", None, None), Graphics::HalfBlocks);
        assert_eq!(heard(b"\x1b[?62c\x1b[6;18;9t\x1b[0n", None, None), Graphics::HalfBlocks);
        assert_eq!(heard(b"", Some((9, 18)), None), Graphics::HalfBlocks);
    }

    #[test]
    fn the_end_of_the_answer_is_known_however_it_is_cut() {
        let whole = b"\x1b_Gi=31;OK\x1b\\\x1b[?62;4c\x1b[6;18;9t\x1b[0n";
        let mut answer = Answer::new();
        let ends: Vec<bool> = whole.iter().map(|b| answer.hear(&[*b])).collect();
        assert_eq!(ends.iter().position(|end| *end), Some(whole.len() - 1));
        // Keys that were pressed meanwhile are no answer.
        assert!(!Answer::new().hear(b"jjq\x1b[A"));
    }

    #[test]
    fn inside_tmux_names_tell_nothing() {
        let given = |name: &str| match name {
            "TMUX" => Some("/tmp/tmux".to_string()),
            "TERM_PROGRAM" => Some("iTerm.app".into()),
            _ => None,
        };
        assert_eq!(named(given), None);
        assert_eq!(named(|name| given(name).filter(|_| name != "TMUX")), Some(Format::Iterm2));
    }

    #[test]
    fn a_picture_keeps_its_proportions() {
        // Wide room: the height decides; high room: the width.
        assert_eq!(fit((1800, 1100), (10, 20), Size::new(200, 50)), Size::new(163, 50));
        assert_eq!(fit((1800, 1100), (1, 2), Size::new(78, 60)), Size::new(78, 23));
        assert_eq!(fit((1800, 1100), (1, 2), Size::new(1, 1)), Size::new(1, 1));
    }

    #[test]
    fn every_way_of_showing_takes_the_picture() {
        let picture = Picture { width: 40, height: 20, pixels: [200, 10, 10].repeat(800) };
        for format in [Format::Kitty, Format::Sixel, Format::Iterm2] {
            let made = Graphics::Pixels { format, cell: (5, 10) }.encode(&picture, Size::new(20, 20)).expect("encoded");
            assert_eq!(made.size(), Size::new(20, 5), "{format:?}");
        }
        let broken = Picture { pixels: Vec::new(), ..picture };
        assert!(Graphics::HalfBlocks.encode(&broken, Size::new(20, 20)).is_err());
    }
}
