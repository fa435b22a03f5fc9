//! The picture of an export over the screen: what is asked, what is shown, how it closes.

use super::{SCREENS, after, choices, drawn, fake, key, text, view};
use eigenscope::app::AppPort;
use eigenscope::chart::{self, ChartOptions, Subject};
use eigenscope::config::SettingsFile;
use eigenscope::engine::Engine;
use eigenscope::job;
use eigenscope::store::Store;
use eigenscope::ui::{Colours, Format, Graphics, Order, Settings, Ui};
use eigenscope::view::{About, Message, Picture, Port, Request};
use ratatui::buffer::Buffer;
use ratatui::style::Color;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const RED: Color = Color::Rgb(250, 0, 0);
const BLUE: Color = Color::Rgb(0, 0, 250);

/// Red on the left, blue on the right.
pub fn halves() -> Picture {
    let row: Vec<u8> = (0..90).flat_map(|x| if x < 45 { [250, 0, 0] } else { [0, 0, 250] }).collect();
    Picture { width: 90, height: 55, pixels: row.repeat(55) }
}

/// The frame in which the picture stands.
fn ready(ui: &mut Ui, width: u16, height: u16) -> Buffer {
    let start = Instant::now();
    loop {
        let buffer = drawn(ui, width, height);
        if buffer.content.iter().any(|c| [c.bg, c.fg].contains(&RED)) || start.elapsed() > Duration::from_secs(20) {
            return buffer;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Cells of a colour, with the columns between which they stand.
fn cells(buffer: &Buffer, colour: Color) -> (usize, u16, u16) {
    let width = usize::from(buffer.area.width);
    let found: Vec<u16> =
        buffer.content.iter().enumerate().filter(|(_, c)| c.bg == colour).map(|(i, _)| (i % width) as u16).collect();
    (found.len(), found.iter().copied().min().unwrap_or(0), found.iter().copied().max().unwrap_or(0))
}

#[test]
fn the_picture_of_an_export_lies_over_the_screen() {
    let port = fake(view());
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    drawn(&mut ui, 100, 30);
    ["4", "P"].iter().for_each(|k| ui.event(&key(k)));
    assert_eq!(ui.orders(), [Order::Graphics], "the terminal is asked once");
    let waiting = text(&drawn(&mut ui, 100, 30));
    assert!(waiting.contains("figure1.png") && waiting.contains("asking the terminal"), "{waiting}");
    ui.shows(Graphics::HalfBlocks);
    let buffer = ready(&mut ui, 100, 30);
    let (red, blue) = (cells(&buffer, RED), cells(&buffer, BLUE));
    assert!(red.0 > 500 && red.0 == blue.0 && red.2 < blue.1 && blue.1 - red.2 < 4, "{red:?} {blue:?}");
    let shown = text(&buffer);
    assert!(shown.contains("half blocks") && shown.contains("e writes it · esc closes"), "{shown}");
    // Another size: made once more.
    let (wide, _, last) = cells(&ready(&mut ui, 160, 48), BLUE);
    assert!(wide > 2 * blue.0 && last > blue.2, "{wide} to column {last}");
    // Keys of the screen below do nothing, e writes what is shown.
    ["1", "j", "x"].iter().for_each(|k| ui.event(&key(k)));
    assert_eq!(port.asked.take(), []);
    ui.event(&key("e"));
    assert!(matches!(&port.asked.take()[..], [Request::Export { file_stem, .. }] if file_stem == "figure1"));
    ui.event(&key("P"));
    let closed = drawn(&mut ui, 160, 48);
    assert!(text(&closed).contains("SymLoRA: difference") && cells(&closed, RED).0 == 0);
    ["P", "esc"].iter().for_each(|k| ui.event(&key(k)));
    assert!(text(&drawn(&mut ui, 160, 48)).contains("SymLoRA: difference"), "esc closes the picture, not the screen");
    assert_eq!(ui.orders(), [], "it is known what the terminal shows, and cells alone were drawn");
}

#[test]
fn every_screen_that_exports_has_a_picture() {
    for (name, keys) in SCREENS {
        let port = fake(view());
        let mut ui = Ui::new(&port, &choices(), Colours::True);
        ui.shows(Graphics::HalfBlocks);
        drawn(&mut ui, 100, 30);
        keys.iter().for_each(|k| ui.event(&key(k)));
        ui.event(&key("e"));
        let exports = matches!(port.asked.take()[..], [Request::Export { .. }]);
        ui.event(&key("P"));
        let pictured = cells(&if exports { ready(&mut ui, 100, 30) } else { drawn(&mut ui, 100, 30) }, RED).0 > 0;
        assert_eq!(pictured, exports, "{name}");
    }
}

#[test]
fn pixels_are_cleared_when_the_picture_closes() {
    let port = fake(view());
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    drawn(&mut ui, 100, 30);
    ["4", "P"].iter().for_each(|k| ui.event(&key(k)));
    ui.shows(Graphics::Pixels { format: Format::Sixel, cell: (9, 18) });
    ui.orders();
    let start = Instant::now();
    // A sixel picture is one sequence in the first of its cells.
    while !text(&drawn(&mut ui, 100, 30)).contains("\u{1b}P") {
        assert!(start.elapsed() < Duration::from_secs(20), "no picture");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(text(&drawn(&mut ui, 100, 30)).contains("sixel graphics"));
    ui.event(&key("esc"));
    assert_eq!(ui.orders(), [Order::Repaint]);
    assert!(text(&drawn(&mut ui, 100, 30)).contains("SymLoRA: difference"));
}

#[test]
fn without_colours_it_is_said_what_to_do_instead() {
    let port = fake(view());
    let told = |ui: &mut Ui| {
        drawn(ui, 100, 30);
        ["4", "P"].iter().for_each(|k| ui.event(&key(k)));
        (ui.orders(), text(&drawn(ui, 100, 30)))
    };
    let (settings, _) = Settings::of(&SettingsFile::parse(Path::new("config.toml"), "ascii = true\n"));
    for mut ui in
        [Ui::new(&port, &choices(), Colours::None), Ui::new(&port, &choices(), Colours::True).set(settings, &[])]
    {
        let (orders, shown) = told(&mut ui);
        assert!(orders.is_empty() && shown.contains("e writes the picture to a file"), "{shown}");
        assert!(shown.contains("SymLoRA: difference"), "{shown}");
    }
}

#[test]
fn a_picture_that_cannot_be_drawn_says_why() {
    let port = fake(view());
    let mut ui = Ui::new(&port, &choices(), Colours::True);
    drawn(&mut ui, 100, 30);
    ["4", "P"].iter().for_each(|k| ui.event(&key(k)));
    *port.says.borrow_mut() = vec![Message::error("cannot draw the figure: no font".into())];
    let shown = text(&drawn(&mut ui, 100, 30));
    assert!(shown.contains("no font") && shown.contains("SymLoRA: difference"), "{shown}");
    // Nothing to draw: the same words as for an export.
    let empty = text(&after(&fake(eigenscope::view::View::default()), &["4", "P"], 100, 30));
    assert!(empty.contains("nothing to draw yet"), "{empty}");
}

#[test]
fn the_picture_survives_every_size() {
    let port = fake(view());
    let mut ui = Ui::new(&port, &choices(), Colours::Indexed);
    ui.shows(Graphics::HalfBlocks);
    drawn(&mut ui, 80, 24);
    ["4", "P"].iter().for_each(|k| ui.event(&key(k)));
    for width in (1..=120).step_by(7) {
        for height in (1..=40).step_by(3) {
            drawn(&mut ui, width, height);
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn the_program_draws_what_it_would_write() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path()).expect("a store");
    let engine = Engine::start(store.handle(), &[], job::execute).expect("an engine");
    let port = AppPort::start(&store, Arc::new(engine), folder.path()).expect("a port");
    let all = view();
    let subject = Subject::Norms(&all.figure1);
    let figure = chart::find("figure1").expect("a chart").figure(&subject, &ChartOptions::default()).expect("a figure");
    port.ask(Request::Picture { number: 7, figure: figure.clone() });
    port.ask(Request::Export { file_stem: "same".into(), figure });
    let (start, mut said) = (Instant::now(), Vec::new());
    while said.len() < 2 && start.elapsed() < Duration::from_secs(30) {
        said.extend(port.messages());
        std::thread::sleep(Duration::from_millis(10));
    }
    let About::Picture { number: 7, picture } = &said[0].about else { panic!("{said:?}") };
    let file = std::fs::File::open(folder.path().join("exports/same.png")).expect("written");
    let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size()];
    let info = reader.next_frame(&mut pixels).expect("read");
    assert_eq!((info.width, info.height), (picture.width, picture.height));
    assert!(pixels == picture.pixels, "the picture is not that of the file");
}
