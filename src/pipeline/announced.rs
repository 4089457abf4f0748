//! What a message that announces a key must hold beside its own signature: a proof that stands apart, of a key that can be used.
//!
//! It is asked of verified messages, and again of what was kept of them. A key that is proven is not trusted by that.

use super::{LinkView, Received, Rejection, Step};
use codecs::payment::{Attribute, Operation, Payment};
use keys::announcement::{AnnouncedKey, Announcement, Flaw};
use keys::error::KeyError;
use keys::key::Side;
use keys::keyring::Keyring;
use time::OffsetDateTime;

/// Why an announcement is not believed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Disbelief {
    #[error(transparent)]
    Flaw(#[from] Flaw),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the serial number {0} is that of another key")]
    OtherKey(String),
}

impl Disbelief {
    /// The refusal of the message that it came with.
    pub(crate) fn rejection(&self, payment: &Payment) -> Rejection {
        let (step, code, at) = match self {
            Self::Flaw(Flaw::Signature) => (Step::Verify, UNPROVEN, Attribute::KeySignature),
            Self::Key(_) => (Step::Verify, "announce.signer", Attribute::KeySignature),
            Self::OtherKey(_) => (Step::Duplicate, OTHER_KEY, Attribute::KeySerial),
            Self::Flaw(Flaw::Usage) => (Step::Translate, "announce.usage", Attribute::KeyUsage),
            Self::Flaw(Flaw::Key) => (Step::Translate, "announce.key", Attribute::KeyMaterial),
            Self::Flaw(Flaw::Serial) => (Step::Translate, "announce.serial", Attribute::KeySerial),
            Self::Flaw(Flaw::Validity) => (Step::Translate, "announce.validity", Attribute::KeyFrom),
            Self::Flaw(Flaw::Expired) => (Step::Translate, EXPIRED, Attribute::KeyTo),
        };
        Rejection {
            field: Some(at.name().to_owned()),
            header: Some(payment.clone()),
            ..Rejection::new(step, code, self.to_string())
        }
    }
}

/// An announcement with what proves it.
#[derive(Clone, Copy)]
pub struct Proof<'a> {
    pub announcement: &'a Announcement,
    pub signature: &'a str,
    /// Serial number of the key under which it is signed.
    pub signed_by: &'a str,
}

impl Proof<'_> {
    /// The key, if it is proven under one of the counterparty's that is known and counts at this moment.
    pub fn key(&self, keyring: &Keyring, link: &str, now: OffsetDateTime) -> Result<AnnouncedKey, Disbelief> {
        let verifier = keyring.verifier(link, self.signed_by, now)?;
        self.announcement.check(verifier.sm2()?, self.signature)?;
        let key = self.announcement.key(now)?;
        let serial = &self.announcement.serial;
        let is_other = keyring.infos().any(|info| {
            let is_of_shelf = (info.link.as_str(), info.side, info.usage) == (link, Side::Theirs, key.usage);
            is_of_shelf && info.serial == *serial && info.fingerprint != key.fingerprint
        });
        if is_other {
            return Err(Disbelief::OtherKey(serial.clone()));
        }
        Ok(key)
    }
}

/// What a message announces; empty values where it announces nothing.
pub fn announcement(payment: &Payment) -> Announcement {
    let text = |attribute| payment.text(attribute).unwrap_or_default().to_owned();
    Announcement {
        sender: text(Attribute::Sender),
        receiver: text(Attribute::Receiver),
        usage: text(Attribute::KeyUsage),
        serial: text(Attribute::KeySerial),
        key: text(Attribute::KeyMaterial),
        from: text(Attribute::KeyFrom),
        to: text(Attribute::KeyTo),
    }
}

/// The last step of a message that came; any other than an announcement passes.
pub(super) fn check(received: Received, link: LinkView<'_>, now: OffsetDateTime) -> Result<Received, Box<Rejection>> {
    let payment = &received.payment;
    if payment.operation != Operation::Certificate {
        return Ok(received);
    }
    let proof = Proof {
        announcement: &announcement(payment),
        signature: payment.text(Attribute::KeySignature).unwrap_or_default(),
        signed_by: &received.signed_by,
    };
    match proof.key(link.keyring, link.name, now) {
        Ok(_) => Ok(received),
        Err(disbelief) => Err(Box::new(disbelief.rejection(payment))),
    }
}

/// Codes that others go by.
pub(crate) const UNPROVEN: &str = "announce.signature";
pub(crate) const EXPIRED: &str = "announce.expired";
pub(crate) const OTHER_KEY: &str = "announce.altered";
