//! Step 2: the signature, over the exact bytes received, under the key that the message names and no other.

use super::open::{Opened, Unverified};
use super::parse::Parsed;
use super::{LinkView, Rejection, Step, Under, mac, scheme};
use codecs::envelope::{SignatureScheme, SignatureValue};
use codecs::message::{Message, SignatureFound};
use keys::error::KeyError;
use keys::keyring::{Usable, VerifyKey};
use time::OffsetDateTime;

/// A message whose signature holds. Only this file can build it.
pub struct Verified<'a> {
    message: Message<'a>,
    signed_by: Option<Under>,
}

impl<'a> Verified<'a> {
    pub(super) fn into_parts(self) -> (Message<'a>, Option<Under>) {
        (self.message, self.signed_by)
    }
}

pub(super) fn verify<'a>(parsed: Parsed<'a>, link: LinkView<'_>, now: OffsetDateTime) -> Result<Verified<'a>, Box<Rejection>> {
    let message = parsed.message;
    let signed_by = check(&message, link, now).map_err(|rejection| with_header(rejection, &message))?;
    Ok(Verified { message, signed_by })
}

/// For specs that sign clear values: the only way from `Unverified` to `Opened`.
pub(super) fn verify_opened<'a>(
    unverified: Unverified<'a>,
    link: LinkView<'_>,
    now: OffsetDateTime,
) -> Result<Opened<'a>, Box<Rejection>> {
    let (message, keys) = unverified.into_parts();
    let signed_by = check(&message, link, now).map_err(|rejection| with_header(rejection, &message))?;
    Ok(Opened::of_verified(Verified { message, signed_by }, keys))
}

fn check(message: &Message<'_>, link: LinkView<'_>, now: OffsetDateTime) -> Result<Option<Under>, Box<Rejection>> {
    let found = message
        .signature()
        .map_err(|error| Rejection::of_parse(Step::Verify, error))?;
    let Some(found) = found else {
        return Ok(None);
    };
    check_window(&found, now)?;
    let text = message
        .signed_text()
        .map_err(|error| Rejection::of_parse(Step::Verify, error))?;
    check_signature(&found, &text, link, now).map(Some)
}

/// Checks the signature under the key that the message names, or the one key of a link whose messages name none; gives that
/// key's name.
fn check_signature(
    found: &SignatureFound,
    text: &[u8],
    link: LinkView<'_>,
    now: OffsetDateTime,
) -> Result<Under, Box<Rejection>> {
    let key_error = |error| Rejection::of_key(Step::Verify, &error);
    let invalid = |error| Rejection::of_crypto(Step::Verify, "signature.invalid", "signature", error);
    match (found.scheme, &found.value) {
        (SignatureScheme::Sm2(input), SignatureValue::Sm2(signature)) => {
            let verifier = verifier(found, link, now).map_err(key_error)?;
            let key = verifier.sm2().map_err(key_error)?;
            key.verify(&scheme::sm2_input(input, text), signature).map_err(invalid)?;
            Ok(Under::of(verifier.info))
        }
        (SignatureScheme::Rsa(kind), SignatureValue::Bytes(signature)) => {
            let verifier = verifier(found, link, now).map_err(key_error)?;
            let key = verifier.rsa().map_err(key_error)?;
            key.verify(scheme::rsa(kind), text, signature).map_err(invalid)?;
            Ok(Under::of(verifier.info))
        }
        (SignatureScheme::Mac(kind), SignatureValue::Bytes(tag)) => {
            mac::check(kind, found.signer.serial(), (text, tag), link, now)
        }
        (SignatureScheme::None | SignatureScheme::Sm2(_) | SignatureScheme::Rsa(_) | SignatureScheme::Mac(_), _) => {
            Err(Box::new(Rejection::new(
                Step::Verify,
                "signature.missing",
                "the message carries no signature of its scheme",
            )))
        }
    }
}

fn verifier<'k>(found: &SignatureFound, link: LinkView<'k>, now: OffsetDateTime) -> Result<Usable<'k, VerifyKey>, KeyError> {
    match found.signer.serial() {
        Some(serial) => link.keyring.verifier(link.name, serial, now),
        None => link.keyring.one_verifier(link.name, now),
    }
}

fn check_window(found: &SignatureFound, now: OffsetDateTime) -> Result<(), Box<Rejection>> {
    let (Some(made_at), Some(window_s)) = (found.made_at, found.window_s) else {
        return Ok(());
    };
    let distance = (now - made_at).abs();
    if distance <= time::Duration::seconds(i64::from(window_s)) {
        return Ok(());
    }
    let detail = format!(
        "made {} s away from our clock, {window_s} s are allowed",
        distance.whole_seconds()
    );
    Err(Box::new(Rejection::new(Step::Verify, "signature.window", detail)))
}

fn with_header(rejection: Box<Rejection>, message: &Message<'_>) -> Box<Rejection> {
    rejection.with_header(Some(message.header()))
}
