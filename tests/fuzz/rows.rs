//! Files of rows for a person's own tasks: CSV, TSV and JSON lines. The first byte picks the format, the second how many of the
//! columns are asked for. Rows come in the order of their places, each with the cells that were asked for.
#![no_main]

mod disk;

use eigenscope::data::format::{self, Place};
use libfuzzer_sys::fuzz_target;

const FORMATS: [&str; 3] = ["csv", "tsv", "jsonl"];

fuzz_target!(|input: &[u8]| {
    let [pick, asked, rows @ ..] = input else { return };
    let id = FORMATS[usize::from(*pick) % FORMATS.len()];
    let path = disk::file("rows", rows);
    let format = format::find(Some(id), &path).expect("a known format");
    let Ok(names) = format.columns(&path) else { return };
    let columns: Vec<&str> = names.iter().map(String::as_str).take(1 + usize::from(*asked) % 4).collect();
    let known = format::check(format, &path, &columns);
    let mut last = 0;
    let read = format.read(&path, &columns, &mut |place, cells| {
        let (Place::Line(at) | Place::Row(at)) = place;
        // Where rows end with a lone CR all of them are in one line.
        assert!(at >= last.max(1), "row at {at} after {last}");
        last = at;
        assert_eq!(cells.len(), columns.len());
        Ok(())
    });
    assert!(read.is_err() || known.is_ok() || last == 0, "rows of {columns:?}, which {known:?}");
});
