//! Inversion modulo p by division steps: Bernstein and Yang, "Fast constant-time gcd computation and modular inversion",
//! 2019, with the half-delta steps and the bookkeeping in blocks of 62 bits that Pieter Wuille describes for libsecp256k1
//! (`safegcd_implementation.md`). 590 steps are enough for every input below 2^256, and each has the same instructions.
//!
//! f, g and d, e are signed numbers of five limbs of 62 bits, the top one signed; in between, d x = f and e x = g modulo p up to
//! a power of two that each block divides out. At the end g = 0, f = 1 or -1, and d or -d is the inverse.

use super::field::P;
use super::limbs::Limbs;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// 1 / x modulo p, below p, for x below p; zero for zero.
pub(super) fn invert(x: Limbs) -> Limbs {
    let mut state = Zeroizing::new(State {
        zeta: -1,
        f: split(P),
        g: split(x),
        d: [0; 5],
        e: [1, 0, 0, 0, 0],
    });
    for _ in 0..BLOCKS {
        state.block();
    }
    join(normalize(state.d, state.f[4]))
}

type Signed = [i64; 5];

#[derive(Zeroize)]
struct State {
    /// -(delta + 1/2).
    zeta: i64,
    f: Signed,
    g: Signed,
    d: Signed,
    e: Signed,
}

impl State {
    /// 59 steps. The lowest limbs of f and g say what they are; the rest follows by a matrix.
    fn block(&mut self) {
        let (zeta, matrix) = steps(self.zeta, self.f[0], self.g[0]);
        self.zeta = zeta;
        (self.d, self.e) = matrix.apply_modulo_p(self.d, self.e);
        (self.f, self.g) = matrix.apply(self.f, self.g);
    }
}

/// What a block does to (f, g), times 2^62: (u f + v g, q f + r g).
#[derive(Zeroize, ZeroizeOnDrop)]
struct Matrix {
    u: i64,
    v: i64,
    q: i64,
    r: i64,
}

/// A step: if delta > 0 and g is odd, (delta, f, g) becomes (1 - delta, g, (g - f) / 2); otherwise (1 + delta, f, (g + (g mod
/// 2) f) / 2).
///
/// The matrix starts at 8, so that 59 steps scale it by 2^62.
fn steps(zeta: i64, f: i64, g: i64) -> (i64, Matrix) {
    let (mut zeta, mut f, mut g) = (zeta, f, g);
    let mut matrix = Matrix { u: 8, v: 0, q: 0, r: 8 };
    for _ in 0..STEPS {
        let positive = zeta >> 63;
        let odd = (g & 1).wrapping_neg();
        g = g.wrapping_add(negate(f, positive) & odd);
        matrix.q = matrix.q.wrapping_add(negate(matrix.u, positive) & odd);
        matrix.r = matrix.r.wrapping_add(negate(matrix.v, positive) & odd);
        let swap = positive & odd;
        zeta = (zeta ^ swap).wrapping_sub(1);
        f = f.wrapping_add(g & swap);
        matrix.u = matrix.u.wrapping_add(matrix.q & swap) << 1;
        matrix.v = matrix.v.wrapping_add(matrix.r & swap) << 1;
        g >>= 1;
    }
    (zeta, matrix)
}

/// -x where the mask is all ones.
const fn negate(x: i64, mask: i64) -> i64 {
    (x ^ mask).wrapping_sub(mask)
}

impl Matrix {
    /// (u f + v g, q f + r g) / 2^62, which is exact.
    fn apply(&self, f: Signed, g: Signed) -> (Signed, Signed) {
        (
            divided(|at| dot(self.u, f[at], self.v, g[at])),
            divided(|at| dot(self.q, f[at], self.r, g[at])),
        )
    }

    /// The same modulo p, for d and e between -2p and p: that multiple of p is added which makes the division exact.
    fn apply_modulo_p(&self, d: Signed, e: Signed) -> (Signed, Signed) {
        (row_modulo_p(self.u, d, self.v, e), row_modulo_p(self.q, d, self.r, e))
    }
}

fn row_modulo_p(u: i64, d: Signed, v: i64, e: Signed) -> Signed {
    // Adding p once to each negative one of d and e keeps the sum in range.
    let sign = (u & (d[4] >> 63)).wrapping_add(v & (e[4] >> 63));
    let low = low_limb(dot(u, d[0], v, e[0]));
    // p^-1 = -1 modulo 2^62, so that low - m p with m = -low is a multiple of it.
    let multiple = sign.wrapping_sub(sign.wrapping_sub(low) & LOW_62);
    divided(|at| dot(u, d[at], v, e[at]).wrapping_add(product(P_SIGNED[at], multiple)))
}

/// The limbs of sum over i of terms(i) 2^(62 i), divided by 2^62.
fn divided(terms: impl Fn(usize) -> i128) -> Signed {
    let mut carry = terms(0) >> 62;
    let mut limbs = [0; 5];
    for at in 1..5 {
        carry = carry.wrapping_add(terms(at));
        limbs[at - 1] = low_limb(carry);
        carry >>= 62;
    }
    limbs[4] = truncated(carry);
    limbs
}

fn dot(a: i64, x: i64, b: i64, y: i64) -> i128 {
    product(a, x).wrapping_add(product(b, y))
}

fn product(a: i64, b: i64) -> i128 {
    i128::from(a).wrapping_mul(i128::from(b))
}

fn low_limb(value: i128) -> i64 {
    truncated(value) & LOW_62
}

#[expect(clippy::cast_possible_truncation, reason = "the lower 64 bits are meant")]
const fn truncated(value: i128) -> i64 {
    value as i64
}

/// d or, where the sign is negative, -d, from between -2p and p to below p.
fn normalize(d: Signed, sign: i64) -> Signed {
    let once = add_masked(d, d[4] >> 63);
    let signed = carried(once.map(|limb| negate(limb, sign >> 63)));
    carried(add_masked(signed, signed[4] >> 63))
}

fn add_masked(d: Signed, mask: i64) -> Signed {
    std::array::from_fn(|at| d[at].wrapping_add(P_SIGNED[at] & mask))
}

fn carried(limbs: Signed) -> Signed {
    let mut carry = 0i64;
    let mut carried = limbs;
    for (at, limb) in carried.iter_mut().enumerate() {
        let sum = limb.wrapping_add(carry);
        carry = sum >> 62;
        *limb = if at < 4 { sum & LOW_62 } else { sum };
    }
    carried
}

fn split(x: Limbs) -> Signed {
    [
        x[0],
        x[0] >> 62 | x[1] << 2,
        x[1] >> 60 | x[2] << 4,
        x[2] >> 58 | x[3] << 6,
        x[3] >> 56,
    ]
    .map(|limb| limb.cast_signed() & LOW_62)
}

fn join(limbs: Signed) -> Limbs {
    let limbs = limbs.map(i64::cast_unsigned);
    [
        limbs[0] | limbs[1] << 62,
        limbs[1] >> 2 | limbs[2] << 60,
        limbs[2] >> 4 | limbs[3] << 58,
        limbs[3] >> 6 | limbs[4] << 56,
    ]
}

const LOW_62: i64 = i64::MAX >> 1;

/// p in limbs of 62 bits.
const P_SIGNED: Signed = [
    0x3fff_ffff_ffff_ffff,
    0x3fff_fffc_0000_0003,
    0x3fff_ffff_ffff_ffff,
    0x3fff_ffbf_ffff_ffff,
    0xff,
];

const BLOCKS: usize = 10;
const STEPS: usize = 59;

#[cfg(test)]
mod tests;
