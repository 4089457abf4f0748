//! The store of refused messages. A redelivery of the same bytes from the same source parks once.

use super::failure::Stop;
use super::row::{self, parked_columns};
use crate::journal::{ExchangeId, Millis, Park, Parked, Resolution, Written};
use rusqlite::{Connection, OptionalExtension, params};

pub(super) fn park(connection: &Connection, park: &Park) -> Result<Written, Stop> {
    let known = connection
        .prepare_cached("SELECT id FROM parked WHERE source = ?1 AND digest = ?2")?
        .query_row(params![park.source, park.digest], |row| row.get(0))
        .optional()?;
    match known {
        Some(id) => Ok(Written::Parked { id, fresh: false }),
        None => Ok(Written::Parked {
            id: insert(connection, park)?,
            fresh: true,
        }),
    }
}

pub(super) fn resolve(connection: &Connection, id: i64, to: Resolution, note: Option<&str>, at: Millis) -> Result<Written, Stop> {
    let exchange = match to {
        Resolution::Released(exchange) => exchange,
        Resolution::Releasing | Resolution::Discarded | Resolution::Parked => None,
    };
    let changed = connection
        .prepare_cached(resolution(to))?
        .execute(params![id, note, at, exchange])?;
    if changed == 1 {
        return Ok(Written::Stored);
    }
    let standing = connection
        .prepare_cached(STATUS)?
        .query_row([id], |row| row.get(0))
        .optional()?;
    Ok(Written::Conflict(standing))
}

const fn resolution(to: Resolution) -> &'static str {
    match to {
        Resolution::Releasing => {
            "UPDATE parked SET asked_at = ?3, note = COALESCE(?2, note), exchange_id = ?4
             WHERE id = ?1 AND status = 'parked' AND asked_at IS NULL"
        }
        Resolution::Released(_) => {
            "UPDATE parked SET status = 'released', resolved_at = ?3, note = COALESCE(?2, note), exchange_id = ?4
             WHERE id = ?1 AND status = 'parked'"
        }
        Resolution::Discarded => {
            "UPDATE parked SET status = 'discarded', resolved_at = ?3, note = COALESCE(?2, note), exchange_id = ?4
             WHERE id = ?1 AND status = 'parked' AND asked_at IS NULL"
        }
        Resolution::Parked => {
            "UPDATE parked SET asked_at = NULL, note = COALESCE(?2, note), exchange_id = ?4
             WHERE id = ?1 AND status = 'parked' AND asked_at IS NOT NULL AND ?3 > 0"
        }
    }
}

/// A release that was asked for is a status of its own to everybody but the table.
const STATUS: &str =
    "SELECT CASE WHEN status = 'parked' AND asked_at IS NOT NULL THEN 'releasing' ELSE status END FROM parked WHERE id = ?1";

/// Parked messages, newest first.
pub(super) fn find(connection: &Connection, id: Option<i64>, status: Option<&str>, limit: u32) -> rusqlite::Result<Vec<Parked>> {
    let (sql, key): (_, &dyn rusqlite::ToSql) = match (id.as_ref(), status.as_ref()) {
        (Some(id), _) => (BY_ID, id),
        (None, Some(&"releasing")) => (RELEASING, &rusqlite::types::Null),
        (None, Some(&"parked")) => (WAITING, &rusqlite::types::Null),
        (None, Some(status)) => (BY_STATUS, status),
        (None, None) => (ANY, &rusqlite::types::Null),
    };
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_map(params![key, limit, status], row::parked)?.collect()
}

/// What was released as an exchange, newest first.
pub(super) fn released_as(connection: &Connection, exchange: ExchangeId) -> rusqlite::Result<Vec<Parked>> {
    let mut statement = connection.prepare_cached(RELEASED_AS)?;
    statement.query_map(params![exchange, i64::MAX], row::parked)?.collect()
}

macro_rules! select_parked {
    ($tail:literal) => {
        concat!(
            "SELECT ",
            parked_columns!(),
            " FROM parked WHERE ",
            $tail,
            " ORDER BY id DESC LIMIT ?2"
        )
    };
}

pub(super) const BY_ID: &str = select_parked!(
    "id = ?1 AND (?3 IS NULL OR ?3 = CASE WHEN status = 'parked' AND asked_at IS NOT NULL THEN 'releasing' ELSE status END)"
);
pub(super) const WAITING: &str = select_parked!("status = 'parked' AND asked_at IS NULL AND ?1 IS NULL AND ?3 IS ?3");
pub(super) const RELEASING: &str = select_parked!("status = 'parked' AND asked_at IS NOT NULL AND ?1 IS NULL AND ?3 IS ?3");
pub(super) const BY_STATUS: &str = select_parked!("status = ?1 AND status = ?3");
pub(super) const RELEASED_AS: &str = select_parked!("exchange_id = ?1");
pub(super) const ANY: &str = select_parked!("?1 IS NULL AND ?3 IS NULL");

fn insert(connection: &Connection, park: &Park) -> Result<i64, Stop> {
    connection
        .prepare_cached(
            "INSERT INTO parked (status, link, source, step, code, field, reason, key_serial, sealed, digest, at)
             VALUES ('parked', ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            park.link,
            park.source,
            park.step,
            park.code,
            park.field,
            park.reason,
            park.record.key,
            park.record.sealed,
            park.digest,
            park.at
        ])?;
    Ok(connection.last_insert_rowid())
}
