//! A copy of a store, and its way back. The copy holds the log and the wrapped files, which are of no use without the master
//! key; that goes into shares, each sealed for one officer.

use super::change::Role;
use super::disk::{Disk, place};
use super::error::GuardedError;
use super::fresh::file;
use super::master::MasterKey;
use super::record::Log;
use super::ring::{keyring, wrapped};
use super::shares::{SealedShare, Share};
use super::state::State;
use super::writer::read;
use super::{LOG_FILE, MATERIAL_FOLDER};
use crate::error::CryptoError;
use crate::sm2::Engine;
use crate::store::{StoreError, files};
use rand_core::CryptoRng;
use std::path::Path;

/// A store that stands again.
pub struct Restored {
    pub state: State,
    pub master: MasterKey,
}

/// Copies a store to a new folder and splits its master key: a share for each custodian and approver, of which as many as the
/// threshold says give it again.
pub fn back_up(
    folder: &Path,
    master: &MasterKey,
    to: &Path,
    disk: &dyn Disk,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<SealedShare>, GuardedError> {
    let (log, state) = read(folder)?;
    copy(folder, &log, &state, to, disk)?;
    // What cannot be loaded is no backup.
    keyring(to, &state, master, Engine::Reference)?;
    seal_shares(&state, master, rng)
}

/// The shares of a store's master key, sealed for its officers.
pub fn seal_shares(state: &State, master: &MasterKey, rng: &mut dyn CryptoRng) -> Result<Vec<SealedShare>, GuardedError> {
    let holders = state
        .officers()
        .filter(|officer| officer.has(Role::Custodian) || officer.has(Role::Approver));
    let holders: Vec<_> = holders.collect();
    let count = u8::try_from(holders.len()).map_err(|_| CryptoError::TooLong)?;
    let parts = master.split(state.store(), state.threshold(), count, rng)?;
    let mut sealed = Vec::new();
    for (officer, part) in holders.into_iter().zip(&parts) {
        sealed.push(part.seal(officer, rng)?);
    }
    Ok(sealed)
}

/// Makes a folder of a copy, once enough shares are open; every key must be the one that the log names.
pub fn restore(copy_folder: &Path, parts: &[Share], to: &Path, disk: &dyn Disk) -> Result<Restored, GuardedError> {
    let (log, state) = read(copy_folder)?;
    let master = MasterKey::combine(parts).map_err(|_| GuardedError::Shares)?;
    keyring(copy_folder, &state, &master, Engine::Reference)?;
    copy(copy_folder, &log, &state, to, disk)?;
    let (_, restored) = read(to)?;
    keyring(to, &restored, &master, Engine::Reference)?;
    Ok(Restored { state: restored, master })
}

/// The log last: a folder without it is no store. What a crash left of an earlier attempt is taken as it is, if it is right.
fn copy(from: &Path, log: &Log, state: &State, to: &Path, disk: &dyn Disk) -> Result<(), GuardedError> {
    let target = to.join(LOG_FILE);
    if target.exists() {
        return Err(StoreError::new(&target, "is there already; a store is never replaced").into());
    }
    files::make_folder(&to.join(MATERIAL_FOLDER))?;
    for held in state.keys() {
        let Some(text) = wrapped(from, held)? else { continue };
        if wrapped(to, held).is_ok() {
            continue;
        }
        let name = held
            .material
            .wrapped
            .as_deref()
            .and_then(|digest| file(&held.entry.id, digest));
        let path = to.join(name.unwrap_or_default());
        place(disk, &path, text.as_bytes()).map_err(|error| StoreError::new(&path, error.to_string()))?;
    }
    let source = from.join(LOG_FILE);
    let bytes = std::fs::read(&source).map_err(|error| StoreError::new(&source, error.to_string()))?;
    // A record that was added since has its key elsewhere.
    let whole = bytes.get(..log.whole_bytes()).unwrap_or_default();
    place(disk, &target, whole).map_err(|error| StoreError::new(&target, error.to_string()))?;
    Ok(())
}
