//! The tables, as numbered steps that are applied once each and never take anything away. `SCHEMA.md` describes them.

use super::failure::before_commit;
use crate::journal::JournalError;
use rusqlite::{Connection, OptionalExtension};

/// Marks the file as ours ("HANG" in ASCII), so that another programme's database is never written to.
pub(super) const APPLICATION_ID: i64 = 0x4841_4E47;

/// Step n brings a journal from version n to version n + 1.
const STEPS: [&str; 4] = [
    include_str!("schema_1.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
];

/// Brings the schema to this version in one transaction; a newer one is refused.
pub(super) fn migrate(connection: &Connection) -> Result<(), JournalError> {
    let version = version(connection)?;
    check_known(version)?;
    if version == STEPS.len() {
        return Ok(());
    }
    let sql = STEPS
        .iter()
        .skip(version)
        .fold(String::from("BEGIN IMMEDIATE;\n"), |sql, step| sql + step);
    let done = format!(
        "{sql}\nUPDATE meta SET value = '{}' WHERE name = 'schema_version';\nPRAGMA application_id = {APPLICATION_ID};\nCOMMIT;",
        STEPS.len()
    );
    connection.execute_batch(&done).map_err(|error| {
        connection.execute_batch("ROLLBACK").ok();
        before_commit(&error)
    })
}

/// Refuses a database that is not ours, or of a newer version, before anything is changed in it.
pub(super) fn check_ours(connection: &Connection) -> Result<(), JournalError> {
    check_known(version(connection)?)
}

/// Refuses a journal whose version is not exactly this one; for connections that may not migrate.
pub(super) fn check_current(connection: &Connection) -> Result<(), JournalError> {
    let version = version(connection)?;
    check_known(version)?;
    if version == STEPS.len() {
        return Ok(());
    }
    Err(JournalError::Damaged(format!(
        "schema version {version} is older than {}: open it for writing first",
        STEPS.len()
    )))
}

fn check_known(version: usize) -> Result<(), JournalError> {
    if version <= STEPS.len() {
        return Ok(());
    }
    Err(JournalError::Damaged(format!(
        "schema version {version} is newer than {}, the newest this hangu knows: use the newer hangu",
        STEPS.len()
    )))
}

/// Version of the schema; 0 for an empty file.
fn version(connection: &Connection) -> Result<usize, JournalError> {
    let tables: i64 = scalar(connection, "SELECT count(*) FROM sqlite_schema")?;
    if tables == 0 {
        return Ok(0);
    }
    if scalar(connection, "SELECT application_id FROM pragma_application_id")? != APPLICATION_ID {
        return Err(JournalError::Damaged(
            "the file is an SQLite database, but not a journal of hangu".into(),
        ));
    }
    let sql = "SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'schema_version'";
    let version = scalar(connection, sql)?;
    usize::try_from(version).map_err(|_| JournalError::Damaged(format!("schema version {version} makes no sense")))
}

fn scalar(connection: &Connection, sql: &str) -> Result<i64, JournalError> {
    let value = connection
        .query_row(sql, [], |row| row.get(0))
        .optional()
        .map_err(|error| before_commit(&error))?;
    value.ok_or_else(|| JournalError::Damaged("the journal does not say its schema version".into()))
}
