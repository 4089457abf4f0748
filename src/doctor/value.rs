//! The signature in another encoding than the spec's. What it is made of stays as it is.

use super::coding::{unbase64, unbase64_url, unhex};
use super::proof::Attempt;
use super::seen::Seen;
use codecs::envelope::{SignatureEncoding, SignatureValue, signature_from_der};

/// r and s side by side where ASN.1 is due.
pub(super) fn raw<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let bytes = of(seen, &[SignatureEncoding::Der]).and_then(|()| unbase64(&seen.sent));
    sm2("r and s, 32 bytes each", bytes.as_deref().and_then(pair))
}

/// ASN.1 where r and s side by side are due.
pub(super) fn der<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let bytes = of(seen, &[SignatureEncoding::Raw]).and_then(|()| unbase64(&seen.sent));
    sm2("ASN.1 of r and s", bytes.and_then(|der| signature_from_der(&der).ok()))
}

/// ASN.1 whose numbers lack the sign byte or have zeros too many.
pub(super) fn loose_der<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let bytes = of(seen, &[SignatureEncoding::Der]).and_then(|()| unbase64(&seen.sent));
    sm2("ASN.1 that is not DER", bytes.as_deref().and_then(loose))
}

/// Hex where base64 is due.
pub(super) fn hex<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let bytes = of(seen, &BASE64).and_then(|()| unhex(&seen.sent));
    again(seen, "hex", bytes)
}

/// Base64 where hex is due.
pub(super) fn base64<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let bytes = of(seen, &HEX).and_then(|()| unbase64(&seen.sent));
    again(seen, "base64", bytes)
}

/// Hex in the other case.
pub(super) fn case<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let bytes = of(seen, &HEX).and_then(|()| unhex(&seen.sent));
    again(seen, "hex in the other case", bytes)
}

/// The alphabet of URLs, or padding left out.
pub(super) fn url_safe<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let bytes = of(seen, &BASE64).and_then(|()| unbase64_url(&seen.sent));
    again(seen, "base64 in the alphabet of URLs, or without padding", bytes)
}

/// A plus that a form's decoding took for a blank.
pub(super) fn plus_lost<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let bytes = of(seen, &BASE64).filter(|()| seen.sent.contains(' '));
    again(
        seen,
        "each blank in the signature a plus",
        bytes.and_then(|()| unbase64(&seen.sent.replace(' ', "+"))),
    )
}

/// Line ends inside the signature.
pub(super) fn line_breaks<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let joined = seen.sent.replace(['\r', '\n'], "");
    if joined == seen.sent {
        return Vec::new();
    }
    let value = seen.encoding.read(&joined).ok();
    let attempt = |value| Attempt::value("the signature without its line breaks", value);
    value.map(attempt).into_iter().collect()
}

/// Base64 of base64, or of hex.
pub(super) fn twice<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let inner = of(seen, &BASE64).and_then(|()| String::from_utf8(unbase64(&seen.sent)?).ok());
    let Some(inner) = inner else { return Vec::new() };
    let mut attempts = again(seen, "base64 of base64", unbase64(&inner));
    attempts.extend(again(seen, "base64 of hex", unhex(&inner)));
    attempts
}

fn of(seen: &Seen<'_>, encodings: &[SignatureEncoding]) -> Option<()> {
    encodings.contains(&seen.encoding).then_some(())
}

/// An attempt with the bytes as the encoding means them.
fn again<'a>(seen: &Seen<'a>, what: &str, bytes: Option<Vec<u8>>) -> Vec<Attempt<'a>> {
    let Some(bytes) = bytes else { return Vec::new() };
    let value = match seen.encoding {
        SignatureEncoding::Der => signature_from_der(&bytes).ok().map(SignatureValue::Sm2),
        SignatureEncoding::Raw => pair(&bytes).map(SignatureValue::Sm2),
        SignatureEncoding::Base64 | SignatureEncoding::Hex | SignatureEncoding::UpperHex => Some(SignatureValue::Bytes(bytes)),
    };
    value.map(|value| Attempt::value(what, value)).into_iter().collect()
}

fn sm2<'a>(what: &str, value: Option<[u8; 64]>) -> Vec<Attempt<'a>> {
    let attempt = |value| Attempt::value(what, SignatureValue::Sm2(value));
    value.map(attempt).into_iter().collect()
}

fn pair(bytes: &[u8]) -> Option<[u8; 64]> {
    bytes.try_into().ok()
}

/// SEQUENCE of two INTEGERs whose bytes are taken as they are; nothing stands behind them.
fn loose(bytes: &[u8]) -> Option<[u8; 64]> {
    let ([0x81, _, rest @ ..] | [_, rest @ ..]) = bytes.strip_prefix(&[0x30])? else {
        return None;
    };
    let (r, rest) = integer(rest)?;
    let (s, rest) = integer(rest)?;
    let joined = [r, s].concat();
    if rest.is_empty() { joined.try_into().ok() } else { None }
}

fn integer(bytes: &[u8]) -> Option<([u8; 32], &[u8])> {
    let (&length, rest) = bytes.strip_prefix(&[0x02])?.split_first()?;
    let (number, rest) = rest.split_at_checked(usize::from(length))?;
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = number.get(zeros..)?;
    let mut word = [0; 32];
    word.get_mut(32_usize.checked_sub(digits.len())?..)?.copy_from_slice(digits);
    Some((word, rest))
}

const BASE64: [SignatureEncoding; 3] = [SignatureEncoding::Der, SignatureEncoding::Raw, SignatureEncoding::Base64];
const HEX: [SignatureEncoding; 2] = [SignatureEncoding::Hex, SignatureEncoding::UpperHex];
