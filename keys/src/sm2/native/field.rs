//! The field modulo p = 2^256 - 2^224 - 2^96 + 2^64 - 1 (GB/T 32918.5), in Montgomery form with R = 2^256.
//!
//! Multiplication is Montgomery's, the whole product first and then the reduction (SOS; Koc, Acar, Kaliski, "Analyzing and
//! Comparing Montgomery Multiplication Algorithms", 1996). As -p^-1 = 1 modulo 2^64, the multiple of p that clears a limb is the
//! limb itself, and as p is a sum of powers of two, adding it takes shifts, additions and subtractions.
//!
//! Any four limbs stand for their value modulo p, below p or not: every function takes and gives any number below 2^256. What
//! runs over 2^256 is brought back by 2^256 = 2^224 + 2^96 - 2^64 + 1 (mod p). Only `canonical` and what uses it is below p.
//! No branch and no address depends on a value.

#![expect(
    clippy::inline_always,
    reason = "point formulas are one block of code; calls cost a fifth of the speed"
)]

use super::inverse;
use super::limbs::{self, Limbs, mask, opaque, wide};
use std::ops::{Add, Mul, Neg, Sub};
use zeroize::DefaultIsZeroes;

/// Copied freely inside formulas; whoever keeps one that is secret wipes it.
#[derive(Clone, Copy, Default)]
pub(super) struct Field(Limbs);

impl DefaultIsZeroes for Field {}

impl Field {
    pub(super) const ZERO: Self = Self(limbs::ZERO);

    /// R mod p.
    pub(super) const ONE: Self = Self(FOLD);

    /// The limbs as they are kept, for copies.
    #[inline]
    pub(super) const fn stored(self) -> Limbs {
        self.0
    }

    #[inline]
    pub(super) const fn from_stored(limbs: Limbs) -> Self {
        Self(limbs)
    }

    /// A constant from its limbs, as the standard gives it.
    pub(super) fn from_limbs(value: Limbs) -> Self {
        Self(value) * Self(SQUARED_R)
    }

    /// `None` for p and above: for public values.
    pub(super) fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let value = limbs::from_bytes(bytes);
        limbs::sub(value, P).1.then(|| Self::from_limbs(value))
    }

    pub(super) fn to_bytes(self) -> [u8; 32] {
        limbs::to_bytes(self.to_limbs())
    }

    /// The value below p, out of Montgomery form.
    pub(super) fn to_limbs(self) -> Limbs {
        let [l0, l1, l2, l3] = self.0;
        Self(reduce([l0, l1, l2, l3, 0, 0, 0, 0])).canonical()
    }

    /// All ones if the value is zero.
    #[inline(always)]
    pub(super) fn is_zero(self) -> u64 {
        limbs::is_zero(self.canonical())
    }

    /// `yes` where the mask is all ones, `no` where it is zero.
    #[inline(always)]
    pub(super) fn select(mask: u64, yes: Self, no: Self) -> Self {
        Self(limbs::select(mask, yes.0, no.0))
    }

    /// Adds the limbs of another where the mask is all ones: how a row of a table is searched.
    #[inline(always)]
    pub(super) fn merge(&mut self, mask: u64, other: &Self) {
        for (limb, other) in self.0.iter_mut().zip(&other.0) {
            *limb |= mask & other;
        }
    }

    #[inline(always)]
    pub(super) fn double(self) -> Self {
        self + self
    }

    #[inline(always)]
    pub(super) fn triple(self) -> Self {
        self + self + self
    }

    /// Half: an odd value is first made even by p, which is odd.
    #[inline(always)]
    pub(super) fn halve(self) -> Self {
        let odd = opaque((self.0[0] & 1).wrapping_neg());
        let ([l0, l1, l2, l3], carry) = limbs::add(self.0, [P[0] & odd, P[1] & odd, P[2] & odd, P[3] & odd]);
        Self([
            l0 >> 1 | l1 << 63,
            l1 >> 1 | l2 << 63,
            l2 >> 1 | l3 << 63,
            l3 >> 1 | u64::from(carry) << 63,
        ])
    }

    #[inline(always)]
    pub(super) fn square(self) -> Self {
        Self(reduce(square_wide(self.0)))
    }

    /// Zero for zero.
    #[inline(never)]
    pub(super) fn invert(self) -> Self {
        Self(inverse::invert(self.canonical())) * Self(CUBED_R)
    }

    /// The representative below p; any number below 2^256 is below 2p.
    #[inline(always)]
    fn canonical(self) -> Limbs {
        let (reduced, below) = limbs::sub(self.0, P);
        limbs::select(mask(below), self.0, reduced)
    }
}

impl Mul for Field {
    type Output = Self;

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(reduce(multiply_wide(self.0, other.0)))
    }
}

impl Add for Field {
    type Output = Self;

    /// The first fold may carry once more, and then leaves less than 2^225: the second does not.
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        let (sum, carry) = limbs::add(self.0, other.0);
        let (sum, carry) = fold(sum, carry);
        Self(fold(sum, carry).0)
    }
}

impl Sub for Field {
    type Output = Self;

    /// The first return of a borrow may borrow once more, and then leaves more than 2^256 - 2^225: the second does not.
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        let (difference, borrow) = limbs::sub(self.0, other.0);
        let (difference, borrow) = unfold(difference, borrow);
        Self(unfold(difference, borrow).0)
    }
}

impl Neg for Field {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        Self::ZERO - self
    }
}

/// Adds 2^256 modulo p where the carry is set.
#[inline(always)]
fn fold(value: Limbs, carry: bool) -> (Limbs, bool) {
    let bit = u64::from(carry);
    limbs::add(value, [bit, mask(carry) >> 32, 0, bit << 32])
}

/// Subtracts 2^256 modulo p where the borrow is set.
#[inline(always)]
fn unfold(value: Limbs, borrow: bool) -> (Limbs, bool) {
    let bit = u64::from(borrow);
    limbs::sub(value, [bit, mask(borrow) >> 32, 0, bit << 32])
}

#[inline(always)]
fn multiply_wide(a: Limbs, b: Limbs) -> [u64; 8] {
    let [r0, t0, t1, t2, t3] = multiply_row(a[0], b);
    let [r1, t0, t1, t2, t3] = add_row([t0, t1, t2, t3], multiply_row(a[1], b));
    let [r2, t0, t1, t2, t3] = add_row([t0, t1, t2, t3], multiply_row(a[2], b));
    let [r3, r4, r5, r6, r7] = add_row([t0, t1, t2, t3], multiply_row(a[3], b));
    [r0, r1, r2, r3, r4, r5, r6, r7]
}

#[inline(always)]
fn multiply_row(a: u64, b: Limbs) -> [u64; 5] {
    let ((l0, h0), (l1, h1)) = (wide(a, b[0]), wide(a, b[1]));
    let ((l2, h2), (l3, h3)) = (wide(a, b[2]), wide(a, b[3]));
    let (r1, carry) = l1.carrying_add(h0, false);
    let (r2, carry) = l2.carrying_add(h1, carry);
    let (r3, carry) = l3.carrying_add(h2, carry);
    [l0, r1, r2, r3, h3.wrapping_add(u64::from(carry))]
}

/// (2^256 - 1) + (2^64 - 1)(2^256 - 1) is below 2^320: the fifth limb does not carry.
#[inline(always)]
fn add_row(t: Limbs, row: [u64; 5]) -> [u64; 5] {
    let ([r0, r1, r2, r3], carry) = limbs::add(t, [row[0], row[1], row[2], row[3]]);
    [r0, r1, r2, r3, row[4].wrapping_add(u64::from(carry))]
}

/// t / 2^256 modulo p, below 2^256. Clearing the four lower limbs adds m p with m < 2^256 and leaves m p / 2^256 rounded up, at
/// most p, so that the sum with the upper half is below 2^256 + p, and one fold ends below 2^256.
#[inline(always)]
fn reduce(t: [u64; 8]) -> Limbs {
    let low = [t[0], t[1], t[2], t[3]];
    let cleared = clear_limb(clear_limb(clear_limb(clear_limb(low))));
    let (sum, carry) = limbs::add([t[4], t[5], t[6], t[7]], cleared);
    fold(sum, carry).0
}

/// (t + m p) / 2^64 with m = t0. Seen from limb 1, t0 + m p is m (1 + 2^192) - m (2^32 + 2^160). With t < 2^256 it is below
/// 2^256.
#[inline(always)]
fn clear_limb(t: Limbs) -> Limbs {
    let m = t[0];
    let (low, high) = (m << 32, m >> 32);
    let (r0, carry) = t[1].carrying_add(m, false);
    let (r1, carry) = t[2].carrying_add(0, carry);
    let (r2, carry) = t[3].carrying_add(0, carry);
    let r3 = m.wrapping_add(u64::from(carry));
    let (r0, borrow) = r0.borrowing_sub(low, false);
    let (r1, borrow) = r1.borrowing_sub(high, borrow);
    let (r2, borrow) = r2.borrowing_sub(low, borrow);
    let (r3, _) = r3.borrowing_sub(high, borrow);
    [r0, r1, r2, r3]
}

/// Six products of different limbs, doubled, and four squares.
#[inline(always)]
fn square_wide(a: Limbs) -> [u64; 8] {
    let [_, t1, t2, t3, t4, t5, t6] = cross_products(a);
    let (d7, d6) = (t6 >> 63, t6 << 1 | t5 >> 63);
    let (d5, d4) = (t5 << 1 | t4 >> 63, t4 << 1 | t3 >> 63);
    let (d3, d2, d1) = (t3 << 1 | t2 >> 63, t2 << 1 | t1 >> 63, t1 << 1);
    let ((l0, h0), (l1, h1)) = (wide(a[0], a[0]), wide(a[1], a[1]));
    let ((l2, h2), (l3, h3)) = (wide(a[2], a[2]), wide(a[3], a[3]));
    let (r1, carry) = d1.carrying_add(h0, false);
    let (r2, carry) = d2.carrying_add(l1, carry);
    let (r3, carry) = d3.carrying_add(h1, carry);
    let (r4, carry) = d4.carrying_add(l2, carry);
    let (r5, carry) = d5.carrying_add(h2, carry);
    let (r6, carry) = d6.carrying_add(l3, carry);
    let (r7, _) = d7.carrying_add(h3, carry);
    [l0, r1, r2, r3, r4, r5, r6, r7]
}

#[inline(always)]
fn cross_products(a: Limbs) -> [u64; 7] {
    let ((l01, h01), (l02, h02)) = (wide(a[0], a[1]), wide(a[0], a[2]));
    let ((l03, h03), (l12, h12)) = (wide(a[0], a[3]), wide(a[1], a[2]));
    let ((l13, h13), (l23, h23)) = (wide(a[1], a[3]), wide(a[2], a[3]));
    let (t2, carry) = l02.carrying_add(h01, false);
    let (t3, carry) = l03.carrying_add(h02, carry);
    let (t4, carry) = l13.carrying_add(h03, carry);
    let (t5, carry) = l23.carrying_add(h13, carry);
    let t6 = h23.wrapping_add(u64::from(carry));
    let (t3, carry) = t3.carrying_add(l12, false);
    let (t4, carry) = t4.carrying_add(h12, carry);
    let (t5, carry) = t5.carrying_add(0, carry);
    [0, l01, t2, t3, t4, t5, t6.wrapping_add(u64::from(carry))]
}

/// p.
pub(super) const P: Limbs = [
    0xffff_ffff_ffff_ffff,
    0xffff_ffff_0000_0000,
    0xffff_ffff_ffff_ffff,
    0xffff_fffe_ffff_ffff,
];

/// 2^256 mod p.
const FOLD: Limbs = [1, 0xffff_ffff, 0, 0x1_0000_0000];

/// 2^768 mod p: brings the inverse of a 2^256 to a^-1 2^256.
const CUBED_R: Limbs = [0x12_0000_0016, 0xe_ffff_fff8, 0xa_0000_000c, 0x1b_0000_0009];

/// 2^512 mod p.
const SQUARED_R: Limbs = [0x2_0000_0003, 0x2_ffff_ffff, 0x1_0000_0001, 0x4_0000_0002];

#[cfg(test)]
mod tests;
