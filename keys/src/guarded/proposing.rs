//! Changes of statuses as a rotation plans them, put before the officers.

use super::change::{Change, Step};
use super::disk::FileDisk;
use super::error::GuardedError;
use super::officer::OfficerKey;
use super::record::Stamp;
use super::refusal::Refusal;
use super::state::State;
use super::writer::{Terms, Writer};
use crate::store::{Applied, Change as StatusChange, Changes};
use rand_core::CryptoRng;
use std::cell::RefCell;
use std::path::Path;

/// An officer's hand on a guarded folder, for changes that were planned over one state of its log.
pub struct Proposing<'a> {
    pub folder: &'a Path,
    pub officer: &'a OfficerKey,
    pub terms: Terms,
    /// Head of the log over which the changes were planned; over another one they are planned anew.
    pub head: &'a str,
    pub rng: RefCell<&'a mut dyn CryptoRng>,
}

impl Changes for Proposing<'_> {
    type Error = GuardedError;

    fn apply(&self, changes: &[StatusChange]) -> Result<Applied, GuardedError> {
        let mut writer = Writer::open(self.folder, &FileDisk)?;
        if writer.state().head() != self.head {
            return Err(Refusal::Follows.into());
        }
        let change = writer.state().steps(changes)?;
        let mut rng = self.rng.borrow_mut();
        let number = writer.propose(self.officer, change, self.terms, &mut **rng)?;
        let proposal = number.to_string();
        Ok(Applied::Proposed { proposal })
    }
}

impl State {
    /// The proposal that changes would be: each from the status that its key has.
    pub fn steps(&self, changes: &[StatusChange]) -> Result<Change, Refusal> {
        let step = |change: &StatusChange| {
            let held = self.key(&change.id).ok_or_else(|| Refusal::UnknownKey(change.id.clone()))?;
            let is_promotion = change.status == crate::key::Status::Primary;
            Ok(Step {
                id: change.id.clone(),
                from: held.entry.status.name().to_owned(),
                to: change.status.name().to_owned(),
                primary_from: change.primary_from.filter(|_| is_promotion).map(Stamp::new),
            })
        };
        Ok(Change::Status(changes.iter().map(step).collect::<Result<_, Refusal>>()?))
    }
}
