//! Messages of an exchange: append-only, numbered within it; and which of them is a request's newest reply.

use super::failure::Stop;
use super::row::{self, message_columns};
use super::session::{Session, Value};
use crate::journal::{ExchangeId, MessageRecord};

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

/// Inserts messages under the numbers from `first` on. Another writer that took one of them first makes it start again.
pub(super) async fn insert(session: &Session, exchange: ExchangeId, first: i64, messages: &[MessageRecord]) -> Result<(), Stop> {
    for (seq, message) in (first..).zip(messages) {
        session.change(INSERT, &values(&exchange, &seq, message)).await?;
    }
    Ok(())
}

/// The values of `INSERT`.
pub(super) fn values<'a>(exchange: &'a ExchangeId, seq: &'a i64, message: &'a MessageRecord) -> [Value<'a>; 9] {
    [
        exchange,
        seq,
        &message.link,
        &message.direction,
        &message.part,
        &message.code,
        &message.record.key,
        &message.record.sealed,
        &message.at,
    ]
}

/// Makes a message the newest reply of a request. An interim answer never takes the place of a reply.
pub(super) async fn set_reply(session: &Session, exchange: ExchangeId, request: &str, seq: i64, part: &str) -> Result<(), Stop> {
    session.change(SET_REPLY, &[&seq, &request, &exchange, &part]).await?;
    Ok(())
}

/// The newest stored reply of a request.
pub(super) async fn newest_reply(session: &Session, request: &str) -> Result<Option<MessageRecord>, Stop> {
    let found = session.row(NEWEST_REPLY, &[&request]).await?;
    found.as_ref().map(row::message).transpose()
}

/// All messages of an exchange, in order.
pub(super) async fn of_exchange(session: &Session, exchange: ExchangeId) -> Result<Vec<MessageRecord>, Stop> {
    let found = session.rows(OF_EXCHANGE, &[&exchange]).await?;
    found.iter().map(row::message).collect()
}

/// The statement is also part of acceptances and moves.
pub(super) const INSERT: &str = concat!(
    "INSERT INTO message (exchange_id, seq, ",
    message_columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
);

/// The statement is also part of a move.
pub(super) const SET_REPLY: &str =
    "UPDATE request SET reply_seq = $1 WHERE communication_key = $2 AND exchange_id = $3 AND ($4 = 'reply' OR NOT EXISTS
     (SELECT 1 FROM message m WHERE m.exchange_id = $3 AND m.seq = request.reply_seq AND m.part = 'reply'))";

const NEWEST_REPLY: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM message JOIN request ON request.exchange_id = message.exchange_id AND request.reply_seq = message.seq \
     WHERE request.communication_key = $1"
);

const OF_EXCHANGE: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM message WHERE exchange_id = $1 ORDER BY seq"
);
