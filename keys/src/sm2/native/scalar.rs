//! Numbers modulo the group's order n (GB/T 32918.5), in plain form, below n.
//!
//! Multiplication is Montgomery's (CIOS; Koc, Acar, Kaliski 1996), twice: the second brings the product back to plain form.
//! A signature needs one, so that it is written plainly. No branch and no address depends on a value.

use super::limbs::{self, Limbs, mask, opaque};
use crate::sm2::curve::Scalar as Operations;
use crate::sm2::reveal::reveal;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Wiped when dropped; no `Debug`, no `Clone`.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Scalar(Limbs);

impl Scalar {
    pub(super) const fn limbs(&self) -> &Limbs {
        &self.0
    }

    /// The odd one of k and n - k, and all ones if that is n - k. For k in [1, n-1].
    pub(super) fn odd(&self) -> (Self, u64) {
        let even = (self.0[0] & 1).wrapping_sub(1);
        let (negated, _) = limbs::sub(N, self.0);
        (Self(limbs::select(even, negated, self.0)), even)
    }

    /// a b / 2^256.
    fn montgomery(&self, other: &Limbs) -> Self {
        let mut t = [0u64; 5];
        for a in &self.0 {
            t = clear_limb(multiply_add(t, *a, other));
        }
        let [l0, l1, l2, l3, carry] = t;
        Self(below_n([l0, l1, l2, l3], carry != 0))
    }
}

impl Operations for Scalar {
    fn in_range(bytes: &[u8; 32]) -> Option<Self> {
        let scalar = Self(limbs::from_bytes(bytes));
        let (_, below) = limbs::sub(scalar.0, N);
        let fits = Choice::from(u8::from(below)) & !scalar.is_zero();
        if reveal(fits) { Some(scalar) } else { None }
    }

    fn reduced(bytes: &[u8; 32]) -> Self {
        Self(below_n(limbs::from_bytes(bytes), false))
    }

    fn to_bytes(&self) -> [u8; 32] {
        limbs::to_bytes(self.0)
    }

    fn is_zero(&self) -> Choice {
        limbs::is_zero(self.0).ct_eq(&u64::MAX)
    }

    fn add(&self, other: &Self) -> Self {
        let (sum, carry) = limbs::add(self.0, other.0);
        Self(below_n(sum, carry))
    }

    fn sub(&self, other: &Self) -> Self {
        let (difference, borrow) = limbs::sub(self.0, other.0);
        let keep = opaque(mask(borrow));
        Self(limbs::add(difference, N.map(|limb| limb & keep)).0)
    }

    fn mul(&self, other: &Self) -> Self {
        self.montgomery(&other.0).montgomery(&SQUARED_R)
    }

    /// a^(n-2) (Fermat), bit by bit: the exponent is public, and a key is prepared once.
    fn invert(&self) -> Self {
        let factor = self.montgomery(&SQUARED_R);
        let mut power = Self([1, 0, 0, 0]).montgomery(&SQUARED_R);
        for bit in (0..256).rev() {
            power = power.montgomery(&power.0);
            if N_MINUS_2[bit / 64] >> (bit % 64) & 1 == 1 {
                power = power.montgomery(&factor.0);
            }
        }
        power.montgomery(&[1, 0, 0, 0])
    }
}

/// A number below 2n, brought below n.
fn below_n(value: Limbs, carry: bool) -> Limbs {
    let (reduced, borrow) = limbs::sub(value, N);
    limbs::select(mask(borrow) & !mask(carry), value, reduced)
}

/// t + a b, of six limbs: t is below 2n.
fn multiply_add(t: [u64; 5], a: u64, b: &Limbs) -> [u64; 6] {
    let (r0, carry) = a.carrying_mul_add(b[0], t[0], 0);
    let (r1, carry) = a.carrying_mul_add(b[1], t[1], carry);
    let (r2, carry) = a.carrying_mul_add(b[2], t[2], carry);
    let (r3, carry) = a.carrying_mul_add(b[3], t[3], carry);
    let (r4, carry) = t[4].carrying_add(carry, false);
    [r0, r1, r2, r3, r4, u64::from(carry)]
}

/// (t + m n) / 2^64 with the m that clears the lowest limb.
fn clear_limb(t: [u64; 6]) -> [u64; 5] {
    let m = t[0].wrapping_mul(MINUS_INVERSE);
    let (_, carry) = m.carrying_mul_add(N[0], t[0], 0);
    let (r0, carry) = m.carrying_mul_add(N[1], t[1], carry);
    let (r1, carry) = m.carrying_mul_add(N[2], t[2], carry);
    let (r2, carry) = m.carrying_mul_add(N[3], t[3], carry);
    let (r3, carry) = t[4].carrying_add(carry, false);
    [r0, r1, r2, r3, t[5].wrapping_add(u64::from(carry))]
}

/// n.
pub(super) const N: Limbs = [
    0x53bb_f409_39d5_4123,
    0x7203_df6b_21c6_052b,
    0xffff_ffff_ffff_ffff,
    0xffff_fffe_ffff_ffff,
];

const N_MINUS_2: Limbs = [N[0] - 2, N[1], N[2], N[3]];

/// -n^-1 mod 2^64.
const MINUS_INVERSE: u64 = 0x327f_9e88_7235_0975;

/// 2^512 mod n.
const SQUARED_R: Limbs = [
    0x9011_92af_7c11_4f20,
    0x3464_504a_de6f_a2fa,
    0x620f_c84c_3aff_e0d4,
    0x1eb5_e412_a22b_3d3b,
];

#[cfg(test)]
mod tests;
