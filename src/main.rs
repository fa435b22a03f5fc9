//! Parses the command line, calls the program, prints an error with its causes.

use eigenscope::cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    match eigenscope::app::main(std::env::args_os()) {
        Ok(code) => ExitCode::from(code),
        Err(error) if cli::is_closed_pipe(&error) => ExitCode::from(cli::code::OK),
        Err(error) => {
            eprintln!("error: {}", cli::explain(&error));
            ExitCode::from(cli::exit_code(&error))
        }
    }
}
