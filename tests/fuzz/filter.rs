//! The filter of the table of runs: what is understood is written so that it is understood the same again.
#![no_main]

use eigenscope::ui::Filter;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (known, error) = Filter::read(text);
    assert_eq!(Filter::parse(text).is_ok(), error.is_none());
    if error.is_none() {
        let again = Filter::parse(&known.to_string()).expect("what was written is understood");
        assert_eq!(known.to_string(), again.to_string());
    }
});
