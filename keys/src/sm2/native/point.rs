//! Points of y^2 = x^3 - 3x + b (GB/T 32918.5): affine, and the sums of many affine points.
//!
//! The names are those of the Explicit-Formulas Database (EFD, Bernstein and Lange), short Weierstrass curves. Each formula says
//! for which points it is wrong; who calls it shows that these cannot come, or takes the complete form. No branch depends on
//! a value unless the name says `public`.

#![expect(clippy::many_single_char_names, reason = "formulas keep the letters of their source")]

use super::field::Field;
use super::limbs::{self, Limbs};
use crate::sm2::PublicKey;
use zeroize::Zeroize;

/// x, y. Not infinity.
#[derive(Clone, Copy, Default, Zeroize)]
pub(super) struct Affine {
    pub(super) x: Field,
    pub(super) y: Field,
}

impl Affine {
    pub(super) fn generator() -> Self {
        Self {
            x: Field::from_limbs(GENERATOR_X),
            y: Field::from_limbs(GENERATOR_Y),
        }
    }

    /// A public key has been checked: below p, on the curve.
    pub(super) fn from_key(key: &PublicKey) -> Self {
        let point = key.point();
        let coordinate = |start: usize| Field::from_limbs(limbs::from_bytes(&std::array::from_fn(|at| point[start + at])));
        Self {
            x: coordinate(0),
            y: coordinate(32),
        }
    }

    /// From x || y: both below p and on the curve, which has cofactor 1. Infinity has no such form. For public points.
    pub(super) fn from_bytes(bytes: &[u8; 64]) -> Option<Self> {
        let (x, y) = bytes.split_at(32);
        let x = Field::from_bytes(x.try_into().ok()?)?;
        let y = Field::from_bytes(y.try_into().ok()?)?;
        let right = x.square() * x - x.triple() + Field::from_limbs(B);
        ((y.square() - right).is_zero() != 0).then_some(Self { x, y })
    }

    pub(super) fn to_bytes(self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&self.x.to_bytes());
        bytes[32..].copy_from_slice(&self.y.to_bytes());
        bytes
    }

    /// x and y as they are kept, for copies.
    #[inline]
    pub(super) const fn stored(&self) -> (Limbs, Limbs) {
        (self.x.stored(), self.y.stored())
    }

    #[inline]
    pub(super) const fn from_stored(x: Limbs, y: Limbs) -> Self {
        Self {
            x: Field::from_stored(x),
            y: Field::from_stored(y),
        }
    }

    /// The opposite point where the mask is all ones.
    pub(super) fn negate_if(&mut self, mask: u64) {
        self.y = Field::select(mask, -self.y, self.y);
    }

    /// Doubling by EFD `mdbl-2008-s-1` (4M + 3S): right for every point, as none has order two.
    fn double(&self) -> Extended {
        let u = self.y.double();
        let v = u.square();
        let w = u * v;
        let s = self.x * v;
        let m = (self.x.square() - Field::ONE).triple();
        let x = m.square() - s.double();
        Extended {
            x,
            y: m * (s - x) - w * self.y,
            zz: v,
            zzz: w,
        }
    }
}

/// Extended Jacobian (EFD `xyzz`): x = X/ZZ, y = Y/ZZZ, ZZ^3 = ZZZ^2; infinity has ZZ = ZZZ = 0.
#[derive(Zeroize)]
pub(super) struct Extended {
    pub(super) x: Field,
    y: Field,
    pub(super) zz: Field,
    zzz: Field,
}

impl Extended {
    pub(super) const INFINITY: Self = Self {
        x: Field::ONE,
        y: Field::ONE,
        zz: Field::ZERO,
        zzz: Field::ZERO,
    };

    /// The sum of two points by EFD `mmadd-2008-s` (4M + 2S); wrong if they are equal.
    pub(super) fn of_two(one: &Affine, other: &Affine) -> Self {
        let p = other.x - one.x;
        let r = other.y - one.y;
        let pp = p.square();
        let ppp = p * pp;
        let q = one.x * pp;
        let x = r.square() - ppp - q.double();
        Self {
            x,
            y: r * (q - x) - one.y * ppp,
            zz: pp,
            zzz: ppp,
        }
    }

    /// Adds another point; wrong if either is infinity or if they are equal. Opposite points give infinity.
    #[inline(never)]
    pub(super) fn add(&mut self, other: &Affine) {
        *self = self.sum(other).0;
    }

    /// Adds another point, which may be equal or opposite; wrong if this one is infinity. Whoever asks for x alone is spared
    /// the rest.
    #[inline]
    pub(super) fn add_complete(&mut self, other: &Affine) {
        let (sum, x_difference, y_difference) = self.sum(other);
        let equal = x_difference.is_zero() & y_difference.is_zero();
        *self = Self::select(equal, &other.double(), &sum);
    }

    /// Adds another point, whatever either is. Its time depends on both.
    #[inline(never)]
    pub(super) fn add_public(&mut self, other: &Affine) {
        if self.zz.is_zero() != 0 {
            *self = Self::from(other);
            return;
        }
        let (sum, x_difference, y_difference) = self.sum(other);
        let equal = x_difference.is_zero() & y_difference.is_zero();
        *self = if equal == 0 { sum } else { other.double() };
    }

    /// x || y, given 1 / ZZZ: with ZZ^3 = ZZZ^2, 1 / ZZ is (ZZ / ZZZ)^2.
    pub(super) fn to_affine(&self, inverse: Field) -> Affine {
        Affine {
            x: self.x * (self.zz * inverse).square(),
            y: self.y * inverse,
        }
    }

    pub(super) const fn zzz(&self) -> Field {
        self.zzz
    }

    /// EFD `madd-2008-s` (8M + 2S), with the differences of x and y, scaled, that tell equal points.
    #[expect(
        clippy::inline_always,
        reason = "once in each form of addition; a call costs a tenth of the speed"
    )]
    #[inline(always)]
    fn sum(&self, other: &Affine) -> (Self, Field, Field) {
        let p = other.x * self.zz - self.x;
        let r = other.y * self.zzz - self.y;
        let pp = p.square();
        let ppp = p * pp;
        let q = self.x * pp;
        let x = r.square() - ppp - q.double();
        let sum = Self {
            x,
            y: r * (q - x) - self.y * ppp,
            zz: self.zz * pp,
            zzz: self.zzz * ppp,
        };
        (sum, p, r)
    }

    fn select(mask: u64, yes: &Self, no: &Self) -> Self {
        Self {
            x: Field::select(mask, yes.x, no.x),
            y: Field::select(mask, yes.y, no.y),
            zz: Field::select(mask, yes.zz, no.zz),
            zzz: Field::select(mask, yes.zzz, no.zzz),
        }
    }
}

impl From<&Affine> for Extended {
    fn from(point: &Affine) -> Self {
        Self {
            x: point.x,
            y: point.y,
            zz: Field::ONE,
            zzz: Field::ONE,
        }
    }
}

/// b and G of GB/T 32918.5, lowest limb first.
const B: Limbs = [
    0xddbc_bd41_4d94_0e93,
    0xf397_89f5_15ab_8f92,
    0x4d5a_9e4b_cf65_09a7,
    0x28e9_fa9e_9d9f_5e34,
];
const GENERATOR_X: Limbs = [
    0x715a_4589_334c_74c7,
    0x8fe3_0bbf_f266_0be1,
    0x5f99_0446_6a39_c994,
    0x32c4_ae2c_1f19_8119,
];
const GENERATOR_Y: Limbs = [
    0x02df_32e5_2139_f0a0,
    0xd0a9_877c_c62a_4740,
    0x59bd_cee3_6b69_2153,
    0xbc37_36a2_f4f6_779c,
];

#[cfg(test)]
mod tests;
