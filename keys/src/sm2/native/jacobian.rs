//! Jacobian points: doubling, and the sums of points that are not affine. The rules are those of `point.rs`.

#![expect(clippy::many_single_char_names, reason = "formulas keep the letters of their source")]

use super::field::Field;
use super::point::Affine;
use zeroize::Zeroize;

/// Jacobian: x = X/Z^2, y = Y/Z^3; infinity has Z = 0.
#[derive(Clone, Copy, Default, Zeroize)]
pub(super) struct Jacobian {
    pub(super) x: Field,
    pub(super) y: Field,
    pub(super) z: Field,
}

impl Jacobian {
    /// 2^count times the point, by algorithm 3.23 of the Guide to Elliptic Curve Cryptography (Hankerson, Menezes, Vanstone):
    /// 4M + 4S each, with Z^4 carried along. Right for every point, infinity too.
    #[inline(never)]
    pub(super) fn double_times(&self, count: u32) -> Self {
        let Self { mut x, y, mut z } = *self;
        let mut y = y.double();
        let mut w = z.square().square();
        for _ in 0..count {
            let squared_y = y.square();
            let a = (x.square() - w).triple();
            let b = x * squared_y;
            x = a.square() - b.double();
            z = z * y;
            let fourth = squared_y.square();
            w = w * fourth;
            y = a.double() * (b - x) - fourth;
        }
        Self { x, y: y.halve(), z }
    }

    /// EFD `madd` of `add-1998-cmo-2` with Z2 = 1 (8M + 3S); wrong if either is infinity or if they are equal.
    pub(super) fn add_affine(&self, other: &Affine) -> Self {
        let zz = self.z.square();
        let h = other.x * zz - self.x;
        let r = other.y * (zz * self.z) - self.y;
        let hh = h.square();
        let hhh = h * hh;
        let v = self.x * hh;
        let x = r.square() - hhh - v.double();
        Self {
            x,
            y: r * (v - x) - self.y * hhh,
            z: self.z * h,
        }
    }

    /// EFD `add-1998-cmo-2` with the powers of Z2 at hand (11M + 3S); wrong if either is infinity or if they are equal.
    #[inline(never)]
    pub(super) fn add(&self, other: &Powers) -> Self {
        self.sum(other).0
    }

    /// As `add`, but the points may also be equal.
    pub(super) fn add_complete(&self, other: &Powers) -> Self {
        let (sum, x_difference, y_difference) = self.sum(other);
        let equal = x_difference.is_zero() & y_difference.is_zero();
        let double = self.double_times(1);
        Self {
            x: Field::select(equal, double.x, sum.x),
            y: Field::select(equal, double.y, sum.y),
            z: Field::select(equal, double.z, sum.z),
        }
    }

    /// x, y, given 1/Z.
    pub(super) fn to_affine(self, inverse: Field) -> Affine {
        let squared = inverse.square();
        Affine {
            x: self.x * squared,
            y: self.y * (squared * inverse),
        }
    }

    #[expect(
        clippy::inline_always,
        reason = "once in each form of addition; a call costs a tenth of the speed"
    )]
    #[inline(always)]
    fn sum(&self, other: &Powers) -> (Self, Field, Field) {
        let zz = self.z.square();
        let u = self.x * other.zz;
        let s = self.y * other.zzz;
        let h = other.x * zz - u;
        let r = other.y * (zz * self.z) - s;
        let hh = h.square();
        let hhh = h * hh;
        let v = u * hh;
        let x = r.square() - hhh - v.double();
        let sum = Self {
            x,
            y: r * (v - x) - s * hhh,
            z: self.z * other.z * h,
        };
        (sum, h, r)
    }
}

impl From<&Affine> for Jacobian {
    fn from(point: &Affine) -> Self {
        Self {
            x: point.x,
            y: point.y,
            z: Field::ONE,
        }
    }
}

/// A Jacobian point with Z^2 and Z^3 (Chudnovsky), for points that are added often.
#[derive(Clone, Copy, Default, Zeroize)]
pub(super) struct Powers {
    x: Field,
    y: Field,
    z: Field,
    zz: Field,
    zzz: Field,
}

impl Powers {
    /// Takes in the limbs of another where the mask is all ones: how a table is searched.
    pub(super) fn merge(&mut self, mask: u64, other: &Self) {
        self.x.merge(mask, &other.x);
        self.y.merge(mask, &other.y);
        self.z.merge(mask, &other.z);
        self.zz.merge(mask, &other.zz);
        self.zzz.merge(mask, &other.zzz);
    }

    /// The opposite point where the mask is all ones.
    pub(super) fn negate_if(&mut self, mask: u64) {
        self.y = Field::select(mask, -self.y, self.y);
    }

    pub(super) const fn to_jacobian(self) -> Jacobian {
        Jacobian {
            x: self.x,
            y: self.y,
            z: self.z,
        }
    }
}

impl From<Jacobian> for Powers {
    fn from(point: Jacobian) -> Self {
        let zz = point.z.square();
        Self {
            x: point.x,
            y: point.y,
            z: point.z,
            zz,
            zzz: zz * point.z,
        }
    }
}
