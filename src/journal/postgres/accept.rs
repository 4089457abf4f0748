//! Acceptance of inbound requests: duplicates, cancels and tombstones (design.md section 5, rules 3 and 5).
//!
//! Requests that have nothing in common are looked up together and, if they are new, inserted together. What is looked up is
//! also guarded by a UNIQUE constraint: the insertion that meets another writer's row starts the transaction again, which then
//! finds the row.

use super::batch::Answers;
use super::effect::{self, Final};
use super::failure::Stop;
use super::insert::{self, Begins, Fresh};
use super::row::{self, Columns, exchange_columns};
use super::session::{Session, Value};
use super::table::Table;
use super::work::Work;
use super::{message, query};
use crate::journal::{Accept, Accepted, Exchange, ExchangeId, JournalError, OriginalKey, Written};
use std::collections::BTreeMap;

/// Accepts requests that share no key; a refused one has changed nothing.
pub(super) async fn accept_all(work: &Work<'_>, accepts: &[&Accept]) -> Result<Answers, Stop> {
    let mut answers = Answers::with_capacity(accepts.len());
    let mut fresh = Vec::new();
    for (accept, known) in accepts.iter().zip(look(work.session, accepts).await?) {
        if let Err(reason) = check(accept) {
            answers.push(Err(JournalError::Refused(reason)));
            continue;
        }
        let accepted = if accept.cancels.is_none() && known.is_new() {
            let begins = accept.sends.as_deref().map_or(Begins::Waiting, Begins::Sent);
            let originals = known.names.into_iter().map(|name| name.original).collect();
            fresh.push(Fresh::new(work, accept, known.id, begins, originals));
            Accepted::New {
                id: known.id,
                original: None,
            }
        } else {
            one(work, accept, &known).await?
        };
        answers.push(Ok(Written::Accepted(Box::new(accepted))));
    }
    // In the order of their keys, so that two instances that are sent the same requests do not wait in a circle.
    fresh.sort_by_key(Fresh::key);
    insert::insert(work.session, &fresh).await?;
    Ok(answers)
}

/// Accepts what is not simply new.
async fn one(work: &Work<'_>, accept: &Accept, known: &Known) -> Result<Accepted, Stop> {
    if let Some(id) = known.by_request {
        return repeat(work.session, accept, id).await;
    }
    if let Some(id) = known.by_business {
        return again(work.session, accept, id, &known.names).await;
    }
    match &accept.cancels {
        Some(original) => cancel(work, accept, original, known).await,
        None => named(work, accept, known).await,
    }
}

fn check(accept: &Accept) -> Result<(), String> {
    if accept.sends.is_some() && accept.cancels.is_some() {
        return Err("a cancel is not sent before its original is known".into());
    }
    let sent = accept.sends.iter().map(|sending| &sending.message);
    if !sent.chain([&accept.message]).all(message::is_storable) {
        return Err(message::NOT_STORABLE.into());
    }
    Ok(())
}

/// What stands, and the id that a new exchange would have.
struct Known {
    by_request: Option<ExchangeId>,
    by_business: Option<ExchangeId>,
    /// The names that a request competes for; of a cancel that of what it cancels.
    names: Vec<Name>,
    id: ExchangeId,
}

impl Known {
    fn is_new(&self) -> bool {
        self.by_request.is_none() && self.by_business.is_none() && self.names.iter().all(|name| name.slot.is_none())
    }
}

/// A row of `original`: who came first for one original. No exchange means that a cancel did.
#[derive(Clone, Copy)]
struct Slot {
    exchange_id: Option<ExchangeId>,
}

/// A name with the row that stands under it.
struct Name {
    original: OriginalKey,
    slot: Option<Slot>,
}

async fn repeat(session: &Session, accept: &Accept, id: ExchangeId) -> Result<Accepted, Stop> {
    let (exchange, content) = standing(session, BY_ID, id).await?;
    if content != accept.content {
        return Ok(Accepted::Altered { exchange });
    }
    let reply = message::newest_reply(session, &accept.communication_key).await?;
    Ok(Accepted::Repeat { exchange, reply })
}

/// The exchange becomes cancellable under the names of the further request. Where one of them is another payment's, or was
/// cancelled before it came, the request says two things of one business.
async fn again(session: &Session, accept: &Accept, id: ExchangeId, names: &[Name]) -> Result<Accepted, Stop> {
    let (exchange, content) = standing(session, BY_ID_HELD, id).await?;
    let is_ours = |name: &Name| name.slot.is_none_or(|slot| slot.exchange_id == Some(id));
    if content != accept.content || !names.iter().all(is_ours) {
        return Ok(Accepted::Altered { exchange });
    }
    let free = names.iter().filter(|name| name.slot.is_none());
    let slots = free.map(|name| insert::slot(&name.original, &id, &None::<ExchangeId>));
    let requests = [[&accept.communication_key as Value<'_>, &id, &accept.at]];
    let last = query::last_message(session, id).await? + 1;
    let tables = [
        Table::new(insert::SLOT, slots),
        Table::new(insert::REQUEST, requests),
        Table::new(message::INSERT, [message::values(&id, &last, &accept.message)]),
    ];
    session.fill(&tables).await?;
    Ok(Accepted::Again { exchange })
}

async fn cancel(work: &Work<'_>, accept: &Accept, original: &OriginalKey, known: &Known) -> Result<Accepted, Stop> {
    let session = work.session;
    let new = Fresh::new(work, accept, known.id, Begins::Waiting, Vec::new());
    insert::insert(session, &[new]).await?;
    let cancelled = match known.names.iter().find_map(|name| name.slot) {
        None => {
            let slot = insert::slot(original, &None::<ExchangeId>, &known.id);
            session.fill(&[Table::new(insert::SLOT, [slot])]).await?;
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

/// A new business request under a name that stands.
async fn named(work: &Work<'_>, accept: &Accept, known: &Known) -> Result<Accepted, Stop> {
    // Another payment under a name that a cancel must be able to use without doubt.
    if let Some(other) = known.names.iter().find_map(|name| name.slot?.exchange_id) {
        let exchange = query::existing(work.session, other).await?;
        return Ok(Accepted::Altered { exchange });
    }
    // The outcome stands from the first moment: whoever finds the row after a crash answers it and cannot send it.
    let new = Fresh::new(work, accept, known.id, Begins::Refused, Vec::new());
    insert::insert(work.session, &[new]).await?;
    let exchange = query::existing(work.session, known.id).await?;
    let refused = Final {
        exchange: &exchange,
        reply: None,
        at: accept.at,
    };
    effect::append(work, &[refused]).await?;
    Ok(Accepted::Tombstoned { id: known.id })
}

/// Looks requests up, in their order. Names come before the rest: a row that stands there has its exchange's keys beside it when
/// those are looked for.
async fn look(session: &Session, accepts: &[&Accept]) -> Result<Vec<Known>, Stop> {
    let places: Vec<i64> = (0..).take(accepts.len()).collect();
    let names: Vec<Vec<OriginalKey>> = accepts.iter().map(|accept| names(accept)).collect();
    let asked = names.iter().zip(&places).flat_map(|(names, place)| {
        let asked = names.iter();
        asked.map(move |name| [place as Value<'_>, &name.initiator, &name.msg_id, &name.msg_code])
    });
    let keys = accepts.iter().zip(&places);
    let keys = keys.map(|(accept, place)| [place as Value<'_>, &accept.communication_key, &accept.business_key]);
    let (slots, keys) = (Table::new(SLOTS, asked), Table::new(KEYS, keys));
    let (slots, keys) = tokio::try_join!(biased; session.rows_of(&slots), session.rows_of(&keys))?;
    let mut standing = BTreeMap::new();
    for row in &slots {
        let mut columns = Columns::of(row);
        let place: i64 = columns.take()?;
        let original = original(&mut columns)?;
        standing.insert((place, original), columns.take()?);
    }
    let mut all = BTreeMap::new();
    for row in &keys {
        let mut columns = Columns::of(row);
        all.insert(columns.take::<i64>()?, (columns.take()?, columns.take()?, columns.take()?));
    }
    let known = names.into_iter().zip(places).map(|(names, place)| {
        let (by_request, by_business, id) = all.remove(&place).ok_or(Stop::Again("nothing was found at all"))?;
        let names = names.into_iter().map(|original| {
            let slot = standing.remove(&(place, original.clone()));
            let slot = slot.map(|exchange_id| Slot { exchange_id });
            Name { original, slot }
        });
        Ok(Known {
            by_request,
            by_business,
            names: names.collect(),
            id,
        })
    });
    known.collect()
}

/// What a request competes for; of a cancel the name that it competes with.
fn names(accept: &Accept) -> Vec<OriginalKey> {
    accept
        .cancels
        .clone()
        .map_or_else(|| accept.competes(), |original| vec![original])
}

fn original(columns: &mut Columns<'_>) -> Result<OriginalKey, Stop> {
    Ok(OriginalKey {
        initiator: columns.take()?,
        msg_id: columns.take()?,
        msg_code: columns.take()?,
    })
}

/// The exchange that a key names; gone since then if a prune was at it.
async fn standing(session: &Session, sql: &'static str, id: ExchangeId) -> Result<(Exchange, [u8; 32]), Stop> {
    let found = session.row(sql, &[&id]).await?;
    let row = found.ok_or(Stop::Again("the exchange was pruned a moment ago"))?;
    row::exchange_with_content(&row)
}

const KEYS: &str = "
    SELECT m_place, (SELECT exchange_id FROM request WHERE communication_key = m_request),
        (SELECT id FROM exchange WHERE business_key = m_business), nextval('exchange_ids')
    FROM (SELECT unnest(CAST($1 AS BIGINT[])) AS m_place, unnest(CAST($2 AS TEXT[])) AS m_request,
        unnest(CAST($3 AS TEXT[])) AS m_business) AS many";

/// Names that stand. A zero stands for a cancel that came first, which ids never are.
const SLOTS: &str = "
    SELECT m_place, m_initiator, m_msg_id, m_msg_code, NULLIF(m_slot, 0) FROM (
        SELECT m_place, m_initiator, m_msg_id, m_msg_code, (SELECT COALESCE(exchange_id, 0) FROM original
            WHERE initiator = m_initiator AND msg_id = m_msg_id AND msg_code = m_msg_code) AS m_slot
        FROM (SELECT unnest(CAST($1 AS BIGINT[])) AS m_place, unnest(CAST($2 AS TEXT[])) AS m_initiator,
            unnest(CAST($3 AS TEXT[])) AS m_msg_id, unnest(CAST($4 AS TEXT[])) AS m_msg_code) AS many
        OFFSET 0) AS found
    WHERE m_slot IS NOT NULL";

const BY_ID: &str = concat!("SELECT ", exchange_columns!(), ", content FROM exchange WHERE id = $1");

/// Held until the end of the transaction, so that no prune takes an exchange that a further request is about to be linked to.
const BY_ID_HELD: &str = concat!(
    "SELECT ",
    exchange_columns!(),
    ", content FROM exchange WHERE id = $1 FOR KEY SHARE"
);

/// The first cancel stays named; later ones are exchanges of their own.
const MARK_CANCEL: &str =
    "UPDATE original SET cancel_id = $4 WHERE initiator = $1 AND msg_id = $2 AND msg_code = $3 AND cancel_id IS NULL";
