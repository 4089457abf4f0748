//! What stands inside a PKCS #1 signature of type 1. Institutions differ in what they hash, how often, and whether a
//! `DigestInfo` says so: five ways that do not verify each other.

use crate::legacy::digest::Digest;
use ::rsa::Pkcs1v15Sign;
use md5::Md5;
use sha1::Sha1;
use sha2::Sha256;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RsaScheme {
    /// `SHA256withRSA` of the text: `WeChat` v3, Alipay RSA2.
    Pkcs1Sha256,
    /// `SHA1withRSA` of the text: Alipay RSA.
    Pkcs1Sha1,
    /// `MD5withRSA` of the text.
    Pkcs1Md5,
    /// The text itself, neither hashed nor named by a `DigestInfo`.
    Pkcs1Raw,
    /// The 64 lower-case hex digits of the text's SHA-256, without a `DigestInfo`: JD Pay.
    Pkcs1RawHexDigest,
    /// `SHA256withRSA` of the 64 lower-case hex digits of the text's SHA-256: `UnionPay` forms of version 5.1.0.
    Pkcs1Sha256OfHex,
    /// `SHA1withRSA` of the 40 lower-case hex digits of the text's SHA-1: `UnionPay` forms of version 5.0.0.
    Pkcs1Sha1OfHex,
    /// `SHA256withRSA` of the 32 bytes of the text's SHA-256: `UnionPay` without a card.
    Pkcs1Sha256OfDigest,
}

impl RsaScheme {
    pub const ALL: [Self; 8] = [
        Self::Pkcs1Sha256,
        Self::Pkcs1Sha1,
        Self::Pkcs1Md5,
        Self::Pkcs1Raw,
        Self::Pkcs1RawHexDigest,
        Self::Pkcs1Sha256OfHex,
        Self::Pkcs1Sha1OfHex,
        Self::Pkcs1Sha256OfDigest,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Pkcs1Sha256 => "rsa-sha256",
            Self::Pkcs1Sha1 => "rsa-sha1",
            Self::Pkcs1Md5 => "rsa-md5",
            Self::Pkcs1Raw => "rsa-raw",
            Self::Pkcs1RawHexDigest => "rsa-raw-hex-sha256",
            Self::Pkcs1Sha256OfHex => "rsa-sha256-of-hex",
            Self::Pkcs1Sha1OfHex => "rsa-sha1-of-hex",
            Self::Pkcs1Sha256OfDigest => "rsa-sha256-of-digest",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.name() == name)
    }

    /// Why a message should not be signed like this, if so.
    pub fn weakness(self) -> Option<&'static str> {
        match self {
            Self::Pkcs1Md5 => Some("MD5"),
            Self::Pkcs1Sha1 | Self::Pkcs1Sha1OfHex => Some("SHA-1"),
            Self::Pkcs1Raw | Self::Pkcs1RawHexDigest => Some("RSA without DigestInfo"),
            Self::Pkcs1Sha256 | Self::Pkcs1Sha256OfHex | Self::Pkcs1Sha256OfDigest => None,
        }
    }

    /// What a signature pads, its `DigestInfo` included: for a device that pads by itself.
    pub(crate) fn padded_content(self, text: &[u8]) -> Vec<u8> {
        let (form, content) = self.signed(text);
        [&form.prefix[..], &content].concat()
    }

    /// How the padding names the digest, and what it pads.
    pub(super) fn signed(self, text: &[u8]) -> (Pkcs1v15Sign, Vec<u8>) {
        let hex = |digest: Digest| digest.hex_of(&[text]).into_bytes();
        let sha256 = |content: &[u8]| (Pkcs1v15Sign::new::<Sha256>(), Digest::Sha256.of(&[content]));
        let sha1 = |content: &[u8]| (Pkcs1v15Sign::new::<Sha1>(), Digest::Sha1.of(&[content]));
        match self {
            Self::Pkcs1Sha256 => sha256(text),
            Self::Pkcs1Sha1 => sha1(text),
            Self::Pkcs1Md5 => (Pkcs1v15Sign::new::<Md5>(), Digest::Md5.of(&[text])),
            Self::Pkcs1Raw => (Pkcs1v15Sign::new_unprefixed(), text.to_vec()),
            Self::Pkcs1RawHexDigest => (Pkcs1v15Sign::new_unprefixed(), hex(Digest::Sha256)),
            Self::Pkcs1Sha256OfHex => sha256(&hex(Digest::Sha256)),
            Self::Pkcs1Sha1OfHex => sha1(&hex(Digest::Sha1)),
            Self::Pkcs1Sha256OfDigest => sha256(&Digest::Sha256.of(&[text])),
        }
    }
}
