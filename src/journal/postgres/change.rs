//! Moves between states, further replies, leases and take-over: everything that an epoch fences.

use super::failure::Stop;
use super::row::{self, Columns, exchange_columns};
use super::session::{Session, Step, Value, Values};
use super::work::Work;
use super::{effect, message, query};
use crate::journal::chain::{is_final, reply_digest};
use crate::journal::{Exchange, ExchangeId, MessageRecord, Millis, Move, SealedRecord, State, Written, stands_in_the_way};
use futures_util::future::try_join_all;
use std::collections::BTreeMap;

pub(super) async fn move_exchange(work: &Work<'_>, change: &Move) -> Result<Written, Stop> {
    check(change)?;
    let known = look(work.session, change).await?;
    let Some(exchange) = update(work.session, change).await? else {
        return stale(work.session, change.id).await;
    };
    let numbered: Vec<(i64, &MessageRecord)> = (known.last_message + 1..).zip(&change.messages).collect();
    let newest = numbered.iter().rfind(|(_, record)| message::is_reply(record));
    let chained = async {
        if !is_final(change.outcome.as_ref()) || known.is_chained {
            return Ok(());
        }
        let reply = newest.map(|(_, record)| reply_digest(&record.record.sealed));
        effect::append(work, &exchange, reply, change.at).await
    };
    tokio::try_join!(biased; keep(work.session, change, &known, &numbered, newest), chained)?;
    Ok(Written::Moved)
}

/// What becomes durable with a move: none of it needs an answer to another, so that all is on the way together.
async fn keep(
    session: &Session,
    change: &Move,
    known: &Known,
    numbered: &[(i64, &MessageRecord)],
    newest: Option<&(i64, &MessageRecord)>,
) -> Result<(), Stop> {
    let key = change.out_key.as_ref().filter(|_| known.sent_for.is_none());
    let sent: Option<[Value<'_>; 2]> = key.map(|key| [key as _, &change.id as _]);
    let records: Vec<[Value<'_>; 9]> = numbered
        .iter()
        .map(|(seq, record)| message::values(&change.id, seq, record))
        .collect();
    let reply: Option<[Value<'_>; 4]> = change
        .answers
        .as_ref()
        .zip(newest)
        .map(|(request, (seq, record))| [seq as _, request as _, &change.id as _, &record.part as _]);
    let steps: Vec<Step<'_>> = (sent.iter().map(|values| (INSERT_SENT, &values[..])))
        .chain(records.iter().map(|values| (message::INSERT, &values[..])))
        .chain(reply.iter().map(|values| (message::SET_REPLY, &values[..])))
        .collect();
    session.run(&steps).await?;
    Ok(())
}

/// Stores a further reply. It changes no state, so no epoch stands in its way: it is bytes that were about to be sent.
/// The lock on the request keeps a reply that another writer is storing from being overlooked.
pub(super) async fn reply(
    work: &Work<'_>,
    id: ExchangeId,
    answers: &str,
    record: &MessageRecord,
    replaces: Option<&SealedRecord>,
) -> Result<Written, Stop> {
    if !message::is_reply(record) {
        return Stop::refused("a further reply is sent, and its part is reply or interim");
    }
    if work.session.row(LOCK_REQUEST, &[&answers, &id]).await?.is_none() {
        return not_of(id);
    }
    let newest = message::newest_reply(work.session, answers).await?;
    if stands_in_the_way(newest.as_ref(), replaces) {
        return Ok(Written::Conflict(None));
    }
    let seq = query::last_message(work.session, id).await? + 1;
    message::insert(work.session, id, seq, std::slice::from_ref(record)).await?;
    message::set_reply(work.session, id, answers, seq, &record.part).await?;
    Ok(Written::Stored)
}

/// Extends leases; one that already runs longer is left as it is.
pub(super) async fn renew(work: &Work<'_>, owner: &str, lease_until: Millis) -> Result<Written, Stop> {
    work.session.change(RENEW, &[&owner, &lease_until]).await?;
    Ok(Written::Stored)
}

/// Ends leases at once.
pub(super) async fn release(work: &Work<'_>, owner: &str) -> Result<Written, Stop> {
    work.session.change(RELEASE, &[&owner]).await?;
    Ok(Written::Stored)
}

/// Who takes over, and what.
pub(super) struct TakeOver<'a> {
    pub(super) owner: &'a str,
    pub(super) now: Millis,
    pub(super) lease_until: Millis,
    pub(super) include_own: bool,
    pub(super) limit: u32,
}

/// Takes exchanges over, oldest first. The compare-and-set on the epoch lets two that take over at once share the rows: who
/// lost some to another looks for further ones.
pub(super) async fn take_over(work: &Work<'_>, take: &TakeOver<'_>) -> Result<Written, Stop> {
    let mut taken = BTreeMap::new();
    loop {
        let found = takeable(work.session, take).await?;
        let room = usize::try_from(take.limit).unwrap_or(usize::MAX).saturating_sub(taken.len());
        let wanted: Vec<_> = found
            .into_iter()
            .filter(|(id, _)| !taken.contains_key(id))
            .take(room)
            .collect();
        let claims = wanted.iter().map(|(id, epoch)| claim(work.session, take, *id, *epoch));
        let claimed = try_join_all(claims).await?;
        let lost = claimed.iter().filter(|claim| claim.is_none()).count();
        taken.extend(claimed.into_iter().flatten().map(|exchange| (exchange.id, exchange)));
        if lost == 0 {
            return Ok(Written::Taken(taken.into_values().collect()));
        }
    }
}

/// What stands around an exchange before it moves; the default where the move needs nothing of it.
#[derive(Default)]
struct Known {
    sent_for: Option<ExchangeId>,
    last_message: i64,
    is_chained: bool,
}

fn check(change: &Move) -> Result<(), Stop> {
    for record in &change.messages {
        message::check(record)?;
    }
    if let Some(outcome) = &change.outcome
        && !matches!(outcome.name.as_str(), "success" | "failed" | "unknown")
    {
        return Stop::refused("an outcome is success, failed or unknown");
    }
    if change.from.len() > State::ALL.len() {
        return Stop::refused("a move names each state at most once");
    }
    Ok(())
}

/// One outbound key for two exchanges would let a reply settle the wrong one; the schema forbids it too.
async fn look(session: &Session, change: &Move) -> Result<Known, Stop> {
    let is_bare = change.out_key.is_none() && change.answers.is_none() && change.messages.is_empty();
    if is_bare && !is_final(change.outcome.as_ref()) {
        return Ok(Known::default());
    }
    let found = session.row(LOOK, &[&change.out_key, &change.answers, &change.id]).await?;
    let row = found.ok_or(Stop::Again("nothing was found at all"))?;
    let mut columns = Columns::of(&row);
    let (sent_for, asked_by): (Option<ExchangeId>, Option<ExchangeId>) = (columns.take()?, columns.take()?);
    if sent_for.is_some_and(|other| other != change.id) {
        return Stop::refused("another exchange has this outbound key");
    }
    if change.answers.is_some() && asked_by != Some(change.id) {
        return not_of(change.id);
    }
    Ok(Known {
        sent_for,
        last_message: columns.take()?,
        is_chained: columns.take::<Option<i64>>()?.is_some(),
    })
}

/// The exchange as it stands after the move; none where the compare-and-set did not match.
async fn update(session: &Session, change: &Move) -> Result<Option<Exchange>, Stop> {
    // Fewer states than places: the empty name stands for none.
    let from: Vec<&str> = (0..State::ALL.len())
        .map(|index| change.from.get(index).map_or("", |state| state.name()))
        .collect();
    let [first, second, third, fourth, fifth] = from[..] else {
        return Stop::refused("a move names each state at most once");
    };
    let outcome = change.outcome.as_ref();
    let (name, reason, text) = (
        outcome.map(|outcome| &outcome.name),
        outcome.and_then(|outcome| outcome.reason.as_ref()),
        outcome.and_then(|outcome| outcome.text.as_ref()),
    );
    let (attempt, query) = (i64::from(change.attempt), i64::from(change.query));
    let values: Values<'_> = &[
        &change.id,
        &change.epoch,
        &first,
        &second,
        &third,
        &fourth,
        &fifth,
        &change.to.name(),
        &change.due,
        &name,
        &reason,
        &text,
        &change.link_out,
        &change.out_key,
        &attempt,
        &query,
        &change.at,
    ];
    let found = session.row(MOVE, values).await?;
    found.as_ref().map(row::exchange).transpose()
}

async fn stale(session: &Session, id: ExchangeId) -> Result<Written, Stop> {
    match query::by_id(session, id).await? {
        Some(exchange) => Ok(Written::Stale(Box::new(exchange))),
        None => Stop::refused(format!("there is no exchange {id}")),
    }
}

fn not_of<T>(id: ExchangeId) -> Result<T, Stop> {
    Stop::refused(format!("the answered request is not one of exchange {id}"))
}

async fn takeable(session: &Session, take: &TakeOver<'_>) -> Result<Vec<(ExchangeId, i64)>, Stop> {
    let limit = i64::from(take.limit);
    let found = session
        .rows(TAKEABLE, &[&take.include_own, &take.owner, &take.now, &limit])
        .await?;
    let pairs = found.iter().map(|row| {
        let mut columns = Columns::of(row);
        Ok((columns.take()?, columns.take()?))
    });
    pairs.collect()
}

async fn claim(session: &Session, take: &TakeOver<'_>, id: ExchangeId, epoch: i64) -> Result<Option<Exchange>, Stop> {
    let claimed = session.row(CLAIM, &[&id, &epoch, &take.owner, &take.lease_until]).await?;
    claimed.as_ref().map(row::exchange).transpose()
}

const LOOK: &str = "SELECT (SELECT exchange_id FROM sent WHERE out_key = $1),
    (SELECT exchange_id FROM request WHERE communication_key = $2),
    (SELECT COALESCE(MAX(seq), 0) FROM message WHERE exchange_id = $3),
    (SELECT seq FROM effect WHERE exchange_id = $3)";

/// The compare-and-set. Besides (id, epoch, state) it holds what no caller may undo: delivered is the end, nothing goes back
/// to accepted, and a final outcome is neither exchanged for another one nor followed by a send.
const MOVE: &str = concat!(
    "UPDATE exchange SET
        state = $8, due = $9,
        outcome = CASE WHEN outcome IN ('success', 'failed') THEN outcome ELSE COALESCE($10, outcome) END,
        reason = CASE WHEN outcome IN ('success', 'failed') OR CAST($10 AS TEXT) IS NULL THEN reason ELSE $11 END,
        outcome_text = CASE WHEN CAST($10 AS TEXT) IS NULL THEN outcome_text
            WHEN outcome IN ('success', 'failed') THEN COALESCE(outcome_text, $12) ELSE $12 END,
        link_out = COALESCE($13, link_out),
        out_key = CASE WHEN CAST($16 AS BIGINT) = 0 THEN COALESCE($14, out_key) ELSE out_key END,
        attempts = attempts + $15, queries = queries + $16,
        sent_at = CASE WHEN CAST($8 AS TEXT) = 'sent' THEN COALESCE(sent_at, $17) ELSE sent_at END,
        attempted_at = CASE WHEN CAST($15 AS BIGINT) = 1 THEN $17 ELSE attempted_at END,
        answered_at = CASE WHEN $8 = 'answered' THEN COALESCE(answered_at, $17) ELSE answered_at END,
        delivered_at = CASE WHEN $8 = 'delivered' THEN COALESCE(delivered_at, $17) ELSE delivered_at END
    WHERE id = $1 AND epoch = $2 AND state IN ($3, $4, $5, $6, $7)
        AND (state <> 'delivered' OR $8 = 'delivered')
        AND (state = 'accepted' OR $8 <> 'accepted')
        AND (outcome IS NULL OR outcome = 'unknown' OR ($8 NOT IN ('sent', 'unknown') AND (CAST($10 AS TEXT) IS NULL
            OR (outcome = $10 AND (reason IS NULL OR CAST($11 AS TEXT) IS NULL OR reason = $11)))))
    RETURNING ",
    exchange_columns!()
);

/// The statement is also part of an acceptance.
pub(super) const INSERT_SENT: &str = "INSERT INTO sent (out_key, exchange_id) VALUES ($1, $2)";

const LOCK_REQUEST: &str = "SELECT 1 FROM request WHERE communication_key = $1 AND exchange_id = $2 FOR UPDATE";

/// Locks in the order of ids, like everybody who locks several exchanges.
const RENEW: &str = "UPDATE exchange SET lease_until = $2 WHERE id IN (
    SELECT id FROM exchange WHERE owner = $1 AND state <> 'delivered' AND lease_until < $2 ORDER BY id FOR NO KEY UPDATE)";

const RELEASE: &str = "UPDATE exchange SET lease_until = 0 WHERE id IN (
    SELECT id FROM exchange WHERE owner = $1 AND state <> 'delivered' ORDER BY id FOR NO KEY UPDATE)";

const TAKEABLE: &str = "
    SELECT id, epoch FROM exchange WHERE id IN (
        SELECT id FROM exchange WHERE state <> 'delivered' AND lease_until < $3
        UNION ALL SELECT id FROM exchange WHERE state <> 'delivered' AND owner = $2 AND $1)
    ORDER BY id LIMIT $4";

const CLAIM: &str = concat!(
    "UPDATE exchange SET owner = $3, epoch = epoch + 1, lease_until = $4
     WHERE id = $1 AND epoch = $2 AND state <> 'delivered' RETURNING ",
    exchange_columns!()
);
