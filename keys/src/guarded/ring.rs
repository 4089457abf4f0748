//! From a verified state and the wrapped files to the keyring.

use super::error::GuardedError;
use super::fresh::file;
use super::master::MasterKey;
use super::record::hash;
use super::state::{Held, State};
use crate::key::{Side, Status};
use crate::keyring::{Keyring, KeyringBuilder};
use crate::sm2::Engine;
use crate::store::files;
use crate::store::material::{add_private, add_public};
use std::path::Path;
use zeroize::Zeroizing;

/// The keys of a store, as its log describes them, each proven to be the one that the log names.
pub fn keyring(folder: &Path, state: &State, master: &MasterKey, engine: Engine) -> Result<Keyring, GuardedError> {
    if master.check(state.store()) != state.master_check {
        return Err(GuardedError::OtherMaster);
    }
    let mut builder = Keyring::builder().engine(engine);
    for held in state.keys() {
        // What a revoked key cannot give must not keep the others from serving.
        if held.entry.status == Status::Revoked && alone(folder, state, held, master).is_err() {
            continue;
        }
        builder = add(builder, folder, state, held, master)?;
    }
    built(builder, state)
}

fn alone(folder: &Path, state: &State, held: &Held, master: &MasterKey) -> Result<(), GuardedError> {
    let builder = Keyring::builder().engine(Engine::Reference);
    built(add(builder, folder, state, held, master)?, state).map(drop)
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

fn add(
    builder: KeyringBuilder,
    folder: &Path,
    state: &State,
    held: &Held,
    master: &MasterKey,
) -> Result<KeyringBuilder, GuardedError> {
    let entry = held.entry.clone();
    let refuse = |rule| GuardedError::Material(held.entry.id.clone(), rule);
    match entry.side {
        Side::Theirs => {
            let public = held.material.public.as_deref().unwrap_or_default();
            add_public(builder, entry, public).map_err(refuse)
        }
        Side::Ours => {
            let clear = clear(folder, state, held, master)?;
            let text = str::from_utf8(&clear).map_err(|_| refuse("is not text".to_owned()))?;
            add_private(builder, entry, text).map_err(refuse)
        }
        Side::Shared => Ok(builder.add_secret(entry, &clear(folder, state, held, master)?)),
    }
}

fn clear(folder: &Path, state: &State, held: &Held, master: &MasterKey) -> Result<Zeroizing<Vec<u8>>, GuardedError> {
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
