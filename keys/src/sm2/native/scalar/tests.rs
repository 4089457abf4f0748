#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use super::*;
use crate::sm2::testing::{awkward, bytes, cases, number, random};
use crate::testing::SeededRng;

fn check(a: &[u8; 32], b: &[u8; 32]) {
    let (x, y) = (number(a), number(b));
    let (a, b) = (Scalar::reduced(a), Scalar::reduced(b));
    assert_eq!(a.to_bytes(), bytes(x));
    assert_eq!(a.add(&b).to_bytes(), bytes(x + y), "{:x?} + {:x?}", a.0, b.0);
    assert_eq!(a.sub(&b).to_bytes(), bytes(x - y), "{:x?} - {:x?}", a.0, b.0);
    assert_eq!(a.mul(&b).to_bytes(), bytes(x * y), "{:x?} * {:x?}", a.0, b.0);
}

#[test]
fn agrees_with_the_reference_at_the_edges() {
    let edges = awkward();
    for a in &edges {
        for b in &edges {
            check(a, b);
        }
    }
}

#[test]
fn agrees_with_the_reference_anywhere() {
    let mut rng = SeededRng::new(33);
    for _ in 0..cases(10_000) {
        check(&random(&mut rng), &random(&mut rng));
    }
}

#[test]
fn inverts_as_the_reference() {
    let mut rng = SeededRng::new(34);
    let numbers = awkward().into_iter().chain((0..200).map(|_| random(&mut rng)));
    for a in numbers {
        let expected = number(&a).invert().into_option().unwrap_or_default();
        assert_eq!(Scalar::reduced(&a).invert().to_bytes(), bytes(expected), "{a:x?}");
    }
}

#[test]
fn the_range_is_from_1_to_n_minus_1() {
    let n = limbs::to_bytes(N);
    for a in awkward() {
        let expected = a != [0; 32] && a < n;
        assert_eq!(Scalar::in_range(&a).is_some(), expected, "{a:x?}");
        assert_eq!(bool::from(Scalar::reduced(&a).is_zero()), a == [0; 32] || a == n);
    }
}

#[test]
fn one_of_k_and_its_opposite_is_odd() {
    for a in awkward() {
        let Some(k) = Scalar::in_range(&a) else { continue };
        let (odd, negated) = k.odd();
        let expected = if a[31] & 1 == 1 { number(&a) } else { -number(&a) };
        assert_eq!(odd.to_bytes(), bytes(expected));
        assert_eq!(negated, mask(a[31] & 1 == 0));
        assert_eq!(odd.0[0] & 1, 1);
    }
}
