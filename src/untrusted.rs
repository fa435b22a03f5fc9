//! What files and services of others bring, made safe: text for a terminal, sizes before anything is read, calls of libraries
//! that a crafted file makes panic. Knows none of these files.

use std::cell::Cell;
use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::path::Path;
use std::sync::Once;

/// Control, bidirectional and invisible characters as visible escapes, so that a name cannot rewrite the screen.
pub fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => shown.extend(c.escape_default()),
            _ if hides(c) => shown.extend(c.escape_unicode()),
            _ => shown.push(c),
        }
    }
    shown
}

fn hides(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{061c}')
}

/// The same of at most `most` characters; an ellipsis stands for what is left out.
pub fn brief(text: &str, most: usize) -> String {
    let mut shown: String = text.chars().take(most).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    harmless(&shown)
}

/// The bytes of a file that has at most `most` of them; a larger one is an error of kind `FileTooLarge` and is not read.
pub fn read_capped(path: &Path, most: u64) -> Result<Vec<u8>> {
    // Opening a pipe waits for who writes into it, so what it is is asked before, too.
    let file = if path.metadata()?.is_file() { File::open(path)? } else { return Err(no_file()) };
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(no_file());
    }
    let too_large = |found: u64| Error::new(ErrorKind::FileTooLarge, format!("{found} bytes, at most {most} are read"));
    if about.len() > most {
        return Err(too_large(about.len()));
    }
    let mut bytes = Vec::new();
    let room = usize::try_from(about.len()).is_ok_and(|size| bytes.try_reserve_exact(size).is_ok());
    if !room {
        return Err(Error::new(ErrorKind::OutOfMemory, format!("{} bytes, more than the memory holds", about.len())));
    }
    // A file may grow while it is read.
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(too_large(bytes.len() as u64)) } else { Ok(bytes) }
}

fn no_file() -> Error {
    Error::new(ErrorKind::InvalidInput, "not a file")
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic of this thread would be caught by [`guarded`]: a hook has nothing to say then.
pub fn is_guarded() -> bool {
    GUARDED.get()
}

/// What `call` gives, `None` where it panics; nothing is printed then.
pub fn guarded<T>(call: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            if !is_guarded() {
                before(info);
            }
        }));
    });
    let outer = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(call)).ok();
    GUARDED.set(outer);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_become_visible() {
        assert_eq!(harmless("a\u{1b}[2Jb\u{202e}c\u{200b}"), "a\\u{1b}[2Jb\\u{202e}c\\u{200b}");
        assert_eq!(harmless("λ‖W₀‖ naïve"), "λ‖W₀‖ naïve");
        assert_eq!(harmless("two\nlines\tand \u{9b}"), "two\\nlines\\tand \\u{9b}");
        assert_eq!([brief("abcdef", 4), brief("ab\u{7}", 4), brief("λλ", 1)], ["abcd…", "ab\\u{7}", "λ…"]);
    }

    #[test]
    fn large_files_are_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, b"12345").expect("written");
        assert_eq!(read_capped(&path, 5).expect("read"), b"12345");
        let error = read_capped(&path, 4).expect_err("too large");
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::FileTooLarge, "5 bytes, at most 4 are read")
        );
        assert!(read_capped(folder.path(), 100).is_err(), "a folder is no file");
        assert!(read_capped(Path::new("/dev/zero"), 100).is_err(), "no device either");
    }

    #[test]
    fn a_panic_is_caught_and_others_are_told() {
        assert_eq!(guarded(|| 1), Some(1));
        assert_eq!(guarded(|| -> u8 { panic!("crafted") }), None);
        assert!(!is_guarded());
        assert_eq!(guarded(|| guarded(|| -> u8 { panic!("within") }).is_none() && is_guarded()), Some(true));
    }
}
