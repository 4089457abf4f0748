//! Deletion of what is delivered and older than the window in which a repeat can come.

#[cfg(test)]
mod tests;

use super::effect;
use super::failure::Stop;
use crate::journal::{ExchangeId, Millis};
use rusqlite::Connection;

/// Deletes at most `limit` exchanges, oldest first, with everything that hangs on them; gives how many.
///
/// The row of `original` goes with its exchange, or with its cancel when a tombstone is all it was.
pub(super) fn prune(connection: &Connection, before: Millis, limit: u32) -> Result<u64, Stop> {
    let old: Vec<ExchangeId> = connection
        .prepare_cached(OLD)?
        .query_map((before, limit), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for id in &old {
        for sql in DELETIONS {
            connection.prepare_cached(sql)?.execute([id])?;
        }
        effect::prune(connection, *id)?;
    }
    Ok(u64::try_from(old.len()).unwrap_or(u64::MAX))
}

pub(super) const OLD: &str =
    "SELECT id FROM exchange WHERE state = 'delivered' AND accepted_at < ?1 AND delivered_at < ?1 ORDER BY accepted_at LIMIT ?2";

/// What stands under a name of the exchange itself is found by it, so the exchange goes last.
pub(super) const DELETIONS: [&str; 10] = [
    "DELETE FROM sent WHERE out_key = (SELECT out_key FROM exchange WHERE id = ?1) AND exchange_id = ?1",
    "DELETE FROM sent WHERE exchange_id = ?1 AND further = 1",
    "DELETE FROM request WHERE communication_key = (SELECT communication_key FROM exchange WHERE id = ?1) AND exchange_id = ?1",
    "DELETE FROM request WHERE exchange_id = ?1 AND further = 1",
    "DELETE FROM message WHERE exchange_id = ?1",
    "DELETE FROM original WHERE (initiator, msg_id, msg_code) = (SELECT initiator, msg_id, msg_code FROM exchange WHERE id = ?1)
     AND exchange_id = ?1",
    "DELETE FROM original WHERE exchange_id = ?1 AND further = 1",
    "DELETE FROM original WHERE cancel_id = ?1 AND exchange_id IS NULL",
    "UPDATE original SET cancel_id = NULL WHERE cancel_id = ?1",
    "DELETE FROM exchange WHERE id = ?1",
];
