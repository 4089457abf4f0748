//! Authenticated encryption of message parts under a shared key: AES-GCM, and SM4-GCM whose key is agreed as text.

use crate::error::CryptoError;
use crate::sm3::sm3;
use crate::sm4::Sm4Gcm;
use ::aes::{Aes128, Aes256};
use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::{AeadInOut, AesGcm as Gcm, KeyInit};
use zeroize::Zeroizing;

/// AES-GCM under one key, 12-byte nonces, 16-byte tags.
pub struct AesGcm {
    cipher: Cipher,
}

enum Cipher {
    Aes128(Box<Gcm<Aes128, U12, U16>>),
    Aes256(Box<Gcm<Aes256, U12, U16>>),
}

impl AesGcm {
    /// From 16 or 32 bytes.
    pub fn new(key: &[u8]) -> Result<Self, CryptoError> {
        if let Ok(key) = <&[u8; 16]>::try_from(key) {
            let cipher = Cipher::Aes128(Box::new(Gcm::new(key.into())));
            return Ok(Self { cipher });
        }
        let key: &[u8; 32] = key.try_into().map_err(|_| CryptoError::Key)?;
        let cipher = Cipher::Aes256(Box::new(Gcm::new(key.into())));
        Ok(Self { cipher })
    }

    /// Gives the ciphertext, as long as the clear bytes, and the tag. A nonce serves once under a key.
    pub fn seal(&self, nonce: &[u8; 12], additional: &[u8], clear: &[u8]) -> Result<(Vec<u8>, [u8; 16]), CryptoError> {
        let mut bytes = Zeroizing::new(clear.to_vec());
        let buffer = bytes.as_mut_slice().into();
        let sealed = match &self.cipher {
            Cipher::Aes128(cipher) => cipher.encrypt_inout_detached(nonce.into(), additional, buffer),
            Cipher::Aes256(cipher) => cipher.encrypt_inout_detached(nonce.into(), additional, buffer),
        };
        let tag = sealed.map_err(|_| CryptoError::TooLong)?;
        Ok((std::mem::take(&mut *bytes), tag.into()))
    }

    pub fn open(&self, nonce: &[u8; 12], additional: &[u8], ciphertext: &[u8], tag: &[u8; 16]) -> Result<Vec<u8>, CryptoError> {
        let mut bytes = ciphertext.to_vec();
        let buffer = bytes.as_mut_slice().into();
        let opened = match &self.cipher {
            Cipher::Aes128(cipher) => cipher.decrypt_inout_detached(nonce.into(), additional, buffer, tag.into()),
            Cipher::Aes256(cipher) => cipher.decrypt_inout_detached(nonce.into(), additional, buffer, tag.into()),
        };
        opened.map_err(|_| CryptoError::Ciphertext)?;
        Ok(bytes)
    }
}

/// SM4-GCM under the first 16 bytes of SM3 of a key that was agreed as 32 characters, as `AEAD_SM4_GCM` derives it.
pub fn sm4_gcm_of_text(key: &[u8]) -> Result<Sm4Gcm, CryptoError> {
    if key.len() != TEXT_KEY_BYTES {
        return Err(CryptoError::Key);
    }
    let digest = Zeroizing::new(sm3(&[key]));
    let derived = digest.first_chunk().ok_or(CryptoError::Key)?;
    Ok(Sm4Gcm::new(derived))
}

const TEXT_KEY_BYTES: usize = 32;
