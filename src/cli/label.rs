//! `runs tag`, `note`, `rename`, `archive`: what a person says of past runs.

use super::{print_json, runs::Row};
use crate::record::{Label, RunSummary, split_tags};
use crate::store::Store;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command};

pub fn commands() -> Vec<Command> {
    let runs = || Arg::new("run").value_name("RUN").required(true).num_args(1..).help("ids or names of runs");
    let tags = |name: &'static str, help: &'static str| Arg::new(name).long(name).value_name("TAGS").help(help);
    let text = |help: &'static str| Arg::new("text").long("text").value_name("TEXT").required(true).help(help);
    let undo = Arg::new("undo").long("undo").action(ArgAction::SetTrue).help("take archived runs back");
    vec![
        Command::new("tag")
            .about("Add and remove tags of runs")
            .arg(runs())
            .arg(tags("add", "tags to add, separated by commas"))
            .arg(tags("remove", "tags to remove, separated by commas"))
            .group(ArgGroup::new("change").args(["add", "remove"]).required(true).multiple(true)),
        Command::new("note").about("Give runs a note").arg(runs()).arg(text("the note; empty takes it away")),
        Command::new("rename").about("Give runs a name").arg(runs()).arg(text("the name").long("to")),
        Command::new("archive").about("Hide runs until a filter says is:archived").arg(runs()).arg(undo),
    ]
}

/// The change that the subcommand `name` asks for; none where it is another.
pub fn asked(name: &str, matches: &ArgMatches) -> anyhow::Result<Option<Label>> {
    let text = |id: &str| matches.get_one::<String>(id).cloned().unwrap_or_default();
    let label = match name {
        "tag" => Label::Tags { add: split_tags(&text("add")), remove: split_tags(&text("remove")) },
        "note" => Label::Note(text("text")),
        "rename" => Label::Name(text("text")),
        "archive" => Label::Archived(!matches.get_flag("undo")),
        _ => return Ok(None),
    };
    Ok(Some(label.checked()?))
}

/// Changes all of `runs` or none and prints them as they are then.
pub fn carry_out(store: &Store, runs: &[RunSummary], label: Label, json: bool) -> anyhow::Result<()> {
    let ids: Vec<_> = runs.iter().map(|r| r.id.clone()).collect();
    store.handle().label(&ids, label)?;
    let reader = store.reader()?;
    let changed: Vec<RunSummary> =
        ids.iter().filter_map(|id| reader.summary(id).transpose()).collect::<Result<_, _>>()?;
    if json {
        return print_json(&changed.iter().map(Row::of).collect::<Vec<_>>());
    }
    for run in &changed {
        let archived = if run.archived { "  archived" } else { "" };
        outln!("{} {}  [{}]  {}{archived}", run.id, run.name, run.tags.join(" "), run.note);
    }
    Ok(())
}
