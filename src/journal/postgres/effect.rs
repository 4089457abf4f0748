//! The chain of terminal effects as rows: extended with the outcome itself, in its transaction.

use super::failure::Stop;
use super::row::{self, Columns, effect_columns};
use super::session::{Session, Values};
use super::work::Work;
use crate::journal::chain::{Effect, FIRST, Tip};
use crate::journal::{EffectKey, Exchange, ExchangeId, Millis};

/// Chains the outcome of an exchange that has just become final.
pub(super) async fn append(work: &Work<'_>, exchange: &Exchange, reply: Option<[u8; 32]>, at: Millis) -> Result<(), Stop> {
    let effect = work.next_effect(exchange, reply, at).await?;
    let reply = effect.reply.as_ref().map(|digest| &digest[..]);
    let values: Values<'_> = &[
        &effect.chain,
        &effect.date,
        &effect.seq,
        &effect.exchange,
        &reply,
        &&effect.facts[..],
        &&effect.digest[..],
        &effect.at,
    ];
    work.session.change(INSERT, values).await?;
    Ok(())
}

/// Where a chain ends. Its last record stays locked until the transaction ends.
pub(super) async fn locked_tip(session: &Session, chain: &str, date: &str) -> Result<(i64, [u8; 32]), Stop> {
    let found = session.row(TIP, &[&chain, &date]).await?;
    let tip = found.as_ref().map(row::tip).transpose()?;
    Ok(tip.map_or((0, FIRST), |tip| (tip.seq, tip.digest)))
}

pub(super) async fn of_exchange(session: &Session, id: ExchangeId) -> Result<Option<Effect>, Stop> {
    let found = session.row(OF_EXCHANGE, &[&id]).await?;
    found.as_ref().map(row::effect).transpose()
}

/// Records in the order of chain, date and number, after the given one.
pub(super) async fn page(session: &Session, after: &EffectKey, limit: u32) -> Result<Vec<Effect>, Stop> {
    let values: Values<'_> = &[&after.chain, &after.date, &after.seq, &i64::from(limit)];
    let found = session.rows(PAGE, values).await?;
    found.iter().map(row::effect).collect()
}

/// Where every chain ends.
pub(super) async fn tips(session: &Session) -> Result<Vec<Tip>, Stop> {
    let found = session.rows(TIPS, &[]).await?;
    found.iter().map(row::tip).collect()
}

/// Marks the records of exchanges that go; a chain of which nothing stands any more goes with them.
///
/// Whoever extends a chain locks its end first, and so do we: either its record is seen here, or the chain begins anew there.
pub(super) async fn prune(session: &Session, ids: &[ExchangeId]) -> Result<(), Stop> {
    session.change(MARK, &[&ids]).await?;
    for row in session.rows(CHAINS, &[&ids]).await? {
        let mut columns = Columns::of(&row);
        let (chain, date): (String, String) = (columns.take()?, columns.take()?);
        locked_tip(session, &chain, &date).await?;
        session.change(DROP, &[&chain, &date]).await?;
    }
    Ok(())
}

const INSERT: &str = "INSERT INTO effect (chain, date, seq, exchange_id, reply, facts, digest, at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

const TIP: &str =
    "SELECT chain, date, seq, digest FROM effect WHERE chain = $1 AND date = $2 ORDER BY seq DESC LIMIT 1 FOR UPDATE";

const OF_EXCHANGE: &str = concat!("SELECT ", effect_columns!(), " FROM effect WHERE exchange_id = $1");

/// The order is that of bytes, as everywhere in this journal, whatever the database's collation.
const PAGE: &str = concat!(
    "SELECT ",
    effect_columns!(),
    " FROM effect WHERE (chain, date, seq) > ($1, $2, $3) ORDER BY chain, date, seq LIMIT $4"
);

const TIPS: &str = "
    SELECT chain, date, seq, digest FROM effect
    WHERE (chain, date, seq) IN (SELECT chain, date, MAX(seq) FROM effect GROUP BY chain, date) ORDER BY chain, date";

const MARK: &str = "UPDATE effect SET pruned = 1 WHERE exchange_id = ANY($1)";

const CHAINS: &str = "SELECT DISTINCT chain, date FROM effect WHERE exchange_id = ANY($1) ORDER BY chain, date";

const DROP: &str = "DELETE FROM effect WHERE chain = $1 AND date = $2
    AND NOT EXISTS (SELECT 1 FROM effect standing WHERE standing.chain = $1 AND standing.date = $2 AND standing.pruned = 0)";
