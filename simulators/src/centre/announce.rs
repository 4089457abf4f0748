//! NPS.903: a key of the centre's announced to the bank, and the bank's announced to the centre.

use super::{Desk, Shared};
use crate::counterparty::{NotTaken, Refusal};
use codecs::payment::{Attribute, Operation, Outcome, Payment, Reason, Role};
use codecs::wire::Wire;
use keys::announcement::{Announcement, Flaw, stamp, word};
use keys::key::Usage;
use keys::sm2::PublicKey;
use time::{Duration, OffsetDateTime};

/// A key of the centre's that it means to change over to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewKey {
    pub usage: Usage,
    pub serial: String,
    pub public: PublicKey,
    pub from: OffsetDateTime,
    pub valid: Duration,
}

impl Desk {
    /// The message that announces a key, proven under the key that the centre signs with.
    pub fn announcement(&self, key: &NewKey) -> Result<Payment, Refusal> {
        let (shared, now) = (&self.shared, self.shared.world.now());
        let mut request = Payment::new(Operation::Certificate, Role::Request);
        shared.sending().address(&mut request, shared.next_serial(), now);
        let text = |attribute| request.text(attribute).unwrap_or_default().to_owned();
        let announcement = Announcement {
            sender: text(Attribute::Sender),
            receiver: text(Attribute::Receiver),
            usage: word(key.usage).unwrap_or_default().to_owned(),
            serial: key.serial.clone(),
            // What cannot be written is announced as it is, and refused.
            key: key.public.to_announced().unwrap_or_default(),
            from: stamp(key.from),
            to: stamp(key.from + key.valid),
        };
        let signature = shared.party.prove(&announcement, now, &mut shared.world.rng())?;
        request
            .set_text(Attribute::KeyUsage, announcement.usage)
            .set_text(Attribute::KeySerial, announcement.serial)
            .set_text(Attribute::KeyMaterial, announcement.key)
            .set_text(Attribute::KeyFrom, announcement.from)
            .set_text(Attribute::KeyTo, announcement.to)
            .set_text(Attribute::KeySignature, signature);
        Ok(request)
    }

    /// Whether the bank announced a key of this serial number, and the centre took it.
    pub fn has_announced(&self, usage: Usage, serial: &str) -> bool {
        self.shared.party.has_announced(usage, serial)
    }
}

impl Shared {
    /// The bank's key is proven and taken, or refused with the cause.
    pub(super) fn take_announced(&self, request: &Payment, wire: &Wire) -> Outcome {
        match self.party.take_announced(request, wire, self.world.now()) {
            Ok(()) => Outcome::Success,
            Err(cause @ NotTaken::Altered) => Outcome::failed(Reason::Altered, cause.to_string()),
            Err(cause @ NotTaken::Flaw(Flaw::Signature)) => Outcome::failed(Reason::SignatureInvalid, cause.to_string()),
            Err(cause @ NotTaken::Flaw(_)) => Outcome::failed(Reason::InvalidMessage, cause.to_string()),
        }
    }
}
