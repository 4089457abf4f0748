//! Keys that the other side announced: proven under a key that is known, and from then on taken for what its messages are
//! verified with, by serial number. A simulator decides at once what people decide at a gateway.

use super::{Party, Refusal, Step};
use codecs::payment::{Attribute, Payment};
use codecs::wire::Wire;
use keys::announcement::{Announcement, Flaw};
use keys::key::{Side, Usage};
use keys::sm2::{DEFAULT_USER_ID, Engine, PublicKey, Verify};
use rand_core::CryptoRng;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use time::OffsetDateTime;

/// Public keys by usage and serial number.
#[derive(Clone, Default)]
pub(super) struct Announced(Arc<RwLock<BTreeMap<(Usage, String), PublicKey>>>);

/// Why an announcement was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotTaken {
    #[error(transparent)]
    Flaw(#[from] Flaw),
    /// A known serial number with another key.
    #[error("its serial number is that of another key")]
    Altered,
}

impl Announced {
    fn key(&self, usage: Usage, serial: &str) -> Option<PublicKey> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.get(&(usage, serial.to_owned())).cloned()
    }
}

impl Party {
    /// The signature of an announcement that stands apart, under this party's own key.
    pub fn prove(&self, announcement: &Announcement, now: OffsetDateTime, rng: &mut dyn CryptoRng) -> Result<String, Refusal> {
        let keyring = self.keyring();
        let signer = keyring.signer(&self.link, now).and_then(|signer| signer.sm2());
        let signer = signer.map_err(|error| Refusal::new(Step::Sign, error))?;
        let signed = announcement.signed(signer, rng);
        signed.map_err(|error| Refusal::new(Step::Sign, error))
    }

    /// Takes the key of a message that this party has received.
    pub fn take_announced(&self, message: &Payment, wire: &Wire, now: OffsetDateTime) -> Result<(), NotTaken> {
        let text = |attribute| message.text(attribute).unwrap_or_default().to_owned();
        let announcement = Announcement {
            sender: text(Attribute::Sender),
            receiver: text(Attribute::Receiver),
            usage: text(Attribute::KeyUsage),
            serial: text(Attribute::KeySerial),
            key: text(Attribute::KeyMaterial),
            from: text(Attribute::KeyFrom),
            to: text(Attribute::KeyTo),
        };
        self.prove_announced(&announcement, &text(Attribute::KeySignature), wire, now)?;
        let key = announcement.key(now)?;
        let serial = announcement.serial;
        let is_other = self.keyring().infos().any(|info| {
            let is_of_shelf = (info.link.as_str(), info.side, info.usage) == (self.link(), Side::Theirs, key.usage);
            is_of_shelf && info.serial == serial && info.fingerprint != key.fingerprint
        });
        if is_other
            || self
                .announced
                .key(key.usage, &serial)
                .is_some_and(|known| known != key.public)
        {
            return Err(NotTaken::Altered);
        }
        let mut all = self.announced.0.write().unwrap_or_else(PoisonError::into_inner);
        all.insert((key.usage, serial), key.public);
        Ok(())
    }

    /// Whether a key of this serial number was announced and taken.
    pub fn has_announced(&self, usage: Usage, serial: &str) -> bool {
        self.announced.key(usage, serial).is_some()
    }

    /// What verifies messages of a serial number that only an announcement tells of.
    pub(super) fn announced_verifier(&self, serial: Option<&str>) -> Option<Box<dyn Verify>> {
        let key = self.announced.key(Usage::Sign, serial?)?;
        Engine::default().verifier(&key, DEFAULT_USER_ID).ok()
    }

    fn prove_announced(
        &self,
        announcement: &Announcement,
        signature: &str,
        wire: &Wire,
        now: OffsetDateTime,
    ) -> Result<(), Flaw> {
        let spec = self.spec().map_err(|_| Flaw::Signature)?;
        let message = spec.parse(wire).map_err(|_| Flaw::Signature)?;
        let found = message.signature().ok().flatten().ok_or(Flaw::Signature)?;
        let serial = found.signer.serial();
        if let Some(verifier) = self.announced_verifier(serial) {
            return announcement.check(&*verifier, signature);
        }
        let keyring = self.keyring();
        let known = keyring.verifier(&self.link, serial.unwrap_or_default(), now);
        let verifier = known.and_then(|known| known.sm2()).map_err(|_| Flaw::Signature)?;
        announcement.check(verifier, signature)
    }
}
