//! CBC with a zero IV and zero padding, under a fresh session key of triple DES or SM4, as `UnionPay` seals a whole element.
//!
//! The clear text must not end with a zero byte, since the filling is not told apart from it; XML never does.

use super::block;
use super::des::BLOCK_BYTES as DES_BLOCK_BYTES;
use crate::error::CryptoError;
use ::des::TdesEde3;
use ::sm4::Sm4;
use cbc::cipher::KeyInit;
use zeroize::Zeroizing;

/// A session cipher. A key serves one message: with a zero IV, equal beginnings show.
pub struct ZeroPaddedCbc {
    cipher: Cipher,
}

enum Cipher {
    TripleDes(Box<TdesEde3>),
    Sm4(Box<Sm4>),
}

impl ZeroPaddedCbc {
    /// From 24 bytes. Neighbours that cancel each other to single DES are taken: the key is the sender's to choose, and that
    /// of `UnionPay`'s published example is such a one.
    pub fn triple_des(key: &[u8]) -> Result<Self, CryptoError> {
        let key: &[u8; 24] = key.try_into().map_err(|_| CryptoError::Key)?;
        let cipher = Cipher::TripleDes(Box::new(TdesEde3::new(key.into())));
        Ok(Self { cipher })
    }

    /// From 16 bytes.
    pub fn sm4(key: &[u8]) -> Result<Self, CryptoError> {
        let key: &[u8; 16] = key.try_into().map_err(|_| CryptoError::Key)?;
        let cipher = Cipher::Sm4(Box::new(Sm4::new(key.into())));
        Ok(Self { cipher })
    }

    pub fn encrypt(&self, clear: &[u8]) -> Result<Vec<u8>, CryptoError> {
        if clear.last().is_none_or(|last| *last == 0) {
            return Err(CryptoError::TooLong);
        }
        let mut bytes = block::pad_zero(clear, self.block_bytes());
        match &self.cipher {
            Cipher::TripleDes(cipher) => block::encrypt_cbc(&**cipher, &[0; 8].into(), &mut bytes)?,
            Cipher::Sm4(cipher) => block::encrypt_cbc(&**cipher, &[0; 16].into(), &mut bytes)?,
        }
        Ok(bytes)
    }

    /// Refuses a last block that is filling only: `encrypt` makes none.
    pub fn decrypt(&self, ciphertext: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut bytes = Zeroizing::new(ciphertext.to_vec());
        match &self.cipher {
            Cipher::TripleDes(cipher) => block::decrypt_cbc(&**cipher, &[0; 8].into(), &mut bytes)?,
            Cipher::Sm4(cipher) => block::decrypt_cbc(&**cipher, &[0; 16].into(), &mut bytes)?,
        }
        let filling = bytes.iter().rev().take_while(|byte| **byte == 0).count();
        if bytes.is_empty() || filling >= self.block_bytes() {
            return Err(CryptoError::Ciphertext);
        }
        Ok(bytes.iter().take(bytes.len() - filling).copied().collect())
    }

    fn block_bytes(&self) -> usize {
        match self.cipher {
            Cipher::TripleDes(_) => DES_BLOCK_BYTES,
            Cipher::Sm4(_) => 16,
        }
    }
}
