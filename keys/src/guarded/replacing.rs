//! Another master key in the place of the one that a store has: every key wrapped anew, all of it taking effect in one record.
//!
//! The files that are wrapped anew have names of their own and lie beside those that they replace, so that whatever stops
//! half way leaves the store as it was.

use super::change::MasterChange;
use super::error::GuardedError;
use super::fresh::file;
use super::master::MasterKey;
use super::record::hash;
use super::refusal::Refusal;
use super::ring::clear;
use super::state::State;
use crate::key::Status;
use rand_core::CryptoRng;
use std::collections::BTreeMap;
use std::path::Path;

/// A replacement that may be proposed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replacement {
    pub change: MasterChange,
    /// Texts of wrapped files by their names.
    pub(super) files: BTreeMap<String, String>,
}

/// Wraps every key of a store anew. What a revoked key does not give any more is left where it is.
pub fn replacement(
    folder: &Path,
    state: &State,
    master: &MasterKey,
    next: &MasterKey,
    rng: &mut dyn CryptoRng,
) -> Result<Replacement, GuardedError> {
    if master.check(state.store()) != state.master_check {
        return Err(GuardedError::OtherMaster);
    }
    let (mut files, mut wrapped) = (BTreeMap::new(), BTreeMap::new());
    for held in state.keys().filter(|held| held.material.wrapped.is_some()) {
        let clear = match clear(folder, state, held, master) {
            Err(_) if held.entry.status == Status::Revoked => continue,
            other => other?,
        };
        let text = next.wrap(state.store(), &held.entry, &clear, rng);
        let digest = hash(&text);
        files.insert(file(&held.entry.id, &digest).unwrap_or_default(), text);
        wrapped.insert(held.entry.id.clone(), digest);
    }
    let check = next.check(state.store());
    let change = MasterChange { check, wrapped };
    Ok(Replacement { change, files })
}

impl State {
    /// Names every key that has a wrapped half, but for revoked ones; a key that came in between makes it void.
    pub(super) fn replace_master(&mut self, change: &MasterChange, number: u64) -> Result<(), Refusal> {
        let refuse = |rule: &str| Err(Refusal::Master(rule.to_owned()));
        if change.check == self.master_check {
            return refuse("is the one that the store has");
        }
        if change.wrapped.keys().any(|id| !self.keys.contains_key(id)) {
            return refuse("names a key that is not there");
        }
        for held in self.keys.values_mut() {
            match (change.wrapped.get(&held.entry.id), &held.material.wrapped) {
                (Some(digest), Some(_)) => {
                    held.material.wrapped = Some(digest.clone());
                    held.changed_by = number;
                }
                (None, None) => {}
                (None, Some(_)) if held.entry.status == Status::Revoked => {}
                (None, Some(_)) => return refuse("leaves out a key; propose it anew"),
                (Some(_), None) => return refuse("names a key that has no wrapped half"),
            }
        }
        self.master_check.clone_from(&change.check);
        Ok(())
    }
}
