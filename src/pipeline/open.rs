//! Step 3: the digital envelope. The wrapped SM4 key is opened once, then every sealed field in its place.

use super::parse::Parsed;
use super::verify::Verified;
use super::{LinkView, Rejection, Step};
use codecs::message::{EnvelopeFound, Message};
use keys::error::KeyError;
use keys::keyring::{UnwrapKey, Usable};
use keys::sm2::Ciphertext;
use keys::sm4::Sm4Gcm;
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
    open_fields(&mut message, &|serial: &str| link.keyring.unwrapper(link.name, serial, now))
        .map_err(|rejection| rejection.with_header(Some(message.header())))?;
    Ok(Opened { message, signed_by })
}

pub(super) fn open_unverified<'a>(
    parsed: Parsed<'a>,
    link: LinkView<'_>,
    now: OffsetDateTime,
) -> Result<Unverified<'a>, Box<Rejection>> {
    let mut message = parsed.message;
    open_fields(&mut message, &|serial: &str| link.keyring.unwrapper(link.name, serial, now))
        .map_err(|rejection| rejection.with_header(Some(message.header())))?;
    Ok(Unverified { message })
}

/// Opens what the journal vouches for, with any key that we still hold.
pub(super) fn open_stored<'a>(parsed: Parsed<'a>, link: LinkView<'_>) -> Result<Opened<'a>, Box<Rejection>> {
    let mut message = parsed.message;
    let held = |serial: &str| link.keyring.held_unwrapper(link.name, serial);
    open_fields(&mut message, &held)?;
    Ok(Opened {
        message,
        signed_by: String::new(),
    })
}

/// Which key opens an envelope that names this serial.
type Choose<'k> = dyn Fn(&str) -> Result<Usable<'k, UnwrapKey>, KeyError> + 'k;

fn open_fields(message: &mut Message<'_>, choose: &Choose<'_>) -> Result<(), Box<Rejection>> {
    let refused = |error| Rejection::of_parse(Step::Open, error);
    let Some(envelope) = message.envelope().map_err(refused)? else {
        return Ok(());
    };
    let cipher = data_key(envelope, choose)?;
    for field in message.sealed_fields().map_err(refused)? {
        let clear = cipher
            .open(&field.nonce, &field.additional, &field.ciphertext, &field.tag)
            .map_err(|error| Rejection::of_crypto(Step::Open, "seal.invalid", &field.path, error))?;
        message.set_opened(field.slot, &clear).map_err(refused)?;
    }
    Ok(())
}

fn data_key(envelope: EnvelopeFound, choose: &Choose<'_>) -> Result<Sm4Gcm, Box<Rejection>> {
    let invalid = |error| Rejection::of_crypto(Step::Open, "envelope.invalid", "dgtlEnvlp", error);
    let refused = |error| Rejection::of_key(Step::Open, &error);
    let unwrapper = choose(&envelope.serial).and_then(|found| found.sm2()).map_err(refused)?;
    let wrapped = Ciphertext {
        c1: envelope.wrapped.c1,
        c3: envelope.wrapped.c3,
        c2: envelope.wrapped.c2,
    };
    let secret = unwrapper.unwrap(&wrapped).map_err(invalid)?;
    let key: &[u8; 16] = secret
        .danger_expose()
        .try_into()
        .map_err(|_wrong_length| invalid(keys::error::CryptoError::Ciphertext))?;
    Ok(Sm4Gcm::new(key))
}
