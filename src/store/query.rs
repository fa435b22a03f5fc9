//! A person's own question in SQL, on a connection that cannot change anything.

use super::{Reader, StoreError};
use rusqlite::types::ValueRef;
use serde::Serialize;

/// One value of an answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    /// Bytes of a blob in hexadecimal.
    Bytes(String),
}

/// What a question came to: the names of the columns, then rows of as many values.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Value>>,
}

impl Reader {
    /// Answers one statement that only reads.
    pub fn query(&self, sql: &str) -> Result<Answer, StoreError> {
        let refused = |what: String| StoreError::Query { what, tables: self.tables().unwrap_or_default() };
        let unreadable = |error: rusqlite::Error| {
            refused(match error {
                rusqlite::Error::SqlInputError { msg, .. } => msg,
                rusqlite::Error::MultipleStatement => "found several statements, expected one".into(),
                other => other.to_string(),
            })
        };
        let mut statement = self.connection.prepare(sql).map_err(unreadable)?;
        if statement.column_count() == 0 || !statement.readonly() {
            return Err(refused("found a statement that changes something or gives nothing, expected SELECT".into()));
        }
        let columns: Vec<String> = statement.column_names().map(str::to_string).collect();
        let count = columns.len();
        let row = |row: &rusqlite::Row| (0..count).map(|i| Ok(value(row.get_ref(i)?))).collect();
        let rows = statement.query_map([], row).and_then(Iterator::collect).map_err(unreadable)?;
        Ok(Answer { columns, rows })
    }

    /// Names of the tables and of their columns: `runs (seq, id, ...)`.
    fn tables(&self) -> Result<String, rusqlite::Error> {
        let sql = "SELECT m.name || ' (' || group_concat(c.name, ', ') || ')' FROM sqlite_schema m, pragma_table_info(m.name) c
            WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' GROUP BY m.name ORDER BY m.rowid";
        let mut statement = self.connection.prepare(sql)?;
        let names: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(names.join(", "))
    }
}

fn value(value: ValueRef) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(n) => Value::Integer(n),
        ValueRef::Real(n) => Value::Real(n),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.iter().map(|b| format!("{b:02x}")).collect()),
    }
}
