//! The reference engine: our protocol code over the curve arithmetic of the crate `sm2`.
//!
//! What touches a secret is constant-time as far as that arithmetic is. Verification uses variable time: all is public.
//! It is plain rather than fast; a faster engine is measured against it and must agree with it.

mod encrypt;
mod sign;

pub use encrypt::{ReferenceUnwrapper, ReferenceWrapper};
pub use sign::{ReferenceSigner, ReferenceVerifier};

use super::key;
use super::nonce::Draw;
use ::sm2::Scalar;
use ::sm2::elliptic_curve::PrimeField;
use zeroize::Zeroizing;

/// A scalar in [1, n-1], or nothing.
fn scalar(bytes: [u8; 32]) -> Option<Zeroizing<Scalar>> {
    let scalar = Zeroizing::new(Scalar::from_repr(bytes.into()).into_option()?);
    if bool::from(scalar.is_zero()) { None } else { Some(scalar) }
}

/// The next k in [1, n-1] (rejection sampling), or `None` when the source is broken.
fn next_k(draws: &mut dyn Draw) -> Option<Zeroizing<Scalar>> {
    loop {
        let bytes = draws.draw()?;
        if let Some(k) = scalar(*bytes) {
            return Some(k);
        }
    }
}
