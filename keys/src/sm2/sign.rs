//! Signing and verifying (GB/T 32918.2 6.1, 7.1), over any curve arithmetic.

use super::curve::{Curve, Scalar, next_k};
use super::nonce::{Draw, NonceKey};
use super::reveal::reveal;
use super::{PrivateKey, PublicKey, Sign, Signature, Verify, identity};
use crate::error::CryptoError;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// Signs with s = (1+d)^-1 (k + r) - r: the inverse is the only form in which d is kept.
pub(crate) struct Signer<C: Curve> {
    z: [u8; 32],
    inverse: Zeroizing<C::Scalar>,
    nonces: NonceKey,
}

impl<C: Curve> Signer<C> {
    pub(crate) fn new(key: &PrivateKey, user_id: &[u8]) -> Result<Self, CryptoError> {
        C::prepare();
        let d = key.danger_bytes();
        let mut one = [0; 32];
        one[31] = 1;
        let scalar = Zeroizing::new(C::Scalar::reduced(&d));
        let next = Zeroizing::new(scalar.add(&C::Scalar::reduced(&one)));
        Ok(Self {
            z: identity::z(&key.public().point(), user_id)?,
            inverse: Zeroizing::new(next.invert()),
            nonces: NonceKey::new(d.as_slice()),
        })
    }

    /// Tries each k until one gives a valid signature (steps A3 to A6).
    fn sign_drawn(&self, e: &[u8; 32], draws: &mut dyn Draw) -> Result<Signature, CryptoError> {
        let e = C::Scalar::reduced(e);
        loop {
            let k = next_k(draws).ok_or(CryptoError::Random)?;
            if let Some(signature) = self.attempt(&e, &k) {
                return Ok(signature);
            }
        }
    }

    fn attempt(&self, e: &C::Scalar, k: &C::Scalar) -> Option<Signature> {
        let r = e.add(&C::Scalar::reduced(&C::base_x(k)));
        let sum = Zeroizing::new(r.add(k));
        let s = self.inverse.mul(&sum).sub(&r);
        if reveal(r.is_zero() | sum.is_zero() | s.is_zero()) {
            return None;
        }
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&r.to_bytes());
        signature[32..].copy_from_slice(&s.to_bytes());
        Some(signature)
    }
}

impl<C: Curve> Sign for Signer<C> {
    fn sign(&self, message: &[u8], rng: &mut dyn CryptoRng) -> Result<Signature, CryptoError> {
        let e = identity::e(&self.z, message);
        self.sign_drawn(&e, &mut self.nonces.draws(e, rng))
    }
}

/// Signs e itself, as a device does; for stores that stand for one.
#[cfg(test)]
pub(crate) fn signed_e(key: &PrivateKey, e: &[u8; 32], rng: &mut dyn CryptoRng) -> Result<Signature, CryptoError> {
    let signer = Signer::<super::reference::Reference>::new(key, b"")?;
    signer.sign_drawn(e, &mut signer.nonces.draws(*e, rng))
}

pub(crate) struct Verifier<C: Curve> {
    z: [u8; 32],
    key: C::Verifying,
}

impl<C: Curve> Verifier<C> {
    pub(crate) fn new(key: &PublicKey, user_id: &[u8]) -> Result<Self, CryptoError> {
        Ok(Self {
            z: identity::z(&key.point(), user_id)?,
            key: C::verifying(key),
        })
    }

    /// Over e itself, however it was made.
    pub(super) fn verify_e(&self, e: &[u8; 32], signature: &Signature) -> Result<(), CryptoError> {
        self.verify_digest(e, signature).ok_or(CryptoError::Signature)
    }

    /// Steps B1, B2 and B5 to B7; `None` as soon as one fails. (e + x) mod n = r is tested as x mod n = r - e.
    fn verify_digest(&self, e: &[u8; 32], signature: &Signature) -> Option<()> {
        let (r, s) = signature.split_at(32);
        let r = C::Scalar::in_range(r.try_into().ok()?)?;
        let s = C::Scalar::in_range(s.try_into().ok()?)?;
        let t = r.add(&s);
        if bool::from(t.is_zero()) {
            return None;
        }
        let expected = r.sub(&C::Scalar::reduced(e));
        C::sum_has_x(&self.key, &s, &t, &expected).then_some(())
    }
}

impl<C: Curve> Verify for Verifier<C> {
    fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), CryptoError> {
        self.verify_e(&identity::e(&self.z, message), signature)
    }
}

#[cfg(test)]
mod tests;
