//! Moves between states, further replies, leases and take-over: everything that an epoch fences.

use super::failure::Stop;
use super::held::Held;
use super::{effect, message, query};
use crate::journal::chain::{Chain, is_final, reply_digest};
use crate::journal::{Exchange, ExchangeId, MessageRecord, Millis, Move, SealedRecord, State, Written, stands_in_the_way};
use rusqlite::{Connection, OptionalExtension, params};

/// The compare-and-set, given what an outcome that stands allows. Besides (id, epoch, state) it holds what no caller may undo:
/// delivered is the end, nothing goes back to accepted, and a final outcome is neither exchanged for another one nor followed by
/// a send. For IN with more than two values SQLite builds a table of its own each time, which costs more than the move.
macro_rules! where_it_fits {
    ($settled:literal) => {
        concat!(
            "WHERE id = ?1 AND epoch = ?2 AND (state = ?3 OR state = ?4 OR state = ?5 OR state = ?6 OR state = ?7) \
             AND (state <> 'delivered' OR ?8 = 'delivered') AND (state = 'accepted' OR ?8 <> 'accepted') \
             AND (outcome IS NULL OR outcome = 'unknown' OR (?8 NOT IN ('sent', 'unknown')",
            $settled,
            "))"
        )
    };
}

/// What every move sets: the state, when the sweeper looks again, and the first time in this state.
macro_rules! set_state {
    () => {
        "UPDATE exchange SET state = ?8, due = ?9, \
         sent_at = CASE WHEN ?8 = 'sent' THEN COALESCE(sent_at, ?10) ELSE sent_at END, \
         answered_at = CASE WHEN ?8 = 'answered' THEN COALESCE(answered_at, ?10) ELSE answered_at END, \
         delivered_at = CASE WHEN ?8 = 'delivered' THEN COALESCE(delivered_at, ?10) ELSE delivered_at END "
    };
}

/// A move that brings nothing but a state.
pub(super) const MOVE_BARE: &str = concat!(set_state!(), where_it_fits!(""));

pub(super) const MOVE: &str = concat!(
    set_state!(),
    ", outcome = CASE WHEN outcome IN ('success', 'failed') THEN outcome ELSE COALESCE(?11, outcome) END, \
     reason = CASE WHEN outcome IN ('success', 'failed') OR ?11 IS NULL THEN reason ELSE ?12 END, \
     outcome_text = CASE WHEN ?11 IS NULL THEN outcome_text \
     WHEN outcome IN ('success', 'failed') THEN COALESCE(outcome_text, ?13) ELSE ?13 END, \
     link_out = COALESCE(?14, link_out), out_key = CASE WHEN ?17 = 0 THEN COALESCE(?15, out_key) ELSE out_key END, \
     attempts = attempts + ?16, queries = queries + ?17, attempted_at = CASE WHEN ?16 = 1 THEN ?10 ELSE attempted_at END ",
    where_it_fits!(" AND (?11 IS NULL OR (outcome = ?11 AND (reason IS NULL OR ?12 IS NULL OR reason = ?12)))")
);

pub(super) fn move_exchange(connection: &Held<'_>, chain: &Chain, change: &Move) -> Result<Written, Stop> {
    check(change)?;
    let next = message::next_seq(connection, change)?;
    let former = former_key(connection, change)?;
    let new_key = new_out_key(connection, change)?;
    if update(connection, change)? != 1 {
        if let Some(key) = new_key {
            forget_key(connection, key)?;
        }
        return stale(connection, change.id);
    }
    if let Some(former) = former {
        make_further(connection, &former)?;
    }
    let mut newest = None;
    for (seq, record) in (next..).zip(&change.messages) {
        message::insert(connection, change.id, seq, record)?;
        if message::is_reply(record) {
            newest = Some((seq, record));
        }
    }
    if let (Some(request), Some((seq, record))) = (&change.answers, newest) {
        message::set_reply(connection, change.id, request, seq, &record.part)?;
    }
    if is_final(change.outcome.as_ref()) {
        let reply = newest.map(|(_, record)| reply_digest(&record.record.sealed));
        effect::append(connection, chain, change.id, reply, change.at)?;
    }
    Ok(Written::Moved)
}

/// Stores a further reply. It changes no state, so no epoch stands in its way: it is bytes that were about to be sent.
pub(super) fn reply(
    connection: &Held<'_>,
    id: ExchangeId,
    answers: &str,
    record: &MessageRecord,
    replaces: Option<&SealedRecord>,
) -> Result<Written, Stop> {
    if !message::is_reply(record) {
        return Stop::refused("a further reply is sent, and its part is reply or interim");
    }
    message::check_request(connection, id, answers)?;
    if stands_in_the_way(message::newest_reply(connection, answers)?.as_ref(), replaces) {
        return Ok(Written::Conflict(None));
    }
    let seq = message::append(connection, id, record)?;
    message::set_reply(connection, id, answers, seq, &record.part)?;
    Ok(Written::Stored)
}

/// Extends leases; one that already runs longer is left as it is.
pub(super) fn renew(connection: &Connection, owner: &str, lease_until: Millis) -> Result<Written, Stop> {
    connection
        .prepare_cached("UPDATE exchange SET lease_until = ?2 WHERE owner = ?1 AND state <> 'delivered' AND lease_until < ?2")?
        .execute(params![owner, lease_until])?;
    Ok(Written::Stored)
}

/// Ends leases: zero lies before every clock.
pub(super) fn release(connection: &Connection, owner: &str) -> Result<Written, Stop> {
    connection
        .prepare_cached("UPDATE exchange SET lease_until = 0 WHERE owner = ?1 AND state <> 'delivered'")?
        .execute([owner])?;
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

/// Takes exchanges over, oldest first. The compare-and-set on the epoch lets two that take over at once share the rows.
pub(super) fn take_over(connection: &Connection, take: &TakeOver<'_>) -> Result<Written, Stop> {
    let found: Vec<(ExchangeId, i64)> = connection
        .prepare_cached(TAKEABLE)?
        .query_map(params![take.include_own, take.owner, take.now, take.limit], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    let mut taken = Vec::with_capacity(found.len());
    for (id, epoch) in found {
        if claim(connection, take, id, epoch)? == 1 {
            taken.push(query::existing(connection, id)?);
        }
    }
    Ok(Written::Taken(taken))
}

pub(super) const TAKEABLE: &str = "
    SELECT id, epoch FROM exchange WHERE id IN (
        SELECT id FROM exchange WHERE state <> 'delivered' AND lease_until < ?3
        UNION ALL SELECT id FROM exchange WHERE state <> 'delivered' AND owner = ?2 AND ?1 = 1)
    ORDER BY id LIMIT ?4";

fn claim(connection: &Connection, take: &TakeOver<'_>, id: ExchangeId, epoch: i64) -> Result<usize, Stop> {
    Ok(connection
        .prepare_cached("UPDATE exchange SET owner = ?3, epoch = epoch + 1, lease_until = ?4 WHERE id = ?1 AND epoch = ?2")?
        .execute(params![id, epoch, take.owner, take.lease_until])?)
}

fn check(change: &Move) -> Result<(), Stop> {
    if change.from.len() > State::ALL.len() {
        return Stop::refused("a move names each state at most once");
    }
    for record in &change.messages {
        message::check(record)?;
    }
    match &change.outcome {
        Some(outcome) if !matches!(outcome.name.as_str(), "success" | "failed" | "unknown") => {
            Stop::refused("an outcome is success, failed or unknown")
        }
        Some(_) | None => Ok(()),
    }
}

/// Adds the key that goes out with a move to those of its exchange, and gives it if it is new; the same key may be given again,
/// with the same bytes. One outbound key for two exchanges would let a reply settle the wrong one.
fn new_out_key<'a>(connection: &Held<'_>, change: &'a Move) -> Result<Option<&'a str>, Stop> {
    let Some(key) = &change.out_key else { return Ok(None) };
    let inserted = connection.change(
        "INSERT INTO sent (out_key, exchange_id, further) VALUES (?1, ?2, ?3) ON CONFLICT (out_key) DO NOTHING",
        params![key, change.id, change.query],
    )?;
    if inserted == 1 {
        return Ok(Some(key));
    }
    let is_ours = connection
        .prepare_cached("SELECT 1 FROM sent WHERE out_key = ?1 AND exchange_id = ?2")?
        .exists(params![key, change.id])?;
    if is_ours {
        return Ok(None);
    }
    Stop::refused("another exchange has this outbound key")
}

/// A move that does not fit changes nothing.
fn forget_key(connection: &Connection, key: &str) -> Result<(), Stop> {
    connection
        .prepare_cached("DELETE FROM sent WHERE out_key = ?1")?
        .execute([key])?;
    Ok(())
}

/// The key of an earlier request that a move's own takes the place of. Nothing was sent for what is just accepted.
fn former_key(connection: &Connection, change: &Move) -> Result<Option<String>, Stop> {
    let is_first = change.from == [State::Accepted] && change.to == State::Sent;
    if change.out_key.is_none() || change.query || is_first {
        return Ok(None);
    }
    let former: Option<Option<String>> = connection
        .prepare_cached("SELECT out_key FROM exchange WHERE id = ?1")?
        .query_row([change.id], |row| row.get(0))
        .optional()?;
    Ok(former.flatten().filter(|former| change.out_key.as_ref() != Some(former)))
}

/// It does not stand in the exchange any longer, by which a prune would find it.
fn make_further(connection: &Connection, key: &str) -> Result<(), Stop> {
    connection
        .prepare_cached("UPDATE sent SET further = 1 WHERE out_key = ?1")?
        .execute([key])?;
    Ok(())
}

fn update(connection: &Held<'_>, change: &Move) -> Result<usize, Stop> {
    // Fewer states than places: the empty name stands for none.
    let from = |index: usize| change.from.get(index).map_or("", |state: &State| state.name());
    let (from, to) = ([0, 1, 2, 3, 4].map(from), change.to.name());
    let (id, epoch, due, at) = (change.id, change.epoch, change.due, change.at);
    if is_bare(change) {
        let values = params![id, epoch, from[0], from[1], from[2], from[3], from[4], to, due, at];
        return Ok(connection.change(MOVE_BARE, values)?);
    }
    let outcome = change.outcome.as_ref();
    let values = params![
        id,
        epoch,
        from[0],
        from[1],
        from[2],
        from[3],
        from[4],
        to,
        due,
        at,
        outcome.map(|outcome| &outcome.name),
        outcome.and_then(|outcome| outcome.reason.as_ref()),
        outcome.and_then(|outcome| outcome.text.as_ref()),
        change.link_out,
        change.out_key,
        i64::from(change.attempt),
        i64::from(change.query),
    ];
    Ok(connection.change(MOVE, values)?)
}

fn is_bare(change: &Move) -> bool {
    change.outcome.is_none() && change.link_out.is_none() && change.out_key.is_none() && !change.attempt && !change.query
}

fn stale(connection: &Connection, id: ExchangeId) -> Result<Written, Stop> {
    match query::by_id(connection, id)? {
        Some(exchange) => Ok(Written::Stale(Box::<Exchange>::new(exchange))),
        None => Stop::refused(format!("there is no exchange {id}")),
    }
}
