//! SM4 in ECB with PKCS #7 padding, as formats name it that were made for AES in ECB.
//!
//! ECB does not authenticate: a caller opens only what a signature over the ciphertext vouches for.

use super::block;
use crate::error::CryptoError;
use ::sm4::Sm4;
use cbc::cipher::KeyInit;
use zeroize::Zeroizing;

/// SM4-ECB under a prepared key: equal blocks stay equal, so that only a spec that names it may use it.
pub struct Sm4Ecb {
    cipher: Sm4,
}

impl Sm4Ecb {
    pub fn new(key: &[u8; 16]) -> Self {
        Self {
            cipher: Sm4::new(key.into()),
        }
    }

    pub fn encrypt(&self, clear: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut bytes = block::pad_pkcs7(clear, BLOCK_BYTES);
        block::encrypt_ecb(&self.cipher, &mut bytes)?;
        Ok(bytes)
    }

    pub fn decrypt(&self, ciphertext: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut bytes = Zeroizing::new(ciphertext.to_vec());
        block::decrypt_ecb(&self.cipher, &mut bytes)?;
        let kept = block::unpadded_pkcs7(&bytes, BLOCK_BYTES)?;
        Ok(bytes.iter().take(kept).copied().collect())
    }
}

const BLOCK_BYTES: u8 = 16;

#[cfg(test)]
mod tests;
