//! Serial numbers, reserved in blocks, and settings.

use super::failure::Stop;
use crate::journal::{Millis, Written};
use rusqlite::{Connection, OptionalExtension, params};

/// Reserves a block. The row only ever grows and is durable before the block is given out: a crash leaves a gap, never a
/// number twice.
pub(super) fn reserve(connection: &Connection, instance: &str, date: &str, kind: &str, count: u32) -> Result<Written, Stop> {
    if count == 0 {
        return Stop::refused("a block of serial numbers is not empty");
    }
    let first = connection
        .prepare_cached("SELECT next_serial FROM serial_block WHERE instance = ?1 AND date = ?2 AND kind = ?3")?
        .query_row(params![instance, date, kind], |row| row.get::<_, i64>(0))
        .optional()?;
    let Some(next) = first.unwrap_or(1).checked_add(i64::from(count)) else {
        return Stop::refused("the serial numbers are used up");
    };
    let sql = match first {
        Some(_) => "UPDATE serial_block SET next_serial = ?4 WHERE instance = ?1 AND date = ?2 AND kind = ?3",
        None => "INSERT INTO serial_block (instance, date, kind, next_serial) VALUES (?1, ?2, ?3, ?4)",
    };
    connection.prepare_cached(sql)?.execute(params![instance, date, kind, next])?;
    Ok(Written::Reserved(first.unwrap_or(1).unsigned_abs()))
}

pub(super) fn set(connection: &Connection, name: &str, expect: Option<&str>, value: &str, at: Millis) -> Result<Written, Stop> {
    let standing = setting(connection, name)?;
    if standing.as_deref() != expect {
        return Ok(Written::Conflict(standing));
    }
    let sql = match expect {
        Some(_) => "UPDATE setting SET value = ?2, at = ?3 WHERE name = ?1 AND value = ?4",
        None => "INSERT INTO setting (name, value, at) SELECT ?1, ?2, ?3 WHERE ?4 IS NULL",
    };
    match connection.prepare_cached(sql)?.execute(params![name, value, at, expect])? {
        1 => Ok(Written::Stored),
        _ => Ok(Written::Conflict(setting(connection, name)?)),
    }
}

pub(super) fn setting(connection: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached("SELECT value FROM setting WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
}

pub(super) fn settings(connection: &Connection, prefix: &str) -> rusqlite::Result<Vec<(String, String)>> {
    connection
        .prepare_cached("SELECT name, value FROM setting WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name")?
        .query_map([prefix], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}
