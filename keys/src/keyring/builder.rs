//! Checks keys and their descriptions, prepares them for an engine, and files them. Reads no file.

use super::{JOURNAL_LINK, KeyPair, Keyring};
use crate::algorithm::Algorithm;
use crate::error::CryptoError;
use crate::hex;
use crate::key::{KeyEntry, KeyInfo, Side, Status, Usage};
use crate::legacy::{RsaPrivate, RsaPublic};
use crate::sm2::{DEFAULT_USER_ID, Engine, PrivateKey, PublicKey};
use crate::sm3::{HmacSm3, sm3};
use crate::sm4::Sm4Gcm;
use std::collections::BTreeMap;
use std::sync::Arc;
use time::OffsetDateTime;
use zeroize::Zeroizing;

mod placed; // keys that lie in devices
pub(super) mod secrets; // shared secrets by algorithm

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
    /// Every id with the user id that its entry states.
    ids: BTreeMap<String, Option<String>>,
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

    /// Adds a private SM2 key of ours: usage sign or seal.
    #[must_use]
    pub fn add_private(mut self, entry: KeyEntry, key: &PrivateKey) -> Self {
        let id = entry.id.clone();
        let outcome = self.place_private(entry, key);
        self.note(id, outcome)
    }

    /// Adds a public SM2 key of theirs: usage sign or seal.
    #[must_use]
    pub fn add_public(mut self, entry: KeyEntry, key: &PublicKey) -> Self {
        let id = entry.id.clone();
        let outcome = self.place_public(entry, key);
        self.note(id, outcome)
    }

    /// Adds a private RSA key of ours: usage sign or seal.
    #[must_use]
    pub fn add_rsa_private(mut self, entry: KeyEntry, key: RsaPrivate) -> Self {
        let id = entry.id.clone();
        let outcome = self.place_rsa_private(entry, key);
        self.note(id, outcome)
    }

    /// Adds a public RSA key of theirs: usage sign or seal.
    #[must_use]
    pub fn add_rsa_public(mut self, entry: KeyEntry, key: RsaPublic) -> Self {
        let id = entry.id.clone();
        let outcome = self.place_rsa_public(entry, key);
        self.note(id, outcome)
    }

    /// Adds a shared secret: usage mac, seal or journal, as long as its algorithm asks for.
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
        self.keyring.digest = self.digest.map(|(_, digest)| Arc::new(digest));
        self.keyring.version = version(&self.keyring, &self.ids);
        Ok(self.keyring)
    }

    fn note(mut self, id: String, outcome: Result<(), String>) -> Self {
        if let Err(rule) = outcome {
            self.refused.get_or_insert(BuildError { id, rule });
        }
        self
    }

    fn place_private(&mut self, entry: KeyEntry, key: &PrivateKey) -> Result<(), String> {
        self.check(&entry, Side::Ours, Algorithm::Sm2)?;
        self.keyring.publics.insert(entry.id.clone(), key.public().clone());
        let keys = self.keyring.links.entry(entry.link.clone()).or_default();
        let fingerprint = point_fingerprint(key.public());
        match entry.usage {
            Usage::Sign => {
                let signer = self.engine.signer(key, user_id(&entry)).map_err(text)?;
                keys.sign_ours.place(info(entry, fingerprint), KeyPair::Sm2(signer))
            }
            Usage::Seal => {
                let unwrapper = self.engine.unwrapper(key);
                keys.seal_ours.place(info(entry, fingerprint), KeyPair::Sm2(unwrapper))
            }
            Usage::Mac | Usage::Journal => Err(mismatch(&entry)),
        }
    }

    fn place_public(&mut self, entry: KeyEntry, key: &PublicKey) -> Result<(), String> {
        self.check(&entry, Side::Theirs, Algorithm::Sm2)?;
        let keys = self.keyring.links.entry(entry.link.clone()).or_default();
        let fingerprint = point_fingerprint(key);
        match entry.usage {
            Usage::Sign => {
                let verifier = self.engine.verifier(key, user_id(&entry)).map_err(text)?;
                keys.sign_theirs.place(info(entry, fingerprint), KeyPair::Sm2(verifier))
            }
            Usage::Seal => {
                let wrapper = self.engine.wrapper(key);
                keys.seal_theirs.place(info(entry, fingerprint), KeyPair::Sm2(wrapper))
            }
            Usage::Mac | Usage::Journal => Err(mismatch(&entry)),
        }
    }

    fn place_rsa_private(&mut self, entry: KeyEntry, key: RsaPrivate) -> Result<(), String> {
        self.check(&entry, Side::Ours, Algorithm::Rsa)?;
        let keys = self.keyring.links.entry(entry.link.clone()).or_default();
        match entry.usage {
            Usage::Sign => keys
                .sign_ours
                .place(rsa_info(entry, key.public())?, KeyPair::Rsa(Box::new(key))),
            Usage::Seal => keys
                .seal_ours
                .place(rsa_info(entry, key.public())?, KeyPair::Rsa(Box::new(key))),
            Usage::Mac | Usage::Journal => Err(mismatch(&entry)),
        }
    }

    fn place_rsa_public(&mut self, entry: KeyEntry, key: RsaPublic) -> Result<(), String> {
        self.check(&entry, Side::Theirs, Algorithm::Rsa)?;
        let keys = self.keyring.links.entry(entry.link.clone()).or_default();
        match entry.usage {
            Usage::Sign => keys.sign_theirs.place(rsa_info(entry, &key)?, KeyPair::Rsa(Box::new(key))),
            Usage::Seal => keys.seal_theirs.place(rsa_info(entry, &key)?, KeyPair::Rsa(Box::new(key))),
            Usage::Mac | Usage::Journal => Err(mismatch(&entry)),
        }
    }

    fn place_secret(&mut self, entry: KeyEntry, secret: &[u8]) -> Result<(), String> {
        let algorithm = entry.algorithm;
        self.check(&entry, Side::Shared, algorithm)?;
        let fingerprint = secret_fingerprint(secret);
        match entry.usage {
            Usage::Mac => {
                let key = secrets::mac(algorithm, secret)?;
                let keys = self.keyring.links.entry(entry.link.clone()).or_default();
                keys.mac.place(info(entry, fingerprint), key)
            }
            Usage::Seal => {
                let key = secrets::seal(algorithm, secret)?;
                let keys = self.keyring.links.entry(entry.link.clone()).or_default();
                keys.seal_shared.place(info(entry, fingerprint), key)
            }
            Usage::Journal => {
                let secret: &[u8; 16] = secret
                    .try_into()
                    .map_err(|_| secrets::wants("16 bytes, which is 32 hex digits"))?;
                self.keep_oldest(&entry, secret);
                self.keyring.journal.place(info(entry, fingerprint), Sm4Gcm::new(secret))
            }
            Usage::Sign => Err(mismatch(&entry)),
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
    fn check(&mut self, entry: &KeyEntry, side: Side, algorithm: Algorithm) -> Result<(), String> {
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
        if Algorithm::serving(entry.side, entry.usage).next().is_none() {
            return Err(mismatch(entry));
        }
        if entry.algorithm != algorithm || !algorithm.serves(entry.side, entry.usage) {
            return Err(misfit(entry, algorithm));
        }
        if entry.user_id.is_some() && (entry.usage, algorithm) != (Usage::Sign, Algorithm::Sm2) {
            return Err("has a user_id, which only SM2 signing keys have".to_owned());
        }
        if entry.primary_from.is_some() && matches!(entry.status, Status::Pending | Status::Accepted) {
            return Err(format!("has a primary_from, but is only {}", entry.status.name()));
        }
        if entry.not_after < entry.not_before {
            return Err("ends its validity before it starts".to_owned());
        }
        if self.ids.insert(entry.id.clone(), entry.user_id.clone()).is_some() {
            return Err("is there twice; an id names one key".to_owned());
        }
        Ok(())
    }
}

/// SM3 over one line a key, in the order of their ids: whatever an entry says, and the fingerprint of what its file holds.
fn version(keyring: &Keyring, user_ids: &BTreeMap<String, Option<String>>) -> String {
    let instant = |at: Option<OffsetDateTime>| at.map(|at| at.unix_timestamp_nanos().to_string()).unwrap_or_default();
    let places: BTreeMap<&String, _> = keyring.placements.iter().map(|one| (&one.id, &one.placed)).collect();
    let line = |info: &KeyInfo| {
        let user_id = user_ids.get(&info.id).and_then(Option::as_deref).unwrap_or_default();
        let names = [info.side.name(), info.usage.name(), info.algorithm.name(), info.status.name()].join("|");
        let times = [info.primary_from, Some(info.not_before), Some(info.not_after)]
            .map(instant)
            .join("|");
        let (id, link, serial, print) = (&info.id, &info.link, &info.serial, &info.fingerprint);
        let place = places
            .get(&info.id)
            .map(|placed| format!("|{}|{}", placed.device.name(), placed.label));
        let place = place.unwrap_or_default();
        format!("{id}|{link}|{names}|{serial}|{times}|{print}|{user_id}{place}\n")
    };
    let lines: BTreeMap<&str, String> = keyring.infos().map(|info| (info.id.as_str(), line(info))).collect();
    let text: String = lines.into_values().collect();
    shortened(&sm3(&[VERSION_LABEL, text.as_bytes()]))
}

/// A fingerprint over SPKI, and the length of the modulus.
fn rsa_info(entry: KeyEntry, key: &RsaPublic) -> Result<KeyInfo, String> {
    let fingerprint = shortened(&key.digest().map_err(text)?);
    Ok(KeyInfo {
        bits: Some(key.bits()),
        ..info(entry, fingerprint)
    })
}

fn info(entry: KeyEntry, fingerprint: String) -> KeyInfo {
    KeyInfo {
        id: entry.id,
        link: entry.link,
        side: entry.side,
        usage: entry.usage,
        algorithm: entry.algorithm,
        bits: None,
        status: entry.status,
        serial: entry.serial,
        primary_from: entry.primary_from,
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
        "has side {side} and usage {usage}: private keys are ours, public keys theirs (sign, seal), secrets shared (mac, seal, journal)"
    )
}

fn misfit(entry: &KeyEntry, algorithm: Algorithm) -> String {
    let (side, usage, stated) = (entry.side.name(), entry.usage.name(), entry.algorithm.name());
    if entry.algorithm == algorithm {
        format!("has side {side} and usage {usage}, which algorithm {stated} does not serve")
    } else {
        format!("is of algorithm {}, but its entry says {stated}", algorithm.name())
    }
}

fn text(error: CryptoError) -> String {
    format!("cannot be prepared: {error}")
}

fn point_fingerprint(key: &PublicKey) -> String {
    shortened(&sm3(&[&key.point()]))
}

/// Keyed by the secret itself, so that the fingerprint helps nobody to find it.
fn secret_fingerprint(secret: &[u8]) -> String {
    shortened(&sm3(&[&HmacSm3::new(secret).tag(&[FINGERPRINT_LABEL])]))
}

fn shortened(digest: &[u8; 32]) -> String {
    hex::encode(&digest[..16])
}

const DIGEST_LABEL: &[u8] = b"hangu digest";
const VERSION_LABEL: &[u8] = b"hangu keyring|";
const FINGERPRINT_LABEL: &[u8] = b"hangu fingerprint";
const NAME_BYTES_MAX: usize = 128;
