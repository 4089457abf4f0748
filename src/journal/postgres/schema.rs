//! The tables, as numbered steps that are applied once each and never take anything away. `SCHEMA.md` describes them.

use super::connect::quoted;
use super::failure::describe;
use super::session::Session;
use crate::journal::JournalError;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// Each step with the version that it brings. Versions are shared with the embedded journal, whose other steps are
/// about its own storage.
const STEPS: [(usize, &str); 2] = [(2, include_str!("schema_2.sql")), (5, include_str!("schema_5.sql"))];

/// Brings the schema to this version in one transaction, under a lock that lets one instance at a time do it.
pub(super) async fn migrate(session: &Session, schema: &str) -> Result<(), JournalError> {
    let found = version(session, schema).await?;
    check_known(found)?;
    if found == newest() {
        return Ok(());
    }
    prepare(session, schema).await?;
    let done = async {
        session.batch(START).await?;
        // Another instance may have been faster.
        let found = stored(session).await?;
        for (number, step) in STEPS.iter().filter(|(number, _)| *number > found) {
            session.batch(step).await?;
            session
                .batch(&format!("UPDATE meta SET value = '{number}' WHERE name = 'schema_version'"))
                .await?;
        }
        session.batch("COMMIT").await
    };
    if let Err(error) = done.await {
        session.batch("ROLLBACK").await.ok();
        return Err(of_step(&error, schema));
    }
    check_current(session, schema).await
}

/// Refuses a journal whose version is not exactly this one.
pub(super) async fn check_current(session: &Session, schema: &str) -> Result<(), JournalError> {
    let found = version(session, schema).await?;
    check_known(found)?;
    match found {
        0 => Err(JournalError::Refused(
            "there is no journal yet: the gateway makes it at its first start".into(),
        )),
        found if found == newest() => Ok(()),
        found => Err(JournalError::Damaged(format!(
            "schema version {found} is older than {}: start a gateway of this version first",
            newest()
        ))),
    }
}

pub(super) fn check_known(found: usize) -> Result<(), JournalError> {
    if found <= newest() {
        return Ok(());
    }
    Err(JournalError::Damaged(format!(
        "schema version {found} is newer than {}, the newest this hangu knows: use the newer hangu",
        newest()
    )))
}

/// Version of the tables; 0 where there are none.
pub(super) async fn version(session: &Session, schema: &str) -> Result<usize, JournalError> {
    let tables = session.ask(TABLES, &[&schema]).await.map_err(|error| said(&error))?;
    let names: Vec<String> = tables.iter().map(|row| row.try_get(0).unwrap_or_default()).collect();
    if names.iter().any(|name| name == "meta") {
        let found = stored(session).await.map_err(|error| said(&error))?;
        if found > 0 || names.len() == 1 {
            return Ok(found);
        }
    }
    if names.is_empty() {
        return Ok(0);
    }
    let detail = format!("schema {schema} holds another programme's tables: give the journal a schema of its own");
    Err(JournalError::Damaged(detail))
}

/// The schema, and the one table that a lock can be taken on. Two instances may do this at once: what one has made is enough.
async fn prepare(session: &Session, schema: &str) -> Result<(), JournalError> {
    let known = session.ask(SCHEMA, &[&schema]).await.map_err(|error| said(&error))?;
    if known.is_empty() {
        let made = session.batch(&format!("CREATE SCHEMA {}", quoted(schema))).await;
        made.or_else(unless_made).map_err(|error| of_step(&error, schema))?;
    }
    for sql in [META, VERSION_ROW] {
        session
            .batch(sql)
            .await
            .or_else(unless_made)
            .map_err(|error| of_step(&error, schema))?;
    }
    Ok(())
}

/// What another instance made a moment ago shows as one of these.
fn unless_made(error: Error) -> Result<(), Error> {
    let made = [
        SqlState::UNIQUE_VIOLATION,
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_OBJECT,
        SqlState::DUPLICATE_SCHEMA,
    ];
    match error.code() {
        Some(code) if made.contains(code) => Ok(()),
        Some(_) | None => Err(error),
    }
}

async fn stored(session: &Session) -> Result<usize, Error> {
    let rows = session
        .ask("SELECT value FROM meta WHERE name = 'schema_version'", &[])
        .await?;
    let value = rows.first().map(|row| row.try_get::<_, String>(0)).transpose()?;
    Ok(value.and_then(|value| value.parse().ok()).unwrap_or(0))
}

fn newest() -> usize {
    STEPS.last().map_or(0, |(number, _)| *number)
}

fn said(error: &Error) -> JournalError {
    JournalError::Refused(describe(error))
}

fn of_step(error: &Error, schema: &str) -> JournalError {
    let detail = describe(error);
    if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
        return JournalError::Refused(format!("{detail}: let the user create tables in schema {schema}"));
    }
    JournalError::Refused(format!("the tables could not be made: {detail}"))
}

/// Others that start at the same time wait for the one that makes the tables. An index over a long journal takes its time; a
/// table that somebody holds does not.
const START: &str = "START TRANSACTION; SET LOCAL lock_timeout = 20000; SET LOCAL statement_timeout = 3600000;
    LOCK TABLE meta IN EXCLUSIVE MODE";

const TABLES: &str = "SELECT CAST(tablename AS TEXT) FROM pg_catalog.pg_tables WHERE schemaname = $1
    AND tablename IN ('meta', 'exchange', 'message', 'request', 'original', 'parked', 'effect', 'open_exchange')";

const SCHEMA: &str = "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1";

const META: &str = "CREATE TABLE IF NOT EXISTS meta (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)";

const VERSION_ROW: &str = "INSERT INTO meta (name, value) SELECT 'schema_version', '0'
    WHERE NOT EXISTS (SELECT 1 FROM meta WHERE name = 'schema_version')";
