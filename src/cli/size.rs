//! Flags for the size of an exported figure.

use crate::export::{ExportError, Size};
use clap::{Arg, ArgMatches, Command, value_parser};

/// Adds `--width`, `--height` (pixels) and `--dpi` to a command.
pub fn flags(command: Command) -> Command {
    let default = Size::default();
    let flag = |name: &'static str, default: u32, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("N")
            .value_parser(value_parser!(u32).range(50..=20_000))
            .default_value(default.to_string())
            .help(help)
    };
    command
        .arg(flag("width", default.width, "width in pixels, 3 inches at least"))
        .arg(flag("height", default.height, "height in pixels, 2 inches at least"))
        .arg(flag("dpi", default.dpi, "dots per inch: text and lines scale with it"))
}

pub fn of(matches: &ArgMatches) -> Result<Size, ExportError> {
    let default = Size::default();
    let number = |name: &str, default: u32| matches.get_one::<u32>(name).copied().unwrap_or(default);
    let size = Size {
        width: number("width", default.width),
        height: number("height", default.height),
        dpi: number("dpi", default.dpi),
    };
    size.check()
}
