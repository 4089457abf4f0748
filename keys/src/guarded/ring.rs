//! From a verified state and the wrapped files to the keyring.

use super::error::GuardedError;
use super::fresh::file;
use super::master::MasterKey;
use super::record::hash;
use super::state::{Held, State};
use crate::key::{Side, Status};
use crate::keyring::{Keyring, KeyringBuilder};
use crate::secret::Secret;
use crate::sm2::Engine;
use crate::store::material::{private, public};
use crate::store::{Held as Filed, Material, files};
use std::path::Path;
use zeroize::Zeroizing;

/// The keys of a store, as its log describes them, each proven to be the one that the log names.
pub fn keyring(folder: &Path, state: &State, master: &MasterKey, engine: Engine) -> Result<Keyring, GuardedError> {
    fits(state, master)?;
    let mut builder = Keyring::builder().engine(engine);
    for held in state.keys() {
        // What a revoked key cannot give must not keep the others from serving.
        if held.entry.status == Status::Revoked && alone(folder, state, held, master).is_err() {
            continue;
        }
        builder = read(folder, state, held, master)?.add_to(builder);
    }
    built(builder, state)
}

/// The keys one by one, whatever their status, for a tool that finds out why a message fails. What does not open is left out.
pub fn filed(folder: &Path, state: &State, master: &MasterKey) -> Result<Vec<Filed>, GuardedError> {
    fits(state, master)?;
    let each = state.keys().map(|held| read(folder, state, held, master));
    Ok(each.filter_map(Result::ok).collect())
}

fn fits(state: &State, master: &MasterKey) -> Result<(), GuardedError> {
    if master.check(state.store()) == state.master_check {
        Ok(())
    } else {
        Err(GuardedError::OtherMaster)
    }
}

fn alone(folder: &Path, state: &State, held: &Held, master: &MasterKey) -> Result<(), GuardedError> {
    let builder = Keyring::builder().engine(Engine::Reference);
    built(read(folder, state, held, master)?.add_to(builder), state).map(drop)
}

fn built(builder: KeyringBuilder, state: &State) -> Result<Keyring, GuardedError> {
    let keyring = builder
        .build()
        .map_err(|error| GuardedError::Material(error.id, error.rule))?;
    for info in keyring.infos() {
        let stated = state.key(&info.id).map(|held| &held.fingerprint);
        if stated != Some(&info.fingerprint) {
            let rule = "has another fingerprint than the log says".to_owned();
            return Err(GuardedError::Material(info.id.clone(), rule));
        }
    }
    Ok(keyring)
}

fn read(folder: &Path, state: &State, held: &Held, master: &MasterKey) -> Result<Filed, GuardedError> {
    let entry = held.entry.clone();
    let refuse = |rule| GuardedError::Material(held.entry.id.clone(), rule);
    let material = match entry.side {
        Side::Theirs => public(&entry, held.material.public.as_deref().unwrap_or_default()).map_err(refuse)?,
        Side::Ours => {
            let clear = clear(folder, state, held, master)?;
            let text = str::from_utf8(&clear).map_err(|_| refuse("is not text".to_owned()))?;
            private(&entry, text).map_err(refuse)?
        }
        Side::Shared => {
            let mut clear = clear(folder, state, held, master)?;
            Material::Secret(Secret::new(std::mem::take(&mut *clear)))
        }
    };
    Ok(Filed { entry, material })
}

pub(super) fn clear(folder: &Path, state: &State, held: &Held, master: &MasterKey) -> Result<Zeroizing<Vec<u8>>, GuardedError> {
    let refuse = |rule: &str| GuardedError::Material(held.entry.id.clone(), rule.to_owned());
    let wrapped = wrapped(folder, held)?.ok_or_else(|| refuse("has no wrapped file"))?;
    let opened = master.unwrap(state.store(), &held.entry, &wrapped);
    opened.map_err(|_| refuse("does not open: its wrapped file belongs to another key, link, usage or serial"))
}

/// The wrapped file of a key, if it has one, proven to be the one that the log names.
pub(super) fn wrapped(folder: &Path, held: &Held) -> Result<Option<Zeroizing<String>>, GuardedError> {
    let Some(digest) = held.material.wrapped.as_deref() else {
        return Ok(None);
    };
    let path = folder.join(file(&held.entry.id, digest).unwrap_or_default());
    let text = files::read_secret(&path)?;
    if hash(&text) == digest {
        Ok(Some(text))
    } else {
        let rule = "has a wrapped file that is not the one the log names".to_owned();
        Err(GuardedError::Material(held.entry.id.clone(), rule))
    }
}
