//! Parses the command line, calls the program, prints an error with its causes.
fn main() {}
