//! What authorities' revocation lists say of a store's keys. The log is left as it is: a list is no change by officers, and a
//! later list may release what was on hold.

use super::error::GuardedError;
use super::state::State;
use crate::key::Status;
use crate::revocation::RevocationList;
use serde::Deserialize;
use time::OffsetDateTime;

/// What becomes of keys when the list that speaks of them is older than it may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stale {
    /// They are used on, and `hangu check` warns.
    Warn,
    /// They may be used until the list's next update, and not after it.
    #[default]
    Refuse,
}

impl Stale {
    /// As configurations name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Refuse => "refuse",
        }
    }
}

/// A list under the name of its file.
pub struct Listed {
    pub name: String,
    pub list: RevocationList,
}

/// What a list does here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Effect {
    pub name: String,
    pub issuer: String,
    pub this_update: OffsetDateTime,
    pub next_update: Option<OffsetDateTime>,
    /// Ids of keys with a certificate of this issuer in their chain.
    pub keys: Vec<String>,
    /// Those of them that the list revokes.
    pub revoked: Vec<String>,
}

impl State {
    /// The state as the lists leave it, and what each of them does. A list whose signature is not its issuer's refuses all.
    pub fn under(&self, lists: &[Listed], stale: Stale) -> Result<(Self, Vec<Effect>), GuardedError> {
        let mut state = self.clone();
        let mut effects = Vec::new();
        for listed in lists {
            effects.push(state.take_list(self, listed, stale)?);
        }
        Ok((state, effects))
    }

    fn take_list(&mut self, before: &Self, listed: &Listed, stale: Stale) -> Result<Effect, GuardedError> {
        let list = &listed.list;
        let until = list.next_update()?;
        let mut effect = Effect {
            name: listed.name.clone(),
            issuer: list.issuer(),
            this_update: list.this_update()?,
            next_update: until,
            keys: Vec::new(),
            revoked: Vec::new(),
        };
        for held in before.keys() {
            let Some(Ok(chain)) = before.chain(held) else { continue };
            for (certificate, issuer) in chain.issued().filter(|(_, issuer)| issuer.subject() == effect.issuer) {
                let forged = |_| GuardedError::Revocation(listed.name.clone());
                list.check_issued_by(issuer).map_err(forged)?;
                effect.keys.push(held.entry.id.clone());
                let Some(held) = self.keys.get_mut(&held.entry.id) else {
                    continue;
                };
                if list.revokes(certificate) {
                    held.entry.status = Status::Revoked;
                    effect.revoked.push(held.entry.id.clone());
                }
                if let (Stale::Refuse, Some(until)) = (stale, until) {
                    // A list that ended before the key began leaves it no time, but is no reason to refuse the store.
                    let ends = held.entry.not_after.min(until);
                    held.entry.not_after = ends.max(held.entry.not_before);
                }
            }
        }
        Ok(effect)
    }
}
