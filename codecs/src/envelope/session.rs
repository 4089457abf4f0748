//! One element sealed as a whole: CBC with a zero IV and zero padding under a session key, whose bytes are wrapped as they are;
//! an SM2 ciphertext stands as `04 C1 C3 C2`, without ASN.1 (UnionPay without a card).

use super::{RawCiphertext, SessionCipher};
use crate::error::ParseError;

/// How many bytes a session key has.
pub const fn key_bytes(cipher: SessionCipher) -> usize {
    match cipher {
        SessionCipher::TripleDes => 24,
        SessionCipher::Sm4 => 16,
    }
}

/// Takes `04 C1 C3 C2` apart; C2 holds at least one byte.
pub fn ciphertext_from_raw(bytes: &[u8]) -> Result<RawCiphertext, ParseError> {
    let parts = || {
        let (c1, rest) = bytes.strip_prefix(&[POINT])?.split_first_chunk::<64>()?;
        let (c3, c2) = rest.split_first_chunk::<32>()?;
        (!c2.is_empty()).then(|| RawCiphertext {
            c1: *c1,
            c3: *c3,
            c2: c2.to_vec(),
        })
    };
    parts().ok_or_else(|| ParseError {
        rule: "envelope.encoding",
        field: None,
        offset: None,
        detail: "expected 04, C1 of 64 bytes, C3 of 32 and C2".to_owned(),
    })
}

pub fn ciphertext_to_raw(raw: &RawCiphertext) -> Vec<u8> {
    [&[POINT][..], &raw.c1, &raw.c3, &raw.c2].concat()
}

/// An uncompressed point (GB/T 32918.1, 4.2.9).
const POINT: u8 = 4;
