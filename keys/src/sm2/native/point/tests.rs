#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use super::*;
use crate::sm2::native::jacobian::{Jacobian, Powers};
use crate::sm2::testing::{awkward, base, bytes, number, random};
use crate::testing::{N, P, SeededRng, hex, joined};
use ::sm2::Scalar as Number;

/// Small multiples, their opposites, and some that are neither.
fn multiples() -> Vec<Number> {
    let mut rng = SeededRng::new(36);
    let small = (1..=6u64).map(Number::from);
    let mut all: Vec<_> = small.clone().chain(small.map(|k| -k)).collect();
    all.extend((0..6).map(|_| number(&random(&mut rng))));
    all
}

fn affine(k: &Number) -> Affine {
    Affine::from_bytes(&base(k).unwrap()).unwrap()
}

/// [k]G with another Z than 1, by doubling [k/4]G twice.
fn jacobian(k: &Number) -> Jacobian {
    let quarter = *k * Number::from(4u64).invert().unwrap();
    let point = Jacobian::from(&affine(&quarter)).double_times(2);
    assert_ne!(point.z.to_limbs(), Field::ONE.to_limbs());
    point
}

fn extended(k: &Number) -> Extended {
    let Jacobian { x, y, z } = jacobian(k);
    let zz = z.square();
    Extended { x, y, zz, zzz: zz * z }
}

fn extended_bytes(point: &Extended) -> Option<[u8; 64]> {
    let finite = point.zz.is_zero() == 0;
    finite.then(|| point.to_affine(point.zzz.invert()).to_bytes())
}

fn jacobian_bytes(point: &Jacobian) -> Option<[u8; 64]> {
    let finite = point.z.is_zero() == 0;
    finite.then(|| point.to_affine(point.z.invert()).to_bytes())
}

#[test]
fn additions_agree_with_the_reference() {
    for a in multiples() {
        for b in multiples() {
            let (expected, other) = (base(&(a + b)), affine(&b));
            let mut sum = extended(&a);
            sum.add_complete(&other);
            assert_eq!(extended_bytes(&sum), expected, "add_complete {a:?} {b:?}");
            let mut sum = extended(&a);
            sum.add_public(&other);
            assert_eq!(extended_bytes(&sum), expected, "add_public {a:?} {b:?}");
            let sum = jacobian(&a).add_complete(&Powers::from(jacobian(&b)));
            assert_eq!(jacobian_bytes(&sum), expected, "Jacobian {a:?} {b:?}");
            if a != b {
                let mut sum = extended(&a);
                sum.add(&other);
                assert_eq!(extended_bytes(&sum), expected, "add {a:?} {b:?}");
                let sum = jacobian(&a).add(&Powers::from(jacobian(&b)));
                assert_eq!(jacobian_bytes(&sum), expected, "Jacobian add {a:?} {b:?}");
                let sum = jacobian(&a).add_affine(&other);
                assert_eq!(jacobian_bytes(&sum), expected, "add_affine {a:?} {b:?}");
            }
        }
    }
}

#[test]
fn infinity_is_neutral_in_public_sums() {
    for a in multiples() {
        let mut sum = Extended::INFINITY;
        sum.add_public(&affine(&a));
        assert_eq!(extended_bytes(&sum), base(&a));
        sum.add_public(&affine(&-a));
        assert_eq!(extended_bytes(&sum), None);
        sum.add_public(&affine(&a));
        assert_eq!(extended_bytes(&sum), base(&a));
    }
}

#[test]
fn doublings_agree_with_the_reference() {
    for a in multiples() {
        let mut expected = a;
        for count in 0..8 {
            let from_affine = Jacobian::from(&affine(&a)).double_times(count);
            assert_eq!(jacobian_bytes(&from_affine), base(&expected), "{count} times {a:?}");
            let doubled = jacobian(&a).double_times(count);
            assert_eq!(jacobian_bytes(&doubled), base(&expected), "{count} times {a:?}");
            expected = expected.double();
        }
        assert_eq!(extended_bytes(&affine(&a).double()), base(&a.double()));
    }
    let infinity = Jacobian {
        z: Field::ZERO,
        ..jacobian(&Number::ONE)
    };
    assert_eq!(jacobian_bytes(&infinity.double_times(5)), None);
}

#[test]
fn points_are_negated_by_mask() {
    for a in multiples() {
        let mut point = affine(&a);
        point.negate_if(0);
        assert_eq!(point.to_bytes(), base(&a).unwrap());
        point.negate_if(u64::MAX);
        assert_eq!(point.to_bytes(), base(&-a).unwrap());
    }
}

#[test]
fn points_off_the_curve_are_refused() {
    let zero = "0".repeat(64);
    for (x, y) in [(zero.as_str(), zero.as_str()), (P, &zero), (&zero, P), (P, P), (N, N)] {
        assert!(Affine::from_bytes(&joined(x, y)).is_none(), "{x} {y}");
    }
    let point = base(&Number::from(77u64)).unwrap();
    assert_eq!(Affine::from_bytes(&point).unwrap().to_bytes(), point);
    for bit in 0..512 {
        let mut wrong = point;
        wrong[bit / 8] ^= 1 << (bit % 8);
        assert!(Affine::from_bytes(&wrong).is_none(), "bit {bit}");
    }
    // As the reference: what it takes for a point we take, and nothing else.
    for x in awkward() {
        for y in [hex(P), point[32..].try_into().unwrap(), bytes(Number::ONE), [0xff; 32]] {
            let bytes = [x, y].concat().try_into().unwrap();
            let expected = crate::sm2::key::affine(&bytes).is_some();
            assert_eq!(Affine::from_bytes(&bytes).is_some(), expected, "{x:x?} {y:x?}");
        }
    }
}

#[test]
fn the_generator_is_that_of_the_standard() {
    assert_eq!(Affine::generator().to_bytes(), base(&Number::ONE).unwrap());
    assert!(Affine::from_bytes(&Affine::generator().to_bytes()).is_some());
}
