//! The reference engine: the curve arithmetic of the crate `sm2`.
//!
//! What touches a secret is constant-time as far as that arithmetic is. Verification uses variable time: all is public.
//! It is plain rather than fast; the native engine is measured against it and must agree with it.

use super::curve::{Curve, Scalar};
use super::kdf::Shared;
use super::{PublicKey, key};
use ::sm2::elliptic_curve::ops::{MulByGeneratorVartime, Reduce};
use ::sm2::elliptic_curve::point::AffineCoordinates;
use ::sm2::elliptic_curve::{Group, PrimeField};
use ::sm2::{FieldBytes, ProjectivePoint, Scalar as Number};
use subtle::Choice;
use zeroize::Zeroizing;

pub(crate) struct Reference;

impl Curve for Reference {
    type Scalar = Number;
    type Verifying = ProjectivePoint;
    type Wrapping = ProjectivePoint;

    /// The crate makes its table of G when it is first used.
    fn prepare() {}

    fn verifying(key: &PublicKey) -> ProjectivePoint {
        key.affine().into()
    }

    fn wrapping(key: &PublicKey) -> ProjectivePoint {
        key.affine().into()
    }

    fn base_x(secret: &Number) -> Zeroizing<[u8; 32]> {
        let point = Zeroizing::new(ProjectivePoint::mul_by_generator(secret).to_affine());
        Zeroizing::new(point.x().into())
    }

    fn sum_has_x(key: &ProjectivePoint, s: &Number, t: &Number, expected: &Number) -> bool {
        let point = ProjectivePoint::mul_by_generator_and_mul_add_vartime(s, t, key).to_affine();
        !bool::from(point.is_identity()) && <Number as Reduce<FieldBytes>>::reduce(&point.x()) == *expected
    }

    fn base_and_shared(key: &ProjectivePoint, secret: &Number) -> ([u8; 64], Shared) {
        let base = ProjectivePoint::mul_by_generator(secret).to_affine();
        (key::coordinates(&base), product(key, secret))
    }

    fn shared(point: &[u8; 64], secret: &Number) -> Option<Shared> {
        Some(product(&key::affine(point)?.into(), secret))
    }
}

/// P has the prime order n and k is in [1, n-1], so the product is not infinity.
fn product(point: &ProjectivePoint, k: &Number) -> Shared {
    let product = Zeroizing::new((point * k).to_affine());
    Zeroizing::new(key::coordinates(&product))
}

impl Scalar for Number {
    fn in_range(bytes: &[u8; 32]) -> Option<Self> {
        let scalar = Zeroizing::new(Self::from_repr((*bytes).into()).into_option()?);
        if bool::from(scalar.is_zero()) { None } else { Some(*scalar) }
    }

    fn reduced(bytes: &[u8; 32]) -> Self {
        Reduce::reduce(&FieldBytes::from(*bytes))
    }

    fn to_bytes(&self) -> [u8; 32] {
        self.to_repr().into()
    }

    fn is_zero(&self) -> Choice {
        self.is_zero()
    }

    fn add(&self, other: &Self) -> Self {
        self + other
    }

    fn sub(&self, other: &Self) -> Self {
        self - other
    }

    fn mul(&self, other: &Self) -> Self {
        self * other
    }

    fn invert(&self) -> Self {
        self.invert().unwrap_or(Self::ZERO)
    }
}
