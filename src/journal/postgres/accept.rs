//! Acceptance of an inbound request: duplicates, cancels and tombstones (design.md section 5, rules 3 and 5).
//!
//! What is looked up is looked up in one statement, so that it is of one moment, and each of it is also guarded by a UNIQUE
//! constraint: the insertion that meets another writer's row starts the transaction again, which then finds the row.

use super::failure::Stop;
use super::row::{self, Columns, exchange_columns};
use super::session::{Session, Step, Value, Values};
use super::work::Work;
use super::{change, effect, message, query};
use crate::journal::{
    ALREADY_CANCELLED, Accept, Accepted, EPOCH_FIRST, Exchange, ExchangeId, OriginalKey, Sending, State, Written,
};
use futures_util::future::try_join_all;

pub(super) async fn accept(work: &Work<'_>, accept: &Accept) -> Result<Written, Stop> {
    message::check(&accept.message)?;
    if let Some(sending) = &accept.sends {
        check_sending(accept, sending)?;
    }
    let session = work.session;
    let mut originals = accept.competes().into_iter();
    let own = accept.cancels.clone().or_else(|| originals.next());
    // Before the rest: a row that stands here has its exchange's keys beside it when those are looked for.
    let mut names = slots(session, originals).await?;
    let known = look(session, accept, own.as_ref()).await?;
    names.extend(own.filter(|_| accept.cancels.is_none()).map(|original| Name {
        original,
        slot: known.own,
    }));
    let accepted = if let Some(id) = known.by_request {
        repeat(session, accept, id).await?
    } else if let Some(id) = known.by_business {
        again(session, accept, id, &names).await?
    } else if let Some(original) = &accept.cancels {
        cancel(work, accept, original, &known).await?
    } else {
        request(work, accept, &known, &names).await?
    };
    Ok(Written::Accepted(Box::new(accepted)))
}

fn check_sending(accept: &Accept, sending: &Sending) -> Result<(), Stop> {
    if accept.cancels.is_some() {
        return Stop::refused("a cancel is not sent before its original is known");
    }
    message::check(&sending.message)
}

/// What stands, and the id that a new exchange would have.
struct Known {
    by_request: Option<ExchangeId>,
    by_business: Option<ExchangeId>,
    /// Of what is cancelled, or of the request's own name.
    own: Option<Slot>,
    id: ExchangeId,
}

/// A row of `original`: who came first for one original. No exchange means that a cancel did.
#[derive(Clone, Copy)]
struct Slot {
    exchange_id: Option<ExchangeId>,
}

/// A name that a request competes for, with the row that stands.
struct Name {
    original: OriginalKey,
    slot: Option<Slot>,
}

async fn repeat(session: &Session, accept: &Accept, id: ExchangeId) -> Result<Accepted, Stop> {
    let (exchange, content) = standing(session, id).await?;
    if content != accept.content {
        return Ok(Accepted::Altered { exchange });
    }
    let reply = message::newest_reply(session, &accept.communication_key).await?;
    Ok(Accepted::Repeat { exchange, reply })
}

/// The exchange becomes cancellable under the names of the further request. Where one of them is another payment's, or was
/// cancelled before it came, the request says two things of one business.
async fn again(session: &Session, accept: &Accept, id: ExchangeId, names: &[Name]) -> Result<Accepted, Stop> {
    let (exchange, content) = standing(session, id).await?;
    let is_ours = |name: &Name| name.slot.is_none_or(|slot| slot.exchange_id == Some(id));
    if content != accept.content || !names.iter().all(is_ours) {
        return Ok(Accepted::Altered { exchange });
    }
    for name in names.iter().filter(|name| name.slot.is_none()) {
        insert_slot(session, &name.original, Some(id), None).await?;
    }
    let last = query::last_message(session, id).await?;
    session
        .change(INSERT_REQUEST, &[&accept.communication_key, &id, &accept.at])
        .await?;
    message::insert(session, id, last + 1, std::slice::from_ref(&accept.message)).await?;
    Ok(Accepted::Again { exchange })
}

async fn cancel(work: &Work<'_>, accept: &Accept, original: &OriginalKey, known: &Known) -> Result<Accepted, Stop> {
    let session = work.session;
    insert_new(work, accept, known.id, Begins::Waiting, &[]).await?;
    let cancelled = match known.own {
        None => {
            insert_slot(session, original, None, Some(known.id)).await?;
            None
        }
        Some(Slot { exchange_id: None }) => None,
        Some(Slot {
            exchange_id: Some(cancelled),
        }) => {
            let OriginalKey {
                initiator,
                msg_id,
                msg_code,
            } = original;
            session.change(MARK_CANCEL, &[initiator, msg_id, msg_code, &known.id]).await?;
            Some(query::existing(session, cancelled).await?)
        }
    };
    Ok(Accepted::New {
        id: known.id,
        original: cancelled,
    })
}

async fn request(work: &Work<'_>, accept: &Accept, known: &Known, names: &[Name]) -> Result<Accepted, Stop> {
    let id = known.id;
    // Another payment under a name that a cancel must be able to use without doubt.
    if let Some(other) = names.iter().find_map(|name| name.slot?.exchange_id) {
        let exchange = query::existing(work.session, other).await?;
        return Ok(Accepted::Altered { exchange });
    }
    if names.iter().any(|name| name.slot.is_some()) {
        // The outcome stands from the first moment: whoever finds the row after a crash answers it and cannot send it.
        insert_new(work, accept, id, Begins::Refused, &[]).await?;
        let exchange = query::existing(work.session, id).await?;
        effect::append(work, &exchange, None, accept.at).await?;
        return Ok(Accepted::Tombstoned { id });
    }
    let begins = accept.sends.as_deref().map_or(Begins::Waiting, Begins::Sent);
    insert_new(work, accept, id, begins, names).await?;
    Ok(Accepted::New { id, original: None })
}

async fn slots(session: &Session, originals: impl Iterator<Item = OriginalKey>) -> Result<Vec<Name>, Stop> {
    try_join_all(originals.map(|original| async move {
        let values: Values<'_> = &[&original.initiator, &original.msg_id, &original.msg_code];
        let found = session.row(SLOT, values).await?;
        let slot = found.map(|row| Columns::of(&row).take()).transpose()?;
        Ok(Name {
            original,
            slot: slot.map(|exchange_id| Slot { exchange_id }),
        })
    }))
    .await
}

async fn look(session: &Session, accept: &Accept, own: Option<&OriginalKey>) -> Result<Known, Stop> {
    let (initiator, msg_id, msg_code) = (
        own.map(|original| &original.initiator),
        own.map(|original| &original.msg_id),
        own.map(|original| &original.msg_code),
    );
    let values: Values<'_> = &[
        &accept.communication_key,
        &accept.business_key,
        &initiator,
        &msg_id,
        &msg_code,
    ];
    let found = session.row(LOOK, values).await?;
    let row = found.ok_or(Stop::Again("nothing was found at all"))?;
    let mut columns = Columns::of(&row);
    let (by_request, by_business) = (columns.take()?, columns.take()?);
    let slot: Option<ExchangeId> = columns.take()?;
    Ok(Known {
        by_request,
        by_business,
        own: slot.map(|id| Slot {
            exchange_id: (id != 0).then_some(id),
        }),
        id: columns.take()?,
    })
}

/// The exchange that a key names; gone since then if a prune was at it.
async fn standing(session: &Session, id: ExchangeId) -> Result<(Exchange, [u8; 32]), Stop> {
    let found = session.row(BY_ID, &[&id]).await?;
    let row = found.ok_or(Stop::Again("the exchange was pruned a moment ago"))?;
    row::exchange_with_content(&row)
}

async fn insert_slot(
    session: &Session,
    key: &OriginalKey,
    exchange: Option<ExchangeId>,
    cancel: Option<ExchangeId>,
) -> Result<(), Stop> {
    let values: Values<'_> = &[&key.initiator, &key.msg_id, &key.msg_code, &exchange, &cancel];
    session.change(INSERT_SLOT, values).await?;
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

/// Inserts the exchange, its first request, that request's message, what goes out for it, and the names that it is the first
/// for: all on the way together, in this order.
async fn insert_new(work: &Work<'_>, accept: &Accept, id: ExchangeId, begins: Begins<'_>, names: &[Name]) -> Result<(), Stop> {
    let sending = match begins {
        Begins::Sent(sending) => Some(sending),
        Begins::Waiting | Begins::Refused => None,
    };
    let exchange = Row::new(work, accept, id, begins);
    let some = Some(id);
    let exchange = exchange.values(accept);
    let request: Values<'_> = &[&accept.communication_key, &id, &accept.at];
    let mut steps: Vec<Step<'_>> = vec![(INSERT_EXCHANGE, &exchange), (INSERT_REQUEST, request)];
    let messages = [Some(&accept.message), sending.map(|sending| &sending.message)];
    let records: Vec<[Value<'_>; 9]> = messages
        .into_iter()
        .flatten()
        .zip(&SEQS)
        .map(|(message, seq)| message::values(&id, seq, message))
        .collect();
    steps.extend(records.iter().map(|values| (message::INSERT, &values[..])));
    let sent: Option<[Value<'_>; 2]> = sending.map(|sending| [&sending.out_key as _, &id as _]);
    steps.extend(sent.iter().map(|values| (change::INSERT_SENT, &values[..])));
    let slots: Vec<[Value<'_>; 5]> = names.iter().map(|name| slot(&name.original, &some)).collect();
    steps.extend(slots.iter().map(|values| (INSERT_SLOT, &values[..])));
    work.session.run(&steps).await?;
    Ok(())
}

/// The values by which an exchange comes first for a name.
fn slot<'a>(original: &'a OriginalKey, exchange: Value<'a>) -> [Value<'a>; 5] {
    [
        &original.initiator,
        &original.msg_id,
        &original.msg_code,
        exchange,
        &None::<ExchangeId>,
    ]
}

/// What the columns of a new exchange hold beside what its acceptance says.
struct Row<'a> {
    id: ExchangeId,
    state: &'static str,
    outcome: Option<&'static str>,
    reason: Option<&'static str>,
    content: &'a [u8],
    account: Option<&'a [u8]>,
    lease_until: i64,
    due: i64,
    link_out: Option<&'a str>,
    out_key: Option<&'a str>,
    attempts: i64,
    sent_at: Option<i64>,
}

impl<'a> Row<'a> {
    fn new(work: &Work<'_>, accept: &'a Accept, id: ExchangeId, begins: Begins<'a>) -> Self {
        let (state, sending) = match begins {
            Begins::Waiting | Begins::Refused => (State::Accepted, None),
            Begins::Sent(sending) => (State::Sent, Some(sending)),
        };
        let is_refused = matches!(begins, Begins::Refused);
        Self {
            id,
            state: state.name(),
            outcome: is_refused.then_some("failed"),
            reason: is_refused.then_some(ALREADY_CANCELLED),
            content: &accept.content,
            account: accept.account_digest.as_ref().map(|digest| &digest[..]),
            lease_until: work.lease_until(accept.lease_until, accept.at),
            due: sending.map_or(accept.deadline, |sending| sending.due),
            link_out: sending.map(|sending| &*sending.link_out),
            out_key: sending.map(|sending| &*sending.out_key),
            attempts: i64::from(sending.is_some()),
            sent_at: sending.map(|_| accept.at),
        }
    }

    fn values(&'a self, accept: &'a Accept) -> [Value<'a>; 28] {
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

/// Numbers of what a new exchange brings.
const SEQS: [i64; 2] = [1, 2];

/// A zero stands for a cancel that came first: ids begin at one.
const LOOK: &str = "SELECT (SELECT exchange_id FROM request WHERE communication_key = $1),
    (SELECT id FROM exchange WHERE business_key = $2),
    (SELECT COALESCE(exchange_id, 0) FROM original WHERE initiator = $3 AND msg_id = $4 AND msg_code = $5),
    nextval('exchange_ids')";

const BY_ID: &str = concat!("SELECT ", exchange_columns!(), ", content FROM exchange WHERE id = $1");

const SLOT: &str = "SELECT exchange_id FROM original WHERE initiator = $1 AND msg_id = $2 AND msg_code = $3";

const INSERT_SLOT: &str =
    "INSERT INTO original (initiator, msg_id, msg_code, exchange_id, cancel_id) VALUES ($1, $2, $3, $4, $5)";

/// The first cancel stays named; later ones are exchanges of their own.
const MARK_CANCEL: &str =
    "UPDATE original SET cancel_id = $4 WHERE initiator = $1 AND msg_id = $2 AND msg_code = $3 AND cancel_id IS NULL";

const INSERT_REQUEST: &str =
    "INSERT INTO request (communication_key, exchange_id, reply_seq, accepted_at) VALUES ($1, $2, NULL, $3)";

const INSERT_EXCHANGE: &str = "
    INSERT INTO exchange (state, outcome, reason, operation, institution, amount_fen, link_in, communication_key,
        business_key, content, initiator, msg_id, msg_code, end_to_end_id, settlement_date, batch, account_digest, owner,
        epoch, lease_until, deadline, due, accepted_at, id, link_out, out_key, attempts, queries, sent_at, attempted_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24,
        $25, $26, $27, 0, $28, $28)";
