//! What a key is a key of, as `keyring.toml` names it: which algorithm may stand for which usage, and which are weak.

use crate::key::{Side, Usage};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Algorithm {
    Sm2,
    Rsa,
    HmacSm3,
    HmacSha256,
    /// HMAC-SHA256 over the text with the very key behind it.
    HmacSha256Key,
    /// MD5 over the text with the key behind it.
    Md5Key,
    /// SHA-256 over the text with the key behind it.
    Sha256Key,
    /// SHA-256 over the text with the hex digits of the key's SHA-256 behind it.
    Sha256KeyDigest,
    /// SM3 over the text with the hex digits of the key's SM3 behind it.
    Sm3KeyDigest,
    /// CUP-ECB with DES or triple DES, by the length of the key.
    CupEcbDes,
    CupEcbTripleDes,
    /// CUP-ECB with SM4: hex digits of the last block.
    CupEcbSm4,
    /// CUP-ECB with SM4: bytes of the last block.
    CupEcbSm4Bytes,
    Sm4Gcm,
    /// SM4-GCM under 16 bytes of SM3 of a key of 32 characters.
    Sm4GcmText,
    Aes256Gcm,
    AesCbc,
    AesEcb,
    /// AES-256-ECB under the hex digits of the key's MD5.
    AesEcbMd5,
    /// Triple DES in ECB with a length before the text.
    TripleDesEcb,
    /// A terminal's master key, under which its working keys are handed out: DES, triple DES, SM4.
    TerminalDes,
    TerminalTripleDes,
    TerminalSm4,
}

impl Algorithm {
    pub const ALL: [Self; 23] = [
        Self::Sm2,
        Self::Rsa,
        Self::HmacSm3,
        Self::HmacSha256,
        Self::HmacSha256Key,
        Self::Md5Key,
        Self::Sha256Key,
        Self::Sha256KeyDigest,
        Self::Sm3KeyDigest,
        Self::CupEcbDes,
        Self::CupEcbTripleDes,
        Self::CupEcbSm4,
        Self::CupEcbSm4Bytes,
        Self::Sm4Gcm,
        Self::Sm4GcmText,
        Self::Aes256Gcm,
        Self::AesCbc,
        Self::AesEcb,
        Self::AesEcbMd5,
        Self::TripleDesEcb,
        Self::TerminalDes,
        Self::TerminalTripleDes,
        Self::TerminalSm4,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Sm2 => "sm2",
            Self::Rsa => "rsa",
            Self::HmacSm3 => "hmac-sm3",
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha256Key => "hmac-sha256-key",
            Self::Md5Key => "md5-key",
            Self::Sha256Key => "sha256-key",
            Self::Sha256KeyDigest => "sha256-key-digest",
            Self::Sm3KeyDigest => "sm3-key-digest",
            Self::CupEcbDes => "cup-ecb-des",
            Self::CupEcbTripleDes => "cup-ecb-3des",
            Self::CupEcbSm4 => "cup-ecb-sm4",
            Self::CupEcbSm4Bytes => "cup-ecb-sm4-bytes",
            Self::Sm4Gcm => "sm4-gcm",
            Self::Sm4GcmText => "sm4-gcm-text",
            Self::Aes256Gcm => "aes-256-gcm",
            Self::AesCbc => "aes-cbc",
            Self::AesEcb => "aes-ecb",
            Self::AesEcbMd5 => "aes-ecb-md5",
            Self::TripleDesEcb => "3des-ecb",
            Self::TerminalDes => "terminal-des",
            Self::TerminalTripleDes => "terminal-3des",
            Self::TerminalSm4 => "terminal-sm4",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// What is meant where `keyring.toml` says nothing. A shared sealing key has no default: it must be named.
    pub fn default_of(side: Side, usage: Usage) -> Option<Self> {
        match (side, usage) {
            (Side::Ours | Side::Theirs, Usage::Sign | Usage::Seal) => Some(Self::Sm2),
            (_, Usage::Mac) => Some(Self::HmacSm3),
            (_, Usage::Journal) => Some(Self::Sm4Gcm),
            (Side::Shared, Usage::Sign | Usage::Seal) => None,
        }
    }

    /// Whether a key of this algorithm may have this side and usage.
    pub fn serves(self, side: Side, usage: Usage) -> bool {
        let is_shared = side == Side::Shared;
        match self {
            Self::Sm2 | Self::Rsa => !is_shared && matches!(usage, Usage::Sign | Usage::Seal),
            Self::Sm4Gcm => is_shared && matches!(usage, Usage::Seal | Usage::Journal),
            Self::HmacSm3
            | Self::HmacSha256
            | Self::HmacSha256Key
            | Self::Md5Key
            | Self::Sha256Key
            | Self::Sha256KeyDigest
            | Self::Sm3KeyDigest
            | Self::CupEcbDes
            | Self::CupEcbTripleDes
            | Self::CupEcbSm4
            | Self::CupEcbSm4Bytes => is_shared && usage == Usage::Mac,
            Self::Sm4GcmText
            | Self::Aes256Gcm
            | Self::AesCbc
            | Self::AesEcb
            | Self::AesEcbMd5
            | Self::TripleDesEcb
            | Self::TerminalDes
            | Self::TerminalTripleDes
            | Self::TerminalSm4 => is_shared && usage == Usage::Seal,
        }
    }

    /// The algorithms that may have this side and usage.
    pub fn serving(side: Side, usage: Usage) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |algorithm| algorithm.serves(side, usage))
    }

    /// Why a key should not be used, if so: what an institution's age explains and nothing else would.
    pub fn weakness(self, bits: Option<u32>) -> Option<&'static str> {
        match self {
            Self::Rsa => bits.filter(|bits| *bits < STRONG_RSA_BITS).map(|_| "RSA under 2048 bits"),
            Self::Md5Key => Some("MD5"),
            Self::CupEcbDes | Self::TerminalDes => Some("DES"),
            Self::CupEcbTripleDes | Self::TerminalTripleDes => Some("3DES"),
            Self::AesEcb => Some("AES-ECB"),
            Self::AesEcbMd5 => Some("AES-ECB under MD5"),
            Self::TripleDesEcb => Some("3DES in ECB"),
            Self::Sm2
            | Self::HmacSm3
            | Self::HmacSha256
            | Self::HmacSha256Key
            | Self::Sha256Key
            | Self::Sha256KeyDigest
            | Self::Sm3KeyDigest
            | Self::CupEcbSm4
            | Self::CupEcbSm4Bytes
            | Self::Sm4Gcm
            | Self::Sm4GcmText
            | Self::Aes256Gcm
            | Self::AesCbc
            | Self::TerminalSm4 => None,
        }
    }

    /// Bytes of a fresh secret; `None` for key pairs.
    pub fn secret_bytes(self) -> Option<usize> {
        match self {
            Self::Sm2 | Self::Rsa => None,
            Self::CupEcbDes | Self::TerminalDes => Some(8),
            Self::Sm4Gcm
            | Self::CupEcbTripleDes
            | Self::CupEcbSm4
            | Self::CupEcbSm4Bytes
            | Self::TerminalTripleDes
            | Self::TerminalSm4 => Some(16),
            Self::TripleDesEcb => Some(24),
            Self::HmacSm3
            | Self::HmacSha256
            | Self::HmacSha256Key
            | Self::Md5Key
            | Self::Sha256Key
            | Self::Sha256KeyDigest
            | Self::Sm3KeyDigest
            | Self::Sm4GcmText
            | Self::Aes256Gcm
            | Self::AesCbc
            | Self::AesEcb
            | Self::AesEcbMd5 => Some(32),
        }
    }

    /// Whether the counterparty knows the secret as characters: a fresh one is then made of hex digits.
    pub fn is_text(self) -> bool {
        matches!(
            self,
            Self::HmacSha256Key
                | Self::Md5Key
                | Self::Sha256Key
                | Self::Sha256KeyDigest
                | Self::Sm3KeyDigest
                | Self::Sm4GcmText
                | Self::Aes256Gcm
                | Self::AesEcbMd5
        )
    }
}

/// NIST SP 800-131A.
const STRONG_RSA_BITS: u32 = 2048;

#[cfg(test)]
mod tests;
