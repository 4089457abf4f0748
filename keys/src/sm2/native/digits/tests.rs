#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use super::*;
use crate::sm2::curve::Scalar as _;
use crate::sm2::testing::{awkward_scalars, number, random};
use crate::testing::SeededRng;
use ::sm2::Scalar as Number;

/// The digits add up to k modulo n, each odd and within its window.
fn check<const W: usize>(k: &[u8; 32]) {
    let digits = Digits::<W>::new(&Scalar::in_range(k).unwrap());
    let mut sum = Number::ZERO;
    for window in (0..Digits::<W>::WINDOWS).rev() {
        for _ in 0..W {
            sum = sum.double();
        }
        let digit = digits.at(window);
        assert!(digit.index < 1 << (W - 1));
        let size = Number::from(2 * digit.index + 1);
        sum += match digit.negative {
            0 => size,
            u64::MAX => -size,
            mask => unreachable!("{mask}"),
        };
    }
    assert_eq!(sum, number(k), "{W} bits, {k:x?}");
}

#[test]
fn digits_add_up() {
    let mut rng = SeededRng::new(35);
    let random = (0..500).map(|_| random(&mut rng)).filter(|k| Scalar::in_range(k).is_some());
    for k in awkward_scalars().into_iter().chain(random) {
        check::<4>(&k);
        check::<5>(&k);
        check::<6>(&k);
        check::<7>(&k);
        check::<8>(&k);
    }
}
