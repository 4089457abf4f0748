//! What a key is, by its algorithm. A caller says which algorithm its message calls for and gets the key, or an error that
//! names both: a message never chooses an algorithm by the key that happens to be there.

use super::Usable;
use crate::algorithm::Algorithm;
use crate::error::{CryptoError, KeyError};
use crate::legacy::aead::AesGcm;
use crate::legacy::aes::{AesCbc, AesEcb};
use crate::legacy::des::TripleDes;
use crate::legacy::mac::{CupEcb, HmacSha256, KeySuffix};
use crate::legacy::master::MasterKey;
use crate::legacy::{RsaPrivate, RsaPublic, RsaSign};
use crate::provider::DeviceMac;
use crate::sm2::{Sign, Unwrap, Verify, Wrap};
use crate::sm3::HmacSm3;
use crate::sm4::Sm4Gcm;

/// One half of a key pair, prepared for one usage.
pub enum KeyPair<S: ?Sized, R: ?Sized> {
    Sm2(Box<S>),
    Rsa(Box<R>),
}

pub type SignKey = KeyPair<dyn Sign, dyn RsaSign>;
pub type VerifyKey = KeyPair<dyn Verify, RsaPublic>;
pub type UnwrapKey = KeyPair<dyn Unwrap, RsaPrivate>;
pub type WrapKey = KeyPair<dyn Wrap, RsaPublic>;

/// A prepared shared MAC key.
pub enum MacKey {
    HmacSm3(HmacSm3),
    HmacSha256(HmacSha256),
    KeySuffix(KeySuffix),
    CupEcb(CupEcb),
    Device(DeviceMac),
}

impl MacKey {
    pub fn tag(&self, parts: &[&[u8]]) -> Result<Vec<u8>, CryptoError> {
        match self {
            Self::HmacSm3(key) => Ok(key.tag(parts).to_vec()),
            Self::HmacSha256(key) => Ok(key.tag(parts).to_vec()),
            Self::KeySuffix(key) => Ok(key.tag(parts)),
            Self::CupEcb(key) => key.tag(parts).map(|tag| tag.to_vec()),
            Self::Device(key) => key.tag(parts),
        }
    }

    /// Constant-time check.
    pub fn check(&self, parts: &[&[u8]], tag: &[u8]) -> Result<(), CryptoError> {
        match self {
            Self::HmacSm3(key) => key.check(parts, tag),
            Self::HmacSha256(key) => key.check(parts, tag),
            Self::KeySuffix(key) => key.check(parts, tag),
            Self::CupEcb(key) => key.check(parts, tag),
            Self::Device(key) => key.check(parts, tag),
        }
    }
}

/// A prepared shared sealing key.
pub enum SealKey {
    Sm4Gcm(Box<Sm4Gcm>),
    AesGcm(AesGcm),
    AesCbc(AesCbc),
    AesEcb(AesEcb),
    TripleDes(TripleDes),
    /// Seals keys and nothing else.
    Master(MasterKey),
}

/// Ciphertext, as long as the clear bytes, and tag.
pub type Sealed = (Vec<u8>, [u8; 16]);

impl SealKey {
    /// Seals with authentication; an error for a key whose algorithm has none.
    pub fn seal_authenticated(&self, nonce: &[u8; 12], additional: &[u8], clear: &[u8]) -> Result<Sealed, CryptoError> {
        match self {
            Self::Sm4Gcm(key) => Ok(key.seal(nonce, additional, clear)),
            Self::AesGcm(key) => key.seal(nonce, additional, clear),
            Self::AesCbc(_) | Self::AesEcb(_) | Self::TripleDes(_) | Self::Master(_) => Err(CryptoError::Key),
        }
    }

    /// Opens what is authenticated; an error for a key whose algorithm does not do so.
    pub fn open_authenticated(
        &self,
        nonce: &[u8; 12],
        additional: &[u8],
        ciphertext: &[u8],
        tag: &[u8; 16],
    ) -> Result<Vec<u8>, CryptoError> {
        match self {
            Self::Sm4Gcm(key) => key.open(nonce, additional, ciphertext, tag),
            Self::AesGcm(key) => key.open(nonce, additional, ciphertext, tag),
            Self::AesCbc(_) | Self::AesEcb(_) | Self::TripleDes(_) | Self::Master(_) => Err(CryptoError::Key),
        }
    }
}

impl SealKey {
    /// Seals with a length before the text; an error for a key whose algorithm does not do so.
    pub fn seal_framed(&self, clear: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match self {
            Self::TripleDes(key) => key.encrypt_framed(clear),
            Self::Sm4Gcm(_) | Self::AesGcm(_) | Self::AesCbc(_) | Self::AesEcb(_) | Self::Master(_) => Err(CryptoError::Key),
        }
    }

    /// Opens what has a length before its text. Nothing authenticates it: that is for the signature inside.
    pub fn open_framed(&self, ciphertext: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match self {
            Self::TripleDes(key) => key.decrypt_framed(ciphertext),
            Self::Sm4Gcm(_) | Self::AesGcm(_) | Self::AesCbc(_) | Self::AesEcb(_) | Self::Master(_) => Err(CryptoError::Key),
        }
    }
}

impl SealKey {
    /// The key that wraps a terminal's working keys; an error for any other.
    pub(super) fn master(&self) -> Result<&MasterKey, CryptoError> {
        match self {
            Self::Master(key) => Ok(key),
            Self::Sm4Gcm(_) | Self::AesGcm(_) | Self::AesCbc(_) | Self::AesEcb(_) | Self::TripleDes(_) => Err(CryptoError::Key),
        }
    }
}

impl SealKey {
    /// Seals whole blocks with PKCS #7 padding, in CBC under a zero IV or in ECB; an error for a key whose algorithm does not.
    pub fn seal_blocks(&self, clear: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match self {
            Self::AesCbc(key) => key.encrypt(&ZERO_IV, clear),
            Self::AesEcb(key) => key.encrypt(clear),
            Self::Sm4Gcm(_) | Self::AesGcm(_) | Self::TripleDes(_) | Self::Master(_) => Err(CryptoError::Key),
        }
    }

    /// Opens what `seal_blocks` sealed. Nothing authenticates it: that is for a signature over the ciphertext.
    pub fn open_blocks(&self, ciphertext: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match self {
            Self::AesCbc(key) => key.decrypt(&ZERO_IV, ciphertext),
            Self::AesEcb(key) => key.decrypt(ciphertext),
            Self::Sm4Gcm(_) | Self::AesGcm(_) | Self::TripleDes(_) | Self::Master(_) => Err(CryptoError::Key),
        }
    }
}

const ZERO_IV: [u8; 16] = [0; 16];

impl<'a, S: ?Sized, R: ?Sized> Usable<'a, KeyPair<S, R>> {
    /// With its description, for what takes SM2 keys alone.
    pub fn as_sm2(&self) -> Result<Usable<'a, S>, KeyError> {
        Ok(Usable {
            info: self.info,
            key: self.sm2()?,
        })
    }

    pub fn sm2(&self) -> Result<&'a S, KeyError> {
        match self.key {
            KeyPair::Sm2(key) => Ok(key),
            KeyPair::Rsa(_) => Err(self.mismatch(Algorithm::Sm2)),
        }
    }

    pub fn rsa(&self) -> Result<&'a R, KeyError> {
        match self.key {
            KeyPair::Rsa(key) => Ok(key),
            KeyPair::Sm2(_) => Err(self.mismatch(Algorithm::Rsa)),
        }
    }
}

impl<'a> Usable<'a, MacKey> {
    pub fn hmac_sm3(&self) -> Result<&'a HmacSm3, KeyError> {
        match self.key {
            MacKey::HmacSm3(key) => Ok(key),
            MacKey::HmacSha256(_) | MacKey::KeySuffix(_) | MacKey::CupEcb(_) | MacKey::Device(_) => {
                Err(self.mismatch(Algorithm::HmacSm3))
            }
        }
    }
}

impl<'a, T: ?Sized> Usable<'a, T> {
    /// The key, if it is of this algorithm.
    pub fn of(&self, wanted: Algorithm) -> Result<&'a T, KeyError> {
        if self.info.algorithm == wanted {
            Ok(self.key)
        } else {
            Err(self.mismatch(wanted))
        }
    }

    fn mismatch(&self, wanted: Algorithm) -> KeyError {
        KeyError::Algorithm {
            id: self.info.id.clone(),
            algorithm: self.info.algorithm.name(),
            wanted: wanted.name(),
        }
    }
}
