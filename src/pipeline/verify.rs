//! Step 2: the signature, over the exact bytes received, under the key that the message names and no other.

use super::open::{Opened, Unverified};
use super::parse::Parsed;
use super::{LinkView, Rejection, Step};
use codecs::envelope::SignatureScheme;
use codecs::message::{Message, SignatureFound};
use time::OffsetDateTime;

/// A message whose signature holds. Only this file can build it.
pub struct Verified<'a> {
    message: Message<'a>,
    signed_by: String,
}

impl<'a> Verified<'a> {
    pub(super) fn into_parts(self) -> (Message<'a>, String) {
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
    let message = unverified.into_message();
    let signed_by = check(&message, link, now).map_err(|rejection| with_header(rejection, &message))?;
    Ok(Opened::of_verified(Verified { message, signed_by }))
}

fn check(message: &Message<'_>, link: LinkView<'_>, now: OffsetDateTime) -> Result<String, Box<Rejection>> {
    let found = message
        .signature()
        .map_err(|error| Rejection::of_parse(Step::Verify, error))?;
    let Some(found) = found else {
        return Ok(String::new());
    };
    check_window(&found, now)?;
    let text = message
        .signed_text()
        .map_err(|error| Rejection::of_parse(Step::Verify, error))?;
    check_signature(&found, &text, link, now)?;
    Ok(found.serial)
}

fn check_signature(found: &SignatureFound, text: &[u8], link: LinkView<'_>, now: OffsetDateTime) -> Result<(), Box<Rejection>> {
    let key_error = |error| Rejection::of_key(Step::Verify, &error);
    let invalid = |error| Rejection::of_crypto(Step::Verify, "signature.invalid", "signature", error);
    match (found.scheme, &found.sm2, &found.tag) {
        (SignatureScheme::Sm2Sm3, Some(signature), _) => {
            let verifier = link.keyring.verifier(link.name, &found.serial, now);
            let verifier = verifier.and_then(|found| found.sm2()).map_err(key_error)?;
            verifier.verify(text, signature).map_err(invalid)
        }
        (SignatureScheme::HmacSm3, _, Some(tag)) => {
            let mac = link.keyring.mac_with(link.name, &found.serial, now);
            let mac = mac.and_then(|found| found.hmac_sm3()).map_err(key_error)?;
            mac.check(&[text], tag).map_err(invalid)
        }
        (SignatureScheme::None | SignatureScheme::Sm2Sm3 | SignatureScheme::HmacSm3, _, _) => Err(Box::new(Rejection::new(
            Step::Verify,
            "signature.missing",
            "the message carries no signature of its scheme",
        ))),
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
