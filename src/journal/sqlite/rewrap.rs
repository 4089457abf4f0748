//! Sealed bytes in the place of others that hold the same, each by compare-and-set.

use super::row;
use crate::journal::rewrap::{Place, Placed, Rewrapped};
use crate::journal::sqlite::row::{message_columns, parked_columns};
use crate::journal::{Parked, Written};
use rusqlite::{Connection, Params, Result, Row, params};

pub(super) fn rewrap(connection: &Connection, all: &[Rewrapped]) -> Result<Written> {
    for one in all {
        let (from, to) = (&one.from, &one.to);
        match one.place {
            Place::Message { exchange, seq } => {
                connection
                    .prepare_cached(MESSAGE)?
                    .execute(params![to.key, to.sealed, from.key, from.sealed, exchange, seq])?
            }
            Place::Parked(id) => {
                connection
                    .prepare_cached(PARKED)?
                    .execute(params![to.key, to.sealed, from.key, from.sealed, id])?
            }
        };
    }
    Ok(Written::Stored)
}

/// Messages that stand under another key, in their order.
pub(super) fn other_key(connection: &Connection, values: impl Params) -> Result<Vec<Placed>> {
    let placed = |row: &Row<'_>| {
        Ok(Placed {
            message: row::message(row)?,
            exchange: row.get("exchange_id")?,
            seq: row.get("seq")?,
        })
    };
    connection.prepare_cached(OTHER_KEY)?.query_map(values, placed)?.collect()
}

/// Parked messages with a larger id, by id.
pub(super) fn parked_after(connection: &Connection, after: i64, limit: u32) -> Result<Vec<Parked>> {
    let mut statement = connection.prepare_cached(PARKED_AFTER)?;
    statement.query_map(params![after, limit], row::parked)?.collect()
}

const OTHER_KEY: &str = concat!(
    "SELECT ",
    message_columns!(),
    ", exchange_id, seq FROM message WHERE (exchange_id, seq) > (?2, ?3) AND exchange_id <= ?4 AND key_serial <> ?1 \
     ORDER BY exchange_id, seq LIMIT ?5"
);
const MESSAGE: &str = "UPDATE message SET key_serial = ?1, sealed = ?2
    WHERE exchange_id = ?5 AND seq = ?6 AND key_serial = ?3 AND sealed = ?4";
const PARKED: &str = "UPDATE parked SET key_serial = ?1, sealed = ?2 WHERE id = ?5 AND key_serial = ?3 AND sealed = ?4";
const PARKED_AFTER: &str = concat!(
    "SELECT ",
    parked_columns!(),
    " FROM parked WHERE id > ?1 ORDER BY id LIMIT ?2"
);
