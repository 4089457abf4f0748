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
    sequence_of(&[(INTEGER, digits(r)), (INTEGER, digits(s))])
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
    sequence_of(&[
        (INTEGER, digits(x)),
        (INTEGER, digits(y)),
        (OCTETS, &raw.c3),
        (OCTETS, &raw.c2),
    ])
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

/// A SEQUENCE of elements, each its tag and its content.
fn sequence_of(elements: &[(u8, &[u8])]) -> Vec<u8> {
    let content = |&(tag, content): &(u8, &[u8])| content.len() + usize::from(needs_sign(tag, content));
    let whole = |element: &(u8, &[u8])| content(element) + head_bytes(content(element));
    let length: usize = elements.iter().map(whole).sum();
    let mut der = Vec::with_capacity(length + head_bytes(length));
    push_head(&mut der, 0x30, length);
    for element @ &(tag, bytes) in elements {
        push_head(&mut der, tag, content(element));
        if needs_sign(tag, bytes) {
            der.push(0);
        }
        der.extend_from_slice(bytes);
    }
    der
}

/// The bytes of an unsigned number without leading zeros (X.690 clause 8.3).
fn digits(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|&b| b != 0).unwrap_or(bytes.len());
    bytes.get(start..).unwrap_or_default()
}

/// Whether a zero keeps a number positive, or stands for none.
fn needs_sign(tag: u8, digits: &[u8]) -> bool {
    tag == INTEGER && digits.first().is_none_or(|&b| b >= 0x80)
}

/// Tag and definite length in its shortest form (X.690 clause 10.1).
fn push_head(der: &mut Vec<u8>, tag: u8, length: usize) {
    der.push(tag);
    let bytes = length.to_be_bytes();
    let digits = bytes.get(size_of::<usize>() - length_bytes(length)..).unwrap_or_default();
    if length >= 0x80 {
        // A usize has at most 8 bytes, so their count fits beside the flag.
        der.push(0x80 | u8::try_from(digits.len()).unwrap_or_default());
    }
    der.extend_from_slice(digits);
}

fn head_bytes(length: usize) -> usize {
    1 + usize::from(length >= 0x80) + length_bytes(length)
}

/// Bytes of a length, at least one.
fn length_bytes(length: usize) -> usize {
    size_of::<usize>() - (length.leading_zeros() as usize / 8).min(size_of::<usize>() - 1)
}

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;

fn broken(rule: &'static str, detail: &str) -> ParseError {
    ParseError {
        rule,
        field: None,
        offset: None,
        detail: detail.to_owned(),
    }
}
