//! The chain of terminal effects as rows: extended with the outcome itself, in its transaction.

use super::failure::Stop;
use super::row::{self, Columns, effect_columns};
use super::session::{Session, Value, Values};
use super::table::Table;
use super::work::Work;
use crate::journal::chain::{Effect, FIRST, Tip};
use crate::journal::{EffectKey, Exchange, ExchangeId, Millis};

/// An exchange that has just become final, with the digest of the reply that says so.
pub(super) struct Final<'a> {
    pub(super) exchange: &'a Exchange,
    pub(super) reply: Option<[u8; 32]>,
    pub(super) at: Millis,
}

/// Chains outcomes, in this order.
pub(super) async fn append(work: &Work<'_>, all: &[Final<'_>]) -> Result<(), Stop> {
    let effects = work.next_effects(all).await?;
    let digests: Vec<_> = effects.iter().map(Digests::of).collect();
    let rows = effects.iter().zip(&digests).map(|(effect, digests)| {
        let row: [Value<'_>; 8] = [
            &effect.chain,
            &effect.date,
            &effect.seq,
            &effect.exchange,
            &digests.reply,
            &digests.facts,
            &digests.digest,
            &effect.at,
        ];
        row
    });
    work.session.fill(&[Table::new(INSERT, rows)]).await?;
    Ok(())
}

/// The digests of a record as the database takes bytes.
struct Digests<'a> {
    reply: Option<&'a [u8]>,
    facts: &'a [u8],
    digest: &'a [u8],
}

impl<'a> Digests<'a> {
    fn of(effect: &'a Effect) -> Self {
        Self {
            reply: effect.reply.as_ref().map(|digest| &digest[..]),
            facts: &effect.facts,
            digest: &effect.digest,
        }
    }
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
        // Where the last record stands, which is nearly always, so does its chain.
        if session.row(ENDS_PRUNED, &[&chain, &date]).await?.is_some() {
            session.change(DROP, &[&chain, &date]).await?;
        }
    }
    Ok(())
}

const INSERT: &str = "INSERT INTO effect (chain, date, seq, exchange_id, reply, facts, digest, at)
    SELECT unnest(CAST($1 AS TEXT[])), unnest(CAST($2 AS TEXT[])), unnest(CAST($3 AS BIGINT[])), unnest(CAST($4 AS BIGINT[])),
        unnest(CAST($5 AS BYTEA[])), unnest(CAST($6 AS BYTEA[])), unnest(CAST($7 AS BYTEA[])), unnest(CAST($8 AS BIGINT[]))";

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

const ENDS_PRUNED: &str =
    "SELECT 1 FROM (SELECT pruned FROM effect WHERE chain = $1 AND date = $2 ORDER BY seq DESC LIMIT 1) AS last
    WHERE pruned = 1";

const DROP: &str = "DELETE FROM effect WHERE chain = $1 AND date = $2
    AND NOT EXISTS (SELECT 1 FROM effect standing WHERE standing.chain = $1 AND standing.date = $2 AND standing.pruned = 0)";
