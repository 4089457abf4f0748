//! Deletion of what is delivered and older than the window in which a repeat can come.

use super::effect;
use super::failure::Stop;
use super::row::Columns;
use super::session::Step;
use super::work::Work;
use crate::journal::{ExchangeId, Millis};

/// Deletes at most `limit` exchanges, oldest first, with everything that hangs on them; gives how many.
///
/// The row of `original` goes with its exchange, or with its cancel when a tombstone is all it was.
pub(super) async fn prune(work: &Work<'_>, before: Millis, limit: u32) -> Result<u64, Stop> {
    let old = work.session.rows(OLD, &[&before, &i64::from(limit)]).await?;
    let ids: Vec<ExchangeId> = old.iter().map(|row| Columns::of(row).take()).collect::<Result<_, _>>()?;
    if ids.is_empty() {
        return Ok(0);
    }
    effect::prune(work.session, &ids).await?;
    let values: [super::session::Value<'_>; 1] = [&ids];
    let steps: Vec<Step<'_>> = DELETIONS.iter().map(|sql| (*sql, &values[..])).collect();
    let deleted = work.session.run(&steps).await?;
    Ok(deleted.last().copied().unwrap_or_default())
}

/// The lock lets two instances that prune at once delete one after the other.
const OLD: &str = "SELECT id FROM exchange WHERE state = 'delivered' AND accepted_at < $1 AND delivered_at < $1
    ORDER BY accepted_at, id LIMIT $2 FOR UPDATE";

const DELETIONS: [&str; 8] = [
    "DELETE FROM open_exchange WHERE exchange_id = ANY($1)",
    "DELETE FROM sent WHERE exchange_id = ANY($1)",
    "DELETE FROM request WHERE exchange_id = ANY($1)",
    "DELETE FROM message WHERE exchange_id = ANY($1)",
    "DELETE FROM original WHERE exchange_id = ANY($1)",
    "DELETE FROM original WHERE cancel_id = ANY($1) AND exchange_id IS NULL",
    "UPDATE original SET cancel_id = NULL WHERE cancel_id = ANY($1)",
    "DELETE FROM exchange WHERE id = ANY($1)",
];
