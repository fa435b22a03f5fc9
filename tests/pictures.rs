//! The pictures of README: every screen of the real program on a folder of finished runs, drawn cell by cell. Not a test: run it with
//! `EIGENSCOPE_PICTURES=runs cargo test --release --test pictures -- --ignored`, where `runs` holds the demo's runs.

use ab_glyph::{Font, FontVec, PxScale, ScaleFont, point};
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use eigenscope::app::AppPort;
use eigenscope::engine::Engine;
use eigenscope::event::Control;
use eigenscope::job;
use eigenscope::spec::RunSpec;
use eigenscope::store::Store;
use eigenscope::ui::{Choices, Colours, Graphics, Ui};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Pixels of a cell, and cells of a picture.
const CELL: (usize, usize) = (8, 16);
const SIZE: (u16, u16) = (128, 40);
const INK: [u8; 3] = [0xd0, 0xd0, 0xd0];
const GROUND: [u8; 3] = [0x14, 0x16, 0x1a];

/// Each picture's name, the keys to its screen, and a text that tells when it is whole.
const SCREENS: &[(&str, &str, &str)] = &[
    ("runs", "1", "symlora"),
    ("run", "1G\rl", "train (smoothed)"),
    ("compare", "1/task:sst-2|task:cola\r\x01ch", "best score,"),
    ("parallel", "1\x01c\t\t\t", "┼"),
    ("figure1", "4jjll", "SymLoRA: difference"),
    ("preview", "4P", "▀▀▀"),
    ("table1", "5jj", "SST-2"),
    ("launch", "6", "enter launches"),
    ("layers", "1G7", "effective rank"),
    ("palette", "1:resu", "resume"),
];

fn press(ui: &mut Ui, key: char) {
    let (code, modifiers) = match key {
        '\r' => (KeyCode::Enter, KeyModifiers::NONE),
        '\x1b' => (KeyCode::Esc, KeyModifiers::NONE),
        '\t' => (KeyCode::Tab, KeyModifiers::NONE),
        '\x01' => (KeyCode::Char('a'), KeyModifiers::CONTROL),
        other => (KeyCode::Char(other), KeyModifiers::NONE),
    };
    ui.event(&Event::Key(KeyEvent::new(code, modifiers)));
}

/// The screen once it shows `whole` and has come to rest.
fn settled(ui: &mut Ui, whole: &str) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(SIZE.0, SIZE.1)).expect("a buffer");
    let start = Instant::now();
    loop {
        for _ in 0..8 {
            ui.refresh();
            terminal.draw(|frame| ui.draw(frame)).expect("drawn");
            std::thread::sleep(Duration::from_millis(60));
        }
        let buffer = terminal.backend().buffer().clone();
        let text: String = buffer.content.iter().map(Cell::symbol).collect();
        if text.contains(whole) {
            return buffer;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{whole:?} did not appear: {text}");
    }
}

/// Types `keys` on a fresh program and keeps the screen that they lead to.
fn picture(name: &str, keys: &str, whole: &str, port: &AppPort) {
    let methods = eigenscope::adapter::ALL.iter().map(|m| m.id()).collect();
    let choices = Choices { tasks: eigenscope::task::ids(), methods, devices: vec!["cpu".into()] };
    let mut ui = Ui::new(port, &choices, Colours::True);
    ui.shows(Graphics::HalfBlocks);
    settled(&mut ui, "eigenscope");
    for key in keys.chars() {
        press(&mut ui, key);
        if matches!(key, '1' | '4' | '7' | '\r') {
            settled(&mut ui, "eigenscope");
        }
    }
    let bytes = drawn(&settled(&mut ui, whole));
    assert!(bytes.len() < 64 << 10, "{name}: {} bytes", bytes.len());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/picture/screen");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join(format!("{name}.png")), bytes).expect("written");
}

#[test]
#[ignore = "draws the pictures of README from a folder of runs"]
fn every_screen_is_drawn() {
    let runs = std::env::var("EIGENSCOPE_PICTURES").expect("EIGENSCOPE_PICTURES names a folder of runs");
    let runs = Path::new(&runs);
    let store = Store::open(runs).expect("a store");
    {
        let engine = Engine::start(store.handle(), &[], job::execute).expect("an engine");
        let port = AppPort::start(&store, Arc::new(engine), runs).expect("a port");
        SCREENS.iter().for_each(|(name, keys, whole)| picture(name, keys, whole, &port));
    }
    // A queue at work, taken away afterwards.
    let specs: Vec<_> = (1..=4).map(|seed| RunSpec { seed, epochs: 60, ..RunSpec::default() }).collect();
    let ids = store.handle().create(&specs).expect("queued");
    {
        let engine = Engine::start(store.handle(), &["cpu".into()], job::execute).expect("an engine");
        let port = AppPort::start(&store, Arc::new(engine), runs).expect("a port");
        std::thread::sleep(Duration::from_secs(8));
        picture("queue", "0j", "3 queued", &port);
        ids.iter().for_each(|id| store.handle().ask(id, Control::Cancel).expect("asked"));
    }
    for id in &ids {
        store.handle().delete(id).expect("deleted");
    }
}

/// Red, green and blue of all pixels, row by row.
struct Canvas {
    width: usize,
    pixels: Vec<[u8; 3]>,
}

impl Canvas {
    /// Mixes `ink` into a pixel by its share.
    fn mix(&mut self, x: usize, y: usize, ink: [u8; 3], share: f32) {
        let at = y * self.width + x;
        if x < self.width
            && let Some(pixel) = self.pixels.get_mut(at)
        {
            for (old, new) in pixel.iter_mut().zip(ink) {
                *old = (f32::from(*old) * (1.0 - share) + f32::from(new) * share).round() as u8;
            }
        }
    }

    fn fill(&mut self, (x, y): (usize, usize), (width, height): (usize, usize), ink: [u8; 3]) {
        for dy in 0..height {
            (0..width).for_each(|dx| self.mix(x + dx, y + dy, ink, 1.0));
        }
    }
}

fn rgb(colour: Color, otherwise: [u8; 3]) -> [u8; 3] {
    match colour {
        Color::Rgb(r, g, b) => [r, g, b],
        _ => otherwise,
    }
}

/// The buffer as a PNG with a palette.
fn drawn(buffer: &Buffer) -> Vec<u8> {
    let font = FontVec::try_from_vec(std::fs::read("assets/fonts/DejaVuSans.ttf").expect("the font")).expect("a font");
    let (columns, rows) = (usize::from(buffer.area.width), usize::from(buffer.area.height));
    let size = (columns * CELL.0, rows * CELL.1);
    let mut canvas = Canvas { width: size.0, pixels: vec![GROUND; size.0 * size.1] };
    for (i, cell) in buffer.content.iter().enumerate() {
        let place = (i % columns * CELL.0, i / columns * CELL.1);
        let (mut ink, mut ground) = (rgb(cell.fg, INK), rgb(cell.bg, GROUND));
        if cell.modifier.contains(Modifier::REVERSED) {
            (ink, ground) = (ground, ink);
        }
        if cell.modifier.contains(Modifier::DIM) {
            ink = std::array::from_fn(|c| ((u16::from(ink[c]) * 3 + u16::from(ground[c]) * 2) / 5) as u8);
        }
        canvas.fill(place, CELL, ground);
        symbol(&mut canvas, &font, cell.symbol(), place, ink);
    }
    encoded(&canvas.pixels, size)
}

/// Arms of a box-drawing character: left, up, right, down.
fn arms(c: char) -> Option<[bool; 4]> {
    Some(match c {
        '─' | '━' => [true, false, true, false],
        '│' => [false, true, false, true],
        '┌' | '╭' => [false, false, true, true],
        '┐' | '╮' => [true, false, false, true],
        '└' | '╰' => [false, true, true, false],
        '┘' | '╯' => [true, true, false, false],
        '┼' => [true; 4],
        '├' => [false, true, true, true],
        '┤' => [true, true, false, true],
        _ => return None,
    })
}

fn symbol(canvas: &mut Canvas, font: &FontVec, text: &str, (x, y): (usize, usize), ink: [u8; 3]) {
    let Some(c) = text.chars().next().filter(|c| *c != ' ') else { return };
    let (width, height) = CELL;
    match c {
        '\u{2800}'..='\u{28ff}' => {
            const DOTS: [(usize, usize); 8] = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)];
            let bits = c as u32 - 0x2800;
            for (column, row) in (0..8).filter(|bit| bits >> bit & 1 == 1).map(|bit| DOTS[bit]) {
                canvas.fill((x + 1 + 4 * column, y + 1 + 4 * row), (2, 2), ink);
            }
        }
        '▀' => canvas.fill((x, y), (width, height / 2), ink),
        '▄' => canvas.fill((x, y + height / 2), (width, height / 2), ink),
        '▁'..='█' => {
            let high = height * (c as usize - '▁' as usize + 1) / 8;
            canvas.fill((x, y + height - high), (width, high), ink);
        }
        '╱' => (0..height).for_each(|i| canvas.mix(x + (height - 1 - i) * width / height, y + i, ink, 1.0)),
        _ => match arms(c) {
            Some([left, up, right, down]) => {
                let thick = if c == '━' { 2 } else { 1 };
                let (middle, centre) = (y + height / 2, x + width / 2);
                let across = |yes: bool, from, to| if yes { (from, to) } else { (centre, centre) };
                let (from, to) = (across(left, x, x).0, across(right, x, x + width).1);
                canvas.fill((from, middle), (to - from, thick), ink);
                let (from, to) = (if up { y } else { middle }, if down { y + height } else { middle + 1 });
                if up || down {
                    canvas.fill((centre, from), (1, to - from), ink);
                }
            }
            None => glyph(canvas, font, c, (x, y), ink),
        },
    }
}

/// A letter in the middle of its cell; one that is wider is made narrower.
fn glyph(canvas: &mut Canvas, font: &FontVec, c: char, (x, y): (usize, usize), ink: [u8; 3]) {
    const HIGH: f32 = 13.5;
    let id = font.glyph_id(c);
    let advance = font.as_scaled(HIGH).h_advance(id);
    let room = CELL.0 as f32;
    let scale = PxScale { x: HIGH * (room / advance.max(1.0)).min(1.0), y: HIGH };
    let shift = ((room - advance) / 2.0).max(0.0);
    let base = y as f32 + 12.0;
    let Some(outline) = font.outline_glyph(id.with_scale_and_position(scale, point(x as f32 + shift, base))) else {
        return;
    };
    let bounds = outline.px_bounds();
    outline.draw(|dx, dy, share| {
        let place = (bounds.min.x + dx as f32, bounds.min.y + dy as f32);
        if place.0 >= 0.0 && place.1 >= 0.0 {
            canvas.mix(place.0 as usize, place.1 as usize, ink, share.min(1.0));
        }
    });
}

/// A PNG whose colours are the most frequent ones, each other pixel the nearest of them.
fn encoded(pixels: &[[u8; 3]], size: (usize, usize)) -> Vec<u8> {
    let mut counts = std::collections::HashMap::new();
    pixels.iter().for_each(|p| *counts.entry(*p).or_insert(0usize) += 1);
    let mut palette: Vec<([u8; 3], usize)> = counts.into_iter().collect();
    palette.sort_by_key(|(colour, count)| (std::cmp::Reverse(*count), *colour));
    let palette: Vec<[u8; 3]> = palette.into_iter().take(256).map(|(colour, _)| colour).collect();
    let mut known = std::collections::HashMap::new();
    let mut nearest = |p: &[u8; 3]| {
        *known.entry(*p).or_insert_with(|| {
            let far = |q: &[u8; 3]| (0..3).map(|c| i32::from(p[c]).abs_diff(i32::from(q[c])).pow(2)).sum::<u32>();
            (0..palette.len()).min_by_key(|i| far(&palette[*i])).unwrap_or(0) as u8
        })
    };
    let indices: Vec<u8> = pixels.iter().map(&mut nearest).collect();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, size.0 as u32, size.1 as u32);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette.concat());
    encoder.set_compression(png::Compression::Best);
    let mut writer = encoder.write_header().expect("a header");
    writer.write_image_data(&indices).expect("pixels");
    writer.finish().expect("a PNG");
    bytes
}
