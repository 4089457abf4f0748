//! MACs that institutions name: HMAC-SHA256, a digest with the key behind the text, and CUP-ECB of ISO 8583 terminals.

use super::block;
use super::digest::Digest;
use crate::error::CryptoError;
use crate::hex;
use crate::secret::Secret;
use ::des::{Des, TdesEde2, TdesEde3};
use ::sm4::Sm4;
use cbc::cipher::{BlockCipherEncrypt, KeyInit};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A prepared HMAC-SHA256 key.
pub struct HmacSha256 {
    keyed: Hmac<Sha256>,
    /// Stands behind every text; empty unless the institution puts the key there too.
    suffix: Secret,
}

impl HmacSha256 {
    pub fn new(key: &[u8]) -> Result<Self, CryptoError> {
        if key.is_empty() {
            return Err(CryptoError::Key);
        }
        let keyed = <Hmac<Sha256> as KeyInit>::new_from_slice(key).map_err(|_| CryptoError::Key)?;
        let suffix = Secret::new(Vec::new());
        Ok(Self { keyed, suffix })
    }

    /// HMAC over the text with the very key behind it, as WeChat Pay v2 has it.
    pub fn with_key_behind(key: &[u8]) -> Result<Self, CryptoError> {
        if key.len() < SUFFIX_KEY_BYTES_MIN {
            return Err(CryptoError::Key);
        }
        let suffix = Secret::new(key.to_vec());
        Ok(Self {
            suffix,
            ..Self::new(key)?
        })
    }

    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut state = self.keyed.clone();
        for part in parts {
            state.update(part);
        }
        state.update(self.suffix.danger_expose());
        state.finalize().into_bytes().into()
    }

    /// Constant-time check.
    pub fn check(&self, parts: &[&[u8]], tag: &[u8]) -> Result<(), CryptoError> {
        equal(&self.tag(parts), tag)
    }
}

/// A digest over the text with a key, or the hex digest of a key, behind it. What stands between text and key, such as
/// `&key=`, is part of the text, since it is the message's rule.
pub struct KeySuffix {
    digest: Digest,
    suffix: Secret,
}

impl KeySuffix {
    /// digest(text || key).
    pub fn new(digest: Digest, key: &[u8]) -> Result<Self, CryptoError> {
        Self::checked(digest, key, key.to_vec())
    }

    /// digest(text || hex(digest(key))), the digits in lower case.
    pub fn of_hashed_key(digest: Digest, key: &[u8]) -> Result<Self, CryptoError> {
        Self::checked(digest, key, digest.hex_of(&[key]).into_bytes())
    }

    pub fn tag(&self, parts: &[&[u8]]) -> Vec<u8> {
        let all: Vec<&[u8]> = parts.iter().copied().chain([self.suffix.danger_expose()]).collect();
        self.digest.of(&all)
    }

    /// Constant-time check.
    pub fn check(&self, parts: &[&[u8]], tag: &[u8]) -> Result<(), CryptoError> {
        equal(&self.tag(parts), tag)
    }

    fn checked(digest: Digest, key: &[u8], suffix: Vec<u8>) -> Result<Self, CryptoError> {
        let suffix = Secret::new(suffix);
        if key.len() < SUFFIX_KEY_BYTES_MIN {
            return Err(CryptoError::Key);
        }
        Ok(Self { digest, suffix })
    }
}

/// CUP-ECB (the MAC of field 64): the blocks of the message xored into one, its hex digits encrypted in two steps, and of the
/// result the first 8 hex digits as text.
pub struct CupEcb {
    cipher: CupCipher,
    form: CupForm,
}

/// What of the last block is the MAC. For SM4 public sources disagree, so the keyring names one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CupForm {
    /// The first 8 of its upper-case hex digits.
    Digits,
    /// Its first 8 bytes.
    Bytes,
}

enum CupCipher {
    Des(Box<Des>),
    Two(Box<TdesEde2>),
    Three(Box<TdesEde3>),
    Sm4(Box<Sm4>),
}

impl CupEcb {
    /// From 8 bytes (DES), 16 or 24 (triple DES). A doubled key is DES under another name and is taken, since terminals
    /// are loaded with such keys.
    pub fn des(key: &[u8]) -> Result<Self, CryptoError> {
        let form = CupForm::Digits;
        if let Ok(key) = <&[u8; 8]>::try_from(key) {
            let cipher = CupCipher::Des(Box::new(Des::new(key.into())));
            return Ok(Self { cipher, form });
        }
        if let Ok(key) = <&[u8; 16]>::try_from(key) {
            let cipher = CupCipher::Two(Box::new(TdesEde2::new(key.into())));
            return Ok(Self { cipher, form });
        }
        let key: &[u8; 24] = key.try_into().map_err(|_| CryptoError::Key)?;
        let cipher = CupCipher::Three(Box::new(TdesEde3::new(key.into())));
        Ok(Self { cipher, form })
    }

    /// From 16 bytes.
    pub fn sm4(key: &[u8], form: CupForm) -> Result<Self, CryptoError> {
        let key: &[u8; 16] = key.try_into().map_err(|_| CryptoError::Key)?;
        let cipher = CupCipher::Sm4(Box::new(Sm4::new(key.into())));
        Ok(Self { cipher, form })
    }

    /// The 8 bytes of the MAC field over the message from its type to before that field.
    pub fn tag(&self, parts: &[&[u8]]) -> Result<[u8; 8], CryptoError> {
        let message = Zeroizing::new(parts.concat());
        let last = match &self.cipher {
            CupCipher::Des(cipher) => last_block(&**cipher, &message)?,
            CupCipher::Two(cipher) => last_block(&**cipher, &message)?,
            CupCipher::Three(cipher) => last_block(&**cipher, &message)?,
            CupCipher::Sm4(cipher) => last_block(&**cipher, &message)?,
        };
        let shown = match self.form {
            CupForm::Digits => digits(&last),
            CupForm::Bytes => last,
        };
        shown.first_chunk().copied().ok_or(CryptoError::TooLong)
    }

    /// Constant-time check.
    pub fn check(&self, parts: &[&[u8]], tag: &[u8]) -> Result<(), CryptoError> {
        equal(&self.tag(parts)?, tag)
    }
}

fn last_block<C: BlockCipherEncrypt>(cipher: &C, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
    if message.is_empty() {
        return Err(CryptoError::TooLong);
    }
    let digits = digits(&block::folded::<C>(message));
    let (first, second) = digits.split_at(C::block_size());
    let mut state = first.to_vec();
    block::encrypt_ecb(cipher, &mut state)?;
    block::xor(&mut state, second);
    block::encrypt_ecb(cipher, &mut state)?;
    Ok(state)
}

fn digits(bytes: &[u8]) -> Vec<u8> {
    hex::encode(bytes).to_ascii_uppercase().into_bytes()
}

fn equal(expected: &[u8], tag: &[u8]) -> Result<(), CryptoError> {
    if bool::from(expected.ct_eq(tag)) {
        Ok(())
    } else {
        Err(CryptoError::Signature)
    }
}

/// Institutions give 32 characters; less than this is guessed.
const SUFFIX_KEY_BYTES_MIN: usize = 16;
