//! Parses the command line, calls the program, prints an error with its causes.

use std::process::ExitCode;

fn main() -> ExitCode {
    match eigenscope::app::main(std::env::args_os()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(eigenscope::cli::exit_code(&error))
        }
    }
}
