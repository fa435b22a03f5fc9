//! A person's own question in SQL, on a connection of its own that can change nothing, leave the file or go on for ever.

use super::views::VIEWS;
use super::{DATABASE, StoreError, schema};
use crate::sqlite::Untouched;
use rusqlite::ErrorCode;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Steps of SQLite's machine between two looks at the clock.
const STEPS: i32 = 10_000;
/// Longest text or blob in bytes, of a value on the way too.
const LARGEST: i32 = 64 << 20;
/// Pragmas that only tell something.
const TELLING: [&str; 3] = ["table_info", "table_xinfo", "table_list"];

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

/// Answers one statement that only reads over the store in `dir`, which is left as it is: gives `each` the names of the columns
/// and a row as it is found, and at the end the names. `limit` bounds the time of the search, without the time that `each` takes.
pub fn ask<E: From<StoreError>>(
    dir: &Path,
    sql: &str,
    limit: Duration,
    mut each: impl FnMut(&[String], Vec<Value>) -> Result<(), E>,
) -> Result<Vec<String>, E> {
    let refused = |error: rusqlite::Error| {
        let what = match (error.sqlite_error_code(), &error) {
            (Some(ErrorCode::AuthorizationForStatementDenied), _) => {
                "found a statement that does more than read, expected SELECT".into()
            }
            (Some(ErrorCode::OperationInterrupted), _) => {
                format!("no answer within {} s; ask for less, or for longer with --seconds", limit.as_secs())
            }
            (_, rusqlite::Error::SqlInputError { msg, .. }) => msg.clone(),
            (_, rusqlite::Error::MultipleStatement) => "found several statements, expected one".into(),
            _ => error.to_string(),
        };
        StoreError::query(what)
    };
    let path = dir.join(DATABASE);
    let (store, elsewhere) = guarded(&path, limit)?;
    let mut statement = store.prepare(sql).map_err(refused)?;
    if statement.column_count() == 0 || !statement.readonly() {
        return Err(StoreError::query("found a statement that gives nothing, expected SELECT".into()).into());
    }
    let columns: Vec<String> = statement.column_names().map(str::to_string).collect();
    let mut rows = statement.query([]).map_err(refused)?;
    while let Some(row) = rows.next().map_err(refused)? {
        let values = (0..columns.len()).map(|i| Ok(value(row.get_ref(i)?))).collect::<Result<_, _>>();
        let start = Instant::now();
        each(&columns, values.map_err(refused)?)?;
        elsewhere.fetch_add(start.elapsed().as_micros() as u64, Ordering::Relaxed);
    }
    if store.held() { Ok(columns) } else { Err(StoreError::Changed { path }.into()) }
}

/// A connection on which the views have their short names, and the microseconds that its time limit leaves out.
fn guarded(path: &Path, limit: Duration) -> Result<(Untouched, Arc<AtomicU64>), StoreError> {
    if !path.is_file() {
        return Err(StoreError::Missing { path: path.into() });
    }
    let mut connection = Untouched::open(path)?;
    schema::expect_newest(path, &connection)?;
    for view in VIEWS {
        connection.execute_batch(&format!("CREATE TEMP VIEW {0} AS SELECT * FROM main.view_{0}", view.name))?;
    }
    connection.pragma_update(None, "query_only", true)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LARGEST)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    let (start, elsewhere) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let left_out = elsewhere.clone();
    let late = move || start.elapsed() > limit + Duration::from_micros(left_out.load(Ordering::Relaxed));
    connection.progress_handler(STEPS, Some(late))?;
    connection.authorizer(Some(authorised))?;
    Ok((connection, elsewhere))
}

impl StoreError {
    /// A question that cannot be answered.
    pub fn query(what: String) -> Self {
        Self::Query { what, views: VIEWS.iter().map(|view| view.name).collect::<Vec<_>>().join(", ") }
    }
}

fn authorised(asked: AuthContext) -> Authorization {
    match asked.action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => Authorization::Allow,
        AuthAction::Function { function_name } if function_name != "load_extension" => Authorization::Allow,
        AuthAction::Pragma { pragma_name, .. } if TELLING.contains(&pragma_name) => Authorization::Allow,
        _ => Authorization::Deny,
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
