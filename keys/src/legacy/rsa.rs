//! RSA by PKCS #1 (RFC 8017): signatures of type 1, wrapping by v1.5 and OAEP. Private operations are blinded.
//!
//! The arithmetic is the crate `rsa`'s, whose private operations blind the base, both exponents and both primes, run in
//! constant time and check their result; `docs/algorithms.md` says why this crate.

use super::hedged::Hedged;
use crate::error::CryptoError;
use crate::pem;
use crate::secret::Secret;
use crate::sm3::{HmacSm3, sm3};
use ::rsa::pkcs1::{DecodeRsaPrivateKey, DecodeRsaPublicKey};
use ::rsa::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use ::rsa::traits::{PrivateKeyParts, PublicKeyParts};
use ::rsa::{Oaep, Pkcs1v15Encrypt, PrivateKey, PublicKey};
use rand_core::CryptoRng;
use sha1::Sha1;
use sha2::Sha256;
use std::sync::Arc;
use zeroize::Zeroizing;

mod scheme; // what is signed

pub use scheme::RsaScheme;

/// Smallest and largest modulus that is taken. Below 2048 bits a key is weak, which `hangu check` says; some institutions'
/// published keys have 1024.
pub const RSA_BITS_MIN: u32 = 1024;
pub const RSA_BITS_MAX: u32 = 4096;

/// How a short secret is padded before it is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RsaPadding {
    /// v1.5. `unwrap` gives other bytes, not an error, where the padding is wrong (draft-irtf-cfrg-rsa-guidance): only what is
    /// opened with them shows it, as with a wrong key.
    Pkcs1,
    OaepSha1,
    OaepSha256,
}

impl RsaPadding {
    pub const ALL: [Self; 3] = [Self::Pkcs1, Self::OaepSha1, Self::OaepSha256];

    pub fn name(self) -> &'static str {
        match self {
            Self::Pkcs1 => "rsa-pkcs1",
            Self::OaepSha1 => "rsa-oaep-sha1",
            Self::OaepSha256 => "rsa-oaep-sha256",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|padding| padding.name() == name)
    }

    /// Why a message should not be wrapped like this, if so. SHA-1 within OAEP needs no collision resistance and is no reason.
    pub fn weakness(self) -> Option<&'static str> {
        match self {
            Self::Pkcs1 => Some("PKCS #1 v1.5 wrapping"),
            Self::OaepSha1 | Self::OaepSha256 => None,
        }
    }
}

/// A private key with its public one. No `Debug`, no `Clone`; wiped when dropped.
pub struct RsaPrivate {
    key: PrivateKey,
    public: RsaPublic,
    hedge: HmacSm3,
}

impl RsaPrivate {
    /// 2048, 3072 or 4096 bits, public exponent 65537.
    pub fn generate(bits: u32, rng: &mut dyn CryptoRng) -> Result<Self, CryptoError> {
        if !GENERATED_BITS.contains(&bits) {
            return Err(CryptoError::Key);
        }
        let size = usize::try_from(bits).map_err(|_| CryptoError::Key)?;
        let key = PrivateKey::new(&mut Hedged::fresh(rng)?, size).map_err(|_| CryptoError::Random)?;
        Self::checked(key)
    }

    /// From the first `PRIVATE KEY` (PKCS #8) or `RSA PRIVATE KEY` (PKCS #1) block of a PEM text. Encrypted files are not
    /// read. The primes, both exponents and the modulus must fit each other.
    pub fn from_pem(text: &str) -> Result<Self, CryptoError> {
        let key = if let Some(der) = pem::block(text, "PRIVATE KEY") {
            PrivateKey::from_pkcs8_der(&der).map_err(|_| CryptoError::Key)?
        } else {
            let der = pem::block(text, "RSA PRIVATE KEY").ok_or(CryptoError::Key)?;
            PrivateKey::from_pkcs1_der(&der).map_err(|_| CryptoError::Key)?
        };
        Self::checked(key)
    }

    pub fn public(&self) -> &RsaPublic {
        &self.public
    }

    pub fn sign(&self, scheme: RsaScheme, text: &[u8], rng: &mut dyn CryptoRng) -> Result<Vec<u8>, CryptoError> {
        let (form, content) = scheme.signed(text);
        let mut rng = Hedged::under(&self.hedge, &content, rng);
        let signed = self.key.sign_with_rng(&mut rng, form, &content);
        let is_too_long = matches!(signed, Err(::rsa::Error::MessageTooLong));
        signed.map_err(|_| if is_too_long { CryptoError::TooLong } else { CryptoError::Key })
    }

    /// Every failure is the same error; see `RsaPadding::Pkcs1` for what is no failure.
    pub fn unwrap(&self, padding: RsaPadding, ciphertext: &[u8], rng: &mut dyn CryptoRng) -> Result<Secret, CryptoError> {
        let mut rng = Hedged::under(&self.hedge, ciphertext, rng);
        let opened = match padding {
            RsaPadding::Pkcs1 => self.key.decrypt_blinded(&mut rng, Pkcs1v15Encrypt, ciphertext),
            RsaPadding::OaepSha1 => self.key.decrypt_blinded(&mut rng, Oaep::<Sha1>::new(), ciphertext),
            RsaPadding::OaepSha256 => self.key.decrypt_blinded(&mut rng, Oaep::<Sha256>::new(), ciphertext),
        };
        opened.map(Secret::new).map_err(|_| CryptoError::Ciphertext)
    }

    /// PKCS #8 in the clear; for key files of mode 0600 only.
    pub fn danger_to_pkcs8_pem(&self) -> Result<Zeroizing<String>, CryptoError> {
        self.key.to_pkcs8_pem(LineEnding::LF).map_err(|_| CryptoError::Key)
    }

    fn checked(key: PrivateKey) -> Result<Self, CryptoError> {
        let public = RsaPublic::checked(key.to_public_key())?;
        let exponent = Zeroizing::new(key.d().to_be_bytes().into_vec());
        let hedge = HmacSm3::new(&exponent);
        Ok(Self { key, public, hedge })
    }
}

/// Signs under one RSA key, wherever it lies.
pub trait RsaSign: Send + Sync {
    fn sign(&self, scheme: RsaScheme, text: &[u8], rng: &mut dyn CryptoRng) -> Result<Vec<u8>, CryptoError>;
}

impl RsaSign for RsaPrivate {
    fn sign(&self, scheme: RsaScheme, text: &[u8], rng: &mut dyn CryptoRng) -> Result<Vec<u8>, CryptoError> {
        Self::sign(self, scheme, text, rng)
    }
}

impl<T: RsaSign + ?Sized> RsaSign for Arc<T> {
    fn sign(&self, scheme: RsaScheme, text: &[u8], rng: &mut dyn CryptoRng) -> Result<Vec<u8>, CryptoError> {
        (**self).sign(scheme, text, rng)
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RsaPublic {
    key: PublicKey,
}

impl RsaPublic {
    /// From the first `PUBLIC KEY` (SPKI) or `RSA PUBLIC KEY` (PKCS #1) block of a PEM text.
    pub fn from_pem(text: &str) -> Result<Self, CryptoError> {
        if let Some(der) = pem::block(text, "PUBLIC KEY") {
            return Self::from_spki_der(&der);
        }
        let der = pem::block(text, "RSA PUBLIC KEY").ok_or(CryptoError::Key)?;
        Self::checked(PublicKey::from_pkcs1_der(&der).map_err(|_| CryptoError::Key)?)
    }

    pub fn from_spki_der(der: &[u8]) -> Result<Self, CryptoError> {
        Self::checked(PublicKey::from_public_key_der(der).map_err(|_| CryptoError::Key)?)
    }

    pub fn to_spki_pem(&self) -> Result<String, CryptoError> {
        self.key.to_public_key_pem(LineEnding::LF).map_err(|_| CryptoError::Key)
    }

    /// Length of the modulus.
    pub fn bits(&self) -> u32 {
        self.key.n().as_ref().bit_width_vartime()
    }

    /// SM3 over SPKI.
    pub fn digest(&self) -> Result<[u8; 32], CryptoError> {
        let der = self.key.to_public_key_der().map_err(|_| CryptoError::Key)?;
        Ok(sm3(&[der.as_bytes()]))
    }

    /// The padding is made and compared whole, never parsed, so that nothing can hide behind it.
    pub fn verify(&self, scheme: RsaScheme, text: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let (form, content) = scheme.signed(text);
        self.key.verify(form, &content, signature).map_err(|_| CryptoError::Signature)
    }

    pub fn wrap(&self, padding: RsaPadding, clear: &[u8], rng: &mut dyn CryptoRng) -> Result<Vec<u8>, CryptoError> {
        let mut rng = Hedged::fresh(rng)?;
        let wrapped = match padding {
            RsaPadding::Pkcs1 => self.key.encrypt(&mut rng, Pkcs1v15Encrypt, clear),
            RsaPadding::OaepSha1 => self.key.encrypt(&mut rng, Oaep::<Sha1>::new(), clear),
            RsaPadding::OaepSha256 => self.key.encrypt(&mut rng, Oaep::<Sha256>::new(), clear),
        };
        wrapped.map_err(|_| CryptoError::TooLong)
    }

    /// The modulus, big-endian without leading zeroes.
    pub fn modulus(&self) -> Vec<u8> {
        self.key.n_bytes().into_vec()
    }

    /// The crate has refused an even modulus and a public exponent that is even, 1, or above 2^33 by then.
    fn checked(key: PublicKey) -> Result<Self, CryptoError> {
        let public = Self { key };
        if (RSA_BITS_MIN..=RSA_BITS_MAX).contains(&public.bits()) {
            Ok(public)
        } else {
            Err(CryptoError::Key)
        }
    }
}

const GENERATED_BITS: [u32; 3] = [2048, 3072, 4096];
