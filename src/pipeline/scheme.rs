//! From the schemes that specs name to the algorithms that keys have.

use codecs::envelope::{MacKind, RsaKind, Sm2Input};
use keys::algorithm::Algorithm;
use keys::legacy::RsaScheme;
use keys::sm3::sm3;
use std::borrow::Cow;

/// What SM2 signs of a text.
pub(super) fn sm2_input(input: Sm2Input, text: &[u8]) -> Cow<'_, [u8]> {
    match input {
        Sm2Input::Text => Cow::Borrowed(text),
        Sm2Input::Digest => Cow::Owned(sm3(&[text]).to_vec()),
    }
}

/// The algorithm that a MAC key must have.
pub(super) const fn mac(kind: MacKind) -> Algorithm {
    match kind {
        MacKind::HmacSm3 => Algorithm::HmacSm3,
        MacKind::HmacSha256 => Algorithm::HmacSha256,
        MacKind::HmacSha256Key => Algorithm::HmacSha256Key,
        MacKind::Md5Key => Algorithm::Md5Key,
        MacKind::Sha256Key => Algorithm::Sha256Key,
        MacKind::Sha256KeyDigest => Algorithm::Sha256KeyDigest,
        MacKind::Sm3KeyDigest => Algorithm::Sm3KeyDigest,
        MacKind::CupEcbDes => Algorithm::CupEcbDes,
        MacKind::CupEcbTripleDes => Algorithm::CupEcbTripleDes,
        MacKind::CupEcbSm4 => Algorithm::CupEcbSm4,
        MacKind::CupEcbSm4Bytes => Algorithm::CupEcbSm4Bytes,
    }
}

pub(super) const fn rsa(kind: RsaKind) -> RsaScheme {
    match kind {
        RsaKind::Sha256 => RsaScheme::Pkcs1Sha256,
        RsaKind::Sha1 => RsaScheme::Pkcs1Sha1,
        RsaKind::RawHexDigest => RsaScheme::Pkcs1RawHexDigest,
        RsaKind::Sha256OfHex => RsaScheme::Pkcs1Sha256OfHex,
        RsaKind::Sha1OfHex => RsaScheme::Pkcs1Sha1OfHex,
        RsaKind::Sha256OfDigest => RsaScheme::Pkcs1Sha256OfDigest,
    }
}
