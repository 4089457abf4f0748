//! SM2 key pairs and their files: PKCS#8 and SEC1 for private keys, SPKI for public keys, as OpenSSL 3 and GmSSL write them.

use crate::error::CryptoError;
use ::sm2::elliptic_curve::point::AffineCoordinates;
use ::sm2::pkcs8::{DecodePublicKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use ::sm2::{AffinePoint, Scalar, SecretKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// A private key d in [1, n-2] (GB/T 32918.1 6.1) with its public key. No `Debug`, no `Clone`; wiped when dropped.
pub struct PrivateKey {
    secret: SecretKey,
    public: PublicKey,
}

impl PrivateKey {
    pub fn generate(rng: &mut dyn CryptoRng) -> Result<Self, CryptoError> {
        let mut previous = Zeroizing::new([0; 32]);
        rng.fill_bytes(previous.as_mut_slice());
        for _ in 0..DRAWS_MAX {
            let mut bytes = Zeroizing::new([0; 32]);
            rng.fill_bytes(bytes.as_mut_slice());
            // A source that repeats itself is broken, and its key would be anybody's.
            if *bytes == *previous {
                return Err(CryptoError::Random);
            }
            if let Ok(key) = Self::from_bytes(&bytes) {
                return Ok(key);
            }
            previous = bytes;
        }
        Err(CryptoError::Random)
    }

    /// From d, big-endian.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, CryptoError> {
        Self::checked(SecretKey::from_slice(bytes).map_err(|_| CryptoError::Key)?)
    }

    /// From the first `PRIVATE KEY` or `EC PRIVATE KEY` block of a PEM text. Encrypted files are not read.
    /// A public key inside must fit the private one.
    pub fn from_pem(text: &str) -> Result<Self, CryptoError> {
        let block = PRIVATE_LABELS
            .iter()
            .find_map(|label| text.split_once(label).map(|(_, rest)| (label, rest)));
        let (label, rest) = block.ok_or(CryptoError::Key)?;
        let pem = Zeroizing::new([label, rest].concat());
        Self::checked(SecretKey::from_pem(&pem).map_err(|_| CryptoError::Key)?)
    }

    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// PKCS#8 in the clear; for key files of mode 0600 only.
    pub fn danger_to_pkcs8_pem(&self) -> Result<Zeroizing<String>, CryptoError> {
        self.secret.to_pkcs8_pem(LineEnding::LF).map_err(|_| CryptoError::Key)
    }

    /// d, big-endian; for engines.
    pub(crate) fn danger_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.secret.to_bytes().into())
    }

    /// Where d lies; for tests that declare it secret.
    #[cfg(test)]
    pub(crate) fn secret_mut(&mut self) -> &mut SecretKey {
        &mut self.secret
    }

    /// d = n-1 has no (1+d)^-1 and cannot sign.
    fn checked(secret: SecretKey) -> Result<Self, CryptoError> {
        let next = Zeroizing::new(*secret.to_nonzero_scalar() + Scalar::ONE);
        if bool::from(next.is_zero()) {
            return Err(CryptoError::Key);
        }
        let public = PublicKey {
            key: secret.public_key(),
        };
        Ok(Self { secret, public })
    }
}

/// A point on the curve, not infinity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicKey {
    key: ::sm2::PublicKey,
}

impl PublicKey {
    /// From x || y, each below p; checked to be on the curve.
    pub fn from_point(point: &[u8; 64]) -> Result<Self, CryptoError> {
        let affine = affine(point).ok_or(CryptoError::Key)?;
        let key = ::sm2::PublicKey::from_affine(affine).map_err(|_| CryptoError::Key)?;
        Ok(Self { key })
    }

    /// From an SPKI `PUBLIC KEY` PEM text.
    pub fn from_pem(text: &str) -> Result<Self, CryptoError> {
        let key = ::sm2::PublicKey::from_public_key_pem(text).map_err(|_| CryptoError::Key)?;
        Ok(Self { key })
    }

    pub fn to_spki_pem(&self) -> Result<String, CryptoError> {
        self.key.to_public_key_pem(LineEnding::LF).map_err(|_| CryptoError::Key)
    }

    /// x || y.
    pub fn point(&self) -> [u8; 64] {
        coordinates(self.key.as_affine())
    }

    pub(crate) fn affine(&self) -> AffinePoint {
        *self.key.as_affine()
    }
}

/// A point from x || y: both below p and on the curve, which has cofactor 1. Infinity has no such form.
pub(crate) fn affine(point: &[u8; 64]) -> Option<AffinePoint> {
    let (x, y) = point.split_at(32);
    AffinePoint::from_coordinates(x.try_into().ok()?, y.try_into().ok()?).into_option()
}

/// Whether x || y is a point: what a device must not be given if it is not.
pub(crate) fn is_on_curve(point: &[u8; 64]) -> bool {
    affine(point).is_some()
}

/// x || y of a point that is not infinity.
pub(crate) fn coordinates(affine: &AffinePoint) -> [u8; 64] {
    let mut point = [0; 64];
    point[..32].copy_from_slice(&affine.x());
    point[32..].copy_from_slice(&affine.y());
    point
}

const PRIVATE_LABELS: [&str; 2] = ["-----BEGIN PRIVATE KEY-----", "-----BEGIN EC PRIVATE KEY-----"];

/// One refusal has a chance of 2^-32.
const DRAWS_MAX: u8 = 16;

#[cfg(test)]
mod tests;
