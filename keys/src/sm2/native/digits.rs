//! A scalar as odd digits: one addition a window, none of them of infinity.
//!
//! For an odd k below 2^256 and L = W * windows > 255, every bit of h = (k + 2^L - 1) / 2 counts +1 or -1 in
//! k = sum over j of (2 h[j] - 1) 2^j (Joye and Tunstall, "Exponent Recoding and Regular Exponentiation Algorithms", 2009; Hamburg,
//! "Fast and compact elliptic-curve cryptography", 2012, 3.3). W such bits make a digit that is odd and between
//! -(2^W - 1) and 2^W - 1. As k is odd, h is k shifted right by one, with bit L - 1 set. An even k is replaced by n - k and
//! the digits change sign. No branch and no address depends on k.

use super::limbs::Limbs;
use super::scalar::Scalar;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// One digit: +-(2 index + 1).
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Digit {
    /// 0 to 2^(W-1) - 1.
    pub(super) index: u64,
    /// All ones if negative.
    pub(super) negative: u64,
}

/// The digits of a scalar in [1, n-1], the lowest first.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Digits<const W: usize> {
    /// h, without the bit at its top.
    bits: [u64; 5],
    /// All ones if the digits are those of n - k.
    negated: u64,
}

impl<const W: usize> Digits<W> {
    pub(super) const WINDOWS: usize = 256usize.div_ceil(W);

    pub(super) fn new(k: &Scalar) -> Self {
        let (odd, negated) = k.odd();
        Self {
            bits: halved(odd.limbs()),
            negated,
        }
    }

    #[inline]
    pub(super) fn at(&self, window: usize) -> Digit {
        let (limb, shift) = (window * W / 64, window * W % 64);
        let low = self.bits[limb] >> shift;
        // In two shifts, so that a shift of 0 takes nothing of the next limb.
        let next = self.bits[limb + 1] << 1 << (63 - shift);
        let top = u64::from(window + 1 == Self::WINDOWS) << (W - 1);
        let bits = (low | next) & ((1 << W) - 1) | top;
        // Upper half: 2 bits - (2^W - 1) is positive. Lower half: negative, and its size is that of the bits inverted.
        let negative = (bits >> (W - 1)).wrapping_sub(1);
        Digit {
            index: (bits ^ negative) & ((1 << (W - 1)) - 1),
            negative: negative ^ self.negated,
        }
    }
}

fn halved(k: &Limbs) -> [u64; 5] {
    [
        k[0] >> 1 | k[1] << 63,
        k[1] >> 1 | k[2] << 63,
        k[2] >> 1 | k[3] << 63,
        k[3] >> 1,
        0,
    ]
}

#[cfg(test)]
mod tests;
