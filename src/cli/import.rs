//! `runs import`: an adapter that was trained elsewhere as a run that stands in every table and figure.

use super::saved::{self, ADAPTER_HELP};
use super::{given, print_json, runs::Row};
use crate::job::Import;
use crate::record::Label;
use crate::store::Store;
use crate::train::checkpoint::BEST_ADAPTER;
use anyhow::Context;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;

pub fn command() -> Command {
    let adapter = Arg::new("adapter").value_name("FILE|FOLDER").required(true).value_parser(value_parser!(PathBuf));
    let command = Command::new("import")
        .about(
            "Keep an adapter that was trained elsewhere as a run, with its norms: Figure 1, Layers and Compare show it",
        )
        .arg(adapter.help(ADAPTER_HELP.split_once(", ").map_or(ADAPTER_HELP, |(_, files)| files)))
        .arg(
            Arg::new("name")
                .long("name")
                .value_name("NAME")
                .help("name of the run [default: that of the file or folder]"),
        )
        .arg(
            Arg::new("score")
                .long("score")
                .action(ArgAction::SetTrue)
                .help("score it on the validation rows of its task, for Table 1; needs its model"),
        )
        .arg(
            Arg::new("data")
                .long("data")
                .value_name("DIR")
                .default_value("")
                .help("folder with GLUE's files for --score [default: the embedded sample]"),
        );
    saved::flags(command).after_help(
        "Example:\n  eigenscope runs import lora_mnli.bin --task mnli --alpha 8 --model roberta-base\n\
         Without a model that is here the norms of W0 are missing, and what is made of them.",
    )
}

pub fn carry_out(store: &Store, matches: &ArgMatches, json: bool) -> anyhow::Result<()> {
    let path = matches.get_one::<PathBuf>("adapter").context("no adapter")?;
    let mut import = Import::open(path, &given(matches))?;
    if let Some(name) = matches.get_one::<String>("name")
        && let Label::Name(name) = Label::Name(name.clone()).checked()?
    {
        import.run.spec.name = name;
    }
    if let Some(error) = &import.without_model {
        eprintln!("without the norms of W0: {error}");
    }
    if matches.get_flag("score") {
        let bar =
            ProgressBar::new(0).with_style(ProgressStyle::with_template("{bar:30} {pos}/{len} rows  {eta} left")?);
        let mut progress = |done: usize, total: usize| {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        };
        import.score(matches.get_one::<String>("data").map_or("", String::as_str), &mut progress)?;
        bar.finish_and_clear();
    }
    let handle = store.handle();
    // In the runs folder, so that it can be moved to the run in one step.
    let file = handle.dir().join(format!(".import-{}.safetensors", std::process::id()));
    let kept = import.write(&file).map_err(anyhow::Error::from);
    let kept = kept.and_then(|()| Ok(handle.import(import.run, &file, BEST_ADAPTER)?));
    // It is gone where it was moved.
    let _ = std::fs::remove_file(&file);
    let id = kept?;
    let run = store.reader()?.summary(&id)?.context("the run was deleted meanwhile")?;
    eprintln!("kept as {id} ({})", run.name);
    if json {
        print_json(&Row::of(&run))?;
    }
    Ok(())
}
