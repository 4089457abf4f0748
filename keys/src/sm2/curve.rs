//! What the protocol asks of an implementation of the curve. All else of SM2 is written once, in `sign.rs` and `encrypt.rs`.

use super::PublicKey;
use super::kdf::Shared;
use super::nonce::Draw;
use subtle::Choice;
use zeroize::{Zeroize, Zeroizing};

/// Whatever takes a scalar as `secret` must not branch or address memory by it.
pub(crate) trait Curve: Send + Sync + 'static {
    type Scalar: Scalar;
    /// A public key, prepared for verification.
    type Verifying: Send + Sync;
    /// A public key, prepared for encryption.
    type Wrapping: Send + Sync;

    /// Prepares what signing needs besides the key.
    fn prepare();

    fn verifying(key: &PublicKey) -> Self::Verifying;

    fn wrapping(key: &PublicKey) -> Self::Wrapping;

    /// x of [k]G, for a secret k in [1, n-1].
    fn base_x(secret: &Self::Scalar) -> Zeroizing<[u8; 32]>;

    /// Whether [s]G + [t]P is a point whose x is `expected` modulo n, for s and t in [1, n-1]. All is public.
    fn sum_has_x(key: &Self::Verifying, s: &Self::Scalar, t: &Self::Scalar, expected: &Self::Scalar) -> bool;

    /// x || y of [k]G and of [k]P, for a secret k in [1, n-1].
    fn base_and_shared(key: &Self::Wrapping, secret: &Self::Scalar) -> ([u8; 64], Shared);

    /// x || y of [d]C for a secret d in [1, n-1]; `None` if C, which is public, is not on the curve.
    fn shared(point: &[u8; 64], secret: &Self::Scalar) -> Option<Shared>;
}

/// A number modulo n. Bytes are big-endian. Constant time in all values.
pub(crate) trait Scalar: Zeroize + Send + Sync + Sized {
    /// A number in [1, n-1], or nothing.
    fn in_range(bytes: &[u8; 32]) -> Option<Self>;

    fn reduced(bytes: &[u8; 32]) -> Self;

    fn to_bytes(&self) -> [u8; 32];

    fn is_zero(&self) -> Choice;

    fn add(&self, other: &Self) -> Self;

    fn sub(&self, other: &Self) -> Self;

    fn mul(&self, other: &Self) -> Self;

    /// Zero for zero.
    fn invert(&self) -> Self;
}

/// The next k in [1, n-1] (rejection sampling), or `None` when the source is broken.
pub(crate) fn next_k<S: Scalar>(draws: &mut dyn Draw) -> Option<Zeroizing<S>> {
    loop {
        let bytes = draws.draw()?;
        if let Some(k) = S::in_range(&bytes) {
            return Some(Zeroizing::new(k));
        }
    }
}
