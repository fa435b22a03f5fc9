//! The command line: data on stdout, diagnostics and progress on stderr, a distinct exit code for each kind of failure.

/// `println!` with an error in place of a panic: who reads the other end of a pipe may go early.
macro_rules! outln {
    ($($text:tt)*) => {
        std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($text)*)))?
    };
}

mod analyse;
mod bench;
mod classify;
mod completions;
mod config;
mod convert;
mod data;
mod demo;
mod doctor;
mod eval;
mod events;
mod export;
mod fetch;
mod figure1;
mod follow;
mod import;
mod inspect;
mod label;
mod merge;
mod report;
mod results;
mod runs;
mod saved;
mod size;
mod sql;
mod submit;
mod sweep;
mod table1;
mod train;

pub use follow::work_queue;
use saved::{given, saved_of};
pub use sweep::advance;

use crate::untrusted::harmless;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::ffi::OsString;
use std::path::PathBuf;

/// Exit codes, as `eigenscope --help` lists them.
pub mod code {
    pub const OK: u8 = 0;
    /// A run failed, or something unforeseen.
    pub const FAILED: u8 = 1;
    pub const USAGE: u8 = 2;
    /// A spec, model, adapter or data file cannot be used.
    pub const INPUT: u8 = 3;
    /// The runs folder or its database cannot be used, or has no such run.
    pub const STORE: u8 = 4;
    /// Stopped by a signal; what was running is saved.
    pub const STOPPED: u8 = 130;
}

/// One subcommand; its documentation is in its `command`.
pub trait Subcommand: Sync {
    fn command(&self) -> Command;
    fn run(&self, matches: &ArgMatches, globals: &Globals) -> anyhow::Result<Answer>;
}

/// Every subcommand, in the order of the help.
pub static ALL: &[&dyn Subcommand] = &[
    &demo::Demo,
    &train::Train,
    &sweep::Sweep,
    &data::Data,
    &fetch::Fetch,
    &runs::Runs,
    &sql::Sql,
    &eval::Eval,
    &inspect::Inspect,
    &analyse::Analyse,
    &merge::Merge,
    &convert::Convert,
    &classify::Classify,
    &submit::Submit,
    &figure1::Figure1,
    &table1::PrintTable1,
    &report::Report,
    &bench::Bench,
    &doctor::Doctor,
    &config::Config,
    &completions::Completions,
];

/// Options of every subcommand.
#[derive(Clone, Debug)]
pub struct Globals {
    pub runs: PathBuf,
    pub json: bool,
    /// Runs that train side by side on each GPU.
    pub runs_per_gpu: usize,
}

/// What the command line came to.
pub enum Answer {
    Code(u8),
    /// No subcommand: the terminal program.
    Terminal(Globals),
    /// `bench ui`: the screens on so many generated runs.
    MeasureScreens {
        runs: u64,
        points: u64,
        json: bool,
    },
}

/// The whole command.
pub fn command() -> Command {
    let runs = Arg::new("runs")
        .long("runs")
        .value_name("DIR")
        .global(true)
        .value_parser(value_parser!(PathBuf))
        .help("runs folder [env EIGENSCOPE_RUNS; else ./runs if it exists; else the XDG data folder]");
    let json =
        Arg::new("json").long("json").global(true).action(ArgAction::SetTrue).help("print data as JSON on stdout");
    let runs_per_gpu = Arg::new("runs-per-gpu")
        .long("runs-per-gpu")
        .value_name("N")
        .global(true)
        .default_value("1")
        .value_parser(value_parser!(u64).range(1..=64))
        .help("runs that train side by side on each GPU; several are faster on short rows");
    Command::new("eigenscope")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Launch, watch and compare low-rank adapter runs. Without a subcommand: the terminal program.")
        .after_help(
            "Exit codes: 0 done, 1 a run failed, 2 usage, 3 unusable input, 4 runs folder, 130 stopped (saved).",
        )
        .arg(runs)
        .arg(json)
        .arg(runs_per_gpu)
        .subcommands(ALL.iter().map(|s| s.command()))
}

/// Parses `args` (the program's name first) and runs the subcommand.
pub fn run(args: impl IntoIterator<Item = OsString>) -> anyhow::Result<Answer> {
    let matches = match command().try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version come this way too, on stdout and with code 0.
            let _ = error.print();
            return Ok(Answer::Code(error.exit_code() as u8));
        }
    };
    let flag = matches.get_one::<PathBuf>("runs");
    let runs = crate::config::runs_folder(flag.map(PathBuf::as_path));
    let runs_per_gpu = matches.get_one::<u64>("runs-per-gpu").map_or(1, |n| *n as usize);
    let globals = Globals { runs, json: matches.get_flag("json"), runs_per_gpu };
    let Some((name, of_subcommand)) = matches.subcommand() else {
        return Ok(Answer::Terminal(globals));
    };
    let subcommand = ALL.iter().find(|s| s.command().get_name() == name);
    let subcommand = subcommand.ok_or_else(|| anyhow::anyhow!("no subcommand {name}"))?;
    subcommand.run(of_subcommand, &globals)
}

/// Nobody reads stdout any more, as when `head` has seen enough: no failure.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}

/// An error and its causes; a cause that its error already told is not told again.
pub fn explain(error: &anyhow::Error) -> String {
    let text = error.chain().map(ToString::to_string).fold(String::new(), |text, cause| match text.is_empty() {
        true => cause,
        false if text.contains(&cause) => text,
        false => format!("{text}: {cause}"),
    });
    text.lines().map(harmless).collect::<Vec<_>>().join("\n")
}

/// Flags that do not go together with what they are given for.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(String);

/// The exit code that tells what kind of failure `error` is.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        let of_input = cause.is::<crate::spec::SpecError>()
            || cause.is::<crate::task::TaskError>()
            || cause.is::<crate::data::DataError>()
            || cause.is::<crate::cache::NameError>()
            || cause.downcast_ref::<crate::hub::HubError>().is_some_and(crate::hub::HubError::is_input)
            || cause.is::<crate::data::submission::SubmissionError>()
            || cause.is::<crate::adapter::AdapterError>()
            || cause.is::<crate::report::ReportError>()
            || cause.is::<crate::record::LabelError>()
            || cause.is::<crate::tracker::TrackerError>()
            || matches!(
                cause.downcast_ref(),
                Some(crate::store::StoreError::Query { .. } | crate::store::StoreError::Again { .. })
            );
        if of_input || cause.downcast_ref::<crate::job::JobError>().is_some_and(|e| e.is_input()) {
            return code::INPUT;
        }
        if cause.is::<UsageError>()
            || matches!(cause.downcast_ref(), Some(crate::chart::ChartError::Subject { .. }))
            || matches!(
                cause.downcast_ref(),
                Some(crate::export::ExportError::Ending { .. } | crate::export::ExportError::Small { .. })
            )
        {
            return code::USAGE;
        }
        if cause.is::<crate::store::StoreError>() {
            return code::STORE;
        }
    }
    code::FAILED
}

/// Prints an object as JSON, or a line for each of its members.
pub fn print_members(object: &serde_json::Value, json: bool) -> anyhow::Result<()> {
    if json {
        return print_json(object);
    }
    if let Some(members) = object.as_object() {
        for (name, value) in members {
            outln!("{name:16} {value}");
        }
    }
    Ok(())
}

/// Prints `value` as indented JSON on stdout.
fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    outln!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}
