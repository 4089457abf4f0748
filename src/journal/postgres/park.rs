//! The store of refused messages. A redelivery of the same bytes from the same source parks once.

use super::failure::Stop;
use super::row::{self, Columns, parked_columns, single};
use super::session::{Session, Value, Values};
use super::work::Work;
use crate::journal::{ExchangeId, Millis, Park, Parked, Resolution, Written};

pub(super) async fn park(work: &Work<'_>, park: &Park) -> Result<Written, Stop> {
    let found = work.session.row(LOOK, &[&park.source, &&park.digest[..]]).await?;
    let row = found.ok_or(Stop::Again("nothing was found at all"))?;
    let mut columns = Columns::of(&row);
    let (known, id): (Option<i64>, i64) = (columns.take()?, columns.take()?);
    if let Some(id) = known {
        return Ok(Written::Parked { id, fresh: false });
    }
    insert(work.session, id, park).await?;
    Ok(Written::Parked { id, fresh: true })
}

pub(super) async fn resolve(work: &Work<'_>, id: i64, to: Resolution, note: Option<&str>, at: Millis) -> Result<Written, Stop> {
    let exchange: Option<ExchangeId> = match to {
        Resolution::Released(exchange) => exchange,
        Resolution::Releasing | Resolution::Discarded | Resolution::Parked => None,
    };
    let changed = work.session.change(resolution(to), &[&id, &note, &at, &exchange]).await?;
    if changed == 1 {
        return Ok(Written::Stored);
    }
    let standing = work.session.row(STATUS, &[&id]).await?;
    Ok(Written::Conflict(single(standing.as_ref())?))
}

/// Parked messages, newest first.
pub(super) async fn find(session: &Session, id: Option<i64>, status: Option<&str>, limit: u32) -> Result<Vec<Parked>, Stop> {
    let limit = i64::from(limit);
    let (sql, values): (_, &[Value<'_>]) = match (&id, &status) {
        (Some(id), status) => (BY_ID, &[&limit, id, status]),
        (None, Some("releasing")) => (RELEASING, &[&limit]),
        (None, Some("parked")) => (WAITING, &[&limit]),
        (None, Some(status)) => (BY_STATUS, &[&limit, status]),
        (None, None) => (ANY, &[&limit]),
    };
    let found = session.rows(sql, values).await?;
    found.iter().map(row::parked).collect()
}

/// What was released as an exchange, newest first.
pub(super) async fn released_as(session: &Session, exchange: ExchangeId) -> Result<Vec<Parked>, Stop> {
    let found = session.rows(RELEASED_AS, &[&i64::MAX, &exchange]).await?;
    found.iter().map(row::parked).collect()
}

const fn resolution(to: Resolution) -> &'static str {
    match to {
        Resolution::Releasing => {
            "UPDATE parked SET asked_at = $3, note = COALESCE($2, note), exchange_id = $4
             WHERE id = $1 AND status = 'parked' AND asked_at IS NULL"
        }
        Resolution::Released(_) => {
            "UPDATE parked SET status = 'released', resolved_at = $3, note = COALESCE($2, note), exchange_id = $4
             WHERE id = $1 AND status = 'parked'"
        }
        Resolution::Discarded => {
            "UPDATE parked SET status = 'discarded', resolved_at = $3, note = COALESCE($2, note), exchange_id = $4
             WHERE id = $1 AND status = 'parked' AND asked_at IS NULL"
        }
        Resolution::Parked => {
            "UPDATE parked SET asked_at = NULL, note = COALESCE($2, note), exchange_id = $4
             WHERE id = $1 AND status = 'parked' AND asked_at IS NOT NULL AND CAST($3 AS BIGINT) > 0"
        }
    }
}

async fn insert(session: &Session, id: i64, park: &Park) -> Result<(), Stop> {
    let values: Values<'_> = &[
        &id,
        &park.link,
        &park.source,
        &park.step,
        &park.code,
        &park.field,
        &park.reason,
        &park.record.key,
        &park.record.sealed,
        &&park.digest[..],
        &park.at,
    ];
    session.change(INSERT, values).await?;
    Ok(())
}

const LOOK: &str = "SELECT (SELECT id FROM parked WHERE source = $1 AND digest = $2), nextval('parked_ids')";

/// A release that was asked for is a status of its own to everybody but the table.
const STATUS: &str =
    "SELECT CASE WHEN status = 'parked' AND asked_at IS NOT NULL THEN 'releasing' ELSE status END FROM parked WHERE id = $1";

macro_rules! select_parked {
    ($tail:literal) => {
        concat!(
            "SELECT ",
            parked_columns!(),
            " FROM parked ",
            $tail,
            " ORDER BY id DESC LIMIT $1"
        )
    };
}

const BY_ID: &str = select_parked!(
    "WHERE id = $2 AND (CAST($3 AS TEXT) IS NULL
     OR $3 = CASE WHEN status = 'parked' AND asked_at IS NOT NULL THEN 'releasing' ELSE status END)"
);
const WAITING: &str = select_parked!("WHERE status = 'parked' AND asked_at IS NULL");
const RELEASING: &str = select_parked!("WHERE status = 'parked' AND asked_at IS NOT NULL");
const BY_STATUS: &str = select_parked!("WHERE status = $2");
const RELEASED_AS: &str = select_parked!("WHERE exchange_id = $2");
const ANY: &str = select_parked!("");

const INSERT: &str = "INSERT INTO parked (id, status, link, source, step, code, field, reason, key_serial, sealed, digest, at)
    VALUES ($1, 'parked', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
