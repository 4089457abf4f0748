//! A key made here or brought in: its description for the log, and its secret half wrapped.

use super::change::{KeyChange, Material};
use super::error::GuardedError;
use super::master::MasterKey;
use super::record::hash;
use super::rules::fingerprint;
use super::state::State;
use super::{MATERIAL_FOLDER, Refusal};
use crate::algorithm::Algorithm;
use crate::error::CryptoError;
use crate::hex;
use crate::key::{KeyEntry, Side};
use crate::keyring::Keyring;
use crate::legacy::RsaPrivate;
use crate::sm2::PrivateKey;
use crate::store::material::{private, secret};
use crate::store::{Encoding, NewKey, made};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// A key that may be proposed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GuardedKey {
    pub change: KeyChange,
    /// The text of its wrapped file; none for a counterparty's public key.
    pub(super) wrapped: Option<String>,
}

impl KeyChange {
    /// The wrapped file, named after what is in it, so that a file is never replaced by another.
    pub(super) fn file(&self) -> Option<String> {
        file(&self.id, self.material.wrapped.as_deref()?)
    }
}

pub(super) fn file(id: &str, wrapped: &str) -> Option<String> {
    Some(format!("{MATERIAL_FOLDER}/{id}.{}.wrapped", wrapped.get(..16)?))
}

/// Makes a key of ours or a shared secret.
pub fn fresh(state: &State, master: &MasterKey, new: &NewKey, rng: &mut dyn CryptoRng) -> Result<GuardedKey, GuardedError> {
    let (text, encoding) = made(new, rng).map_err(|rule| refused(&new.entry, rule))?;
    import(state, master, &new.entry, &text, encoding, rng)
}

/// Takes a key from the text of a file: a private key in PEM or hex, a public key or certificate in PEM, a secret.
pub fn import(
    state: &State,
    master: &MasterKey,
    entry: &KeyEntry,
    text: &str,
    encoding: Encoding,
    rng: &mut dyn CryptoRng,
) -> Result<GuardedKey, GuardedError> {
    if master.check(state.store()) != state.master_check {
        return Err(GuardedError::OtherMaster);
    }
    let mut wrap = |clear: &[u8]| master.wrap(state.store(), entry, clear, rng);
    let refuse = |rule| refused(entry, rule);
    let (public, wrapped, fingerprint) = match entry.side {
        Side::Theirs => (Some(text.to_owned()), None, fingerprint(entry, text)?),
        Side::Ours => {
            let (pem, public) = pair(entry, text)?;
            private(entry, &pem).map_err(refuse)?;
            let fingerprint = fingerprint(entry, &public)?;
            (Some(public), Some(wrap(pem.as_bytes())), fingerprint)
        }
        Side::Shared => {
            let secret = secret(encoding, text).map_err(refuse)?;
            let keyring = Keyring::builder().add_secret(entry.clone(), &secret).build();
            let keyring = keyring.map_err(|error| refused(entry, error.rule))?;
            let print = keyring.infos().next().map(|info| info.fingerprint.clone());
            (None, Some(wrap(&secret)), print.unwrap_or_default())
        }
    };
    let material = Material {
        public,
        wrapped: wrapped.as_deref().map(hash),
    };
    Ok(GuardedKey {
        change: KeyChange::new(entry, fingerprint, material),
        wrapped,
    })
}

/// PKCS#8 of a private key, and its public half.
fn pair(entry: &KeyEntry, text: &str) -> Result<(Zeroizing<String>, String), GuardedError> {
    let unreadable = |_: CryptoError| refused(entry, NOT_PRIVATE.to_owned());
    if entry.algorithm == Algorithm::Rsa {
        let key = RsaPrivate::from_pem(text).map_err(unreadable)?;
        return Ok((key.danger_to_pkcs8_pem()?, key.public().to_spki_pem()?));
    }
    let key = match hex::decode(text.trim_ascii()) {
        Some(digits) => PrivateKey::from_bytes(digits.as_slice().try_into().map_err(|_| unreadable(CryptoError::Key))?),
        None => PrivateKey::from_pem(text),
    };
    let key = key.map_err(unreadable)?;
    Ok((key.danger_to_pkcs8_pem()?, key.public().to_spki_pem()?))
}

fn refused(entry: &KeyEntry, rule: String) -> GuardedError {
    let id = entry.id.clone();
    GuardedError::Refused(Refusal::Key { id, rule })
}

const NOT_PRIVATE: &str =
    "needs a private key of its algorithm: PEM (PKCS#8, SEC1, PKCS#1), not encrypted, or for SM2 64 hex digits";
