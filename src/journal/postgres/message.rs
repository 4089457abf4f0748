//! Messages of an exchange: append-only, numbered within it; and which of them is a request's newest reply.

use super::failure::Stop;
use super::row::{self, message_columns};
use super::session::{Session, Value};
use super::table::Table;
use crate::journal::{ExchangeId, MessageRecord};

/// Whether the schema takes a message: its direction is one of two.
pub(super) fn is_storable(message: &MessageRecord) -> bool {
    matches!(message.direction, "received" | "sent")
}

/// Whether a message can be a request's newest reply.
pub(super) fn is_reply(message: &MessageRecord) -> bool {
    message.direction == "sent" && matches!(message.part.as_str(), "reply" | "interim")
}

/// Inserts a message. Another writer that took its number first makes it start again.
pub(super) async fn insert(session: &Session, exchange: ExchangeId, seq: i64, message: &MessageRecord) -> Result<(), Stop> {
    session
        .fill(&[Table::new(INSERT, [values(&exchange, &seq, message)])])
        .await?;
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
    let row: [Value<'_>; 4] = [&seq, &request, &exchange, &part];
    session.fill(&[Table::new(SET_REPLY, [row])]).await?;
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

/// Said of what is not.
pub(super) const NOT_STORABLE: &str = "a message's direction is received or sent";

/// The statement is also part of acceptances and moves.
pub(super) const INSERT: &str = concat!(
    "INSERT INTO message (exchange_id, seq, ",
    message_columns!(),
    ") SELECT unnest(CAST($1 AS BIGINT[])), unnest(CAST($2 AS BIGINT[])), unnest(CAST($3 AS TEXT[])), unnest(CAST($4 AS TEXT[])),
        unnest(CAST($5 AS TEXT[])), unnest(CAST($6 AS TEXT[])), unnest(CAST($7 AS TEXT[])), unnest(CAST($8 AS BYTEA[])),
        unnest(CAST($9 AS BIGINT[]))"
);

/// The statement is also part of moves. The array of keys, beside the rows, has each found by its index whatever the planner
/// thinks of the rest.
pub(super) const SET_REPLY: &str = "UPDATE request SET reply_seq = m_seq
    FROM (SELECT unnest(CAST($1 AS BIGINT[])) AS m_seq, unnest(CAST($2 AS TEXT[])) AS m_key,
        unnest(CAST($3 AS BIGINT[])) AS m_id, unnest(CAST($4 AS TEXT[])) AS m_part) AS many
    WHERE communication_key = ANY($2) AND communication_key = m_key AND exchange_id = m_id
    AND (m_part = 'reply' OR NOT EXISTS
        (SELECT 1 FROM message m WHERE m.exchange_id = m_id AND m.seq = request.reply_seq AND m.part = 'reply'))";

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
