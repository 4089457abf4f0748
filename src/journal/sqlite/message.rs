//! Messages of an exchange: append-only, numbered within it; and which of them is a request's newest reply.

use super::failure::Stop;
use super::held::Held;
use super::row::{self, message_columns};
use crate::journal::{ExchangeId, MessageRecord, Move};
use rusqlite::{Connection, OptionalExtension, params};

type Result<T, E = rusqlite::Error> = std::result::Result<T, E>;

/// Checks what the schema would refuse, before anything of the write is done.
pub(super) fn check(message: &MessageRecord) -> Result<(), Stop> {
    if matches!(message.direction, "received" | "sent") {
        return Ok(());
    }
    Stop::refused("a message's direction is received or sent")
}

/// Whether a message can be a request's newest reply.
pub(super) fn is_reply(message: &MessageRecord) -> bool {
    message.direction == "sent" && matches!(message.part.as_str(), "reply" | "interim")
}

/// Appends a message and gives its number within the exchange.
pub(super) fn append(connection: &Held<'_>, exchange: ExchangeId, message: &MessageRecord) -> Result<i64> {
    let seq = connection.query_row(
        "SELECT COALESCE(MAX(seq), 0) + 1 FROM message WHERE exchange_id = ?1",
        [exchange],
        |row| row.get(0),
    )?;
    insert(connection, exchange, seq, message)?;
    Ok(seq)
}

/// The number of the next message of an exchange that moves; one that needs none gets one that it must not use. A reply to a
/// request that is not of this exchange is refused.
pub(super) fn next_seq(connection: &Held<'_>, change: &Move) -> Result<i64, Stop> {
    if change.messages.is_empty() && change.answers.is_none() {
        return Ok(1);
    }
    let found = connection.row(LOOK, params![change.answers, change.id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (asked_by, next): (Option<ExchangeId>, i64) = found.unwrap_or((None, 1));
    if change.answers.is_some() && asked_by != Some(change.id) {
        return not_of(change.id);
    }
    Ok(next)
}

pub(super) const LOOK: &str = "SELECT (SELECT exchange_id FROM request WHERE communication_key = ?1),
    (SELECT COALESCE(MAX(seq), 0) + 1 FROM message WHERE exchange_id = ?2)";

/// Inserts a message under a number that is known to be free.
pub(super) fn insert(connection: &Held<'_>, exchange: ExchangeId, seq: i64, message: &MessageRecord) -> Result<()> {
    let values = params![
        exchange,
        seq,
        message.link,
        message.direction,
        message.part,
        message.code,
        message.record.key,
        message.record.sealed,
        message.at
    ];
    connection.change(INSERT, values)?;
    Ok(())
}

const INSERT: &str = concat!(
    "INSERT INTO message (exchange_id, seq, ",
    message_columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
);

/// Makes a message the newest reply of a request. An interim answer never takes the place of a reply.
pub(super) fn set_reply(connection: &Held<'_>, exchange: ExchangeId, request: &str, seq: i64, part: &str) -> Result<()> {
    connection.change(SET_REPLY, params![seq, request, exchange, part])?;
    Ok(())
}

const SET_REPLY: &str =
    "UPDATE request SET reply_seq = ?1 WHERE communication_key = ?2 AND exchange_id = ?3 AND (?4 = 'reply' OR NOT EXISTS
     (SELECT 1 FROM message m WHERE m.exchange_id = ?3 AND m.seq = request.reply_seq AND m.part = 'reply'))";

/// The newest stored reply of a request.
pub(super) fn newest_reply(connection: &Connection, request: &str) -> Result<Option<MessageRecord>> {
    connection
        .prepare_cached(concat!(
            "SELECT ",
            message_columns!(),
            " FROM message JOIN request ON request.exchange_id = message.exchange_id AND request.reply_seq = message.seq \
             WHERE request.communication_key = ?1"
        ))?
        .query_row([request], row::message)
        .optional()
}

/// All messages of an exchange, in order.
pub(super) fn of_exchange(connection: &Connection, exchange: ExchangeId) -> Result<Vec<MessageRecord>> {
    connection
        .prepare_cached(concat!(
            "SELECT ",
            message_columns!(),
            " FROM message WHERE exchange_id = ?1 ORDER BY seq"
        ))?
        .query_map([exchange], row::message)?
        .collect()
}

/// Refuses a reply to a request that is not of this exchange.
pub(super) fn check_request(connection: &Connection, exchange: ExchangeId, request: &str) -> Result<(), Stop> {
    let known = connection
        .prepare_cached("SELECT 1 FROM request WHERE communication_key = ?1 AND exchange_id = ?2")?
        .exists(params![request, exchange])?;
    if known {
        return Ok(());
    }
    not_of(exchange)
}

fn not_of<T>(exchange: ExchangeId) -> Result<T, Stop> {
    Stop::refused(format!("the answered request is not one of exchange {exchange}"))
}
