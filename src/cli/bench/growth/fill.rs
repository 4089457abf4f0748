//! A journal of millions of delivered exchanges, made quickly: one exchange that went through the journal itself is copied by
//! SQL under new numbers. In chunks, and from where an interrupted run stopped.
//!
//! It knows the names of the tables and of the columns that must differ; all other columns are copied as they stand.

use crate::cli::bench::refused;
use crate::cli::output::{self, Failure};
use rusqlite::Connection;
use std::path::Path;
use tokio::time::Instant;

/// How far a journal is to be filled.
pub(super) struct Fill {
    pub(super) exchanges: u64,
    /// The newest exchanges have their messages too, as far as these go.
    pub(super) bodies: u64,
}

/// The number in every text of the exchange that is copied, which its copies replace by their own.
pub(super) const PATTERN: &str = "900000000000";

/// The number of a copy, as its keys carry it.
pub(super) fn number(n: u64) -> String {
    format!("{n:012}")
}

/// Copies exchange 1 until there are as many as wanted. The journal must not be open.
pub(super) fn fill(file: &Path, wanted: &Fill) -> Result<(), Failure> {
    let connection = Connection::open(file).map_err(|error| failed(&error))?;
    // What a crash loses here is filled again: durability begins when the journal opens the file.
    run(
        &connection,
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; PRAGMA cache_size = -1000000; PRAGMA temp_store = FILE;",
    )?;
    let indexes = set_aside(&connection, wanted)?;
    let started = Instant::now();
    let mut next = one(&connection, "SELECT max(id) + 1 FROM exchange")?;
    let first = next;
    while next <= wanted.exchanges {
        let last = (next + CHUNK - 1).min(wanted.exchanges);
        chunk(&connection, wanted, next, last)?;
        next = last + 1;
        let rate = (next - first) as f64 / started.elapsed().as_secs_f64().max(0.001);
        output::complain(&format!("  {last} of {} exchanges, {rate:.0} a second", wanted.exchanges));
    }
    restore(&connection, &indexes)
}

/// Sorting an index at the end is faster than keeping it sorted. The list stays in the file until all are back, so that an
/// interrupted fill finds it.
fn set_aside(connection: &Connection, wanted: &Fill) -> Result<Vec<(String, String)>, Failure> {
    let missing = wanted
        .exchanges
        .saturating_sub(one(connection, "SELECT max(id) FROM exchange")?);
    run(
        connection,
        &format!("CREATE TABLE IF NOT EXISTS {ASIDE} (name TEXT PRIMARY KEY, sql TEXT NOT NULL)"),
    )?;
    if missing > CHUNK {
        run(
            connection,
            &format!(
                "INSERT OR IGNORE INTO {ASIDE} SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql LIKE 'CREATE INDEX%'"
            ),
        )?;
    }
    let mut listed = connection
        .prepare(&format!("SELECT name, sql FROM {ASIDE}"))
        .map_err(|error| failed(&error))?;
    let rows = listed
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(|error| failed(&error))?;
    let rows: Vec<(String, String)> = rows.collect::<Result<_, _>>().map_err(|error| failed(&error))?;
    for (name, _) in &rows {
        run(connection, &format!("DROP INDEX IF EXISTS {name}"))?;
    }
    Ok(rows)
}

fn restore(connection: &Connection, indexes: &[(String, String)]) -> Result<(), Failure> {
    for (name, sql) in indexes {
        output::complain(&format!("  index {name}"));
        run(connection, &format!("DROP INDEX IF EXISTS {name}; {sql}"))?;
    }
    run(connection, &format!("DROP TABLE {ASIDE}; ANALYZE;"))
}

fn chunk(connection: &Connection, wanted: &Fill, from: u64, to: u64) -> Result<(), Failure> {
    run(connection, "BEGIN")?;
    for table in TABLES {
        copy(connection, table, wanted, from, to)?;
    }
    let bodies_from = from.max(wanted.exchanges.saturating_sub(wanted.bodies) + 1);
    if bodies_from <= to {
        copy(connection, "message", wanted, bodies_from, to)?;
    }
    run(connection, "COMMIT")
}

fn copy(connection: &Connection, table: &str, wanted: &Fill, from: u64, to: u64) -> Result<(), Failure> {
    let mut columns = Vec::new();
    let mut values = Vec::new();
    let mut found = connection
        .prepare(&format!("PRAGMA table_info({table})"))
        .map_err(|error| failed(&error))?;
    let described = found.query_map([], |row| Ok((row.get::<_, String>("name")?, row.get::<_, String>("type")?)));
    for row in described.map_err(|error| failed(&error))? {
        let (name, kind) = row.map_err(|error| failed(&error))?;
        if let Some(value) = value(table, &name, &kind, wanted) {
            columns.push(name);
            values.push(value);
        }
    }
    let key = if table == "exchange" { "id" } else { "exchange_id" };
    let (columns, values) = (columns.join(", "), values.join(", "));
    run(
        connection,
        &format!(
            "WITH RECURSIVE series (n) AS (VALUES ({from}) UNION ALL SELECT n + 1 FROM series WHERE n < {to})
             INSERT INTO {table} ({columns}) SELECT {values} FROM series, {table} t WHERE t.{key} = 1"
        ),
    )
}

/// What stands in a column of the copy with the number `n`. Days pass as numbers grow; accounts are everybody's.
fn value(table: &str, column: &str, kind: &str, wanted: &Fill) -> Option<String> {
    let day = format!("(n * {DAYS} / {})", wanted.exchanges.max(1));
    Some(match (table, column) {
        ("message", "id") => return None,
        (_, "id" | "exchange_id") | ("effect", "seq") => "n".to_owned(),
        (_, "account_digest") => "randomblob(32)".to_owned(),
        (_, "settlement_date" | "date") => format!("date(t.{column}, '-{DAYS} days', '+' || {day} || ' days')"),
        (_, "accepted_at" | "sent_at" | "attempted_at" | "answered_at" | "delivered_at" | "at") => {
            format!("t.{column} - ({DAYS} - {day}) * 86400000")
        }
        _ if kind == "TEXT" => format!("replace(t.{column}, '{PATTERN}', printf('%012d', n))"),
        _ => format!("t.{column}"),
    })
}

fn one(connection: &Connection, sql: &str) -> Result<u64, Failure> {
    let number: i64 = connection
        .query_row(sql, [], |row| row.get(0))
        .map_err(|error| failed(&error))?;
    Ok(u64::try_from(number).unwrap_or(0))
}

fn run(connection: &Connection, sql: &str) -> Result<(), Failure> {
    connection.execute_batch(sql).map_err(|error| failed(&error))
}

fn failed(error: &rusqlite::Error) -> Failure {
    refused("filler")(error)
}

/// Tables of which each exchange has a row.
const TABLES: [&str; 5] = ["exchange", "request", "sent", "original", "effect"];
const ASIDE: &str = "bench_indexes";
const CHUNK: u64 = 100_000;
/// As long as keys are kept by default.
const DAYS: u64 = 30;
