//! The chain of terminal effects as rows: extended with the outcome itself, in its transaction.

use super::failure::Stop;
use super::held::Held;
use super::row::{self, facts_columns};
use crate::journal::chain::{Chain, Effect, FIRST, Tip};
use crate::journal::{EffectKey, ExchangeId, Millis};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::cell::RefCell;

type Result<T, E = rusqlite::Error> = std::result::Result<T, E>;

/// Where chains end, by date, as far as one transaction has asked and extended them.
#[derive(Default)]
pub(super) struct Tips(RefCell<Vec<(String, i64, [u8; 32])>>);

impl Tips {
    fn of(&self, date: &str) -> Option<(i64, [u8; 32])> {
        let tips = self.0.borrow();
        let tip = tips.iter().find(|(known, _, _)| known == date);
        tip.map(|(_, seq, digest)| (*seq, *digest))
    }

    /// A prune may drop a chain.
    pub(super) fn forget(&self) {
        self.0.borrow_mut().clear();
    }

    fn set(&self, effect: &Effect) {
        let mut tips = self.0.borrow_mut();
        tips.retain(|(known, _, _)| *known != effect.date);
        tips.push((effect.date.clone(), effect.seq, effect.digest));
    }
}

/// Chains the outcome of an exchange that has just become final; one that is chained already is left alone.
pub(super) fn append(
    connection: &Held<'_>,
    chain: &Chain,
    id: ExchangeId,
    reply: Option<[u8; 32]>,
    at: Millis,
) -> Result<(), Stop> {
    let found = connection.row(FACTS, [id], |row| {
        let facts = row::facts(row)?;
        Ok((facts.date().to_owned(), chain.digest_of(&facts)))
    })?;
    let (date, facts) = found.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let (last, before) = end(connection, chain.name(), &date)?;
    let mut effect = Effect {
        chain: chain.name().to_owned(),
        date,
        seq: last + 1,
        exchange: id,
        reply,
        facts,
        digest: FIRST,
        at,
        pruned: false,
    };
    effect.digest = chain.digest(&before, &effect);
    if insert(connection, &effect)? == 1 {
        connection.tips.set(&effect);
    }
    Ok(())
}

/// The number and digest that the next record follows.
fn end(connection: &Held<'_>, chain: &str, date: &str) -> Result<(i64, [u8; 32])> {
    if let Some(end) = connection.tips.of(date) {
        return Ok(end);
    }
    let tip = connection.row(TIP, [chain, date], read_tip)?;
    Ok(tip.map_or((0, FIRST), |tip| (tip.seq, tip.digest)))
}

pub(super) fn of_exchange(connection: &Connection, id: ExchangeId) -> Result<Option<Effect>> {
    connection.prepare_cached(OF_EXCHANGE)?.query_row([id], effect).optional()
}

/// Records in the order of chain, date and number, after the given one.
pub(super) fn page(connection: &Connection, after: &EffectKey, limit: u32) -> Result<Vec<Effect>> {
    connection
        .prepare_cached(PAGE)?
        .query_map(params![after.chain, after.date, after.seq, limit], effect)?
        .collect()
}

/// Where every chain ends: from one chain to the next, however long they are.
pub(super) fn tips(connection: &Connection) -> Result<Vec<Tip>> {
    let mut tips = Vec::new();
    let mut place = (String::new(), String::new());
    while let Some(next) = chain_after(connection, &place)? {
        tips.extend(tip(connection, &next.0, &next.1)?);
        place = next;
    }
    Ok(tips)
}

/// Marks the record of an exchange that goes; a chain of which nothing stands any more goes with it.
pub(super) fn prune(connection: &Connection, id: ExchangeId) -> Result<()> {
    let Some(effect) = of_exchange(connection, id)? else {
        return Ok(());
    };
    connection
        .prepare_cached("UPDATE effect SET pruned = 1 WHERE exchange_id = ?1")?
        .execute([id])?;
    connection
        .prepare_cached(
            "DELETE FROM effect WHERE chain = ?1 AND date = ?2
             AND NOT EXISTS (SELECT 1 FROM effect standing WHERE standing.chain = ?1 AND standing.date = ?2 AND standing.pruned = 0)",
        )?
        .execute([&effect.chain, &effect.date])?;
    Ok(())
}

pub(super) const OF_EXCHANGE: &str =
    "SELECT chain, date, seq, exchange_id, reply, facts, digest, at, pruned FROM effect WHERE exchange_id = ?1";
pub(super) const PAGE: &str = "
    SELECT chain, date, seq, exchange_id, reply, facts, digest, at, pruned FROM effect
    WHERE (chain, date, seq) > (?1, ?2, ?3) ORDER BY chain, date, seq LIMIT ?4";
pub(super) const CHAIN_AFTER: &str = "SELECT chain, date FROM effect WHERE (chain, date) > (?1, ?2) ORDER BY chain, date LIMIT 1";
pub(super) const TIP: &str =
    "SELECT chain, date, seq, digest FROM effect WHERE chain = ?1 AND date = ?2 ORDER BY seq DESC LIMIT 1";

fn chain_after(connection: &Connection, place: &(String, String)) -> Result<Option<(String, String)>> {
    connection
        .prepare_cached(CHAIN_AFTER)?
        .query_row([&place.0, &place.1], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

fn tip(connection: &Connection, chain: &str, date: &str) -> Result<Option<Tip>> {
    connection.prepare_cached(TIP)?.query_row([chain, date], read_tip).optional()
}

fn read_tip(row: &Row<'_>) -> Result<Tip> {
    Ok(Tip {
        chain: row.get(0)?,
        date: row.get(1)?,
        seq: row.get(2)?,
        digest: row.get(3)?,
    })
}

fn insert(connection: &Held<'_>, effect: &Effect) -> Result<usize> {
    let values = params![
        effect.chain,
        effect.date,
        effect.seq,
        effect.exchange,
        effect.reply,
        effect.facts,
        effect.digest,
        effect.at
    ];
    connection.change(INSERT, values)
}

const INSERT: &str = "INSERT INTO effect (chain, date, seq, exchange_id, reply, facts, digest, at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (exchange_id) DO NOTHING";

pub(super) const FACTS: &str = concat!("SELECT ", facts_columns!(), " FROM exchange WHERE id = ?1");

fn effect(row: &Row<'_>) -> Result<Effect> {
    Ok(Effect {
        chain: row.get(0)?,
        date: row.get(1)?,
        seq: row.get(2)?,
        exchange: row.get(3)?,
        reply: row.get(4)?,
        facts: row.get(5)?,
        digest: row.get(6)?,
        at: row.get(7)?,
        pruned: row.get::<_, i64>(8)? == 1,
    })
}
