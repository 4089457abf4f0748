//! The parts of a signed message that are compared: the text, the signature, the key that it names.

use super::Case;
use super::proof::{self, Attempt, user_id};
use codecs::envelope::{SignatureEncoding, SignatureScheme, SignatureValue};
use codecs::message::Message;
use codecs::spec::Spec;
use codecs::wire::Wire;
use keys::key::{Side, Usage};
use keys::sm2::{Engine, Verify};
use keys::store::Held;
use time::OffsetDateTime;

/// A message that parses and carries a signature.
pub(super) struct Seen<'a> {
    pub(super) case: &'a Case<'a>,
    pub(super) wire: &'a Wire,
    pub(super) message: Message<'a>,
    pub(super) scheme: SignatureScheme,
    pub(super) encoding: SignatureEncoding,
    /// The exact text that the spec says is signed.
    pub(super) text: Vec<u8>,
    /// The signature as it stands.
    pub(super) sent: String,
    /// The signature, if it is encoded as the spec says.
    pub(super) value: Option<SignatureValue>,
    /// The serial that the message names as its signer's.
    pub(super) signer: Option<String>,
    /// The key of that serial, whatever its status; of a link whose messages name none, its one live key.
    pub(super) key: Option<&'a Held>,
    /// That key prepared, if it is of SM2: most attempts are made under it.
    pub(super) verifier: Option<Box<dyn Verify>>,
    pub(super) made_at: Option<OffsetDateTime>,
}

impl<'a> Seen<'a> {
    /// `spec` is the case's own, or that with any signature.
    pub(super) fn of(case: &'a Case<'a>, spec: &'a Spec, wire: &'a Wire) -> Option<Self> {
        let message = spec.parse(wire).ok()?;
        let (scheme, encoding) = (case.spec.signature_scheme(), case.spec.signature_encoding());
        let sent = message.signature_text()?.to_owned();
        let text = message.signed_text().ok()?;
        let signer = message.signer_text().map(ToOwned::to_owned);
        let found = message.signature().ok().flatten();
        let key = key(case, scheme, signer.as_deref());
        Some(Self {
            key,
            verifier: key.and_then(|key| proof::verifier(Engine::Native, key, user_id(key))),
            value: encoding.read(&sent).ok(),
            made_at: found.and_then(|found| found.made_at),
            case,
            wire,
            message,
            scheme,
            encoding,
            text,
            sent,
            signer,
        })
    }

    /// Whether the signature holds as it is: then something else is wrong.
    pub(super) fn holds(&self) -> bool {
        Attempt::new("").holds(self)
    }
}

fn key<'a>(case: &'a Case<'a>, scheme: SignatureScheme, signer: Option<&str>) -> Option<&'a Held> {
    let signs = |held: &&Held| held.entry.link == case.link && signs(held, scheme);
    let mut found = case.held.iter().filter(signs);
    if let Some(serial) = signer {
        return found.find(|held| held.entry.serial == serial);
    }
    let mut live = found.filter(|held| held.entry.status.is_live());
    live.next().filter(|_| live.next().is_none())
}

/// Whether a key is of the kind that verifies a scheme.
pub(super) fn signs(held: &Held, scheme: SignatureScheme) -> bool {
    let kind = match scheme {
        SignatureScheme::None => return false,
        SignatureScheme::Sm2(_) | SignatureScheme::Rsa(_) => (Side::Theirs, Usage::Sign),
        SignatureScheme::Mac(_) => (Side::Shared, Usage::Mac),
    };
    (held.entry.side, held.entry.usage) == kind
}
