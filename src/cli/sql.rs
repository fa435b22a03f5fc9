//! `runs sql`: a question in SQL to the database of runs, answered as a table, CSV or JSON. Nothing can be changed by it.

use super::print_json;
use crate::store::{Answer, Reader, Value};
use crate::untrusted::harmless;
use clap::{Arg, ArgAction, ArgMatches, Command};

pub fn command() -> Command {
    Command::new("sql")
        .about("Ask the database of runs in SQL; it is only read. A wrong question tells tables and columns")
        .arg(Arg::new("query").value_name("SELECT").required(true).help("\"SELECT id, best FROM runs ORDER BY best\""))
        .arg(Arg::new("csv").long("csv").action(ArgAction::SetTrue).conflicts_with("json").help("print CSV"))
}

/// Answers the question of `matches` on stdout.
pub fn carry_out(reader: &Reader, matches: &ArgMatches, json: bool) -> anyhow::Result<()> {
    let query = matches.get_one::<String>("query").map_or("", String::as_str);
    let answer = reader.query(query)?;
    if json {
        let names = || answer.columns.iter().cloned();
        let object = |row: &Vec<Value>| {
            let members = names().zip(row.iter().map(|v| serde_json::to_value(v).unwrap_or_default()));
            members.collect::<serde_json::Map<String, serde_json::Value>>()
        };
        return print_json(&answer.rows.iter().map(object).collect::<Vec<_>>());
    }
    if matches.get_flag("csv") {
        let mut writer = csv::Writer::from_writer(std::io::stdout());
        writer.write_record(&answer.columns)?;
        for row in &answer.rows {
            writer.write_record(row.iter().map(|v| text(v, "")))?;
        }
        return Ok(writer.flush()?);
    }
    table(&answer)
}

/// Columns as wide as they must be, numbers on the right.
fn table(answer: &Answer) -> anyhow::Result<()> {
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
