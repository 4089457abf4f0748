//! A signature as it is written in a message, and as numbers.

use super::{RawSignature, SignatureScheme, signature_from_der, signature_to_der};
use crate::error::ParseError;
use crate::field::{base64_decode, base64_encode, hex_decode, hex_encode};

/// A signature or tag as its algorithm makes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SignatureValue {
    /// SM2: r||s.
    Sm2(RawSignature),
    /// RSA, or a MAC.
    Bytes(Vec<u8>),
}

impl SignatureValue {
    /// The bytes, for people.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Sm2(raw) => raw,
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// How the signature is written as text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SignatureEncoding {
    /// SM2: base64 of ASN.1 DER.
    Der,
    /// SM2: base64 of r||s.
    Raw,
    /// Base64 of RSA's bytes or of a MAC.
    Base64,
    /// Lower-case hex of a MAC.
    Hex,
    /// Upper-case hex of a MAC.
    UpperHex,
}

impl SignatureEncoding {
    pub(crate) const ALL: [Self; 5] = [Self::Der, Self::Raw, Self::Base64, Self::Hex, Self::UpperHex];

    /// The encoding of this name, if it is one of the scheme's.
    pub(crate) fn parse(scheme: SignatureScheme, name: Option<&str>) -> Option<Self> {
        match (scheme, name) {
            (SignatureScheme::None, None) | (SignatureScheme::Sm2(_), Some("der")) => Some(Self::Der),
            (SignatureScheme::Sm2(_), Some("raw")) => Some(Self::Raw),
            (SignatureScheme::Rsa(_) | SignatureScheme::Mac(_), Some("base64")) => Some(Self::Base64),
            (SignatureScheme::Mac(_), Some("hex")) => Some(Self::Hex),
            (SignatureScheme::Mac(_), Some("upper_hex")) => Some(Self::UpperHex),
            (SignatureScheme::None | SignatureScheme::Sm2(_) | SignatureScheme::Mac(_) | SignatureScheme::Rsa(_), _) => None,
        }
    }

    /// Strictly: no other alphabet, no other form of the numbers.
    pub fn read(self, text: &str) -> Result<SignatureValue, ParseError> {
        let (bytes, wanted) = match self {
            Self::Der | Self::Raw | Self::Base64 => (base64_decode(text), "base64"),
            Self::Hex => (hex_decode(text), "lower-case hex"),
            Self::UpperHex => (upper_hex_decode(text), "upper-case hex"),
        };
        let bytes = bytes.ok_or_else(|| broken(format!("expected {wanted}")))?;
        match self {
            Self::Der => signature_from_der(&bytes).map(SignatureValue::Sm2),
            Self::Raw => exact(&bytes).map(SignatureValue::Sm2),
            Self::Base64 | Self::Hex | Self::UpperHex => Ok(SignatureValue::Bytes(bytes)),
        }
    }

    /// The text of a signature; `None` when it is of another scheme.
    pub(crate) fn write(self, value: &SignatureValue) -> Option<String> {
        match (self, value) {
            (Self::Der, SignatureValue::Sm2(raw)) => Some(base64_encode(&signature_to_der(raw))),
            (Self::Raw, SignatureValue::Sm2(raw)) => Some(base64_encode(raw)),
            (Self::Base64, SignatureValue::Bytes(bytes)) => Some(base64_encode(bytes)),
            (Self::Hex, SignatureValue::Bytes(bytes)) => Some(hex_encode(bytes)),
            (Self::UpperHex, SignatureValue::Bytes(bytes)) => Some(hex_encode(bytes).to_ascii_uppercase()),
            (Self::Der | Self::Raw, SignatureValue::Bytes(_))
            | (Self::Base64 | Self::Hex | Self::UpperHex, SignatureValue::Sm2(_)) => None,
        }
    }
}

/// Reads upper-case hex; `None` for anything else.
fn upper_hex_decode(text: &str) -> Option<Vec<u8>> {
    let lower = text.bytes().any(|byte| byte.is_ascii_lowercase());
    if lower { None } else { hex_decode(&text.to_ascii_lowercase()) }
}

fn exact<const N: usize>(bytes: &[u8]) -> Result<[u8; N], ParseError> {
    let exact = bytes.try_into();
    exact.map_err(|_| broken(format!("{} bytes, expected {N}", bytes.len())))
}

fn broken(detail: String) -> ParseError {
    ParseError {
        rule: "signature.encoding",
        field: None,
        offset: None,
        detail,
    }
}
