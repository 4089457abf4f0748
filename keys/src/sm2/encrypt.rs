//! Encryption and decryption (GB/T 32918.4 6.1, 7.1), over any curve arithmetic.

use super::curve::{Curve, Scalar, next_k};
use super::nonce::{Draw, NonceKey};
use super::{Ciphertext, PrivateKey, PublicKey, Unwrap, Wrap, kdf};
use crate::error::CryptoError;
use crate::secret::Secret;
use crate::sm3::sm3;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

pub(crate) struct Wrapper<C: Curve> {
    key: C::Wrapping,
    nonces: NonceKey,
}

impl<C: Curve> Wrapper<C> {
    pub(crate) fn new(key: &PublicKey) -> Self {
        // There is no secret to hedge with but the clear text: k then at least differs from one clear text to the next.
        Self {
            key: C::wrapping(key),
            nonces: NonceKey::new(&key.point()),
        }
    }

    /// Tries each k until the mask is not all zero (steps A1 to A7).
    fn wrap_drawn(&self, clear: &[u8], draws: &mut dyn Draw) -> Result<Ciphertext, CryptoError> {
        kdf::check_length(clear.len())?;
        loop {
            let k = next_k(draws).ok_or(CryptoError::Random)?;
            let (c1, shared) = C::base_and_shared(&self.key, &k);
            if let Some((c3, c2)) = kdf::close(&shared, clear) {
                return Ok(Ciphertext { c1, c3, c2 });
            }
        }
    }
}

impl<C: Curve> Wrap for Wrapper<C> {
    fn wrap(&self, clear: &[u8], rng: &mut dyn CryptoRng) -> Result<Ciphertext, CryptoError> {
        let digest = Zeroizing::new(sm3(&[clear]));
        self.wrap_drawn(clear, &mut self.nonces.draws(*digest, rng))
    }
}

pub(crate) struct Unwrapper<C: Curve> {
    d: Zeroizing<C::Scalar>,
}

impl<C: Curve> Unwrapper<C> {
    pub(crate) fn new(key: &PrivateKey) -> Self {
        Self {
            d: Zeroizing::new(C::Scalar::reduced(&key.danger_bytes())),
        }
    }
}

impl<C: Curve> Unwrap for Unwrapper<C> {
    /// A C1 off the curve would betray d piece by piece, so it is refused before d is used (step B1; CVE-2026-23966).
    fn unwrap(&self, ciphertext: &Ciphertext) -> Result<Secret, CryptoError> {
        kdf::check_length(ciphertext.c2.len()).map_err(|_| CryptoError::Ciphertext)?;
        let shared = C::shared(&ciphertext.c1, &self.d).ok_or(CryptoError::Ciphertext)?;
        kdf::open(&shared, &ciphertext.c3, &ciphertext.c2)
    }
}

#[cfg(test)]
mod tests;
