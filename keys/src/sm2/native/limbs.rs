//! Numbers of 256 bits as four limbs of 64, least significant first: what the field and the scalars share.
//!
//! Nothing here branches on a value or takes it as an address.

#![expect(
    clippy::inline_always,
    reason = "a carry is lost across a call; measured at a third of the speed"
)]

use std::hint::black_box;

pub(super) type Limbs = [u64; 4];

pub(super) const ZERO: Limbs = [0; 4];

/// a + b and the carry.
#[inline(always)]
pub(super) fn add(a: Limbs, b: Limbs) -> (Limbs, bool) {
    let (l0, carry) = a[0].carrying_add(b[0], false);
    let (l1, carry) = a[1].carrying_add(b[1], carry);
    let (l2, carry) = a[2].carrying_add(b[2], carry);
    let (l3, carry) = a[3].carrying_add(b[3], carry);
    ([l0, l1, l2, l3], carry)
}

/// a - b and the borrow.
#[inline(always)]
pub(super) fn sub(a: Limbs, b: Limbs) -> (Limbs, bool) {
    let (l0, borrow) = a[0].borrowing_sub(b[0], false);
    let (l1, borrow) = a[1].borrowing_sub(b[1], borrow);
    let (l2, borrow) = a[2].borrowing_sub(b[2], borrow);
    let (l3, borrow) = a[3].borrowing_sub(b[3], borrow);
    ([l0, l1, l2, l3], borrow)
}

/// a * b: low and high half.
#[inline(always)]
pub(super) fn wide(a: u64, b: u64) -> (u64, u64) {
    a.carrying_mul(b, 0)
}

/// All ones for true.
#[inline(always)]
pub(super) const fn mask(bit: bool) -> u64 {
    (bit as u64).wrapping_neg()
}

/// `yes` where the mask is all ones, `no` where it is zero.
#[inline(always)]
pub(super) fn select(mask: u64, yes: Limbs, no: Limbs) -> Limbs {
    let mask = opaque(mask);
    [
        no[0] ^ (mask & (no[0] ^ yes[0])),
        no[1] ^ (mask & (no[1] ^ yes[1])),
        no[2] ^ (mask & (no[2] ^ yes[2])),
        no[3] ^ (mask & (no[3] ^ yes[3])),
    ]
}

/// All ones if a = b.
#[inline(always)]
pub(super) const fn equal(a: u64, b: u64) -> u64 {
    let differing = a ^ b;
    ((differing | differing.wrapping_neg()) >> 63).wrapping_sub(1)
}

/// All ones if every limb is zero.
#[inline(always)]
pub(super) const fn is_zero(a: Limbs) -> u64 {
    equal(a[0] | a[1] | a[2] | a[3], 0)
}

/// The same number, of which the compiler knows nothing: seeing that a mask comes from a comparison, it makes branches of
/// choices by that mask.
#[inline(always)]
pub(super) fn opaque(value: u64) -> u64 {
    black_box(value)
}

pub(super) fn from_bytes(bytes: &[u8; 32]) -> Limbs {
    let mut limbs = ZERO;
    for (limb, chunk) in limbs.iter_mut().rev().zip(bytes.chunks_exact(8)) {
        *limb = chunk.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
    }
    limbs
}

pub(super) fn to_bytes(limbs: Limbs) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (chunk, limb) in bytes.chunks_exact_mut(8).zip(limbs.iter().rev()) {
        chunk.copy_from_slice(&limb.to_be_bytes());
    }
    bytes
}
