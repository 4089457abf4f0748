//! Signing and verifying (GB/T 32918.2 6.1, 7.1).

use super::{next_k, scalar};
use crate::error::CryptoError;
use crate::sm2::nonce::{Draw, NonceKey};
use crate::sm2::{PrivateKey, PublicKey, Sign, Signature, Verify, identity};
use ::sm2::elliptic_curve::Group;
use ::sm2::elliptic_curve::ops::{MulByGeneratorVartime, Reduce};
use ::sm2::elliptic_curve::point::AffineCoordinates;
use ::sm2::{FieldBytes, ProjectivePoint, Scalar};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// Signs with s = (1+d)^-1 (k + r) - r: the inverse is the only form in which d is kept.
pub struct ReferenceSigner {
    z: [u8; 32],
    inverse: Zeroizing<Scalar>,
    nonces: NonceKey,
}

impl ReferenceSigner {
    pub fn new(key: &PrivateKey, user_id: &[u8]) -> Result<Self, CryptoError> {
        let next = Zeroizing::new(*key.danger_scalar() + Scalar::ONE);
        Ok(Self {
            z: identity::z(&key.public().point(), user_id)?,
            inverse: Zeroizing::new(next.invert().into_option().ok_or(CryptoError::Key)?),
            nonces: NonceKey::new(key.danger_bytes().as_slice()),
        })
    }

    /// Tries each k until one gives a valid signature (steps A3 to A6).
    pub(crate) fn sign_drawn(&self, e: &[u8; 32], draws: &mut dyn Draw) -> Result<Signature, CryptoError> {
        let e = Scalar::reduce(&FieldBytes::from(*e));
        loop {
            let k = next_k(draws).ok_or(CryptoError::Random)?;
            if let Some(signature) = self.attempt(&e, &k) {
                return Ok(signature);
            }
        }
    }

    fn attempt(&self, e: &Scalar, k: &Scalar) -> Option<Signature> {
        let point = ProjectivePoint::mul_by_generator(k).to_affine();
        let r = *e + Scalar::reduce(&point.x());
        let sum = Zeroizing::new(r + *k);
        let s = *self.inverse * *sum - r;
        if bool::from(r.is_zero() | sum.is_zero() | s.is_zero()) {
            return None;
        }
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&r.to_bytes());
        signature[32..].copy_from_slice(&s.to_bytes());
        Some(signature)
    }
}

impl Sign for ReferenceSigner {
    fn sign(&self, message: &[u8], rng: &mut dyn CryptoRng) -> Result<Signature, CryptoError> {
        let e = identity::e(&self.z, message);
        self.sign_drawn(&e, &mut self.nonces.draws(e, rng))
    }
}

pub struct ReferenceVerifier {
    z: [u8; 32],
    point: ProjectivePoint,
}

impl ReferenceVerifier {
    pub fn new(key: &PublicKey, user_id: &[u8]) -> Result<Self, CryptoError> {
        Ok(Self {
            z: identity::z(&key.point(), user_id)?,
            point: key.affine().into(),
        })
    }

    /// Steps B1, B2 and B5 to B7; `None` as soon as one fails.
    pub(crate) fn verify_digest(&self, e: &[u8; 32], signature: &Signature) -> Option<()> {
        let (r, s) = signature.split_at(32);
        let (r, s) = (scalar(r.try_into().ok()?)?, scalar(s.try_into().ok()?)?);
        let t = *r + *s;
        if bool::from(t.is_zero()) {
            return None;
        }
        let point = ProjectivePoint::mul_by_generator_and_mul_add_vartime(&s, &t, &self.point).to_affine();
        if bool::from(point.is_identity()) {
            return None;
        }
        let expected = Scalar::reduce(&FieldBytes::from(*e)) + Scalar::reduce(&point.x());
        (expected == *r).then_some(())
    }
}

impl Verify for ReferenceVerifier {
    fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), CryptoError> {
        self.verify_digest(&identity::e(&self.z, message), signature)
            .ok_or(CryptoError::Signature)
    }
}

#[cfg(test)]
mod tests;
