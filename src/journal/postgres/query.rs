//! Every read, each by an index.

use super::failure::Stop;
use super::row::{self, Columns, select_exchange, single};
use super::session::{Session, Values};
use super::{effect, kept, message, park, rewrap, search, serial};
use crate::journal::{Exchange, ExchangeId, Figures, Found, Millis, OriginalKey, Read, RequestRecord, State};

pub(super) async fn find(session: &Session, read: &Read) -> Result<Found, Stop> {
    Ok(match read {
        Read::Exchange(id) => one(by_id(session, *id).await?),
        Read::ByOutKey(key) => one(first(session, BY_OUT_KEY, &[key]).await?),
        Read::ByCommunicationKey(key) => one(first(session, BY_REQUEST, &[key]).await?),
        Read::ByOriginal(key) => one(by_original(session, key).await?),
        Read::Messages(id) => Found::Messages(message::of_exchange(session, *id).await?),
        Read::Due { owner, now, limit } => Found::Exchanges(all(session, DUE, &[owner, now, &i64::from(*limit)]).await?),
        Read::ReplyTo(key) => Found::Messages(message::newest_reply(session, key).await?.into_iter().collect()),
        Read::Requests(id) => Found::Requests(requests(session, *id).await?),
        Read::Search(search) => Found::Exchanges(search::find(session, search).await?),
        Read::Parked { id, status, limit } => Found::Parked(park::find(session, *id, *status, *limit).await?),
        Read::ParkedAfter { after, limit } => Found::Parked(rewrap::parked_after(session, *after, *limit).await?),
        Read::ReleasedAs(id) => Found::Parked(park::released_as(session, *id).await?),
        Read::Setting(name) => Found::Setting(serial::setting(session, name).await?),
        Read::Settings(prefix) => Found::Settings(serial::settings(session, prefix).await?),
        Read::Figures { now } => Found::Figures(Box::new(figures(session, *now).await?)),
        Read::Scan { after, limit } => Found::Exchanges(all(session, SCAN, &[after, &i64::from(*limit)]).await?),
        Read::Exchanges(ids) => Found::Exchanges(all(session, BY_IDS, &[ids]).await?),
        Read::Kept(ids) => Found::Kept(kept::of_exchanges(session, ids).await?),
        Read::OtherKey {
            key,
            after: (exchange, seq),
            until,
            limit,
        } => Found::Placed(rewrap::other_key(session, &[key, exchange, seq, until, &i64::from(*limit)]).await?),
        Read::Twins(ids) => Found::Pairs(kept::twins(session, ids).await?),
        Read::Effects { after, limit } => Found::Effects(effect::page(session, after, *limit).await?),
        Read::EffectOf(id) => Found::Effects(effect::of_exchange(session, *id).await?.into_iter().collect()),
        Read::Tips => Found::Tips(effect::tips(session).await?),
    })
}

pub(super) async fn by_id(session: &Session, id: ExchangeId) -> Result<Option<Exchange>, Stop> {
    first(session, BY_ID, &[&id]).await
}

/// An exchange that a foreign key vouches for; a prune may have been faster.
pub(super) async fn existing(session: &Session, id: ExchangeId) -> Result<Exchange, Stop> {
    let found = by_id(session, id).await?;
    found.ok_or(Stop::Again("the exchange was pruned a moment ago"))
}

/// The number of an exchange's last message.
pub(super) async fn last_message(session: &Session, id: ExchangeId) -> Result<i64, Stop> {
    let found = session.row(LAST_MESSAGE, &[&id]).await?;
    Ok(single(found.as_ref())?.unwrap_or(0))
}

pub(super) async fn all(session: &Session, sql: &'static str, values: Values<'_>) -> Result<Vec<Exchange>, Stop> {
    let found = session.rows(sql, values).await?;
    found.iter().map(row::exchange).collect()
}

async fn first(session: &Session, sql: &'static str, values: Values<'_>) -> Result<Option<Exchange>, Stop> {
    let found = session.row(sql, values).await?;
    found.as_ref().map(row::exchange).transpose()
}

async fn by_original(session: &Session, key: &OriginalKey) -> Result<Option<Exchange>, Stop> {
    first(session, BY_ORIGINAL, &[&key.initiator, &key.msg_id, &key.msg_code]).await
}

fn one(exchange: Option<Exchange>) -> Found {
    Found::Exchange(exchange.map(Box::new))
}

async fn requests(session: &Session, id: ExchangeId) -> Result<Vec<RequestRecord>, Stop> {
    let found = session.rows(REQUESTS, &[&id]).await?;
    let records = found.iter().map(|row| {
        let mut columns = Columns::of(row);
        Ok(RequestRecord {
            communication_key: columns.take()?,
            replied: columns.take()?,
        })
    });
    records.collect()
}

async fn figures(session: &Session, now: Millis) -> Result<Figures, Stop> {
    let unknown = session.row(UNKNOWN, &[]).await?;
    let row = unknown.ok_or(Stop::Again("nothing was found at all"))?;
    let mut columns = Columns::of(&row);
    let (count, amount): (i64, i64) = (columns.take()?, columns.take()?);
    let oldest: Option<Millis> = columns.take()?;
    let parked = session.row(COUNT_PARKED, &[]).await?;
    Ok(Figures {
        by_state: by_state(session).await?,
        unknown_count: count.unsigned_abs(),
        unknown_amount_fen: amount,
        unknown_oldest_ms: oldest.map_or(0, |oldest| now.saturating_sub(oldest).max(0)),
        parked: single::<i64>(parked.as_ref())?.unwrap_or(0).unsigned_abs(),
    })
}

/// Every state, also those that no exchange is in.
async fn by_state(session: &Session) -> Result<Vec<(State, u64)>, Stop> {
    let mut counts: Vec<(State, u64)> = State::ALL.into_iter().map(|state| (state, 0)).collect();
    for sql in [COUNT_OPEN, COUNT_DELIVERED] {
        for row in session.rows(sql, &[]).await? {
            let mut columns = Columns::of(&row);
            let state = row::state(columns.take()?)?;
            let number = columns.take::<i64>()?.unsigned_abs();
            counts
                .iter_mut()
                .filter(|(known, _)| *known == state)
                .for_each(|(_, count)| *count = number);
        }
    }
    Ok(counts)
}

const BY_ID: &str = select_exchange!("WHERE id = $1");
const BY_IDS: &str = select_exchange!("WHERE id = ANY($1)");
const BY_OUT_KEY: &str = select_exchange!("WHERE id = (SELECT exchange_id FROM sent WHERE out_key = $1)");
const BY_REQUEST: &str = select_exchange!("WHERE id = (SELECT exchange_id FROM request WHERE communication_key = $1)");
/// The exchange that came first for an original; none where a cancel did.
const BY_ORIGINAL: &str =
    select_exchange!("WHERE id = (SELECT exchange_id FROM original WHERE initiator = $1 AND msg_id = $2 AND msg_code = $3)");
const DUE: &str = select_exchange!(
    "WHERE id = ANY(ARRAY(SELECT exchange_id FROM open_exchange WHERE due <= $2)) AND owner = $1 AND due <= $2 \
     AND state <> 'delivered' ORDER BY due, id LIMIT $3"
);
const SCAN: &str = select_exchange!("WHERE id > $1 ORDER BY id LIMIT $2");
const LAST_MESSAGE: &str = "SELECT COALESCE(MAX(seq), 0) FROM message WHERE exchange_id = $1";
const REQUESTS: &str = "
    SELECT request.communication_key, message.part FROM request
    LEFT JOIN message ON message.exchange_id = request.exchange_id AND message.seq = request.reply_seq
    WHERE request.exchange_id = $1 ORDER BY request.accepted_at, request.communication_key";
/// Open exchanges are looked at, the many others counted over an index.
const COUNT_OPEN: &str = "SELECT state, count(*) FROM exchange
    WHERE id = ANY(ARRAY(SELECT exchange_id FROM open_exchange)) AND state <> 'delivered' GROUP BY state";
const COUNT_DELIVERED: &str = "SELECT 'delivered', (SELECT count(*) FROM exchange) - (SELECT count(*) FROM exchange
    WHERE id = ANY(ARRAY(SELECT exchange_id FROM open_exchange)) AND state <> 'delivered')";
const UNKNOWN: &str = "
    SELECT count(*), CAST(COALESCE(SUM(amount_fen), 0) AS BIGINT), MIN(accepted_at) FROM exchange
    WHERE id = ANY(ARRAY(SELECT exchange_id FROM open_exchange)) AND state = 'unknown'";
const COUNT_PARKED: &str = "SELECT count(*) FROM parked WHERE status = 'parked'";
