//! Insertion of new exchanges, each kind of row by one statement.

use super::change::INSERT_SENT;
use super::failure::Stop;
use super::message;
use super::session::{Session, Value};
use super::table::Table;
use super::work::Work;
use crate::journal::{ALREADY_CANCELLED, Accept, EPOCH_FIRST, ExchangeId, OriginalKey, Sending, State};

/// As what a new exchange begins.
#[derive(Clone, Copy)]
pub(super) enum Begins<'a> {
    Waiting,
    /// A tombstone stands.
    Refused,
    Sent(&'a Sending),
}

/// A new exchange: what its columns hold beside what its acceptance says, and the names that it is the first for.
pub(super) struct Fresh<'a> {
    accept: &'a Accept,
    sending: Option<&'a Sending>,
    names: Vec<OriginalKey>,
    id: ExchangeId,
    state: &'static str,
    outcome: Option<&'static str>,
    reason: Option<&'static str>,
    content: &'a [u8],
    account: Option<&'a [u8]>,
    lease_until: i64,
    due: i64,
    /// When whoever looks for what is due finds it: not later than that.
    listed_due: i64,
    link_out: Option<&'a str>,
    out_key: Option<&'a str>,
    attempts: i64,
    sent_at: Option<i64>,
}

/// Inserts exchanges with their first requests, those requests' messages, what goes out for them, and their names: all on the way
/// together, in this order.
pub(super) async fn insert(session: &Session, all: &[Fresh<'_>]) -> Result<(), Stop> {
    let messages = all.iter().flat_map(Fresh::messages);
    let sent = all.iter().filter_map(|new| {
        let sending = new.sending?;
        Some([&sending.out_key as Value<'_>, &new.id])
    });
    let slots = all
        .iter()
        .flat_map(|new| new.names.iter().map(|name| slot(name, &new.id, &None::<ExchangeId>)));
    let requests = all
        .iter()
        .map(|new| [&new.accept.communication_key as Value<'_>, &new.id, &new.accept.at]);
    let tables = [
        Table::new(EXCHANGE, all.iter().map(Fresh::values)),
        Table::new(OPEN, all.iter().map(|new| [&new.id as Value<'_>, &new.listed_due])),
        Table::new(REQUEST, requests),
        Table::new(message::INSERT, messages),
        Table::new(INSERT_SENT, sent),
        Table::new(SLOT, slots),
    ];
    session.fill(&tables).await?;
    Ok(())
}

/// The values by which an exchange, or its cancel, comes first for a name.
pub(super) fn slot<'a>(original: &'a OriginalKey, exchange: Value<'a>, cancel: Value<'a>) -> [Value<'a>; 5] {
    [&original.initiator, &original.msg_id, &original.msg_code, exchange, cancel]
}

impl<'a> Fresh<'a> {
    pub(super) fn new(work: &Work<'_>, accept: &'a Accept, id: ExchangeId, begins: Begins<'a>, names: Vec<OriginalKey>) -> Self {
        let (state, sending) = match begins {
            Begins::Waiting | Begins::Refused => (State::Accepted, None),
            Begins::Sent(sending) => (State::Sent, Some(sending)),
        };
        let is_refused = matches!(begins, Begins::Refused);
        let due = sending.map_or(accept.deadline, |sending| sending.due);
        Self {
            accept,
            sending,
            names,
            id,
            state: state.name(),
            outcome: is_refused.then_some("failed"),
            reason: is_refused.then_some(ALREADY_CANCELLED),
            content: &accept.content,
            account: accept.account_digest.as_ref().map(|digest| &digest[..]),
            lease_until: work.lease_until(accept.lease_until, accept.at),
            due,
            listed_due: due.min(accept.at.saturating_add(LISTED_MS)),
            link_out: sending.map(|sending| &*sending.link_out),
            out_key: sending.map(|sending| &*sending.out_key),
            attempts: i64::from(sending.is_some()),
            sent_at: sending.map(|_| accept.at),
        }
    }

    /// The keys by which another writer may be in the way.
    pub(super) fn key(&self) -> (Option<&'a str>, &'a str) {
        (self.accept.business_key.as_deref(), &self.accept.communication_key)
    }

    fn messages(&self) -> impl Iterator<Item = [Value<'_>; 9]> {
        let messages = [Some(&self.accept.message), self.sending.map(|sending| &sending.message)];
        let messages = messages.into_iter().flatten().zip(&SEQS);
        messages.map(|(message, seq)| message::values(&self.id, seq, message))
    }

    fn values(&self) -> [Value<'_>; 28] {
        let accept = self.accept;
        [
            &self.state,
            &self.outcome,
            &self.reason,
            &accept.operation,
            &accept.institution,
            &accept.amount_fen,
            &accept.link_in,
            &accept.communication_key,
            &accept.business_key,
            &self.content,
            &accept.initiator,
            &accept.msg_id,
            &accept.msg_code,
            &accept.end_to_end_id,
            &accept.settlement_date,
            &accept.batch,
            &self.account,
            &accept.owner,
            &EPOCH_FIRST,
            &self.lease_until,
            &accept.deadline,
            &self.due,
            &accept.at,
            &self.id,
            &self.link_out,
            &self.out_key,
            &self.attempts,
            &self.sent_at,
        ]
    }
}

/// After this a new exchange is listed as due, though it may be due later: a move that makes it due sooner, but not so soon, has
/// nothing to change in the list.
const LISTED_MS: i64 = 1_000;

/// Numbers of what a new exchange brings.
const SEQS: [i64; 2] = [1, 2];

pub(super) const SLOT: &str = "
    INSERT INTO original (initiator, msg_id, msg_code, exchange_id, cancel_id)
    SELECT unnest(CAST($1 AS TEXT[])), unnest(CAST($2 AS TEXT[])), unnest(CAST($3 AS TEXT[])), unnest(CAST($4 AS BIGINT[])),
        unnest(CAST($5 AS BIGINT[]))";

pub(super) const REQUEST: &str = "
    INSERT INTO request (communication_key, exchange_id, accepted_at)
    SELECT unnest(CAST($1 AS TEXT[])), unnest(CAST($2 AS BIGINT[])), unnest(CAST($3 AS BIGINT[]))";

const OPEN: &str =
    "INSERT INTO open_exchange (exchange_id, due) SELECT unnest(CAST($1 AS BIGINT[])), unnest(CAST($2 AS BIGINT[]))";

const EXCHANGE: &str = "
    INSERT INTO exchange (layout, queries, state, outcome, reason, operation, institution, amount_fen, link_in, communication_key,
        business_key, content, initiator, msg_id, msg_code, end_to_end_id, settlement_date, batch, account_digest, owner,
        epoch, lease_until, deadline, due, accepted_at, id, link_out, out_key, attempts, sent_at, attempted_at)
    SELECT 5, 0, unnest(CAST($1 AS TEXT[])), unnest(CAST($2 AS TEXT[])), unnest(CAST($3 AS TEXT[])),
        unnest(CAST($4 AS TEXT[])), unnest(CAST($5 AS TEXT[])), unnest(CAST($6 AS BIGINT[])), unnest(CAST($7 AS TEXT[])),
        unnest(CAST($8 AS TEXT[])), unnest(CAST($9 AS TEXT[])), unnest(CAST($10 AS BYTEA[])), unnest(CAST($11 AS TEXT[])),
        unnest(CAST($12 AS TEXT[])), unnest(CAST($13 AS TEXT[])), unnest(CAST($14 AS TEXT[])), unnest(CAST($15 AS TEXT[])),
        unnest(CAST($16 AS TEXT[])), unnest(CAST($17 AS BYTEA[])), unnest(CAST($18 AS TEXT[])),
        unnest(CAST($19 AS BIGINT[])), unnest(CAST($20 AS BIGINT[])), unnest(CAST($21 AS BIGINT[])),
        unnest(CAST($22 AS BIGINT[])), unnest(CAST($23 AS BIGINT[])), unnest(CAST($24 AS BIGINT[])),
        unnest(CAST($25 AS TEXT[])), unnest(CAST($26 AS TEXT[])), unnest(CAST($27 AS BIGINT[])),
        unnest(CAST($28 AS BIGINT[])), unnest(CAST($28 AS BIGINT[]))";
