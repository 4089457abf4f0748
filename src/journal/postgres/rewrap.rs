//! Sealed bytes in the place of others that hold the same, each by compare-and-set.

use super::failure::Stop;
use super::row::{self, parked_columns};
use super::session::{Session, Values};
use super::work::Work;
use crate::journal::rewrap::{Place, Rewrapped};
use crate::journal::{Parked, Written};

pub(super) async fn rewrap(work: &Work<'_>, all: &[Rewrapped]) -> Result<Written, Stop> {
    for one in all {
        let (from, to) = (&one.from, &one.to);
        match &one.place {
            Place::Message { exchange, seq } => {
                let values: Values<'_> = &[&to.key, &to.sealed, &from.key, &from.sealed, exchange, seq];
                work.session.change(MESSAGE, values).await?;
            }
            Place::Parked(id) => {
                let values: Values<'_> = &[&to.key, &to.sealed, &from.key, &from.sealed, id];
                work.session.change(PARKED, values).await?;
            }
        }
    }
    Ok(Written::Stored)
}

/// Parked messages with a larger id, by id.
pub(super) async fn parked_after(session: &Session, after: i64, limit: u32) -> Result<Vec<Parked>, Stop> {
    let found = session.rows(PARKED_AFTER, &[&after, &i64::from(limit)]).await?;
    found.iter().map(row::parked).collect()
}

const MESSAGE: &str = "UPDATE message SET key_serial = $1, sealed = $2
    WHERE exchange_id = $5 AND seq = $6 AND key_serial = $3 AND sealed = $4";
const PARKED: &str = "UPDATE parked SET key_serial = $1, sealed = $2 WHERE id = $5 AND key_serial = $3 AND sealed = $4";
const PARKED_AFTER: &str = concat!(
    "SELECT ",
    parked_columns!(),
    " FROM parked WHERE id > $1 ORDER BY id LIMIT $2"
);
