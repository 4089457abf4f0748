//! Who this instance is: the journal's own id, which sets our serials apart from those of every other journal, and the claim on
//! the instance's name, which two processes must not bear at once.

use super::{Gateway, Phase, Trouble};
use crate::clock::millis;
use crate::journal::{Read, Write, Written};
use crate::limits::LEASE_MS;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// How one life of a process is told from every other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Life {
    /// Drawn at random for each life.
    pub run: String,
    /// Where others on the same machine can see whether it is still there; empty where nobody can.
    pub place: String,
}

/// A claim on an instance's name, as the journal holds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    pub life: Life,
    /// Renewed with the leases; milliseconds since 1970.
    pub until: i64,
}

/// The claim that this process holds.
#[derive(Default)]
pub(super) struct Name(Mutex<Option<Claim>>);

impl Gateway {
    /// A random word for this journal, made once: a new journal numbers its exchanges from 1 again, and a platform remembers
    /// the keys of the one before.
    pub async fn journal_id(&self) -> Result<&str, Trouble> {
        let known = self.journal_id.get_or_try_init(|| self.stored_journal_id()).await?;
        Ok(known)
    }

    async fn stored_journal_id(&self) -> Result<String, Trouble> {
        loop {
            if let Some(known) = self.setting(JOURNAL_ID).await? {
                return Ok(known);
            }
            // Whoever is first decides; the others read what stands.
            let mut bytes = [0; 4];
            self.entropy.fill(&mut bytes);
            self.set(JOURNAL_ID, None, format!("{:08x}", u32::from_be_bytes(bytes)))
                .await?;
        }
    }

    /// Claims the instance's name for a life. `None` when it is ours; otherwise the claim that stands, of somebody who may be
    /// alive. `is_over` says of a claim that its life has certainly ended.
    pub async fn claim_name(&self, life: &Life, is_over: impl Fn(&Claim) -> bool) -> Result<Option<Claim>, Trouble> {
        let name = self.name_setting();
        let stored = self.setting(&name).await?;
        let now = millis(self.clock.now());
        let held = stored.as_deref().and_then(Claim::parse);
        if let Some(held) = held.filter(|held| held.life != *life && held.until >= now && !is_over(held)) {
            return Ok(Some(held));
        }
        let ours = Claim {
            life: life.clone(),
            until: now.saturating_add(LEASE_MS),
        };
        if self.set(&name, stored, ours.to_string()).await? {
            self.name.store(Some(ours));
            return Ok(None);
        }
        // Somebody was quicker: alive if a claim stands, gone again if none does.
        let stands = self.setting(&name).await?.as_deref().and_then(Claim::parse);
        stands.map_or_else(
            || Err(Trouble::NameTaken(self.config.instance.clone())),
            |claim| Ok(Some(claim)),
        )
    }

    /// Extends the claim on the name, if this life made one. Whoever finds it in other hands has been taken for dead and ends.
    pub(super) async fn renew_name(&self) -> Result<(), Trouble> {
        let Some(held) = self.name.load() else { return Ok(()) };
        let renewed = Claim {
            until: millis(self.clock.now()).saturating_add(LEASE_MS),
            ..held.clone()
        };
        let name = self.name_setting();
        if self.set(&name, Some(held.to_string()), renewed.to_string()).await? {
            self.name.store(Some(renewed));
            return Ok(());
        }
        match self.setting(&name).await?.as_deref().and_then(Claim::parse) {
            // The word of an earlier renewal was lost.
            Some(stands) if stands.life == held.life => {
                self.name.store(Some(stands));
                Ok(())
            }
            Some(_) | None => {
                self.enter(Phase::Displaced);
                Err(Trouble::NameTaken(self.config.instance.clone()))
            }
        }
    }

    /// Gives the name up, so that its next life can begin at once.
    pub(super) async fn give_up_name(&self) -> Result<(), Trouble> {
        let Some(held) = self.name.load() else { return Ok(()) };
        self.name.store(None);
        let name = self.name_setting();
        self.set(&name, Some(held.to_string()), String::new()).await.map(drop)
    }

    fn name_setting(&self) -> String {
        format!("instance:{}", self.config.instance)
    }

    pub(super) async fn setting(&self, name: &str) -> Result<Option<String>, Trouble> {
        Ok(self.journal.read(Read::Setting(name.to_owned())).await?.setting()?)
    }

    /// False when the setting was not as expected.
    pub(super) async fn set(&self, name: &str, expect: Option<String>, value: String) -> Result<bool, Trouble> {
        let at = millis(self.clock.now());
        let name = name.to_owned();
        let written: Written = self.journal.write(Write::Set { name, expect, value, at }).await?;
        Ok(written.stored()?)
    }
}

impl Name {
    fn load(&self) -> Option<Claim> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn store(&self, claim: Option<Claim>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = claim;
    }
}

impl Claim {
    /// Anything else, such as the empty text of a name that was given up, is no claim.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '|');
        let (run, until, place) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self {
            life: Life {
                run: run.to_owned(),
                place: place.to_owned(),
            },
            until: until.parse().ok()?,
        })
    }
}

/// `run|until|place`.
impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|{}|{}", self.life.run, self.until, self.life.place)
    }
}

const JOURNAL_ID: &str = "journal_id";
