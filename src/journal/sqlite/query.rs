//! Every read, each by an index.

use super::row::{self, select_exchange};
use super::{effect, message, park, rewrap, search, serial};
use crate::journal::{Exchange, ExchangeId, Figures, Found, Kept, Millis, OriginalKey, Read, RequestRecord, State};
use rusqlite::{Connection, OptionalExtension, Params, Result, params};

pub(super) fn find(connection: &Connection, read: &Read) -> Result<Found> {
    Ok(match read {
        Read::Exchange(id) => one(by_id(connection, *id)?),
        Read::ByOutKey(key) => one(first(connection, BY_OUT_KEY, [key])?),
        Read::ByCommunicationKey(key) => one(first(connection, BY_REQUEST, [key])?),
        Read::ByOriginal(key) => one(by_original(connection, key)?),
        Read::Messages(id) => Found::Messages(message::of_exchange(connection, *id)?),
        Read::Due { owner, now, limit } => Found::Exchanges(all(connection, DUE, params![owner, now, limit])?),
        Read::ReplyTo(key) => Found::Messages(message::newest_reply(connection, key)?.into_iter().collect()),
        Read::Requests(id) => Found::Requests(requests(connection, *id)?),
        Read::Search(search) => Found::Exchanges(search::find(connection, search)?),
        Read::Parked { id, status, limit } => Found::Parked(park::find(connection, *id, *status, *limit)?),
        Read::ParkedAfter { after, limit } => Found::Parked(rewrap::parked_after(connection, *after, *limit)?),
        Read::ReleasedAs(id) => Found::Parked(park::released_as(connection, *id)?),
        Read::Setting(name) => Found::Setting(serial::setting(connection, name)?),
        Read::Settings(prefix) => Found::Settings(serial::settings(connection, prefix)?),
        Read::Figures { now } => Found::Figures(Box::new(figures(connection, *now)?)),
        Read::Scan { after, limit } => Found::Exchanges(all(connection, SCAN, params![after, limit])?),
        Read::Exchanges(ids) => Found::Exchanges(by_ids(connection, ids)?),
        Read::Kept(ids) => Found::Kept(of_each(ids, |id| kept(connection, id))?),
        Read::OtherKey {
            key,
            after: (exchange, seq),
            until,
            limit,
        } => Found::Placed(rewrap::other_key(connection, params![key, exchange, seq, until, limit])?),
        Read::Twins(ids) => Found::Pairs(of_each(ids, |id| twins(connection, id))?.concat()),
        Read::Effects { after, limit } => Found::Effects(effect::page(connection, after, *limit)?),
        Read::EffectOf(id) => Found::Effects(effect::of_exchange(connection, *id)?.into_iter().collect()),
        Read::Tips => Found::Tips(effect::tips(connection)?),
    })
}

pub(super) const BY_ID: &str = select_exchange!("WHERE id = ?1");
pub(super) const BY_OUT_KEY: &str = select_exchange!("WHERE id = (SELECT exchange_id FROM sent WHERE out_key = ?1)");
pub(super) const BY_REQUEST: &str = select_exchange!("WHERE id = (SELECT exchange_id FROM request WHERE communication_key = ?1)");
/// The exchange that came first for an original; none where a cancel did.
pub(super) const BY_ORIGINAL: &str =
    select_exchange!("WHERE id = (SELECT exchange_id FROM original WHERE initiator = ?1 AND msg_id = ?2 AND msg_code = ?3)");
pub(super) const DUE: &str =
    select_exchange!("WHERE owner = ?1 AND due <= ?2 AND state <> 'delivered' ORDER BY due, id LIMIT ?3");
pub(super) const SCAN: &str = select_exchange!("WHERE id > ?1 ORDER BY id LIMIT ?2");
pub(super) const TWINS: &str = "
    SELECT elder.id, younger.id FROM exchange elder JOIN exchange younger ON younger.end_to_end_id = elder.end_to_end_id
    WHERE elder.id = ?1 AND younger.id > elder.id AND elder.outcome = 'success' AND younger.outcome = 'success'
    AND younger.initiator = elder.initiator AND younger.operation = elder.operation ORDER BY younger.id";
pub(super) const REQUESTS: &str = "
    SELECT request.communication_key, message.part FROM request
    LEFT JOIN message ON message.exchange_id = request.exchange_id AND message.seq = request.reply_seq
    WHERE request.communication_key IN (SELECT communication_key FROM exchange WHERE id = ?1
        UNION ALL SELECT communication_key FROM request WHERE exchange_id = ?1 AND further = 1) ORDER BY request.accepted_at, request.communication_key";
/// Delivered exchanges are counted over their index alone, the few others over theirs.
pub(super) const COUNT_OPEN: &str = "SELECT state, count(*) FROM exchange WHERE state <> 'delivered' GROUP BY state";
pub(super) const COUNT_DELIVERED: &str = "SELECT count(*) FROM exchange WHERE state = 'delivered'";
pub(super) const UNKNOWN: &str = "
    SELECT count(*), COALESCE(SUM(amount_fen), 0), MIN(accepted_at) FROM exchange
    WHERE state <> 'delivered' AND state = 'unknown'";
pub(super) const COUNT_PARKED: &str = "SELECT count(*) FROM parked WHERE status = 'parked'";

pub(super) fn by_id(connection: &Connection, id: ExchangeId) -> Result<Option<Exchange>> {
    first(connection, BY_ID, [id])
}

/// An exchange that a foreign key vouches for.
pub(super) fn existing(connection: &Connection, id: ExchangeId) -> Result<Exchange> {
    connection.prepare_cached(BY_ID)?.query_row([id], row::exchange)
}

fn by_ids(connection: &Connection, ids: &[ExchangeId]) -> Result<Vec<Exchange>> {
    let found = of_each(ids, |id| by_id(connection, id))?;
    Ok(found.into_iter().flatten().collect())
}

/// A database within the process is asked for each one as quickly as for all.
fn of_each<T>(ids: &[ExchangeId], find: impl FnMut(ExchangeId) -> Result<T>) -> Result<Vec<T>> {
    ids.iter().copied().map(find).collect()
}

fn kept(connection: &Connection, id: ExchangeId) -> Result<Kept> {
    Ok(Kept {
        exchange: id,
        effect: effect::of_exchange(connection, id)?,
        messages: message::of_exchange(connection, id)?,
        requests: requests(connection, id)?,
    })
}

fn twins(connection: &Connection, id: ExchangeId) -> Result<Vec<(ExchangeId, ExchangeId)>> {
    let mut statement = connection.prepare_cached(TWINS)?;
    statement.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

pub(super) fn all(connection: &Connection, sql: &str, params: impl Params) -> Result<Vec<Exchange>> {
    connection.prepare_cached(sql)?.query_map(params, row::exchange)?.collect()
}

fn first(connection: &Connection, sql: &str, params: impl Params) -> Result<Option<Exchange>> {
    connection.prepare_cached(sql)?.query_row(params, row::exchange).optional()
}

fn one(exchange: Option<Exchange>) -> Found {
    Found::Exchange(exchange.map(Box::new))
}

fn by_original(connection: &Connection, key: &OriginalKey) -> Result<Option<Exchange>> {
    first(connection, BY_ORIGINAL, params![key.initiator, key.msg_id, key.msg_code])
}

fn requests(connection: &Connection, id: ExchangeId) -> Result<Vec<RequestRecord>> {
    connection
        .prepare_cached(REQUESTS)?
        .query_map([id], |row| {
            Ok(RequestRecord {
                communication_key: row.get(0)?,
                replied: row.get(1)?,
            })
        })?
        .collect()
}

fn figures(connection: &Connection, now: Millis) -> Result<Figures> {
    let (unknown_count, unknown_amount_fen, oldest): (i64, i64, Option<Millis>) = connection
        .prepare_cached(UNKNOWN)?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(Figures {
        by_state: by_state(connection)?,
        unknown_count: unknown_count.unsigned_abs(),
        unknown_amount_fen,
        unknown_oldest_ms: oldest.map_or(0, |oldest| now.saturating_sub(oldest).max(0)),
        parked: count(connection, COUNT_PARKED)?,
    })
}

/// Every state, also those that no exchange is in.
fn by_state(connection: &Connection) -> Result<Vec<(State, u64)>> {
    let mut counts: Vec<(State, u64)> = State::ALL.into_iter().map(|state| (state, 0)).collect();
    let mut statement = connection.prepare_cached(COUNT_OPEN)?;
    let mut rows = statement.query([])?;
    while let Some(found) = rows.next()? {
        let state = row::state(&found.get::<_, String>(0)?)?;
        let number = found.get::<_, i64>(1)?.unsigned_abs();
        counts
            .iter_mut()
            .filter(|(known, _)| *known == state)
            .for_each(|(_, count)| *count = number);
    }
    let delivered = count(connection, COUNT_DELIVERED)?;
    counts
        .iter_mut()
        .filter(|(known, _)| *known == State::Delivered)
        .for_each(|(_, count)| *count = delivered);
    Ok(counts)
}

fn count(connection: &Connection, sql: &str) -> Result<u64> {
    connection
        .prepare_cached(sql)?
        .query_row([], |row| row.get(0))
        .map(i64::unsigned_abs)
}
