//! Named schemes of institutions, in closed lists: how a message is authenticated and how that is written, how values are
//! sealed, what the signed text is. One small file a scheme.
//!
//! No cryptography happens here: wire text is taken apart and put together, nothing else.

pub(crate) mod around; // a document without the element of its signature
pub(crate) mod before_mac; // the bytes before the MAC of an ISO 8583 message
mod capsule; // a document around the sealed content of a message
mod der;
pub(crate) mod each; // each value under the receiver's own key
pub mod gcm_fields; // each value under SM4-GCM, bound to its place
pub(crate) mod lines; // lines that end in a line feed, the last one too
pub(crate) mod member; // the exact bytes of a member of a JSON object
pub(crate) mod pairs; // sorted pairs of a form
pub mod session; // an element under a session key whose bytes are wrapped
mod signature; // a signature as text
pub mod text_key; // values under a block cipher whose key travels as text

#[cfg(test)]
mod tests;

pub use capsule::CapsuleScheme;
pub use der::{ciphertext_from_der, ciphertext_to_der, signature_from_der, signature_to_der};
pub use signature::{SignatureEncoding, SignatureValue};

/// How a message is authenticated: what is computed over the signed text, and under what kind of key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SignatureScheme {
    /// No signature; `hangu check` warns.
    None,
    /// SM2 with SM3; the user id is the key's.
    Sm2(Sm2Input),
    /// Under a key that both sides hold.
    Mac(MacKind),
    /// RSA of PKCS #1 v1.5.
    Rsa(RsaKind),
}

/// What SM2 signs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sm2Input {
    Text,
    /// The 32 bytes of the text's SM3 (UnionPay without a card).
    Digest,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MacKind {
    HmacSm3,
    HmacSha256,
    /// HMAC-SHA256 of the text with the very key behind it.
    HmacSha256Key,
    /// MD5 of the text with the key behind it.
    Md5Key,
    /// SHA-256 of the text with the key behind it.
    Sha256Key,
    /// SHA-256 of the text with the hex digits of the key's SHA-256 behind it.
    Sha256KeyDigest,
    /// SM3 of the text with the hex digits of the key's SM3 behind it.
    Sm3KeyDigest,
    /// CUP-ECB of ISO 8583 terminals under a DES key.
    CupEcbDes,
    CupEcbTripleDes,
    /// Under SM4: hex digits of the last block.
    CupEcbSm4,
    /// Under SM4: bytes of the last block.
    CupEcbSm4Bytes,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RsaKind {
    Sha256,
    Sha1,
    /// The hex digits of the text's SHA-256, without a `DigestInfo` (JD Pay).
    RawHexDigest,
    /// SHA-256 of the hex digits of the text's SHA-256 (UnionPay forms 5.1.0).
    Sha256OfHex,
    /// SHA-1 of the hex digits of the text's SHA-1 (UnionPay forms 5.0.0).
    Sha1OfHex,
    /// SHA-256 of the 32 bytes of the text's SHA-256 (UnionPay without a card).
    Sha256OfDigest,
}

impl MacKind {
    /// Whether it is the MAC of ISO 8583 terminals, which is 8 bytes long.
    pub const fn is_of_terminals(self) -> bool {
        matches!(
            self,
            Self::CupEcbDes | Self::CupEcbTripleDes | Self::CupEcbSm4 | Self::CupEcbSm4Bytes
        )
    }
}

impl SignatureScheme {
    /// As specs name them.
    pub const NAMES: [(&'static str, Self); 20] = [
        ("none", Self::None),
        ("sm2sm3", Self::Sm2(Sm2Input::Text)),
        ("sm2sm3_of_digest", Self::Sm2(Sm2Input::Digest)),
        ("hmac_sm3", Self::Mac(MacKind::HmacSm3)),
        ("hmac_sha256", Self::Mac(MacKind::HmacSha256)),
        ("hmac_sha256_key", Self::Mac(MacKind::HmacSha256Key)),
        ("md5_key", Self::Mac(MacKind::Md5Key)),
        ("sha256_key", Self::Mac(MacKind::Sha256Key)),
        ("sha256_key_digest", Self::Mac(MacKind::Sha256KeyDigest)),
        ("sm3_key_digest", Self::Mac(MacKind::Sm3KeyDigest)),
        ("cup_ecb_des", Self::Mac(MacKind::CupEcbDes)),
        ("cup_ecb_3des", Self::Mac(MacKind::CupEcbTripleDes)),
        ("cup_ecb_sm4", Self::Mac(MacKind::CupEcbSm4)),
        ("cup_ecb_sm4_bytes", Self::Mac(MacKind::CupEcbSm4Bytes)),
        ("rsa_sha256", Self::Rsa(RsaKind::Sha256)),
        ("rsa_sha1", Self::Rsa(RsaKind::Sha1)),
        ("rsa_raw_hexdigest", Self::Rsa(RsaKind::RawHexDigest)),
        ("rsa_sha256_of_hex", Self::Rsa(RsaKind::Sha256OfHex)),
        ("rsa_sha1_of_hex", Self::Rsa(RsaKind::Sha1OfHex)),
        ("rsa_sha256_of_digest", Self::Rsa(RsaKind::Sha256OfDigest)),
    ];

    pub fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(_, scheme)| *scheme == self);
        found.map_or("none", |(name, _)| name)
    }

    /// Why a message should not be authenticated like this, if so.
    pub const fn weakness(self) -> Option<&'static str> {
        match self {
            Self::None => Some("messages are not authenticated"),
            Self::Mac(MacKind::Md5Key) => Some("MD5"),
            Self::Mac(MacKind::CupEcbDes) => Some("DES, and a MAC that does not notice what is changed alike in two blocks"),
            Self::Mac(MacKind::CupEcbTripleDes) => {
                Some("3DES, and a MAC that does not notice what is changed alike in two blocks")
            }
            Self::Mac(MacKind::CupEcbSm4 | MacKind::CupEcbSm4Bytes) => {
                Some("a MAC that does not notice what is changed alike in two blocks")
            }
            Self::Rsa(RsaKind::Sha1 | RsaKind::Sha1OfHex) => Some("SHA-1"),
            Self::Rsa(RsaKind::RawHexDigest) => Some("a digest without the name of its algorithm"),
            Self::Sm2(_) | Self::Mac(_) | Self::Rsa(_) => None,
        }
    }
}

/// How sensitive values are sealed, and how the data key travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SealingScheme {
    /// Each value under SM4-GCM, bound to its message and place; the 16 key bytes wrapped with SM2 (`gcm_fields`).
    Sm4Gcm,
    /// Each value under a block cipher in ECB with PKCS #7 padding; the key travels as text (`text_key`).
    TextKey(TextCipher),
    /// CBC with a zero IV and zero padding, under a key whose bytes are wrapped as they are (`session`).
    Session(SessionCipher),
    /// Each value by itself under the receiver's public key; no data key travels (`each`).
    Each(EachCipher),
}

/// How a value is encrypted under a public key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EachCipher {
    /// RSA with OAEP, SHA-1 in both of its places (`WeChat` Pay).
    RsaOaepSha1,
    /// RSA with PKCS #1 v1.5 (`UnionPay` forms).
    RsaPkcs1,
    /// SM2, the ciphertext in ASN.1 (GM/T 0009).
    Sm2,
}

/// The cipher of a session key, and how that is wrapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SessionCipher {
    /// 24 bytes, wrapped with RSA (PKCS #1 v1.5).
    TripleDes,
    /// 16 bytes, wrapped with SM2 as raw `04 C1 C3 C2`.
    Sm4,
}

/// The cipher of a key that travels as text, and how that text is wrapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextCipher {
    /// `01|` and 32 characters, wrapped with RSA (PKCS #1 v1.5).
    Aes256,
    /// `02|` and 16 characters, wrapped with SM2.
    Sm4,
    /// 16 bytes of any kind, wrapped with SM2 (DCEP).
    Sm4Bytes,
}

impl SealingScheme {
    /// What a ciphertext of it is a multiple of.
    pub(crate) const fn block_bytes(self) -> usize {
        match self {
            Self::Sm4Gcm | Self::Each(_) => 1,
            Self::TextKey(_) | Self::Session(SessionCipher::Sm4) => 16,
            Self::Session(SessionCipher::TripleDes) => 8,
        }
    }

    pub(crate) const NAMES: [(&'static str, Self); 9] = [
        ("rsa_oaep_sha1_each", Self::Each(EachCipher::RsaOaepSha1)),
        ("rsa_pkcs1_each", Self::Each(EachCipher::RsaPkcs1)),
        ("sm2_each", Self::Each(EachCipher::Sm2)),
        ("sm4_session", Self::Session(SessionCipher::Sm4)),
        ("3des_session", Self::Session(SessionCipher::TripleDes)),
        ("sm4_gcm", Self::Sm4Gcm),
        ("aes_text_key", Self::TextKey(TextCipher::Aes256)),
        ("sm4_text_key", Self::TextKey(TextCipher::Sm4)),
        ("sm4_ecb", Self::TextKey(TextCipher::Sm4Bytes)),
    ];
}

/// How an object is sealed whole under a key that both sides hold (`crate::whole`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WholeScheme {
    /// AES-256-GCM under the 32 characters of the key.
    Aes256Gcm,
    /// SM4-GCM under 16 bytes of SM3 of the 32 characters.
    Sm4Gcm,
    /// AES in CBC with a zero IV and PKCS #7 padding (Alipay).
    AesCbc,
    /// AES-256 in ECB with PKCS #7 padding, under the hex digits of the key's MD5 (`WeChat` Pay v2).
    AesEcbMd5,
}

impl WholeScheme {
    pub(crate) const NAMES: [(&'static str, Self); 4] = [
        ("aes_256_gcm", Self::Aes256Gcm),
        ("sm4_gcm_text", Self::Sm4Gcm),
        ("aes_cbc", Self::AesCbc),
        ("aes_ecb_md5", Self::AesEcbMd5),
    ];

    /// Whether it authenticates what it seals, together with a nonce and additional data.
    pub const fn is_bound(self) -> bool {
        matches!(self, Self::Aes256Gcm | Self::Sm4Gcm)
    }

    /// Why nothing should be sealed like this, if so.
    pub const fn weakness(self) -> Option<&'static str> {
        match self {
            Self::Aes256Gcm | Self::Sm4Gcm => None,
            Self::AesCbc => Some("AES-CBC with a zero IV: contents that begin alike show it"),
            Self::AesEcbMd5 => Some("AES-ECB under MD5: equal blocks show, and blocks can be exchanged"),
        }
    }
}

/// A data key as it is wrapped for its receiver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wrapped {
    Sm2(RawCiphertext),
    Rsa(Vec<u8>),
}

/// An SM2 signature as r||s, 32 bytes each.
pub type RawSignature = [u8; 64];

/// An SM2 ciphertext taken apart (GB/T 32918.4): C1 without the 04 prefix, C3 the digest, C2 as long as the clear text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RawCiphertext {
    pub c1: [u8; 64],
    pub c3: [u8; 32],
    pub c2: Vec<u8>,
}
