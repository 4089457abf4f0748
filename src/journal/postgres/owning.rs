//! Who works on what: leases and take-over. What is open is listed in `open_exchange`, so that nothing here walks the rest.

use super::failure::Stop;
use super::row::{self, Columns, exchange_columns};
use super::session::Session;
use super::work::Work;
use crate::journal::{Exchange, ExchangeId, Millis, Written};
use futures_util::future::try_join_all;
use std::collections::BTreeMap;

/// Extends leases; one that already runs longer is left as it is.
pub(super) async fn renew(work: &Work<'_>, owner: &str, lease_until: Millis) -> Result<Written, Stop> {
    work.session.change(RENEW, &[&owner, &lease_until]).await?;
    Ok(Written::Stored)
}

/// Ends leases at once.
pub(super) async fn release(work: &Work<'_>, owner: &str) -> Result<Written, Stop> {
    work.session.change(RELEASE, &[&owner]).await?;
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

/// Takes exchanges over, oldest first. The compare-and-set on the epoch lets two that take over at once share the rows: who
/// lost some to another looks for further ones.
pub(super) async fn take_over(work: &Work<'_>, take: &TakeOver<'_>) -> Result<Written, Stop> {
    let mut taken = BTreeMap::new();
    loop {
        let found = takeable(work.session, take).await?;
        let room = usize::try_from(take.limit).unwrap_or(usize::MAX).saturating_sub(taken.len());
        let wanted: Vec<_> = found
            .into_iter()
            .filter(|(id, _)| !taken.contains_key(id))
            .take(room)
            .collect();
        let claims = wanted.iter().map(|(id, epoch)| claim(work.session, take, *id, *epoch));
        let claimed = try_join_all(claims).await?;
        let lost = claimed.iter().filter(|claim| claim.is_none()).count();
        taken.extend(claimed.into_iter().flatten().map(|exchange| (exchange.id, exchange)));
        if lost == 0 {
            return Ok(Written::Taken(taken.into_values().collect()));
        }
    }
}

async fn takeable(session: &Session, take: &TakeOver<'_>) -> Result<Vec<(ExchangeId, i64)>, Stop> {
    let limit = i64::from(take.limit);
    let found = session
        .rows(TAKEABLE, &[&take.include_own, &take.owner, &take.now, &limit])
        .await?;
    let pairs = found.iter().map(|row| {
        let mut columns = Columns::of(row);
        Ok((columns.take()?, columns.take()?))
    });
    pairs.collect()
}

async fn claim(session: &Session, take: &TakeOver<'_>, id: ExchangeId, epoch: i64) -> Result<Option<Exchange>, Stop> {
    let claimed = session.row(CLAIM, &[&id, &epoch, &take.owner, &take.lease_until]).await?;
    claimed.as_ref().map(row::exchange).transpose()
}

/// Locks in the order of ids, like everybody who locks several exchanges. An array, so that each is found by its id whatever the
/// planner thinks of the two tables.
const RENEW: &str = "UPDATE exchange SET lease_until = $2 WHERE id = ANY(ARRAY(
    SELECT id FROM exchange WHERE id = ANY(ARRAY(SELECT exchange_id FROM open_exchange))
        AND owner = $1 AND state <> 'delivered' AND lease_until < $2 ORDER BY id FOR NO KEY UPDATE))";

const RELEASE: &str = "UPDATE exchange SET lease_until = 0 WHERE id = ANY(ARRAY(
    SELECT id FROM exchange WHERE id = ANY(ARRAY(SELECT exchange_id FROM open_exchange))
        AND owner = $1 AND state <> 'delivered' ORDER BY id FOR NO KEY UPDATE))";

const TAKEABLE: &str = "
    SELECT id, epoch FROM exchange WHERE id = ANY(ARRAY(SELECT exchange_id FROM open_exchange)) AND state <> 'delivered'
        AND (lease_until < $3 OR (owner = $2 AND $1)) ORDER BY id LIMIT $4";

const CLAIM: &str = concat!(
    "UPDATE exchange SET owner = $3, epoch = epoch + 1, lease_until = $4
     WHERE id = $1 AND epoch = $2 AND state <> 'delivered' RETURNING ",
    exchange_columns!()
);
