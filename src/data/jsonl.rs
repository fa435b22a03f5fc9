//! JSON lines: an object a line, its fields being the columns. Lists and objects within are refused by name.

use super::DataError;
use super::format::{Each, Format, MAX_ROWS, Place, Value};
use super::lines::Lines;
use serde_json::{Map, Value as Json};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

pub struct JsonLines;

/// What a line must be.
const EXPECTED: &str = "a JSON object a line; `jq -c '.[]' FILE` makes lines of a list";

/// Gives `each` every line's number and fields; it says whether to go on.
fn objects(
    path: &Path,
    each: &mut dyn FnMut(u64, Map<String, Json>) -> Result<bool, DataError>,
) -> Result<(), DataError> {
    let file = File::open(path).map_err(|source| DataError::Io { path: path.into(), source })?;
    let name = path.display().to_string();
    let mut lines = Lines::new(&name, BufReader::new(file), EXPECTED);
    let mut rows = 0;
    while let Some(line) = lines.next_line()? {
        if line.trim().is_empty() {
            continue;
        }
        rows += 1;
        if rows > MAX_ROWS {
            return Err(lines.wrong(format!("more than {MAX_ROWS} rows"), "fewer: split the file"));
        }
        let object = match serde_json::from_str(&line) {
            Ok(Json::Object(fields)) => fields,
            Ok(other) => return Err(lines.wrong(kind(&other).into(), EXPECTED)),
            Err(e) => return Err(lines.wrong(format!("no JSON at column {} ({e})", e.column()), EXPECTED)),
        };
        if !each(lines.line, object)? {
            return Ok(());
        }
    }
    Ok(())
}

fn kind(value: &Json) -> &'static str {
    match value {
        Json::Object(_) => "an object",
        Json::Array(_) => "a list",
        Json::String(_) => "a text",
        Json::Number(_) => "a number",
        Json::Bool(_) => "true or false",
        Json::Null => "null",
    }
}

impl Format for JsonLines {
    fn id(&self) -> &'static str {
        "jsonl"
    }

    fn endings(&self) -> &'static [&'static str] {
        &["jsonl", "ndjson", "json"]
    }

    /// Those of the first line.
    fn columns(&self, path: &Path) -> Result<Vec<String>, DataError> {
        let mut names = None;
        objects(path, &mut |_, fields| {
            names = Some(fields.keys().cloned().collect());
            Ok(false)
        })?;
        names.ok_or_else(|| DataError::Empty { file: path.display().to_string() })
    }

    fn read(&self, path: &Path, columns: &[&str], each: Each) -> Result<(), DataError> {
        objects(path, &mut |line, mut fields| {
            let place = Place::Line(line);
            let mut cells = Vec::with_capacity(columns.len());
            for column in columns {
                let Some(value) = fields.remove(*column) else {
                    let taken = columns.iter().take(cells.len()).map(|name| name.to_string());
                    let names: Vec<String> = taken.chain(fields.keys().cloned()).collect();
                    let found = format!("fields {}", super::tsv::shorten(&names.join(", ")));
                    return Err(place.wrong(path, column, found, format!("a field {column:?} in every line")));
                };
                cells.push(match value {
                    Json::String(text) => Value::Text(text),
                    Json::Bool(truth) => Value::Truth(truth),
                    Json::Null => Value::Null,
                    Json::Number(n) => match (n.as_i64(), n.as_f64()) {
                        (Some(n), _) => Value::Whole(n),
                        (None, Some(x)) => Value::Real(x),
                        (None, None) => Value::Text(n.to_string()),
                    },
                    Json::Array(_) | Json::Object(_) => {
                        let expected = "text, a number, true or false: nested values are not read";
                        return Err(place.wrong(path, column, kind(&value).into(), expected));
                    }
                });
            }
            each(place, cells)?;
            Ok(true)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::format;

    fn read(text: &str) -> Result<Vec<Vec<Value>>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rows.jsonl");
        std::fs::write(&path, text).expect("written");
        let mut rows = Vec::new();
        let told = format::check(&JsonLines, &path, &["a", "b"]).and_then(|()| {
            JsonLines.read(&path, &["a", "b"], &mut |_, cells| {
                rows.push(cells);
                Ok(())
            })
        });
        let folder = format!("{}/", folder.path().display());
        told.map(|()| rows).map_err(|e| e.to_string().replace(&folder, ""))
    }

    #[test]
    fn fields_are_values() {
        let rows = read(
            "\u{feff}{\"b\": 1, \"a\": \"x\\ny\"}\r\n\n{\"a\": true, \"b\": 2.5, \"c\": [1]}\n{\"a\": null, \"b\": -3}",
        )
        .expect("sound");
        assert_eq!(rows[0], [Value::Text("x\ny".into()), Value::Whole(1)]);
        assert_eq!(rows[1], [Value::Truth(true), Value::Real(2.5)]);
        assert_eq!(rows[2], [Value::Null, Value::Whole(-3)]);
    }

    #[test]
    fn faults_name_line_and_field() {
        let told = |text: &str| read(text).expect_err("a fault");
        let good = "{\"a\": 1, \"b\": 2}\n";
        assert_eq!(
            told(&format!("{good}{{\"a\": 1, \"b\": [2]}}")),
            "rows.jsonl, line 2, column \"b\": a list; expected text, a number, true or false: nested values are not read"
        );
        assert_eq!(
            told(&format!("{good}{{\"a\": 1}}")),
            "rows.jsonl, line 2, column \"b\": fields a; expected a field \"b\" in every line"
        );
        assert!(told("[{\"a\": 1}]").contains("line 1: a list; expected a JSON object a line; `jq"), "{}", told("[]"));
        assert!(told(&format!("{good}{{\"a\": 1")).contains("rows.jsonl, line 2: no JSON at column 7"));
        assert_eq!(told("{\"c\": 1}"), "rows.jsonl: columns c; expected a column named \"a\"");
        assert!(told("").contains("rows.jsonl: no rows"));
        let deep = format!("{{\"a\": {}1{}, \"b\": 1}}", "[".repeat(5_000), "]".repeat(5_000));
        assert!(told(&deep).contains("line 1: no JSON"), "a deep one does not end the program");
    }
}
