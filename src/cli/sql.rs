//! `sql`: a question in SQL over the store's views, answered as a table, CSV or JSON; and what the views hold. Nothing can be
//! changed by it.

use super::{Answer, Globals, Subcommand, code, print_json};
use crate::store::{self, StoreError, VIEWS, Value};
use crate::untrusted::harmless;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde::{Serialize, Serializer};
use std::time::Duration;

pub struct Sql;

/// Most values that are held for a table or for JSON.
const MOST: usize = 20_000_000;

/// What a question came to: the names of the columns, then rows of as many values.
struct Found {
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

impl Subcommand for Sql {
    fn command(&self) -> Command {
        let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
        Command::new("sql")
            .about("Ask the store in SQL, which is only read; without a question: the views and their columns")
            .arg(Arg::new("query").value_name("SELECT").help("\"SELECT run, best FROM runs ORDER BY best\""))
            .arg(flag("schema").conflicts_with("query").help("print the views: columns, types, units, what they say"))
            .arg(flag("csv").conflicts_with_all(["json", "schema"]).help("print CSV, row by row"))
            .arg(
                Arg::new("seconds")
                    .long("seconds")
                    .value_name("N")
                    .default_value("60")
                    .value_parser(value_parser!(u64).range(1..=86_400))
                    .help("longest time of the search; ctrl-c ends it too"),
            )
            .after_help(
                "Examples:\n  eigenscope sql \"SELECT task, method, count(*), avg(best) FROM runs GROUP BY 1, 2\"\n  \
                 eigenscope sql --csv \"SELECT step, loss FROM points WHERE run = 'r0001'\" > loss.csv\n\
                 In the file itself, for other programs, the views are called view_runs, view_points and so on.",
            )
    }

    fn run(&self, matches: &ArgMatches, globals: &Globals) -> anyhow::Result<Answer> {
        match matches.get_one::<String>("query").filter(|_| !matches.get_flag("schema")) {
            Some(query) => answer(query, matches, globals)?,
            None => schema(globals.json)?,
        }
        Ok(Answer::Code(code::OK))
    }
}

fn schema(json: bool) -> anyhow::Result<()> {
    if json {
        return print_json(&VIEWS);
    }
    for (i, view) in VIEWS.iter().enumerate() {
        if i > 0 {
            outln!("");
        }
        outln!("{}: {}", view.name, view.about);
        for c in view.columns {
            outln!("  {:19} {:8} {:7} {}", c.name, c.kind, c.unit, c.about);
        }
    }
    Ok(())
}

/// Answers a question on stdout.
fn answer(query: &str, matches: &ArgMatches, globals: &Globals) -> anyhow::Result<()> {
    let limit = Duration::from_secs(matches.get_one::<u64>("seconds").copied().unwrap_or(60));
    if matches.get_flag("csv") {
        let mut writer = csv::Writer::from_writer(std::io::stdout());
        let mut begun = false;
        let columns = store::ask::<anyhow::Error>(&globals.runs, query, limit, |columns, row| {
            if !std::mem::replace(&mut begun, true) {
                writer.write_record(columns).map_err(plain)?;
            }
            Ok(writer.write_record(row.iter().map(|v| text(v, ""))).map_err(plain)?)
        })?;
        if !begun {
            writer.write_record(columns).map_err(plain)?;
        }
        return Ok(writer.flush()?);
    }
    let mut rows = Vec::new();
    let columns = store::ask::<anyhow::Error>(&globals.runs, query, limit, |columns, row| {
        // Before a long search has gone on for nothing.
        if globals.json && rows.is_empty() {
            members(columns)?;
        }
        if (rows.len() + 1) * columns.len() > MOST {
            let what = format!("more than {} rows; add LIMIT, or --csv prints them as they are found", rows.len());
            anyhow::bail!(what);
        }
        rows.push(row);
        Ok(())
    })?;
    if globals.json {
        members(&columns)?;
    }
    let found = Found { columns, rows };
    if globals.json {
        return print_json(&found.rows.iter().map(|row| Object(&found.columns, row)).collect::<Vec<_>>());
    }
    table(&found)
}

/// A row as an object whose members stand in the order of the columns.
struct Object<'a>(&'a [String], &'a [Value]);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().zip(self.1))
    }
}

/// An object has one member of a name: refuses columns of which one would be lost.
fn members(columns: &[String]) -> anyhow::Result<()> {
    match columns.iter().enumerate().find(|(i, name)| columns[..*i].contains(name)) {
        None => Ok(()),
        Some((_, name)) => Err(StoreError::query(format!(
            "found two columns {:?}, expected a name of its own for each with --json: give one with AS",
            harmless(name)
        ))
        .into()),
    }
}

/// The error of the pipe itself, so that a reader that goes early is known as one.
fn plain(error: csv::Error) -> std::io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => std::io::Error::other(format!("{other:?}")),
    }
}

/// Columns as wide as they must be, numbers on the right.
fn table(answer: &Found) -> anyhow::Result<()> {
    let shown: Vec<Vec<String>> =
        answer.rows.iter().map(|row| row.iter().map(|v| harmless(&text(v, "-"))).collect()).collect();
    let width = |i: usize| {
        let cells = shown.iter().map(|row: &Vec<String>| row[i].chars().count());
        cells.chain([answer.columns[i].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..answer.columns.len()).map(width).collect();
    let line = |cells: &[String], right: &dyn Fn(usize) -> bool| {
        let padded = cells.iter().enumerate().map(|(i, cell)| {
            let width = widths[i];
            if right(i) { format!("{cell:>width$}") } else { format!("{cell:width$}") }
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_string()
    };
    let is_number = |value: &Value| matches!(value, Value::Integer(_) | Value::Real(_));
    let numeric = |i: usize| {
        let mut values = answer.rows.iter().map(|row| &row[i]).filter(|v| **v != Value::Null).peekable();
        values.peek().is_some() && values.all(is_number)
    };
    let right: Vec<bool> = (0..answer.columns.len()).map(numeric).collect();
    outln!("{}", line(&answer.columns, &|i| right[i]));
    for row in &shown {
        outln!("{}", line(row, &|i| right[i]));
    }
    eprintln!("{} row{}", shown.len(), if shown.len() == 1 { "" } else { "s" });
    Ok(())
}

fn text(value: &Value, null: &str) -> String {
    match value {
        Value::Null => null.into(),
        Value::Integer(n) => n.to_string(),
        Value::Real(n) => n.to_string(),
        Value::Text(text) | Value::Bytes(text) => text.clone(),
    }
}
