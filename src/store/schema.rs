//! Opening and migrating the database. Migrations are only ever appended.

use super::StoreError;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::path::Path;
use std::time::{Duration, Instant};

/// Step n brings user_version from n to n + 1.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
    include_str!("migrations/0004.sql"),
    include_str!("migrations/0005.sql"),
    include_str!("migrations/0006.sql"),
    include_str!("migrations/0007.sql"),
    include_str!("migrations/0008.sql"),
];
/// How long a lock of another program is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pages in a part of what is given back to the disk.
const GIVEN_BACK: i64 = 1_024;
/// Pause before something refused is tried again.
const RETRY: Duration = Duration::from_millis(5);

/// Opens for writing and brings the schema up to date.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    if path.exists() {
        // A newer file must be left as it is: not even a change of journal.
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(PATIENCE)?;
        refuse_newer(path, user_version(&connection)?)?;
    }
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE)?;
    // Holds for a database that is made now: what is deleted is given back to the disk, see [`give_back`].
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    to_wal(&connection)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    let found = user_version(&transaction)?;
    refuse_newer(path, found)?;
    for step in MIGRATIONS.iter().skip(found as usize) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
    transaction.commit()?;
    Ok(connection)
}

/// Switches to the write-ahead log. SQLite's own patience does not hold for this change: where two programs make the
/// database at once, one is refused without waiting.
fn to_wal(connection: &Connection) -> Result<(), StoreError> {
    let start = Instant::now();
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && start.elapsed() < PATIENCE => {
                std::thread::sleep(RETRY);
            }
            switched => return Ok(switched?),
        }
    }
}

/// Opens for reading; the database must exist.
pub(super) fn open_read_only(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

fn user_version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

fn refuse_newer(path: &Path, found: i64) -> Result<(), StoreError> {
    let known = MIGRATIONS.len() as i64;
    if found > known { Err(StoreError::Newer { path: path.into(), found, known }) } else { Ok(()) }
}

/// What is only read must have the schema of now: nothing brings it up to date.
pub(super) fn expect_newest(path: &Path, connection: &Connection) -> Result<(), StoreError> {
    let (found, known) = (user_version(connection)?, MIGRATIONS.len() as i64);
    refuse_newer(path, found)?;
    if found < known { Err(StoreError::Older { path: path.into(), found, known }) } else { Ok(()) }
}

/// Gives the pages of deleted records back to the disk, a part at a time: between two parts others may write.
pub(super) fn give_back(connection: &Connection) -> Result<(), StoreError> {
    let free = || -> rusqlite::Result<i64> { connection.pragma_query_value(None, "freelist_count", |r| r.get(0)) };
    let mut left = free()?;
    while left > 0 {
        connection.execute_batch(&format!("PRAGMA incremental_vacuum({GIVEN_BACK})"))?;
        let now = free()?;
        // A database of before this was asked for keeps its pages for later records.
        if now >= left {
            break;
        }
        left = now;
    }
    Ok(())
}

/// Number of the last commit.
pub(super) fn version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.query_row("SELECT version FROM clock", [], |row| row.get(0))?)
}

/// Number of the commit being made: one above the last.
pub(super) fn next_version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.query_row("UPDATE clock SET version = version + 1 RETURNING version", [], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One view that an older SQLite cannot read makes it refuse the whole file.
    #[test]
    fn views_are_in_the_sql_of_every_sqlite_that_can_read_the_tables() {
        let c = Connection::open_in_memory().expect("a database");
        MIGRATIONS.iter().for_each(|step| c.execute_batch(step).expect("a migration"));
        let mut query = c.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'view'").expect("a query");
        let views = query.query_map([], |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?))).expect("views");
        let views: Vec<_> = views.map(|v| v.expect("a view")).collect();
        assert!(views.len() > 6);
        for (name, sql) in views {
            assert!(!sql.contains("->"), "{name}: -> needs 3.38");
            for call in sql.split("group_concat(").skip(1) {
                let (arguments, _) = call.split_once(')').expect("its end");
                assert!(!arguments.contains("ORDER BY"), "{name}: an order within group_concat needs 3.44");
            }
            assert!(!sql.contains("RIGHT JOIN") && !sql.contains("FULL JOIN"), "{name}: needs 3.39");
        }
    }
}
