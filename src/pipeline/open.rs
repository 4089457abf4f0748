//! Step 3: the digital envelope. The wrapped SM4 key is opened once, then every sealed field in its place.

use super::parse::Parsed;
use super::verify::Verified;
use super::{LinkView, Rejection, Step};
use codecs::envelope::RawCiphertext;
use codecs::message::{EnvelopeFound, Message};
use keys::envelope;
use keys::error::{CryptoError, KeyError};
use keys::sm2::Ciphertext;
use keys::sm4::Sm4Gcm;
use std::sync::Arc;
use time::OffsetDateTime;

/// A verified message with every sealed field opened. Only this file and `verify` can bring it about.
pub struct Opened<'a> {
    message: Message<'a>,
    signed_by: String,
}

impl<'a> Opened<'a> {
    pub(super) fn of_verified(verified: Verified<'a>) -> Self {
        let (message, signed_by) = verified.into_parts();
        Self { message, signed_by }
    }

    pub(super) fn message(&self) -> &Message<'a> {
        &self.message
    }

    pub(super) fn signed_by(&self) -> &str {
        &self.signed_by
    }
}

/// Opened, but not verified: leads nowhere but to `verify::verify_opened`.
pub(super) struct Unverified<'a> {
    message: Message<'a>,
}

impl<'a> Unverified<'a> {
    pub(super) fn into_message(self) -> Message<'a> {
        self.message
    }
}

pub(super) fn open<'a>(verified: Verified<'a>, link: LinkView<'_>, now: OffsetDateTime) -> Result<Opened<'a>, Box<Rejection>> {
    let (mut message, signed_by) = verified.into_parts();
    open_fields(&mut message, &usable(link, now)).map_err(|rejection| rejection.with_header(Some(message.header())))?;
    Ok(Opened { message, signed_by })
}

pub(super) fn open_unverified<'a>(
    parsed: Parsed<'a>,
    link: LinkView<'_>,
    now: OffsetDateTime,
) -> Result<Unverified<'a>, Box<Rejection>> {
    let mut message = parsed.message;
    open_fields(&mut message, &usable(link, now)).map_err(|rejection| rejection.with_header(Some(message.header())))?;
    Ok(Unverified { message })
}

/// Opens what the journal vouches for, with any key that we still hold.
pub(super) fn open_stored<'a>(parsed: Parsed<'a>, link: LinkView<'_>) -> Result<Opened<'a>, Box<Rejection>> {
    let mut message = parsed.message;
    let held = |serial: &str, wrapped: &Ciphertext| {
        let ours = link
            .keyring
            .held_unwrapper(link.name, serial)
            .and_then(|found| found.sm2())
            .map_err(of_key)?;
        envelope::unwrapped(ours, wrapped).map(Arc::new).map_err(of_envelope)
    };
    open_fields(&mut message, &held)?;
    Ok(Opened {
        message,
        signed_by: String::new(),
    })
}

/// What finds the key of an envelope, by the serial of the private key and the wrapped bytes.
type Find<'k> = dyn Fn(&str, &Ciphertext) -> Result<Arc<Sm4Gcm>, Box<Rejection>> + 'k;

/// By a private key that may be used now, or what the link keeps of envelopes that it unwrapped.
fn usable(link: LinkView<'_>, now: OffsetDateTime) -> impl Fn(&str, &Ciphertext) -> Result<Arc<Sm4Gcm>, Box<Rejection>> {
    move |serial, wrapped| {
        let ours = link
            .keyring
            .unwrapper(link.name, serial, now)
            .and_then(|found| found.as_sm2())
            .map_err(of_key)?;
        let envelopes = link.keyring.envelopes(link.name);
        envelopes.inbound(&ours, wrapped, now).map_err(of_envelope)
    }
}

fn open_fields(message: &mut Message<'_>, find: &Find<'_>) -> Result<(), Box<Rejection>> {
    let refused = |error| Rejection::of_parse(Step::Open, error);
    let Some(EnvelopeFound { serial, wrapped, .. }) = message.envelope().map_err(refused)? else {
        return Ok(());
    };
    let RawCiphertext { c1, c3, c2 } = wrapped;
    let cipher = find(&serial, &Ciphertext { c1, c3, c2 })?;
    for field in message.sealed_fields().map_err(refused)? {
        let clear = cipher
            .open(&field.nonce, &field.additional, &field.ciphertext, &field.tag)
            .map_err(|error| Rejection::of_crypto(Step::Open, "seal.invalid", &field.path, error))?;
        message.set_opened(field.slot, &clear).map_err(refused)?;
    }
    Ok(())
}

fn of_key(error: KeyError) -> Box<Rejection> {
    Rejection::of_key(Step::Open, &error)
}

fn of_envelope(error: CryptoError) -> Box<Rejection> {
    Rejection::of_crypto(Step::Open, "envelope.invalid", "dgtlEnvlp", error)
}
