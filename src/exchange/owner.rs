//! Owning exchanges: leases, taking over what nobody holds any more, and giving up what we hold.

use super::{Gateway, Trouble};
use crate::clock::millis;
use crate::journal::{Exchange, Read, State, Write};
use crate::limits::{LEASE_MS, SWEEP_BATCH};

/// One page of what was taken over.
pub struct Taken {
    /// To be revisited at once; the rest of the page is waited for as if it were our own.
    pub for_now: Vec<Exchange>,
    /// Whether there may be more to take.
    pub is_full: bool,
}

impl Gateway {
    /// Makes this instance the owner of exchanges whose lease has ended, a bounded number at a time.
    pub async fn take_over(&self) -> Result<Taken, Trouble> {
        let now = millis(self.clock.now());
        let take = Write::TakeOver {
            owner: self.config.instance.clone(),
            now,
            lease_until: now.saturating_add(LEASE_MS),
            include_own: false,
            limit: SWEEP_BATCH,
        };
        let mut for_now = self.journal.write(take).await?.taken()?;
        let is_full = u32::try_from(for_now.len()).unwrap_or(u32::MAX) >= SWEEP_BATCH;
        for_now.retain(|exchange| self.is_for_now(exchange));
        Ok(Taken { for_now, is_full })
    }

    /// A request that was never sent, one whose call ended with its process, and a reply that was not confirmed. What was put
    /// on a queue may still be answered: it waits for its deadline.
    fn is_for_now(&self, exchange: &Exchange) -> bool {
        match exchange.state {
            State::Accepted | State::Answered => true,
            State::Sent => {
                let link = exchange.link_out.as_deref().and_then(|name| self.links.get(name));
                link.is_some_and(|link| !link.is_queue())
            }
            State::Unknown | State::Delivered => false,
        }
    }

    /// Ends the leases of everything under this instance's name, so that whoever looks next takes it over under a new epoch:
    /// this process at its start, any other at its end.
    pub async fn release_leases(&self) -> Result<(), Trouble> {
        let owner = self.config.instance.clone();
        self.journal.write(Write::Release { owner }).await?;
        Ok(())
    }

    /// Gives up leases and name at the end. A process that was taken for dead has nothing left to give up.
    pub async fn leave(&self) -> Result<(), Trouble> {
        self.renew_name().await?;
        self.tell_keys().await?;
        self.release_leases().await?;
        self.give_up_name().await
    }

    /// Extends the leases of what this instance owns, tells of its keys, and hears what another instance was told of the
    /// system's status.
    pub async fn renew_leases(&self) -> Result<(), Trouble> {
        self.renew_name().await?;
        let now = millis(self.clock.now());
        let renew = Write::Renew {
            owner: self.config.instance.clone(),
            now,
            lease_until: now.saturating_add(LEASE_MS),
        };
        self.journal.write(renew).await?;
        self.tell_keys().await?;
        self.load_system().await
    }

    /// Deletes what was delivered longer ago than the journal keeps it.
    pub async fn prune(&self) -> Result<(), Trouble> {
        let kept_ms = i64::from(self.config.journal.keep_days).saturating_mul(DAY_MS);
        let before = millis(self.clock.now()).saturating_sub(kept_ms);
        self.journal.write(Write::Prune { before }).await?;
        Ok(())
    }

    /// What is due now.
    pub async fn due(&self) -> Result<Vec<Exchange>, Trouble> {
        let owner = self.config.instance.clone();
        let due = Read::Due {
            owner,
            now: millis(self.clock.now()),
            limit: SWEEP_BATCH,
        };
        Ok(self.journal.read(due).await?.exchanges()?)
    }
}

const DAY_MS: i64 = 86_400_000;
