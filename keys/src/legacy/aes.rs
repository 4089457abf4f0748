//! AES in CBC and ECB with PKCS #7 padding, for keys of 128 and 256 bits. All padding errors are one error.
//!
//! CBC and ECB do not authenticate: a caller opens only what a signature or a MAC over the ciphertext vouches for.

use super::block;
use super::digest::Digest;
use crate::error::CryptoError;
use ::aes::{Aes128, Aes256};
use cbc::cipher::KeyInit;
use zeroize::Zeroizing;

/// AES-CBC under a prepared key. The IV is the caller's: Alipay's is zero, which the spec says.
pub struct AesCbc {
    cipher: Cipher,
}

impl AesCbc {
    /// From 16 or 32 bytes.
    pub fn new(key: &[u8]) -> Result<Self, CryptoError> {
        Ok(Self {
            cipher: Cipher::new(key)?,
        })
    }

    pub fn encrypt(&self, iv: &[u8; 16], clear: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut bytes = block::pad_pkcs7(clear, BLOCK_BYTES);
        match &self.cipher {
            Cipher::Aes128(cipher) => block::encrypt_cbc(&**cipher, iv.into(), &mut bytes)?,
            Cipher::Aes256(cipher) => block::encrypt_cbc(&**cipher, iv.into(), &mut bytes)?,
        }
        Ok(bytes)
    }

    pub fn decrypt(&self, iv: &[u8; 16], ciphertext: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut bytes = Zeroizing::new(ciphertext.to_vec());
        match &self.cipher {
            Cipher::Aes128(cipher) => block::decrypt_cbc(&**cipher, iv.into(), &mut bytes)?,
            Cipher::Aes256(cipher) => block::decrypt_cbc(&**cipher, iv.into(), &mut bytes)?,
        }
        unpadded(&bytes)
    }
}

/// AES-ECB under a prepared key: equal blocks stay equal, so that only a spec that names it may use it.
pub struct AesEcb {
    cipher: Cipher,
}

impl AesEcb {
    /// From 16 or 32 bytes.
    pub fn new(key: &[u8]) -> Result<Self, CryptoError> {
        Ok(Self {
            cipher: Cipher::new(key)?,
        })
    }

    /// AES-256 under the 32 lower-case hex digits of MD5 of a key that was agreed as text.
    pub fn of_md5(key: &[u8]) -> Result<Self, CryptoError> {
        if key.is_empty() {
            return Err(CryptoError::Key);
        }
        let digits = Zeroizing::new(Digest::Md5.hex_of(&[key]));
        Self::new(digits.as_bytes())
    }

    pub fn encrypt(&self, clear: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut bytes = block::pad_pkcs7(clear, BLOCK_BYTES);
        self.cipher.encrypt_ecb(&mut bytes)?;
        Ok(bytes)
    }

    pub fn decrypt(&self, ciphertext: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut bytes = Zeroizing::new(ciphertext.to_vec());
        self.cipher.decrypt_ecb(&mut bytes)?;
        unpadded(&bytes)
    }

    /// Blocks without padding, for published vectors.
    #[cfg(test)]
    pub(crate) fn encrypt_blocks(&self, bytes: &mut [u8]) -> Result<(), CryptoError> {
        self.cipher.encrypt_ecb(bytes)
    }
}

/// Key schedules; wiped when dropped by the crate.
enum Cipher {
    Aes128(Box<Aes128>),
    Aes256(Box<Aes256>),
}

impl Cipher {
    fn new(key: &[u8]) -> Result<Self, CryptoError> {
        if let Ok(key) = <&[u8; 16]>::try_from(key) {
            return Ok(Self::Aes128(Box::new(Aes128::new(key.into()))));
        }
        let key: &[u8; 32] = key.try_into().map_err(|_| CryptoError::Key)?;
        Ok(Self::Aes256(Box::new(Aes256::new(key.into()))))
    }

    fn encrypt_ecb(&self, bytes: &mut [u8]) -> Result<(), CryptoError> {
        match self {
            Self::Aes128(cipher) => block::encrypt_ecb(&**cipher, bytes),
            Self::Aes256(cipher) => block::encrypt_ecb(&**cipher, bytes),
        }
    }

    fn decrypt_ecb(&self, bytes: &mut [u8]) -> Result<(), CryptoError> {
        match self {
            Self::Aes128(cipher) => block::decrypt_ecb(&**cipher, bytes),
            Self::Aes256(cipher) => block::decrypt_ecb(&**cipher, bytes),
        }
    }
}

fn unpadded(bytes: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let kept = block::unpadded_pkcs7(bytes, BLOCK_BYTES)?;
    Ok(bytes.iter().take(kept).copied().collect())
}

const BLOCK_BYTES: u8 = 16;
