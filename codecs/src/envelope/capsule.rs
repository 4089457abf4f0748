//! A document whose whole content is sealed: around the ciphertext stands a document of its own, which says no more than whose
//! it is. Layout only: the ciphertext is lower-case hex digits in base64 (JD Pay).

use crate::field::{Broken, base64_decode, base64_encode, hex_decode, hex_encode};

/// How the content is sealed under a key that both sides hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CapsuleScheme {
    /// Triple DES in ECB with a length before the text.
    TripleDesFramed,
}

impl CapsuleScheme {
    pub(crate) const NAMES: [(&'static str, Self); 1] = [("3des_framed", Self::TripleDesFramed)];

    /// The ciphertext of a text: whole blocks, at least one.
    pub(crate) fn read(self, text: &str) -> Result<Vec<u8>, Broken> {
        let Self::TripleDesFramed = self;
        let digits = base64_decode(text).and_then(|digits| String::from_utf8(digits).ok());
        let bytes = digits.and_then(|digits| hex_decode(&digits));
        bytes
            .filter(|bytes| !bytes.is_empty() && bytes.len().is_multiple_of(8))
            .ok_or_else(|| Broken::new("seal.missing", "expected base64 of the lower-case hex digits of whole blocks"))
    }

    pub(crate) fn write(self, ciphertext: &[u8]) -> String {
        let Self::TripleDesFramed = self;
        base64_encode(hex_encode(ciphertext).as_bytes())
    }
}
