//! A terminal's master key: it wraps the working keys that a sign-in hands out, block by block, and a check value of four bytes
//! tells whether a key arrived whole.

use super::block;
use crate::error::CryptoError;
use crate::secret::Secret;
use ::des::{Des, TdesEde2, TdesEde3};
use ::sm4::Sm4;
use cbc::cipher::KeyInit;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A prepared master key; its working keys are of the same family, DES or SM4.
pub struct MasterKey(Cipher);

/// A working key as it travels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WrappedKey {
    pub wrapped: Vec<u8>,
    /// The first bytes of zeroes that the key encrypted.
    pub check: [u8; CHECK_BYTES],
}

enum Cipher {
    Des(Box<Des>),
    Two(Box<TdesEde2>),
    Three(Box<TdesEde3>),
    Sm4(Box<Sm4>),
}

impl MasterKey {
    /// From 8 bytes (DES), 16 or 24 (triple DES).
    pub fn des(key: &[u8]) -> Result<Self, CryptoError> {
        Cipher::des(key).map(Self)
    }

    /// From 16 bytes.
    pub fn sm4(key: &[u8]) -> Result<Self, CryptoError> {
        Cipher::sm4(key).map(Self)
    }

    pub fn wrap(&self, key: &[u8]) -> Result<WrappedKey, CryptoError> {
        let mut wrapped = key.to_vec();
        let check = self.check_value(key)?;
        self.0.encrypt(&mut wrapped)?;
        Ok(WrappedKey { wrapped, check })
    }

    /// Refuses a key whose check value is another one.
    pub fn unwrap(&self, wrapped: &[u8], check: &[u8]) -> Result<Secret, CryptoError> {
        let mut key = Zeroizing::new(wrapped.to_vec());
        self.0.decrypt(&mut key)?;
        let expected = self.check_value(&key)?;
        if bool::from(expected.ct_eq(check)) {
            Ok(Secret::new(std::mem::take(&mut *key)))
        } else {
            Err(CryptoError::Ciphertext)
        }
    }

    fn check_value(&self, key: &[u8]) -> Result<[u8; CHECK_BYTES], CryptoError> {
        let cipher = match self.0 {
            Cipher::Des(_) | Cipher::Two(_) | Cipher::Three(_) => Cipher::des(key),
            Cipher::Sm4(_) => Cipher::sm4(key),
        }?;
        let mut zeroes = vec![0; cipher.block_bytes()];
        cipher.encrypt(&mut zeroes)?;
        zeroes.first_chunk().copied().ok_or(CryptoError::Key)
    }
}

impl Cipher {
    fn des(key: &[u8]) -> Result<Self, CryptoError> {
        if let Ok(key) = <&[u8; 8]>::try_from(key) {
            return Ok(Self::Des(Box::new(Des::new(key.into()))));
        }
        if let Ok(key) = <&[u8; 16]>::try_from(key) {
            return Ok(Self::Two(Box::new(TdesEde2::new(key.into()))));
        }
        let key: &[u8; 24] = key.try_into().map_err(|_| CryptoError::Key)?;
        Ok(Self::Three(Box::new(TdesEde3::new(key.into()))))
    }

    fn sm4(key: &[u8]) -> Result<Self, CryptoError> {
        let key: &[u8; 16] = key.try_into().map_err(|_| CryptoError::Key)?;
        Ok(Self::Sm4(Box::new(Sm4::new(key.into()))))
    }

    fn encrypt(&self, bytes: &mut [u8]) -> Result<(), CryptoError> {
        match self {
            Self::Des(cipher) => block::encrypt_ecb(&**cipher, bytes),
            Self::Two(cipher) => block::encrypt_ecb(&**cipher, bytes),
            Self::Three(cipher) => block::encrypt_ecb(&**cipher, bytes),
            Self::Sm4(cipher) => block::encrypt_ecb(&**cipher, bytes),
        }
    }

    fn decrypt(&self, bytes: &mut [u8]) -> Result<(), CryptoError> {
        match self {
            Self::Des(cipher) => block::decrypt_ecb(&**cipher, bytes),
            Self::Two(cipher) => block::decrypt_ecb(&**cipher, bytes),
            Self::Three(cipher) => block::decrypt_ecb(&**cipher, bytes),
            Self::Sm4(cipher) => block::decrypt_ecb(&**cipher, bytes),
        }
    }

    const fn block_bytes(&self) -> usize {
        match self {
            Self::Des(_) | Self::Two(_) | Self::Three(_) => 8,
            Self::Sm4(_) => 16,
        }
    }
}

pub const CHECK_BYTES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    /// facts/institutions.md 8c: a terminal's master key and its wrapped MAC key, as published.
    #[test]
    fn a_published_working_key_is_unwrapped() {
        let bytes = |text: &str| hex::decode(text).unwrap().to_vec();
        let master = MasterKey::des(&bytes("70F2A84CCBC2AE8625CBB0F2C22AB923")).unwrap();
        let wrapped = master.wrap(&bytes("C24A8FB57AA20123")).unwrap();
        assert_eq!(hex::encode(&wrapped.wrapped), "96d605ea176b7e9e");
        let key = master.unwrap(&wrapped.wrapped, &wrapped.check).unwrap();
        assert_eq!(key.danger_expose(), bytes("C24A8FB57AA20123"));
    }

    #[test]
    fn a_wrong_check_value_or_length_is_refused() {
        for master in [
            MasterKey::des(&[7; 8]).unwrap(),
            MasterKey::des(b"0123456789abcdef").unwrap(),
            MasterKey::des(b"0123456789abcdefghijklmn").unwrap(),
            MasterKey::sm4(b"0123456789abcdef").unwrap(),
        ] {
            let WrappedKey { mut wrapped, mut check } = master.wrap(b"fedcba9876543210").unwrap();
            assert_eq!(master.unwrap(&wrapped, &check).unwrap().danger_expose(), b"fedcba9876543210");
            assert!(master.unwrap(&wrapped, &check[..3]).is_err());
            check[3] ^= 1;
            assert!(master.unwrap(&wrapped, &check).is_err());
            check[3] ^= 1;
            wrapped[0] ^= 0x10;
            assert!(master.unwrap(&wrapped, &check).is_err());
            assert!(master.unwrap(&wrapped[..7], &check).is_err() && master.wrap(b"short").is_err());
        }
    }
}
