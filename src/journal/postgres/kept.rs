//! What hangs on many exchanges, each kind of row by one statement.

use super::failure::Stop;
use super::row::{self, Columns, effect_columns, message_columns};
use super::session::{Session, Values};
use crate::journal::kept::{Gathering, Kept};
use crate::journal::{ExchangeId, RequestRecord};

pub(super) async fn of_exchanges(session: &Session, ids: &[ExchangeId]) -> Result<Vec<Kept>, Stop> {
    let values: Values<'_> = &[&ids];
    let (messages, requests, effects) = tokio::try_join!(
        biased;
        session.rows(MESSAGES, values),
        session.rows(REQUESTS, values),
        session.rows(EFFECTS, values),
    )?;
    let mut all = Gathering::default();
    for row in messages {
        let mut columns = Columns::of(&row);
        let message = row::message_of(&mut columns)?;
        all.of(columns.take()?).messages.push(message);
    }
    for row in requests {
        let mut columns = Columns::of(&row);
        let request = RequestRecord {
            communication_key: columns.take()?,
            replied: columns.take()?,
        };
        all.of(columns.take()?).requests.push(request);
    }
    for row in effects {
        let effect = row::effect(&row)?;
        let kept = all.of(effect.exchange);
        kept.effect = Some(effect);
    }
    Ok(all.into_all())
}

pub(super) async fn twins(session: &Session, ids: &[ExchangeId]) -> Result<Vec<(ExchangeId, ExchangeId)>, Stop> {
    let found = session.rows(TWINS, &[&ids]).await?;
    let pairs = found.iter().map(|row| {
        let mut columns = Columns::of(row);
        Ok((columns.take()?, columns.take()?))
    });
    pairs.collect()
}

const MESSAGES: &str = concat!(
    "SELECT ",
    message_columns!(),
    ", exchange_id FROM message WHERE exchange_id = ANY($1) ORDER BY exchange_id, seq"
);

const REQUESTS: &str = "
    SELECT request.communication_key, message.part, request.exchange_id FROM request
    LEFT JOIN message ON message.exchange_id = request.exchange_id AND message.seq = request.reply_seq
    WHERE request.exchange_id = ANY($1) ORDER BY request.accepted_at, request.communication_key";

const EFFECTS: &str = concat!("SELECT ", effect_columns!(), " FROM effect WHERE exchange_id = ANY($1)");

const TWINS: &str = "
    SELECT elder.id, younger.id FROM exchange elder JOIN exchange younger ON younger.end_to_end_id = elder.end_to_end_id
    WHERE elder.id = ANY($1) AND younger.id > elder.id AND elder.outcome = 'success' AND younger.outcome = 'success'
    AND younger.initiator = elder.initiator AND younger.operation = elder.operation ORDER BY elder.id, younger.id";
