//! SM4 (GB/T 32907): GCM (RFC 8998) and CBC with PKCS#7 padding.

use crate::error::CryptoError;
use ::sm4::Sm4;
use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::{AeadInOut, AesGcm, KeyInit};
use cbc::cipher::block_padding::{NoPadding, Pkcs7};
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit};
use subtle::{Choice, ConstantTimeEq, ConstantTimeGreater, ConstantTimeLess};
use zeroize::Zeroizing;

/// SM4-GCM under one key, 12-byte nonces, 16-byte tags.
pub struct Sm4Gcm {
    cipher: AesGcm<Sm4, U12, U16>,
}

impl Sm4Gcm {
    pub fn new(key: &[u8; 16]) -> Self {
        Self {
            cipher: AesGcm::new(key.into()),
        }
    }

    /// Gives the ciphertext, as long as the clear bytes, and the tag. A nonce serves once under a key.
    pub fn seal(&self, nonce: &[u8; 12], additional: &[u8], clear: &[u8]) -> (Vec<u8>, [u8; 16]) {
        let mut bytes = clear.to_vec();
        match self
            .cipher
            .encrypt_inout_detached(nonce.into(), additional, bytes.as_mut_slice().into())
        {
            Ok(tag) => (bytes, tag.into()),
            // Only beyond the 64 GiB of NIST SP 800-38D. What is returned then holds no clear byte and does not open.
            Err(_) => (Vec::new(), [0; 16]),
        }
    }

    pub fn open(&self, nonce: &[u8; 12], additional: &[u8], ciphertext: &[u8], tag: &[u8; 16]) -> Result<Vec<u8>, CryptoError> {
        let mut bytes = ciphertext.to_vec();
        self.cipher
            .decrypt_inout_detached(nonce.into(), additional, bytes.as_mut_slice().into(), tag.into())
            .map_err(|_| CryptoError::Ciphertext)?;
        Ok(bytes)
    }
}

/// SM4-CBC with PKCS#7 padding. All padding errors are one error.
pub struct Sm4Cbc {
    cipher: Sm4,
}

impl Sm4Cbc {
    pub fn new(key: &[u8; 16]) -> Self {
        Self {
            cipher: Sm4::new(key.into()),
        }
    }

    pub fn encrypt(&self, iv: &[u8; 16], clear: &[u8]) -> Vec<u8> {
        cbc::Encryptor::inner_iv_init(self.cipher.clone(), iv.into()).encrypt_padded_vec::<Pkcs7>(clear)
    }

    /// The padding is read in constant time, so that neither the error nor its time tells which byte was wrong.
    pub fn decrypt(&self, iv: &[u8; 16], ciphertext: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut bytes = Zeroizing::new(ciphertext.to_vec());
        let padded = cbc::Decryptor::inner_iv_init(self.cipher.clone(), iv.into())
            .decrypt_padded::<NoPadding>(&mut bytes)
            .map_err(|_| CryptoError::Ciphertext)?;
        let (rest, last) = padded.split_last_chunk().ok_or(CryptoError::Ciphertext)?;
        let kept = BLOCK_BYTES.checked_sub(padding(last)?).ok_or(CryptoError::Ciphertext)?;
        Ok(rest.iter().chain(last.iter().take(kept)).copied().collect())
    }
}

/// Length of the PKCS#7 padding of the last block.
fn padding(block: &[u8; BLOCK_BYTES]) -> Result<usize, CryptoError> {
    let length = block[BLOCK_BYTES - 1];
    let mut valid = length.ct_gt(&0) & !length.ct_gt(&16);
    for (distance, byte) in (0u8..).zip(block.iter().rev()) {
        let inside: Choice = distance.ct_lt(&length);
        valid &= !inside | byte.ct_eq(&length);
    }
    if bool::from(valid) {
        Ok(usize::from(length))
    } else {
        Err(CryptoError::Ciphertext)
    }
}

const BLOCK_BYTES: usize = 16;

#[cfg(test)]
mod tests;
