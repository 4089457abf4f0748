//! SM2 signatures and ciphertexts in ASN.1 (GM/T 0009) and back.

use super::{RawCiphertext, RawSignature};
use crate::error::ParseError;
use der::asn1::{OctetStringRef, UintRef};
use der::{Decode, Reader, SliceReader};

/// Strict DER SEQUENCE{INTEGER r, INTEGER s} (GM/T 0009 clause 7.3): minimal, positive, nothing trailing.
pub fn signature_from_der(der: &[u8]) -> Result<RawSignature, ParseError> {
    let read = |reader: &mut SliceReader<'_>| {
        let (r, s) = (UintRef::decode(reader)?, UintRef::decode(reader)?);
        Ok::<_, der::Error>((word(r), word(s)))
    };
    match sequence(der, read) {
        Ok((Some(r), Some(s))) => Ok(join(r, s)),
        Ok(_) => Err(broken("signature.encoding", "r and s are positive and at most 32 bytes")),
        Err(error) => Err(broken("signature.encoding", &error.to_string())),
    }
}

pub fn signature_to_der(raw: &RawSignature) -> Vec<u8> {
    let (r, s) = raw.split_at(32);
    element(0x30, &[integer(r), integer(s)].concat())
}

/// Strict DER SEQUENCE{INTEGER x, INTEGER y, OCTET STRING hash, OCTET STRING cipher} (GM/T 0009 clause 7.2).
pub fn ciphertext_from_der(der: &[u8]) -> Result<RawCiphertext, ParseError> {
    let read = |reader: &mut SliceReader<'_>| {
        let (x, y) = (UintRef::decode(reader)?, UintRef::decode(reader)?);
        let (hash, cipher) = (<&OctetStringRef>::decode(reader)?, <&OctetStringRef>::decode(reader)?);
        Ok::<_, der::Error>((word(x), word(y), hash.as_bytes().try_into().ok(), cipher.as_bytes().to_vec()))
    };
    match sequence(der, read) {
        Ok((Some(x), Some(y), Some(c3), c2)) if !c2.is_empty() => Ok(RawCiphertext { c1: join(x, y), c3, c2 }),
        Ok(_) => Err(broken(
            "envelope.encoding",
            "a coordinate, the digest or the cipher has a wrong length",
        )),
        Err(error) => Err(broken("envelope.encoding", &error.to_string())),
    }
}

pub fn ciphertext_to_der(raw: &RawCiphertext) -> Vec<u8> {
    let (x, y) = raw.c1.split_at(32);
    element(
        0x30,
        &[integer(x), integer(y), element(0x04, &raw.c3), element(0x04, &raw.c2)].concat(),
    )
}

/// Reads one SEQUENCE that is the whole input and that `read` uses up.
fn sequence<'d, T>(der: &'d [u8], read: impl FnOnce(&mut SliceReader<'d>) -> Result<T, der::Error>) -> Result<T, der::Error> {
    let mut reader = SliceReader::new(der)?;
    let value = reader.sequence(read)?;
    reader.finish()?;
    Ok(value)
}

/// A positive integer as 32 bytes; `None` for zero and for more than 32 bytes.
fn word(number: UintRef<'_>) -> Option<[u8; 32]> {
    let bytes = number.as_bytes();
    let mut word = [0; 32];
    word.get_mut(32_usize.checked_sub(bytes.len())?..)?.copy_from_slice(bytes);
    (word != [0; 32]).then_some(word)
}

fn join(first: [u8; 32], second: [u8; 32]) -> [u8; 64] {
    let mut joined = [0; 64];
    let (head, tail) = joined.split_at_mut(32);
    head.copy_from_slice(&first);
    tail.copy_from_slice(&second);
    joined
}

/// INTEGER of an unsigned number: no leading zeros but one that keeps it positive (X.690 clause 8.3).
fn integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|&b| b != 0).unwrap_or(bytes.len());
    let digits = bytes.get(start..).unwrap_or_default();
    let needs_sign = digits.first().is_none_or(|&b| b >= 0x80);
    let sign: &[u8] = if needs_sign { &[0] } else { &[] };
    element(0x02, &[sign, digits].concat())
}

/// Tag, definite length in its shortest form (X.690 clause 10.1), content.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let start = length.iter().position(|&b| b != 0).unwrap_or(length.len() - 1);
    let digits = length.get(start..).unwrap_or_default();
    let long = content.len() >= 0x80;
    // A usize has at most 8 bytes, so their count fits beside the flag.
    let count = 0x80 | u8::try_from(digits.len()).unwrap_or_default();
    let prefix: &[u8] = if long { &[tag, count] } else { &[tag] };
    [prefix, digits, content].concat()
}

fn broken(rule: &'static str, detail: &str) -> ParseError {
    ParseError {
        rule,
        field: None,
        offset: None,
        detail: detail.to_owned(),
    }
}
