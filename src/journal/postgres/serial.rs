//! Serial numbers, reserved in blocks, and settings.

use super::failure::Stop;
use super::row::single;
use super::session::Session;
use super::work::Work;
use crate::journal::{Millis, Written};

/// Reserves a block. The row only ever grows and is durable before the block is given out: a crash leaves a gap, never a
/// number twice.
pub(super) async fn reserve(work: &Work<'_>, instance: &str, date: &str, kind: &str, count: u32) -> Result<Written, Stop> {
    if count == 0 {
        return Stop::refused("a block of serial numbers is not empty");
    }
    let count = i64::from(count);
    let grown = work.session.row(GROW, &[&instance, &date, &kind, &count]).await?;
    if let Some(first) = single::<i64>(grown.as_ref())? {
        return Ok(Written::Reserved(first.unsigned_abs()));
    }
    // Another writer that begins the row at the same time makes this one start again, and then grow it.
    let next = count + 1;
    work.session.change(BEGIN, &[&instance, &date, &kind, &next]).await?;
    Ok(Written::Reserved(1))
}

pub(super) async fn set(work: &Work<'_>, name: &str, expect: Option<&str>, value: &str, at: Millis) -> Result<Written, Stop> {
    let standing = setting(work.session, name).await?;
    if standing.as_deref() != expect {
        return Ok(Written::Conflict(standing));
    }
    let changed = match expect {
        Some(expect) => work.session.change(CHANGE, &[&name, &value, &at, &expect]).await?,
        None => work.session.change(ADD, &[&name, &value, &at]).await?,
    };
    match changed {
        1 => Ok(Written::Stored),
        _ => Ok(Written::Conflict(setting(work.session, name).await?)),
    }
}

pub(super) async fn setting(session: &Session, name: &str) -> Result<Option<String>, Stop> {
    let found = session.row(SETTING, &[&name]).await?;
    single(found.as_ref())
}

pub(super) async fn settings(session: &Session, prefix: &str) -> Result<Vec<(String, String)>, Stop> {
    let rows = session.ask(SETTINGS, &[&prefix]).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        found.push((row.try_get(0)?, row.try_get(1)?));
    }
    // The database's own order depends on its locale.
    found.sort();
    Ok(found)
}

const GROW: &str = "UPDATE serial_block SET next_serial = next_serial + $4
    WHERE instance = $1 AND date = $2 AND kind = $3 RETURNING next_serial - $4";

const BEGIN: &str = "INSERT INTO serial_block (instance, date, kind, next_serial) VALUES ($1, $2, $3, $4)";

const SETTING: &str = "SELECT value FROM setting WHERE name = $1";

const SETTINGS: &str = "SELECT name, value FROM setting WHERE substr(name, 1, length($1)) = $1";

const CHANGE: &str = "UPDATE setting SET value = $2, at = $3 WHERE name = $1 AND value = $4";

const ADD: &str = "INSERT INTO setting (name, value, at) VALUES ($1, $2, $3)";
