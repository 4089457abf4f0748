//! Cipher block chaining with PKCS#7 padding, over the crate `sm4`: chaining is one block after the other, so that what makes
//! many blocks fast is of no use to it. That crate looks up its substitution in a table of 256 bytes, by secret places; nothing
//! on a payment's way seals by this mode.

use crate::error::CryptoError;
use ::sm4::Sm4;
use cbc::cipher::block_padding::{NoPadding, Pkcs7};
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit};
use subtle::{Choice, ConstantTimeEq, ConstantTimeGreater, ConstantTimeLess};
use zeroize::Zeroizing;

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
pub(super) fn padding(block: &[u8; BLOCK_BYTES]) -> Result<usize, CryptoError> {
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
