//! Prepares shared secrets by algorithm. A wrong length is refused with the length that would be right.

use crate::algorithm::Algorithm;
use crate::keyring::{MacKey, SealKey};
use crate::legacy::aead::{AesGcm, sm4_gcm_of_text};
use crate::legacy::aes::{AesCbc, AesEcb};
use crate::legacy::des::TripleDes;
use crate::legacy::digest::Digest;
use crate::legacy::mac::{CupEcb, CupForm, HmacSha256, KeySuffix};
use crate::legacy::master::MasterKey;
use crate::sm3::HmacSm3;
use crate::sm4::Sm4Gcm;

pub(in crate::keyring) fn mac(algorithm: Algorithm, secret: &[u8]) -> Result<MacKey, String> {
    let suffix = |digest| KeySuffix::new(digest, secret).map(MacKey::KeySuffix);
    let hashed = |digest| KeySuffix::of_hashed_key(digest, secret).map(MacKey::KeySuffix);
    let made = match algorithm {
        Algorithm::HmacSm3 => return hmac_sm3(secret),
        Algorithm::HmacSha256 if secret.len() < MAC_BYTES_MIN => return Err(wants("at least 16 bytes")),
        Algorithm::HmacSha256 => HmacSha256::new(secret).map(MacKey::HmacSha256),
        Algorithm::HmacSha256Key => HmacSha256::with_key_behind(secret).map(MacKey::HmacSha256),
        Algorithm::Md5Key => suffix(Digest::Md5),
        Algorithm::Sha256Key => suffix(Digest::Sha256),
        Algorithm::Sha256KeyDigest => hashed(Digest::Sha256),
        Algorithm::Sm3KeyDigest => hashed(Digest::Sm3),
        Algorithm::CupEcbDes if secret.len() != 8 => return Err(wants("8 bytes, which is 16 hex digits")),
        Algorithm::CupEcbTripleDes if secret.len() == 8 => return Err(wants("16 or 24 bytes")),
        Algorithm::CupEcbDes | Algorithm::CupEcbTripleDes => CupEcb::des(secret).map(MacKey::CupEcb),
        Algorithm::CupEcbSm4 => CupEcb::sm4(secret, CupForm::Digits).map(MacKey::CupEcb),
        Algorithm::CupEcbSm4Bytes => CupEcb::sm4(secret, CupForm::Bytes).map(MacKey::CupEcb),
        Algorithm::Sm2
        | Algorithm::Rsa
        | Algorithm::Sm4Gcm
        | Algorithm::Sm4GcmText
        | Algorithm::Aes256Gcm
        | Algorithm::AesCbc
        | Algorithm::AesEcb
        | Algorithm::AesEcbMd5
        | Algorithm::TripleDesEcb
        | Algorithm::TerminalDes
        | Algorithm::TerminalTripleDes
        | Algorithm::TerminalSm4 => return Err(unserved(algorithm, "mac")),
    };
    made.map_err(|_| wants(length(algorithm)))
}

pub(super) fn seal(algorithm: Algorithm, secret: &[u8]) -> Result<SealKey, String> {
    let made = match algorithm {
        Algorithm::Sm4Gcm => return sm4_gcm(secret),
        Algorithm::Aes256Gcm if secret.len() != 32 => return Err(wants(length(algorithm))),
        Algorithm::Sm4GcmText => sm4_gcm_of_text(secret).map(|key| SealKey::Sm4Gcm(Box::new(key))),
        Algorithm::Aes256Gcm => AesGcm::new(secret).map(SealKey::AesGcm),
        Algorithm::AesCbc => AesCbc::new(secret).map(SealKey::AesCbc),
        Algorithm::AesEcb => AesEcb::new(secret).map(SealKey::AesEcb),
        Algorithm::AesEcbMd5 if secret.len() < MAC_BYTES_MIN => return Err(wants(length(algorithm))),
        Algorithm::AesEcbMd5 => AesEcb::of_md5(secret).map(SealKey::AesEcb),
        Algorithm::TripleDesEcb => TripleDes::new(secret).map(SealKey::TripleDes),
        Algorithm::TerminalDes if secret.len() != 8 => return Err(wants(length(algorithm))),
        Algorithm::TerminalTripleDes if secret.len() == 8 => return Err(wants(length(algorithm))),
        Algorithm::TerminalDes | Algorithm::TerminalTripleDes => MasterKey::des(secret).map(SealKey::Master),
        Algorithm::TerminalSm4 => MasterKey::sm4(secret).map(SealKey::Master),
        Algorithm::Sm2
        | Algorithm::Rsa
        | Algorithm::HmacSm3
        | Algorithm::HmacSha256
        | Algorithm::HmacSha256Key
        | Algorithm::Md5Key
        | Algorithm::Sha256Key
        | Algorithm::Sha256KeyDigest
        | Algorithm::Sm3KeyDigest
        | Algorithm::CupEcbDes
        | Algorithm::CupEcbTripleDes
        | Algorithm::CupEcbSm4
        | Algorithm::CupEcbSm4Bytes => return Err(unserved(algorithm, "seal")),
    };
    made.map_err(|_| wants(length(algorithm)))
}

pub(super) fn wants(length: &str) -> String {
    format!("must be {length}")
}

fn hmac_sm3(secret: &[u8]) -> Result<MacKey, String> {
    let secret: &[u8; 32] = secret.try_into().map_err(|_| wants("32 bytes, which is 64 hex digits"))?;
    Ok(MacKey::HmacSm3(HmacSm3::new(secret)))
}

fn sm4_gcm(secret: &[u8]) -> Result<SealKey, String> {
    let secret: &[u8; 16] = secret.try_into().map_err(|_| wants("16 bytes, which is 32 hex digits"))?;
    Ok(SealKey::Sm4Gcm(Box::new(Sm4Gcm::new(secret))))
}

fn length(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::HmacSha256Key
        | Algorithm::Md5Key
        | Algorithm::Sha256Key
        | Algorithm::Sha256KeyDigest
        | Algorithm::Sm3KeyDigest
        | Algorithm::AesEcbMd5 => "at least 16 characters",
        Algorithm::Sm4GcmText | Algorithm::Aes256Gcm => "32 bytes, the 32 characters that were agreed",
        Algorithm::AesCbc | Algorithm::AesEcb => "16 or 32 bytes",
        Algorithm::TripleDesEcb => "16 or 24 bytes whose neighbouring 8 differ",
        Algorithm::CupEcbTripleDes | Algorithm::TerminalTripleDes => "16 or 24 bytes",
        Algorithm::CupEcbDes | Algorithm::TerminalDes => "8 bytes",
        Algorithm::CupEcbSm4 | Algorithm::CupEcbSm4Bytes | Algorithm::Sm4Gcm | Algorithm::TerminalSm4 => {
            "16 bytes, which is 32 hex digits"
        }
        Algorithm::HmacSm3 | Algorithm::HmacSha256 => "32 bytes, which is 64 hex digits",
        Algorithm::Sm2 | Algorithm::Rsa => "a key pair",
    }
}

fn unserved(algorithm: Algorithm, usage: &str) -> String {
    format!("has usage {usage}, which algorithm {} does not serve", algorithm.name())
}

/// What is shorter is guessed.
const MAC_BYTES_MIN: usize = 16;
