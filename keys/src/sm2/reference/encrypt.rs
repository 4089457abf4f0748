//! Encryption and decryption (GB/T 32918.4 6.1, 7.1).

use super::{key, next_k};
use crate::error::CryptoError;
use crate::secret::Secret;
use crate::sm2::kdf::{self, Shared};
use crate::sm2::nonce::{Draw, NonceKey};
use crate::sm2::{Ciphertext, PrivateKey, PublicKey, Unwrap, Wrap};
use crate::sm3::sm3;
use ::sm2::elliptic_curve::Group;
use ::sm2::{ProjectivePoint, Scalar};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

pub struct ReferenceWrapper {
    point: ProjectivePoint,
    nonces: NonceKey,
}

impl ReferenceWrapper {
    pub fn new(key: &PublicKey) -> Self {
        // There is no secret to hedge with but the clear text: k then at least differs from one clear text to the next.
        Self {
            point: key.affine().into(),
            nonces: NonceKey::new(&key.point()),
        }
    }

    /// Tries each k until the mask is not all zero (steps A1 to A7).
    pub(crate) fn wrap_drawn(&self, clear: &[u8], draws: &mut dyn Draw) -> Result<Ciphertext, CryptoError> {
        kdf::check_length(clear.len())?;
        loop {
            let k = next_k(draws).ok_or(CryptoError::Random)?;
            let shared = shared(&self.point, &k);
            if let Some((c3, c2)) = kdf::close(&shared, clear) {
                let c1 = key::coordinates(&ProjectivePoint::mul_by_generator(&k).to_affine());
                return Ok(Ciphertext { c1, c3, c2 });
            }
        }
    }
}

impl Wrap for ReferenceWrapper {
    fn wrap(&self, clear: &[u8], rng: &mut dyn CryptoRng) -> Result<Ciphertext, CryptoError> {
        self.wrap_drawn(clear, &mut self.nonces.draws(sm3(&[clear]), rng))
    }
}

pub struct ReferenceUnwrapper {
    d: Zeroizing<Scalar>,
}

impl ReferenceUnwrapper {
    pub fn new(key: &PrivateKey) -> Self {
        Self { d: key.danger_scalar() }
    }
}

impl Unwrap for ReferenceUnwrapper {
    /// A C1 off the curve would betray d piece by piece, so it is refused before d is used (step B1; CVE-2026-23966).
    fn unwrap(&self, ciphertext: &Ciphertext) -> Result<Secret, CryptoError> {
        kdf::check_length(ciphertext.c2.len()).map_err(|_| CryptoError::Ciphertext)?;
        let c1 = key::affine(&ciphertext.c1).ok_or(CryptoError::Ciphertext)?;
        kdf::open(&shared(&c1.into(), &self.d), &ciphertext.c3, &ciphertext.c2)
    }
}

/// x || y of [k]P. P has the prime order n and k is in [1, n-1], so the product is not infinity.
fn shared(point: &ProjectivePoint, k: &Scalar) -> Shared {
    let product = Zeroizing::new((point * k).to_affine());
    Zeroizing::new(key::coordinates(&product))
}

#[cfg(test)]
mod tests;
