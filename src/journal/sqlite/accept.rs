//! Acceptance of an inbound request: duplicates, cancels and tombstones (design.md section 5, rules 3 and 5).
//!
//! What is looked up first is also guarded by a UNIQUE constraint, so a store with several writers decides in the same way:
//! the insertion that fails starts again and then finds the row.

use super::failure::Stop;
use super::held::Held;
use super::row::{self, exchange_columns};
use super::{effect, message, query};
use crate::journal::{
    ALREADY_CANCELLED, Accept, Accepted, Chain, EPOCH_FIRST, Exchange, ExchangeId, OriginalKey, Sending, State, Written,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

type Applied<T> = Result<T, Stop>;

pub(super) fn accept(connection: &Held<'_>, chain: &Chain, accept: &Accept) -> Applied<Written> {
    message::check(&accept.message)?;
    if let Some(sending) = &accept.sends {
        check_sending(accept, sending)?;
    }
    let is_known = is_known(connection, accept)?;
    let accepted = if is_known && let Some(known) = by_request(connection, &accept.communication_key)? {
        repeat(connection, accept, known)?
    } else if is_known && let Some(known) = by_business(connection, accept)? {
        again(connection, accept, known)?
    } else if let Some(original) = &accept.cancels {
        cancel(connection, accept, original)?
    } else {
        request(connection, chain, accept)?
    };
    Ok(Written::Accepted(Box::new(accepted)))
}

fn check_sending(accept: &Accept, sending: &Sending) -> Applied<()> {
    if accept.cancels.is_some() {
        return Stop::refused("a cancel is not sent before its original is known");
    }
    message::check(&sending.message)
}

/// An exchange, with the digest of its content.
struct Known {
    exchange: Exchange,
    content: [u8; 32],
}

/// A row of `original`: who came first for one original. No exchange means that a cancel did.
struct Slot {
    exchange_id: Option<ExchangeId>,
}

fn repeat(connection: &Connection, accept: &Accept, known: Known) -> Applied<Accepted> {
    if known.content != accept.content {
        return Ok(Accepted::Altered {
            exchange: known.exchange,
        });
    }
    let reply = message::newest_reply(connection, &accept.communication_key)?;
    Ok(Accepted::Repeat {
        exchange: known.exchange,
        reply,
    })
}

fn again(connection: &Held<'_>, accept: &Accept, known: Known) -> Applied<Accepted> {
    if known.content != accept.content {
        return Ok(Accepted::Altered {
            exchange: known.exchange,
        });
    }
    if !joins(connection, accept, known.exchange.id)? {
        return Ok(Accepted::Altered {
            exchange: known.exchange,
        });
    }
    insert_request(connection, known.exchange.id, accept, true)?;
    message::append(connection, known.exchange.id, &accept.message)?;
    Ok(Accepted::Again {
        exchange: known.exchange,
    })
}

/// Makes the exchange cancellable under the names of a further request. False where one of them is another payment's, or was
/// cancelled before it came: such a request says two things of one business.
fn joins(connection: &Held<'_>, accept: &Accept, exchange: ExchangeId) -> Applied<bool> {
    let mut free = Vec::new();
    for original in accept.competes() {
        match slot(connection, &original)? {
            None => free.push(original),
            Some(Slot { exchange_id }) if exchange_id == Some(exchange) => {}
            Some(_) => return Ok(false),
        }
    }
    for original in free {
        let taken = Taken::Further(exchange);
        insert_slot(connection, &original, taken)?;
    }
    Ok(true)
}

fn cancel(connection: &Held<'_>, accept: &Accept, original: &OriginalKey) -> Applied<Accepted> {
    let slot = slot(connection, original)?;
    let id = insert_new(connection, accept, Begins::Waiting)?;
    let cancelled = match slot {
        None => {
            insert_slot(connection, original, Taken::ByCancel(id))?;
            None
        }
        Some(Slot { exchange_id: None }) => None,
        Some(Slot {
            exchange_id: Some(cancelled),
        }) => {
            mark_cancel(connection, original, id)?;
            Some(query::existing(connection, cancelled)?)
        }
    };
    Ok(Accepted::New { id, original: cancelled })
}

fn request(connection: &Held<'_>, chain: &Chain, accept: &Accept) -> Applied<Accepted> {
    let originals = accept.competes();
    let mut is_cancelled = false;
    for original in &originals {
        match slot(connection, original)? {
            None => {}
            Some(Slot { exchange_id: None }) => is_cancelled = true,
            // Another payment under a name that a cancel must be able to use without doubt.
            Some(Slot {
                exchange_id: Some(other),
            }) => {
                return Ok(Accepted::Altered {
                    exchange: query::existing(connection, other)?,
                });
            }
        }
    }
    if is_cancelled {
        // The outcome stands from the first moment: whoever finds the row after a crash answers it and cannot send it.
        let id = insert_new(connection, accept, Begins::Refused)?;
        effect::append(connection, chain, id, None, accept.at)?;
        return Ok(Accepted::Tombstoned { id });
    }
    let begins = accept.sends.as_deref().map_or(Begins::Waiting, Begins::Sent);
    let id = insert_new(connection, accept, begins)?;
    let own = (&accept.initiator, &accept.msg_id, &accept.msg_code);
    for original in &originals {
        let is_own = (&original.initiator, &original.msg_id, &original.msg_code) == own;
        let taken = if is_own { Taken::Own(id) } else { Taken::Further(id) };
        insert_slot(connection, original, taken)?;
    }
    Ok(Accepted::New { id, original: None })
}

/// One statement for what nearly every request is: new.
fn is_known(connection: &Held<'_>, accept: &Accept) -> Applied<bool> {
    let values = params![accept.communication_key, accept.business_key];
    Ok(connection.row(KNOWN, values, |row| row.get(0))?.unwrap_or(true))
}

pub(super) const KNOWN: &str = "SELECT EXISTS (SELECT 1 FROM request WHERE communication_key = ?1)
    OR EXISTS (SELECT 1 FROM exchange WHERE business_key = ?2)";

fn by_request(connection: &Connection, key: &str) -> Applied<Option<Known>> {
    let sql = concat!(
        "SELECT ",
        exchange_columns!(),
        ", content FROM exchange WHERE id = (SELECT exchange_id FROM request WHERE communication_key = ?1)"
    );
    Ok(connection.prepare_cached(sql)?.query_row([key], known).optional()?)
}

fn by_business(connection: &Connection, accept: &Accept) -> Applied<Option<Known>> {
    let Some(key) = &accept.business_key else { return Ok(None) };
    let sql = concat!(
        "SELECT ",
        exchange_columns!(),
        ", content FROM exchange WHERE business_key = ?1"
    );
    Ok(connection.prepare_cached(sql)?.query_row([key], known).optional()?)
}

fn known(row: &Row<'_>) -> rusqlite::Result<Known> {
    Ok(Known {
        exchange: row::exchange(row)?,
        content: row.get("content")?,
    })
}

fn slot(connection: &Held<'_>, key: &OriginalKey) -> Applied<Option<Slot>> {
    let sql = "SELECT exchange_id FROM original WHERE initiator = ?1 AND msg_id = ?2 AND msg_code = ?3";
    let key = params![key.initiator, key.msg_id, key.msg_code];
    let slot = |row: &Row<'_>| {
        Ok(Slot {
            exchange_id: row.get(0)?,
        })
    };
    Ok(connection.row(sql, key, slot)?)
}

/// Who takes a row of `original`.
enum Taken {
    /// The exchange whose first request bears that name.
    Own(ExchangeId),
    /// An exchange, under another name.
    Further(ExchangeId),
    ByCancel(ExchangeId),
}

fn insert_slot(connection: &Held<'_>, key: &OriginalKey, taken: Taken) -> Applied<()> {
    let (exchange, cancel, is_further) = match taken {
        Taken::Own(id) => (Some(id), None, false),
        Taken::Further(id) => (Some(id), None, true),
        Taken::ByCancel(id) => (None, Some(id), false),
    };
    connection.change(
        "INSERT INTO original (initiator, msg_id, msg_code, exchange_id, cancel_id, further) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![key.initiator, key.msg_id, key.msg_code, exchange, cancel, is_further],
    )?;
    Ok(())
}

/// The first cancel stays named; later ones are exchanges of their own.
fn mark_cancel(connection: &Connection, key: &OriginalKey, cancel: ExchangeId) -> Applied<()> {
    connection
        .prepare_cached(
            "UPDATE original SET cancel_id = ?4 WHERE initiator = ?1 AND msg_id = ?2 AND msg_code = ?3 AND cancel_id IS NULL",
        )?
        .execute(params![key.initiator, key.msg_id, key.msg_code, cancel])?;
    Ok(())
}

/// A further request is one whose key does not stand in the exchange.
fn insert_request(connection: &Held<'_>, exchange: ExchangeId, accept: &Accept, is_further: bool) -> Applied<()> {
    connection.change(
        "INSERT INTO request (communication_key, exchange_id, accepted_at, further) VALUES (?1, ?2, ?3, ?4)",
        params![accept.communication_key, exchange, accept.at, is_further],
    )?;
    Ok(())
}

/// As what a new exchange begins.
#[derive(Clone, Copy)]
enum Begins<'a> {
    Waiting,
    /// A tombstone stands.
    Refused,
    Sent(&'a Sending),
}

/// Inserts the exchange, its first request and that request's message, and what goes out for it.
fn insert_new(connection: &Held<'_>, accept: &Accept, begins: Begins<'_>) -> Applied<ExchangeId> {
    let id = insert_exchange(connection, accept, begins)?;
    insert_request(connection, id, accept, false)?;
    message::insert(connection, id, 1, &accept.message)?;
    if let Begins::Sent(sending) = begins {
        message::insert(connection, id, 2, &sending.message)?;
        insert_sent(connection, id, &sending.out_key)?;
    }
    Ok(id)
}

/// Another exchange's key breaks the constraint and with it the write: a reply must not settle the wrong one.
fn insert_sent(connection: &Held<'_>, exchange: ExchangeId, key: &str) -> Applied<()> {
    connection.change(
        "INSERT INTO sent (out_key, exchange_id, further) VALUES (?1, ?2, 0)",
        params![key, exchange],
    )?;
    Ok(())
}

fn insert_exchange(connection: &Held<'_>, accept: &Accept, begins: Begins<'_>) -> Applied<ExchangeId> {
    let (state, sending) = match begins {
        Begins::Waiting | Begins::Refused => (State::Accepted, None),
        Begins::Sent(sending) => (State::Sent, Some(sending)),
    };
    let (outcome, reason) = match begins {
        Begins::Refused => (Some("failed"), Some(ALREADY_CANCELLED)),
        Begins::Waiting | Begins::Sent(_) => (None, None),
    };
    let values = params![
        state.name(),
        outcome,
        reason,
        accept.operation,
        accept.institution,
        accept.amount_fen,
        accept.link_in,
        accept.communication_key,
        accept.business_key,
        accept.content,
        accept.initiator,
        accept.msg_id,
        accept.msg_code,
        accept.end_to_end_id,
        accept.settlement_date,
        accept.batch,
        accept.account_digest,
        accept.owner,
        EPOCH_FIRST,
        accept.lease_until,
        accept.deadline,
        sending.map_or(accept.deadline, |sending| sending.due),
        accept.at,
        sending.map(|sending| &sending.link_out),
        sending.map(|sending| &sending.out_key),
        i64::from(sending.is_some()),
        sending.map(|_| accept.at),
    ];
    connection.change(INSERT_EXCHANGE, values)?;
    Ok(connection.last_insert_rowid())
}

const INSERT_EXCHANGE: &str = "
    INSERT INTO exchange (state, outcome, reason, operation, institution, amount_fen, link_in, communication_key,
    business_key, content, initiator, msg_id, msg_code, end_to_end_id, settlement_date, batch, account_digest, owner,
    epoch, lease_until, deadline, due, accepted_at, link_out, out_key, attempts, queries, sent_at, attempted_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25,
    ?26, 0, ?27, ?27)";
