#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use super::*;
use crate::sm2::native::limbs;
use crate::sm2::testing::{awkward, cases, random};
use crate::testing::SeededRng;
use ::sm2::elliptic_curve::bigint::{Odd, U256};

#[test]
fn agrees_with_another_inversion() {
    let p = Odd::new(U256::from_words(P)).unwrap();
    let mut rng = SeededRng::new(44);
    let numbers = awkward().into_iter().chain((0..cases(4_000)).map(|_| random(&mut rng)));
    for bytes in numbers {
        let x = limbs::from_bytes(&bytes);
        if !limbs::sub(x, P).1 {
            continue;
        }
        let expected = U256::from_words(x).invert_odd_mod(&p).into_option().unwrap_or(U256::ZERO);
        assert_eq!(U256::from_words(invert(x)), expected, "{x:x?}");
    }
}

/// g is 0 and f is 1 or -1 when the steps end, whatever the input.
#[test]
fn the_steps_suffice() {
    let mut rng = SeededRng::new(45);
    for bytes in awkward().into_iter().chain((0..500).map(|_| random(&mut rng))) {
        let x = limbs::from_bytes(&bytes);
        if !limbs::sub(x, P).1 || limbs::is_zero(x) != 0 {
            continue;
        }
        let mut state = State {
            zeta: -1,
            f: split(P),
            g: split(x),
            d: [0; 5],
            e: [1, 0, 0, 0, 0],
        };
        (0..BLOCKS).for_each(|_| state.block());
        assert_eq!(state.g, [0; 5], "{x:x?}");
        assert!(
            state.f == [1, 0, 0, 0, 0] || state.f == [LOW_62, LOW_62, LOW_62, LOW_62, -1],
            "{x:x?}"
        );
    }
}

#[test]
fn limbs_are_split_and_joined() {
    for bytes in awkward() {
        let x = limbs::from_bytes(&bytes);
        assert_eq!(join(split(x)), x);
    }
    assert_eq!(split(P), P_SIGNED);
}
