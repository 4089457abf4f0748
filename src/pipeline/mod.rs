//! The pure pipeline: bytes to payment and payment to bytes. No IO, no clock; time, keys and randomness are arguments.
//!
//! ```text
//! receive: parse > verify > open > translate       emit: translate > seal > sign
//! ```
//!
//! Where the whole content of a message is sealed, its capsule is opened before `parse` and closed after `sign`.
//!
//! Each step takes what only the step before can build, so skipping one does not compile. A spec whose counterparty signs
//! clear values (`signed = "clear"`) opens first into a private form that only `verify` turns into `Opened`.

mod announced;
mod capsule;
mod each;
mod mac;
mod named;
mod open;
mod parse;
mod reject;
mod scheme;
mod seal;
mod session;
mod sign;
mod sign_in;
mod text_key;
mod translate;
mod verify;
mod whole;

pub use announced::{Disbelief, Proof, announcement};
pub use named::{Names, named};
pub use open::Opened;
pub use parse::Parsed;
pub use reject::{Fault, Rejection, Step};
pub use seal::Sealed;
pub use sign::Signed;
pub use sign_in::sign_in;
pub use verify::Verified;

pub(crate) use announced::{EXPIRED, OTHER_KEY, UNPROVEN};
pub(crate) use text_key::Unrandom;

use crate::record::Stored;
use codecs::message::Message;
use codecs::payment::Payment;
use codecs::spec::Spec;
use codecs::wire::Wire;
use keys::key::{KeyInfo, Side, Usage};
use keys::keyring::Keyring;
use rand_core::CryptoRng;
use std::borrow::Cow;
use time::OffsetDateTime;

/// What the steps need to know of a link.
#[derive(Clone, Copy)]
pub struct LinkView<'a> {
    /// Name of the link, by which the keyring knows its keys.
    pub name: &'a str,
    pub spec: &'a Spec,
    pub keyring: &'a Keyring,
}

/// A message that came through every step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Received {
    pub payment: Payment,
    /// Message code, such as NPS.142.001.01.
    pub code: String,
    /// Serial of the key that the signature verified under; empty where the spec says `signature = "none"`.
    pub signed_by: String,
    /// The keys that it was verified and opened with; none for bytes of our own journal.
    pub under: Vec<Under>,
}

/// A key of a link that a message stands under.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Under {
    pub side: Side,
    pub usage: Usage,
    pub serial: String,
    /// Which of the keys that the party of this serial was handed out at a sign-in.
    pub working: Option<String>,
}

impl Under {
    fn of(info: &KeyInfo) -> Self {
        Self {
            side: info.side,
            usage: info.usage,
            serial: info.serial.clone(),
            working: None,
        }
    }
}

/// Parse, verify, open, translate.
pub fn receive(wire: &Wire, link: LinkView<'_>, now: OffsetDateTime) -> Result<Received, Box<Rejection>> {
    let wire = &*capsule::open(wire, link, now)?;
    let parsed = parse::parse(wire, link)?;
    let opened = if parsed.signs_clear_values() {
        let unverified = open::open_unverified(parsed, link, now)?;
        verify::verify_opened(unverified, link, now)?
    } else {
        let verified = verify::verify(parsed, link, now)?;
        open::open(verified, link, now)?
    };
    announced::check(translate::inward(&opened)?, link, now)
}

/// Whether bytes of ours still hold under a key that their receiver has.
pub fn holds(wire: &Wire, link: LinkView<'_>, now: OffsetDateTime) -> bool {
    let parsed = parse::parse(wire, link).ok();
    parsed.is_some_and(|parsed| verify::verify(parsed, link, now).is_ok())
}

/// Parse, open, translate for bytes of our own journal: they were verified when they came, and the keys of that moment may
/// be retired or revoked by now.
pub fn reopen(stored: &Stored, link: LinkView<'_>) -> Result<Received, Box<Rejection>> {
    let wire = &*capsule::open_stored(stored.wire(), link)?;
    let parsed = parse::parse(wire, link)?;
    let opened = open::open_stored(parsed, link)?;
    translate::inward(&opened)
}

/// Translate, seal, sign: the bytes that will be sent, and resent.
pub fn emit(
    payment: &Payment,
    code: &str,
    link: LinkView<'_>,
    now: OffsetDateTime,
    rng: &mut dyn CryptoRng,
) -> Result<Signed, Fault> {
    let draft = translate::outward(payment, code, link)?;
    let sealed = seal::seal(draft, link, now, rng)?;
    sign::sign(sealed, link, now, rng)
}

/// Authenticates a stored request of ours anew, body unchanged: for links whose authentication ages (a MAC over a
/// timestamp). `None` where it does not age; such bytes are resent as they are and never signed again.
pub fn renew(wire: &Wire, link: LinkView<'_>, now: OffsetDateTime, rng: &mut dyn CryptoRng) -> Result<Option<Signed>, Fault> {
    if !link.spec.authentication_ages() {
        return Ok(None);
    }
    let drafted = translate::again(wire, link)?;
    let sealed = seal::seal(drafted, link, now, rng)?;
    let signed = sign::sign(sealed, link, now, rng)?;
    Ok(Some(signed).filter(|signed| signed.wire().body == wire.body))
}

/// The message inside of one whose whole content is sealed, for those who show it; any other as it is. Nothing of it is
/// verified.
pub fn content<'w>(wire: &'w Wire, link: LinkView<'_>, now: OffsetDateTime) -> Result<Cow<'w, Wire>, Box<Rejection>> {
    capsule::open(wire, link, now)
}

/// The same for bytes of our own journal, under any key that we still hold.
pub fn stored_content<'w>(wire: &'w Wire, link: LinkView<'_>) -> Result<Cow<'w, Wire>, Box<Rejection>> {
    capsule::open_stored(wire, link)
}

/// Opens what is sealed in a message that is shown to a person, under keys that may be used now; gives how many values came to
/// light. It leads to no payment: only `receive` makes those, and it verifies first.
pub fn disclose(message: &mut Message<'_>, link: LinkView<'_>, now: OffsetDateTime) -> Result<usize, Box<Rejection>> {
    open::disclose(message, link, now)?;
    Ok(message.opened_values())
}

/// The same for bytes of our own journal, under any key that we still hold.
pub fn disclose_stored(message: &mut Message<'_>, link: LinkView<'_>) -> Result<usize, Box<Rejection>> {
    open::disclose_stored(message, link)?;
    Ok(message.opened_values())
}

/// Parses without keys, for `message decode` and `explain`.
pub fn inspect(wire: &Wire, spec: &Spec) -> Result<Inspection, codecs::error::ParseError> {
    let message = spec.parse(wire)?;
    Ok(Inspection::of(&message))
}

/// What can be said of a message without any key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inspection {
    pub code: String,
    pub fields: Vec<codecs::message::DescribedField>,
    pub signed_fields: Vec<codecs::message::DescribedField>,
}

impl Inspection {
    fn of(message: &Message<'_>) -> Self {
        Self {
            code: message.kind().code.clone(),
            fields: message.describe(false),
            signed_fields: message.signed_fields(),
        }
    }
}
