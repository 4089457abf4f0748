//! What tests of the engines share: both engines in one go, awkward numbers, and an arithmetic that is not under test.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use super::key;
use super::nonce::Draw;
use crate::testing::{N, P, SeededRng, hex};
use ::sm2::elliptic_curve::ops::Reduce;
use ::sm2::elliptic_curve::{Group, PrimeField};
use ::sm2::{FieldBytes, ProjectivePoint, Scalar as Number};
use rand_core::Rng;
use zeroize::Zeroizing;

/// Makes a test of each function, which takes a `Curve`, for either engine.
macro_rules! on_both_engines {
    ($($name:ident),+ $(,)?) => {
        mod native {
            $(#[test] fn $name() { super::$name::<crate::sm2::native::Native>(); })+
        }
        mod reference {
            $(#[test] fn $name() { super::$name::<crate::sm2::reference::Reference>(); })+
        }
    };
}
pub(crate) use on_both_engines;

/// Gives the listed k in order, then fails like a broken source.
pub(crate) struct Listed(pub(crate) Vec<[u8; 32]>);

impl Draw for Listed {
    fn draw(&mut self) -> Option<Zeroizing<[u8; 32]>> {
        if self.0.is_empty() {
            None
        } else {
            Some(Zeroizing::new(self.0.remove(0)))
        }
    }
}

/// How many random cases: a few thousand in the gate, or as many as `HANGU_SM2_CASES` says.
#[expect(clippy::disallowed_methods, reason = "a longer run by command")]
pub(crate) fn cases(usual: u64) -> u64 {
    std::env::var("HANGU_SM2_CASES").map_or(usual, |text| text.parse().unwrap())
}

/// A number modulo n in `RustCrypto`'s arithmetic.
pub(crate) fn number(bytes: &[u8; 32]) -> Number {
    Reduce::reduce(&FieldBytes::from(*bytes))
}

pub(crate) fn bytes(number: Number) -> [u8; 32] {
    number.to_repr().into()
}

/// [k]G, x || y; `None` for infinity.
pub(crate) fn base(k: &Number) -> Option<[u8; 64]> {
    coordinates(&ProjectivePoint::mul_by_generator(k))
}

pub(crate) fn coordinates(point: &ProjectivePoint) -> Option<[u8; 64]> {
    let is_infinity = bool::from(point.is_identity());
    (!is_infinity).then(|| key::coordinates(&point.to_affine()))
}

/// Numbers of 256 bits at which carries, limits and digits turn, at 0, n, p, 2^256 and their halves and between.
pub(crate) fn awkward() -> Vec<[u8; 32]> {
    let (n, p) = (hex::<32>(N), hex::<32>(P));
    let mut all = Vec::new();
    for middle in [
        [0; 32],
        n,
        p,
        shifted(n),
        shifted(p),
        power(255),
        power(128),
        power(64),
        power(224),
    ] {
        for offset in -8..=8 {
            all.push(moved(middle, offset));
        }
    }
    for bit in (0..256).step_by(7) {
        all.extend([power(bit), moved(power(bit), -1), moved(power(bit), 1)]);
    }
    for byte in [0x0f, 0x33, 0x55, 0x80, 0xaa, 0xf0, 0xfe] {
        all.push([byte; 32]);
    }
    // Whole limbs and half limbs of ones and zeroes.
    for pattern in 0..=255u32 {
        all.push(std::array::from_fn(|at| if pattern >> (at / 4) & 1 == 1 { 0xff } else { 0 }));
    }
    all
}

/// Those of the awkward numbers that are scalars in [1, n-1], and those at which the last addition of a multiplication doubles.
pub(crate) fn awkward_scalars() -> Vec<[u8; 32]> {
    let n = hex::<32>(N);
    let mut all: Vec<_> = awkward().into_iter().filter(|k| *k != [0; 32] && *k < n).collect();
    for top in 1..=255u8 {
        // k = 2 E - n with E at the top of a table, and its opposite.
        let mut e = [0; 32];
        e[0] = top;
        let k = number(&e).double();
        all.extend([bytes(k), bytes(-k)]);
    }
    all
}

pub(crate) fn random(rng: &mut SeededRng) -> [u8; 32] {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    bytes
}

fn power(bit: usize) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[31 - bit / 8] = 1 << (bit % 8);
    bytes
}

fn shifted(bytes: [u8; 32]) -> [u8; 32] {
    std::array::from_fn(|at| bytes[at] >> 1 | if at == 0 { 0 } else { bytes[at - 1] << 7 })
}

/// Modulo 2^256.
fn moved(mut bytes: [u8; 32], offset: i16) -> [u8; 32] {
    let mut carry = offset;
    for byte in bytes.iter_mut().rev() {
        carry += i16::from(*byte);
        *byte = u8::try_from(carry.rem_euclid(256)).unwrap();
        carry = carry.div_euclid(256);
    }
    bytes
}
