//! Triple DES in ECB with a length before the text, as JD Pay's messages carry it. All errors of opening are one error.

use super::block;
use crate::error::CryptoError;
use ::des::{TdesEde2, TdesEde3};
use cbc::cipher::KeyInit;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Triple DES under a prepared key of two or three different parts.
pub struct TripleDes {
    cipher: Cipher,
}

impl TripleDes {
    /// From 16 or 24 bytes. Equal neighbours cancel each other to single DES, so they are refused.
    pub fn new(key: &[u8]) -> Result<Self, CryptoError> {
        let (parts, []) = key.as_chunks::<8>() else {
            return Err(CryptoError::Key);
        };
        if parts.windows(2).any(|pair| same_key(pair[0], pair[1])) {
            return Err(CryptoError::Key);
        }
        Ok(Self {
            cipher: Cipher::new(key)?,
        })
    }

    /// A length of 4 bytes, big-endian, the text, then zeroes to a whole block; each block by itself.
    pub fn encrypt_framed(&self, clear: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let length = u32::try_from(clear.len()).map_err(|_| CryptoError::TooLong)?;
        let framed = Zeroizing::new([&length.to_be_bytes(), clear].concat());
        let mut bytes = block::pad_zero(&framed, BLOCK_BYTES);
        self.cipher.encrypt_ecb(&mut bytes)?;
        Ok(bytes)
    }

    /// The length must be that of the text and the filling zeroes, as `encrypt_framed` makes it.
    pub fn decrypt_framed(&self, ciphertext: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut bytes = Zeroizing::new(ciphertext.to_vec());
        self.cipher.decrypt_ecb(&mut bytes)?;
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or(CryptoError::Ciphertext)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| CryptoError::Ciphertext)?;
        let (clear, filling) = rest.split_at_checked(length).ok_or(CryptoError::Ciphertext)?;
        let zeroes = [0; BLOCK_BYTES];
        let expected = zeroes.get(..filling.len()).ok_or(CryptoError::Ciphertext)?;
        if filling.len() < BLOCK_BYTES && bool::from(filling.ct_eq(expected)) {
            Ok(clear.to_vec())
        } else {
            Err(CryptoError::Ciphertext)
        }
    }
}

/// Key schedules; wiped when dropped by the crate.
enum Cipher {
    Two(Box<TdesEde2>),
    Three(Box<TdesEde3>),
}

impl Cipher {
    fn new(key: &[u8]) -> Result<Self, CryptoError> {
        if let Ok(key) = <&[u8; 16]>::try_from(key) {
            return Ok(Self::Two(Box::new(TdesEde2::new(key.into()))));
        }
        let key: &[u8; 24] = key.try_into().map_err(|_| CryptoError::Key)?;
        Ok(Self::Three(Box::new(TdesEde3::new(key.into()))))
    }

    fn encrypt_ecb(&self, bytes: &mut [u8]) -> Result<(), CryptoError> {
        match self {
            Self::Two(cipher) => block::encrypt_ecb(&**cipher, bytes),
            Self::Three(cipher) => block::encrypt_ecb(&**cipher, bytes),
        }
    }

    fn decrypt_ecb(&self, bytes: &mut [u8]) -> Result<(), CryptoError> {
        match self {
            Self::Two(cipher) => block::decrypt_ecb(&**cipher, bytes),
            Self::Three(cipher) => block::decrypt_ecb(&**cipher, bytes),
        }
    }
}

/// The lowest bit of each byte is parity, which DES does not use.
fn same_key(left: [u8; 8], right: [u8; 8]) -> bool {
    let effective = |key: [u8; 8]| Zeroizing::new(key.map(|byte| byte & 0xfe));
    bool::from(effective(left).as_slice().ct_eq(effective(right).as_slice()))
}

pub(super) const BLOCK_BYTES: usize = 8;
