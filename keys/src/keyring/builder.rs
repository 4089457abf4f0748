//! Checks keys and their descriptions, prepares them for an engine, and files them. Reads no file.

use super::{JOURNAL_LINK, Keyring};
use crate::error::CryptoError;
use crate::hex;
use crate::key::{KeyEntry, KeyInfo, Side, Status, Usage};
use crate::sm2::{DEFAULT_USER_ID, Engine, PrivateKey, PublicKey};
use crate::sm3::{HmacSm3, sm3};
use crate::sm4::Sm4Gcm;
use std::collections::BTreeSet;
use time::OffsetDateTime;
use zeroize::Zeroizing;

/// Why a key was refused: its id and the rule. Carries no secret.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("key {id} {rule}")]
pub struct BuildError {
    pub id: String,
    pub rule: String,
}

/// Collects keys; the first refusal is given by `build`.
#[derive(Default)]
pub struct KeyringBuilder {
    engine: Engine,
    keyring: Keyring,
    ids: BTreeSet<String>,
    /// The oldest journal key that is not revoked, with what makes it the oldest.
    digest: Option<((OffsetDateTime, String), HmacSm3)>,
    refused: Option<BuildError>,
}

impl KeyringBuilder {
    /// Prepares the SM2 keys added from here on for another engine.
    #[must_use]
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = engine;
        self
    }

    /// Adds a private key of ours: usage sign or seal.
    #[must_use]
    pub fn add_private(mut self, entry: KeyEntry, key: &PrivateKey) -> Self {
        let id = entry.id.clone();
        let outcome = self.place_private(entry, key);
        self.note(id, outcome)
    }

    /// Adds a public key of theirs: usage sign or seal.
    #[must_use]
    pub fn add_public(mut self, entry: KeyEntry, key: &PublicKey) -> Self {
        let id = entry.id.clone();
        let outcome = self.place_public(entry, key);
        self.note(id, outcome)
    }

    /// Adds a shared secret: usage mac (32 bytes) or journal (16 bytes).
    #[must_use]
    pub fn add_secret(mut self, entry: KeyEntry, secret: &[u8]) -> Self {
        let id = entry.id.clone();
        let outcome = self.place_secret(entry, secret);
        self.note(id, outcome)
    }

    pub fn build(mut self) -> Result<Keyring, BuildError> {
        if let Some(refused) = self.refused {
            return Err(refused);
        }
        self.keyring.digest = self.digest.map(|(_, digest)| digest);
        Ok(self.keyring)
    }

    fn note(mut self, id: String, outcome: Result<(), String>) -> Self {
        if let Err(rule) = outcome {
            self.refused.get_or_insert(BuildError { id, rule });
        }
        self
    }

    fn place_private(&mut self, entry: KeyEntry, key: &PrivateKey) -> Result<(), String> {
        self.check(&entry, Side::Ours)?;
        let keys = self.keyring.links.entry(entry.link.clone()).or_default();
        let fingerprint = point_fingerprint(key.public());
        match entry.usage {
            Usage::Sign => {
                let signer = self.engine.signer(key, user_id(&entry)).map_err(text)?;
                keys.sign_ours.place(info(entry, fingerprint), signer)
            }
            Usage::Seal => keys.seal_ours.place(info(entry, fingerprint), self.engine.unwrapper(key)),
            Usage::Mac | Usage::Journal => Err(mismatch(&entry)),
        }
    }

    fn place_public(&mut self, entry: KeyEntry, key: &PublicKey) -> Result<(), String> {
        self.check(&entry, Side::Theirs)?;
        let keys = self.keyring.links.entry(entry.link.clone()).or_default();
        let fingerprint = point_fingerprint(key);
        match entry.usage {
            Usage::Sign => {
                let verifier = self.engine.verifier(key, user_id(&entry)).map_err(text)?;
                keys.sign_theirs.place(info(entry, fingerprint), verifier)
            }
            Usage::Seal => keys.seal_theirs.place(info(entry, fingerprint), self.engine.wrapper(key)),
            Usage::Mac | Usage::Journal => Err(mismatch(&entry)),
        }
    }

    fn place_secret(&mut self, entry: KeyEntry, secret: &[u8]) -> Result<(), String> {
        self.check(&entry, Side::Shared)?;
        let fingerprint = secret_fingerprint(secret);
        match entry.usage {
            Usage::Mac => {
                let secret: &[u8; 32] = secret.try_into().map_err(|_| "must be 32 bytes, which is 64 hex digits")?;
                let keys = self.keyring.links.entry(entry.link.clone()).or_default();
                keys.mac.place(info(entry, fingerprint), Box::new(HmacSm3::new(secret)))
            }
            Usage::Journal => {
                let secret: &[u8; 16] = secret.try_into().map_err(|_| "must be 16 bytes, which is 32 hex digits")?;
                self.keep_oldest(&entry, secret);
                self.keyring
                    .journal
                    .place(info(entry, fingerprint), Box::new(Sm4Gcm::new(secret)))
            }
            Usage::Sign | Usage::Seal => Err(mismatch(&entry)),
        }
    }

    fn keep_oldest(&mut self, entry: &KeyEntry, secret: &[u8; 16]) {
        let age = (entry.not_before, entry.serial.clone());
        let is_older = self.digest.as_ref().is_none_or(|(oldest, _)| age < *oldest);
        if entry.status != Status::Revoked && is_older {
            let derived = Zeroizing::new(HmacSm3::new(secret).tag(&[DIGEST_LABEL]));
            self.digest = Some((age, HmacSm3::new(derived.as_slice())));
        }
    }

    /// The rules that do not depend on the key's bytes.
    fn check(&mut self, entry: &KeyEntry, side: Side) -> Result<(), String> {
        for (name, value) in [("id", &entry.id), ("link", &entry.link), ("serial", &entry.serial)] {
            if value.is_empty() || value.len() > NAME_BYTES_MAX || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(format!("needs {name} to be 1 to {NAME_BYTES_MAX} visible ASCII characters"));
            }
        }
        if entry.side != side {
            return Err(mismatch(entry));
        }
        if (entry.usage == Usage::Journal) != (entry.link == JOURNAL_LINK) {
            return Err(format!(
                "breaks the rule that journal keys, and only they, have the link `{JOURNAL_LINK}`"
            ));
        }
        if entry.user_id.is_some() && entry.usage != Usage::Sign {
            return Err("has a user_id, which only signing keys have".to_owned());
        }
        if entry.not_after < entry.not_before {
            return Err("ends its validity before it starts".to_owned());
        }
        if !self.ids.insert(entry.id.clone()) {
            return Err("is there twice; an id names one key".to_owned());
        }
        Ok(())
    }
}

fn info(entry: KeyEntry, fingerprint: String) -> KeyInfo {
    KeyInfo {
        id: entry.id,
        link: entry.link,
        side: entry.side,
        usage: entry.usage,
        status: entry.status,
        serial: entry.serial,
        not_before: entry.not_before,
        not_after: entry.not_after,
        fingerprint,
    }
}

fn user_id(entry: &KeyEntry) -> &[u8] {
    entry.user_id.as_ref().map_or(DEFAULT_USER_ID, String::as_bytes)
}

fn mismatch(entry: &KeyEntry) -> String {
    let (side, usage) = (entry.side.name(), entry.usage.name());
    format!(
        "has side {side} and usage {usage}: private keys are ours, public keys theirs (sign, seal), secrets shared (mac, journal)"
    )
}

fn text(error: CryptoError) -> String {
    format!("cannot be prepared: {error}")
}

fn point_fingerprint(key: &PublicKey) -> String {
    fingerprint(&key.point())
}

/// Keyed by the secret itself, so that the fingerprint helps nobody to find it.
fn secret_fingerprint(secret: &[u8]) -> String {
    fingerprint(&HmacSm3::new(secret).tag(&[FINGERPRINT_LABEL]))
}

fn fingerprint(bytes: &[u8]) -> String {
    hex::encode(&sm3(&[bytes])[..16])
}

const DIGEST_LABEL: &[u8] = b"hangu digest";
const FINGERPRINT_LABEL: &[u8] = b"hangu fingerprint";
const NAME_BYTES_MAX: usize = 128;
