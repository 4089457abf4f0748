//! What the writes of one transaction share: the connection, the database's clock, and where the chains end.

use super::batch::Rules;
use super::effect::Final;
use super::failure::Stop;
use super::session::Session;
use super::{LeaseClock, effect};
use crate::journal::{Effect, ExchangeId, Millis};
use std::collections::BTreeMap;
use std::sync::PoisonError;
use tokio::sync::Mutex;

pub(super) struct Work<'a> {
    pub(super) session: &'a Session,
    pub(super) rules: &'a Rules,
    /// The database's time, where leases go by it.
    now: Option<Millis>,
    /// Last number and digest of this writer's chains, by date; read and locked by the first that extends one.
    tips: Mutex<BTreeMap<String, (i64, [u8; 32])>>,
}

/// What the writes of a transaction will ask for, so that it is asked for at the beginning.
#[derive(Clone, Copy)]
pub(super) struct Needs {
    /// A lease is given.
    pub(super) clock: bool,
    /// An outcome becomes final.
    pub(super) tip: bool,
}

impl<'a> Work<'a> {
    pub(super) async fn begin(session: &'a Session, rules: &'a Rules, needs: Needs) -> Result<Self, Stop> {
        let date = rules.latest.get().filter(|_| needs.tip);
        let clock = async {
            match rules.clock {
                LeaseClock::Database if needs.clock => Ok(Some(database_now(session).await?)),
                LeaseClock::Database | LeaseClock::Argument => Ok(None),
            }
        };
        let tip = async {
            match date {
                Some(date) => {
                    let tip = effect::locked_tip(session, rules.chain.name(), &date).await?;
                    Ok::<_, Stop>(BTreeMap::from([(date, tip)]))
                }
                None => Ok(BTreeMap::new()),
            }
        };
        let (now, tips) = tokio::try_join!(biased; clock, tip)?;
        Ok(Self {
            session,
            rules,
            now,
            tips: Mutex::new(tips),
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

    /// The next records of this writer's chains. The first of a date locks the record before it, so that a prune either sees
    /// the new one or is seen; the others follow from it.
    pub(super) async fn next_effects(&self, all: &[Final<'_>]) -> Result<Vec<Effect>, Stop> {
        let mut tips = self.tips.lock().await;
        let mut effects = Vec::with_capacity(all.len());
        for last in all {
            let date = crate::journal::chain::date_of(last.exchange);
            let (seq, before) = match tips.get(date) {
                Some(tip) => *tip,
                None => effect::locked_tip(self.session, self.rules.chain.name(), date).await?,
            };
            let mut next = new_effect(self.rules.chain.name(), date, seq + 1, last.exchange.id);
            (next.reply, next.at, next.facts) = (last.reply, last.at, self.rules.chain.facts(last.exchange));
            next.digest = self.rules.chain.digest(&before, &next);
            tips.insert(date.to_owned(), (next.seq, next.digest));
            self.rules.latest.set(date);
            effects.push(next);
        }
        Ok(effects)
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

/// The date that a lane chained last: most likely the next one is chained there too.
#[derive(Default)]
pub(super) struct Latest(std::sync::Mutex<Option<String>>);

impl Latest {
    fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, date: &str) {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.as_deref() != Some(date) {
            *latest = Some(date.to_owned());
        }
    }
}

async fn database_now(session: &Session) -> Result<Millis, Stop> {
    let row = session.row(NOW, &[]).await?;
    let now = row.map(|row| row.try_get(0)).transpose()?;
    now.ok_or_else(|| Stop::Damaged("the database does not know the time".into()))
}

const NOW: &str = "SELECT CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000 AS BIGINT)";
