//! What the writes of one transaction share: the connection, the database's clock, and where the chains end.

use super::failure::Stop;
use super::session::Session;
use super::{LeaseClock, effect};
use crate::journal::{Chain, Effect, Exchange, ExchangeId, Millis};
use std::collections::BTreeMap;
use tokio::sync::Mutex;

pub(super) struct Work<'a> {
    pub(super) session: &'a Session,
    pub(super) chain: &'a Chain,
    /// The database's time, where leases go by it.
    now: Option<Millis>,
    /// Last number and digest of this writer's chains, by date; read and locked by the first that extends one.
    tips: Mutex<BTreeMap<String, (i64, [u8; 32])>>,
}

impl<'a> Work<'a> {
    /// Asks the clock if any of the writes gives a lease.
    pub(super) async fn begin(
        session: &'a Session,
        chain: &'a Chain,
        clock: LeaseClock,
        gives_leases: bool,
    ) -> Result<Self, Stop> {
        let now = match clock {
            LeaseClock::Database if gives_leases => Some(database_now(session).await?),
            LeaseClock::Database | LeaseClock::Argument => None,
        };
        Ok(Self {
            session,
            chain,
            now,
            tips: Mutex::default(),
        })
    }

    /// The moment that a write calls `given`, by the clock of leases.
    pub(super) fn now(&self, given: Millis) -> Millis {
        self.now.unwrap_or(given)
    }

    /// The end of a lease that was to run from `at` until `given`.
    pub(super) fn lease_until(&self, given: Millis, at: Millis) -> Millis {
        self.now(at).saturating_add(given.saturating_sub(at))
    }

    /// The next record of this writer's chain. The first of a date locks the record before it, so that a prune either sees
    /// the new one or is seen; the others follow from it.
    pub(super) async fn next_effect(&self, exchange: &Exchange, reply: Option<[u8; 32]>, at: Millis) -> Result<Effect, Stop> {
        let date = crate::journal::chain::date_of(exchange);
        let mut tips = self.tips.lock().await;
        let (last, before) = match tips.get(date) {
            Some(tip) => *tip,
            None => effect::locked_tip(self.session, self.chain.name(), date).await?,
        };
        let mut next = new_effect(self.chain.name(), date, last + 1, exchange.id);
        (next.reply, next.at, next.facts) = (reply, at, self.chain.facts(exchange));
        next.digest = self.chain.digest(&before, &next);
        tips.insert(date.to_owned(), (next.seq, next.digest));
        Ok(next)
    }
}

fn new_effect(chain: &str, date: &str, seq: i64, exchange: ExchangeId) -> Effect {
    Effect {
        chain: chain.to_owned(),
        date: date.to_owned(),
        seq,
        exchange,
        reply: None,
        facts: crate::journal::chain::FIRST,
        digest: crate::journal::chain::FIRST,
        at: 0,
        pruned: false,
    }
}

async fn database_now(session: &Session) -> Result<Millis, Stop> {
    let row = session.row(NOW, &[]).await?;
    let now = row.map(|row| row.try_get(0)).transpose()?;
    now.ok_or_else(|| Stop::Damaged("the database does not know the time".into()))
}

const NOW: &str = "SELECT CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000 AS BIGINT)";
