//! Moves between states, and further replies: everything that an epoch fences.
//!
//! Moves that have nothing in common are made together, each step of them by one statement.

use super::batch::Answers;
use super::effect::{self, Final};
use super::failure::Stop;
use super::row::{self, Columns, exchange_columns};
use super::session::{Session, Value};
use super::table::Table;
use super::work::Work;
use super::{message, query};
use crate::journal::chain::{is_final, reply_digest};
use crate::journal::{Exchange, ExchangeId, JournalError, MessageRecord, Move, SealedRecord, State, Written, stands_in_the_way};
use std::collections::BTreeMap;

/// Makes moves of different exchanges; a refused one has changed nothing.
pub(super) async fn move_all(work: &Work<'_>, moves: &[&Move]) -> Result<Answers, Stop> {
    let mut answers = Answers::with_capacity(moves.len());
    let mut allowed = Vec::with_capacity(moves.len());
    for (change, known) in moves.iter().zip(look(work.session, moves).await?) {
        answers.push(match check(change).and_then(|()| allow(change, known)) {
            Ok(known) => {
                allowed.push((*change, known));
                Ok(Written::Moved)
            }
            Err(reason) => Err(JournalError::Refused(reason)),
        });
    }
    let moved = update(work.session, &allowed).await?;
    for (change, answer) in moves.iter().zip(&mut answers) {
        if answer.is_ok() && !moved.contains_key(&change.id) {
            *answer = stale(work.session, change.id).await?;
        }
    }
    let made: Vec<Made<'_>> = allowed
        .iter()
        .filter_map(|(change, known)| Some(Made::new(change, known, moved.get(&change.id)?)))
        .collect();
    let finals = finals(&made);
    tokio::try_join!(biased; keep(work.session, &made), effect::append(work, &finals))?;
    Ok(answers)
}

/// A move that was made, with what it leaves to be stored.
struct Made<'a> {
    change: &'a Move,
    known: &'a Known,
    exchange: &'a Exchange,
    numbered: Vec<(i64, &'a MessageRecord)>,
    may_be_long: bool,
}

impl<'a> Made<'a> {
    fn new(change: &'a Move, known: &'a Known, exchange: &'a Exchange) -> Self {
        Self {
            change,
            known,
            exchange,
            numbered: (known.last_message + 1..).zip(&change.messages).collect(),
            may_be_long: change.to == State::Unknown,
        }
    }

    fn newest_reply(&self) -> Option<&(i64, &'a MessageRecord)> {
        self.numbered.iter().rfind(|(_, record)| message::is_reply(record))
    }
}

/// Outcomes that have become final with these moves.
fn finals<'a>(made: &'a [Made<'_>]) -> Vec<Final<'a>> {
    let fresh = made
        .iter()
        .filter(|made| is_final(made.change.outcome.as_ref()) && !made.known.is_chained);
    let finals = fresh.map(|made| Final {
        exchange: made.exchange,
        reply: made.newest_reply().map(|(_, record)| reply_digest(&record.record.sealed)),
        at: made.change.at,
    });
    finals.collect()
}

/// What becomes durable with moves: none of it needs an answer to another, so that all is on the way together.
async fn keep(session: &Session, made: &[Made<'_>]) -> Result<(), Stop> {
    let sent = made.iter().filter_map(|made| {
        let key = made.change.out_key.as_ref().filter(|_| made.known.sent_for.is_none())?;
        Some([key as Value<'_>, &made.change.id])
    });
    let records = made.iter().flat_map(|made| {
        let numbered = made.numbered.iter();
        numbered.map(|(seq, record)| message::values(&made.change.id, seq, record))
    });
    let replies = made.iter().filter_map(|made| {
        let (request, (seq, record)) = made.change.answers.as_ref().zip(made.newest_reply())?;
        Some([seq as Value<'_>, request, &made.change.id, &record.part])
    });
    let (closed, open): (Vec<_>, Vec<_>) = made.iter().partition(|made| made.change.to == State::Delivered);
    let listed = open
        .iter()
        .map(|made| [&made.change.id as Value<'_>, &made.change.due, &made.may_be_long]);
    let tables = [
        Table::new(INSERT_SENT, sent),
        Table::new(message::INSERT, records),
        Table::new(message::SET_REPLY, replies),
        Table::new(LIST, listed),
        Table::new(CLOSE, closed.iter().map(|made| [&made.change.id as Value<'_>])),
    ];
    session.fill(&tables).await?;
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
        return Stop::refused(not_of(id));
    }
    let newest = message::newest_reply(work.session, answers).await?;
    if stands_in_the_way(newest.as_ref(), replaces) {
        return Ok(Written::Conflict(None));
    }
    let seq = query::last_message(work.session, id).await? + 1;
    message::insert(work.session, id, seq, record).await?;
    message::set_reply(work.session, id, answers, seq, &record.part).await?;
    Ok(Written::Stored)
}

/// What stands around an exchange before it moves; the default where the move needs nothing of it.
#[derive(Clone, Copy, Default)]
struct Known {
    sent_for: Option<ExchangeId>,
    asked_by: Option<ExchangeId>,
    last_message: i64,
    is_chained: bool,
}

/// Checks what the schema would refuse, before anything of the move is done.
fn check(change: &Move) -> Result<(), String> {
    if !change.messages.iter().all(message::is_storable) {
        return Err(message::NOT_STORABLE.into());
    }
    if let Some(outcome) = &change.outcome
        && !matches!(outcome.name.as_str(), "success" | "failed" | "unknown")
    {
        return Err("an outcome is success, failed or unknown".into());
    }
    if change.from.len() > State::ALL.len() {
        return Err("a move names each state at most once".into());
    }
    Ok(())
}

/// One outbound key for two exchanges would let a reply settle the wrong one; the schema forbids it too.
fn allow(change: &Move, known: Known) -> Result<Known, String> {
    if known.sent_for.is_some_and(|other| other != change.id) {
        return Err("another exchange has this outbound key".into());
    }
    if change.answers.is_some() && known.asked_by != Some(change.id) {
        return Err(not_of(change.id));
    }
    Ok(known)
}

/// Looks up what each move needs to know, in their order.
async fn look(session: &Session, moves: &[&Move]) -> Result<Vec<Known>, Stop> {
    let places: Vec<i64> = (0..).take(moves.len()).collect();
    let asked = moves.iter().zip(&places).filter(|(change, _)| !is_bare(change));
    let asked = asked.map(|(change, place)| [place as Value<'_>, &change.out_key, &change.answers, &change.id]);
    let mut all = vec![Known::default(); moves.len()];
    for row in session.rows_of(&Table::new(LOOK, asked)).await? {
        let mut columns = Columns::of(&row);
        let place: i64 = columns.take()?;
        let known = Known {
            sent_for: columns.take()?,
            asked_by: columns.take()?,
            last_message: columns.take()?,
            is_chained: columns.take::<Option<i64>>()?.is_some(),
        };
        if let Some(of) = usize::try_from(place).ok().and_then(|place| all.get_mut(place)) {
            *of = known;
        }
    }
    Ok(all)
}

/// Whether a move stores nothing but itself.
fn is_bare(change: &Move) -> bool {
    change.out_key.is_none() && change.answers.is_none() && change.messages.is_empty() && !is_final(change.outcome.as_ref())
}

/// The exchanges as they stand after their moves, but for those where the compare-and-set did not match.
async fn update(session: &Session, moves: &[(&Move, Known)]) -> Result<BTreeMap<ExchangeId, Exchange>, Stop> {
    let rows: Vec<Row<'_>> = moves.iter().map(|(change, _)| Row::new(change)).collect();
    let found = session.rows_of(&Table::new(MOVE, rows.iter().map(Row::values))).await?;
    let exchanges = found.iter().map(row::exchange);
    exchanges
        .map(|exchange| exchange.map(|exchange| (exchange.id, exchange)))
        .collect()
}

/// The parameters of a move.
struct Row<'a> {
    change: &'a Move,
    /// Names of the states that it starts from.
    from: String,
    to: &'static str,
    outcome: Option<&'a str>,
    reason: Option<&'a str>,
    text: Option<&'a str>,
    attempt: i64,
    query: i64,
}

impl<'a> Row<'a> {
    fn new(change: &'a Move) -> Self {
        let outcome = change.outcome.as_ref();
        let from: Vec<&str> = change.from.iter().map(|state| state.name()).collect();
        Self {
            change,
            from: from.join(" "),
            to: change.to.name(),
            outcome: outcome.map(|outcome| &*outcome.name),
            reason: outcome.and_then(|outcome| outcome.reason.as_deref()),
            text: outcome.and_then(|outcome| outcome.text.as_deref()),
            attempt: i64::from(change.attempt),
            query: i64::from(change.query),
        }
    }

    fn values(&self) -> [Value<'_>; 13] {
        [
            &self.change.id,
            &self.change.epoch,
            &self.from,
            &self.to,
            &self.change.due,
            &self.outcome,
            &self.reason,
            &self.text,
            &self.change.link_out,
            &self.change.out_key,
            &self.attempt,
            &self.query,
            &self.change.at,
        ]
    }
}

async fn stale(session: &Session, id: ExchangeId) -> Result<Result<Written, JournalError>, Stop> {
    Ok(match query::by_id(session, id).await? {
        Some(exchange) => Ok(Written::Stale(Box::new(exchange))),
        None => Err(JournalError::Refused(format!("there is no exchange {id}"))),
    })
}

fn not_of(id: ExchangeId) -> String {
    format!("the answered request is not one of exchange {id}")
}

const LOOK: &str = "
    SELECT m_place, (SELECT exchange_id FROM sent WHERE out_key = m_sent),
        (SELECT exchange_id FROM request WHERE communication_key = m_request),
        (SELECT COALESCE(MAX(seq), 0) FROM message WHERE exchange_id = m_id),
        (SELECT seq FROM effect WHERE exchange_id = m_id)
    FROM (SELECT unnest(CAST($1 AS BIGINT[])) AS m_place, unnest(CAST($2 AS TEXT[])) AS m_sent,
        unnest(CAST($3 AS TEXT[])) AS m_request, unnest(CAST($4 AS BIGINT[])) AS m_id) AS many";

/// The compare-and-set. Besides (id, epoch, state) it holds what no caller may undo: delivered is the end, nothing goes back
/// to accepted, and a final outcome is neither exchanged for another one nor followed by a send. The array of ids, beside the
/// rows, has each found by its id whatever the planner thinks of the rest.
const MOVE: &str = concat!(
    "UPDATE exchange SET
        state = m_to, due = m_due,
        outcome = CASE WHEN outcome IN ('success', 'failed') THEN outcome ELSE COALESCE(m_outcome, outcome) END,
        reason = CASE WHEN outcome IN ('success', 'failed') OR m_outcome IS NULL THEN reason ELSE m_reason END,
        outcome_text = CASE WHEN m_outcome IS NULL THEN outcome_text
            WHEN outcome IN ('success', 'failed') THEN COALESCE(outcome_text, m_text) ELSE m_text END,
        link_out = COALESCE(m_link, link_out),
        out_key = CASE WHEN m_query = 0 THEN COALESCE(m_sent, out_key) ELSE out_key END,
        attempts = attempts + m_attempt, queries = queries + m_query,
        sent_at = CASE WHEN m_to = 'sent' THEN COALESCE(sent_at, m_at) ELSE sent_at END,
        attempted_at = CASE WHEN m_attempt = 1 THEN m_at ELSE attempted_at END,
        answered_at = CASE WHEN m_to = 'answered' THEN COALESCE(answered_at, m_at) ELSE answered_at END,
        delivered_at = CASE WHEN m_to = 'delivered' THEN COALESCE(delivered_at, m_at) ELSE delivered_at END
    FROM (SELECT unnest(CAST($1 AS BIGINT[])) AS m_id, unnest(CAST($2 AS BIGINT[])) AS m_epoch,
        unnest(CAST($3 AS TEXT[])) AS m_from, unnest(CAST($4 AS TEXT[])) AS m_to, unnest(CAST($5 AS BIGINT[])) AS m_due,
        unnest(CAST($6 AS TEXT[])) AS m_outcome, unnest(CAST($7 AS TEXT[])) AS m_reason, unnest(CAST($8 AS TEXT[])) AS m_text,
        unnest(CAST($9 AS TEXT[])) AS m_link, unnest(CAST($10 AS TEXT[])) AS m_sent, unnest(CAST($11 AS BIGINT[])) AS m_attempt,
        unnest(CAST($12 AS BIGINT[])) AS m_query, unnest(CAST($13 AS BIGINT[])) AS m_at) AS many
    WHERE id = ANY($1) AND id = m_id AND epoch = m_epoch AND state = ANY(string_to_array(m_from, ' '))
        AND (state <> 'delivered' OR m_to = 'delivered')
        AND (state = 'accepted' OR m_to <> 'accepted')
        AND (outcome IS NULL OR outcome = 'unknown' OR (m_to NOT IN ('sent', 'unknown') AND (m_outcome IS NULL
            OR (outcome = m_outcome AND (reason IS NULL OR m_reason IS NULL OR reason = m_reason)))))
    RETURNING ",
    exchange_columns!()
);

/// The statement is also part of an acceptance.
pub(super) const INSERT_SENT: &str =
    "INSERT INTO sent (out_key, exchange_id) SELECT unnest(CAST($1 AS TEXT[])), unnest(CAST($2 AS BIGINT[]))";

/// The list says a time at which an exchange is due or one before: earlier times are noted, and that of an unknown one, which may
/// stay so for long.
const LIST: &str = "UPDATE open_exchange SET due = m_due
    FROM (SELECT unnest(CAST($1 AS BIGINT[])) AS m_id, unnest(CAST($2 AS BIGINT[])) AS m_due,
        unnest(CAST($3 AS BOOLEAN[])) AS m_is_long) AS many
    WHERE exchange_id = ANY($1) AND exchange_id = m_id AND (due > m_due OR m_is_long)";

/// What is delivered is open no more.
const CLOSE: &str = "DELETE FROM open_exchange WHERE exchange_id = ANY(CAST($1 AS BIGINT[]))";

const LOCK_REQUEST: &str = "SELECT 1 FROM request WHERE communication_key = $1 AND exchange_id = $2 FOR UPDATE";
