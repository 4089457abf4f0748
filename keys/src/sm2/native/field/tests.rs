#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]
#![expect(clippy::many_single_char_names, reason = "numbers have no better names")]

use super::*;
use crate::sm2::testing::{awkward, cases, random};
use crate::testing::SeededRng;
use ::sm2::elliptic_curve::bigint::{NonZero, U256};

/// Integers modulo p by plain long division: the other implementation.
struct Slow {
    p: NonZero<U256>,
    /// 2^-256: a field element is its limbs times this.
    scale: U256,
}

impl Slow {
    fn new() -> Self {
        let p = NonZero::new(number(P)).unwrap();
        let scale = number(FOLD).invert_odd_mod(&p.as_ref().to_odd().unwrap()).unwrap();
        Self { p, scale }
    }

    fn value(&self, field: Field) -> U256 {
        number(field.0).rem(&self.p).mul_mod(&self.scale, &self.p)
    }

    fn check(&self, a: Field, b: Field) {
        let (x, y, p) = (self.value(a), self.value(b), &self.p);
        assert_eq!(self.value(a * b), x.mul_mod(&y, p), "{:x?} * {:x?}", a.0, b.0);
        assert_eq!(self.value(a + b), x.add_mod(&y, p), "{:x?} + {:x?}", a.0, b.0);
        assert_eq!(self.value(a - b), x.sub_mod(&y, p), "{:x?} - {:x?}", a.0, b.0);
    }

    fn check_one(&self, a: Field, x: U256) {
        let p = &self.p;
        assert_eq!(self.value(a.square()), x.mul_mod(&x, p), "{:x?} squared", a.0);
        assert_eq!(self.value(a.double()), x.add_mod(&x, p), "{:x?} doubled", a.0);
        assert_eq!(self.value(a.triple()), x.add_mod(&x, p).add_mod(&x, p), "{:x?} tripled", a.0);
        assert_eq!(self.value(-a), U256::ZERO.sub_mod(&x, p), "{:x?} negated", a.0);
        assert_eq!(self.value(a.halve().double()), x, "{:x?} halved", a.0);
        assert_eq!(number(a.to_limbs()), x, "{:x?} as a number", a.0);
        assert_eq!(a.is_zero() != 0, x == U256::ZERO, "{:x?} is zero", a.0);
    }
}

fn number(limbs: Limbs) -> U256 {
    U256::from_words(limbs)
}

/// Any four limbs are an element, those above p too.
fn loose(bytes: &[u8; 32]) -> Field {
    Field(limbs::from_bytes(bytes))
}

#[test]
fn agrees_with_long_division_at_the_edges() {
    let (slow, edges) = (Slow::new(), awkward());
    for a in &edges {
        slow.check_one(loose(a), slow.value(loose(a)));
        for b in &edges {
            slow.check(loose(a), loose(b));
        }
    }
}

#[test]
fn agrees_with_long_division_anywhere() {
    let (slow, mut rng) = (Slow::new(), SeededRng::new(31));
    for _ in 0..cases(20_000) {
        let (a, b) = (loose(&random(&mut rng)), loose(&random(&mut rng)));
        slow.check(a, b);
        slow.check_one(a, slow.value(a));
    }
}

/// A chain keeps values that no single operation on awkward numbers meets.
#[test]
fn agrees_over_a_chain() {
    let (slow, mut a, mut b) = (Slow::new(), Field::ONE, loose(&[0xff; 32]));
    for _ in 0..cases(20_000) {
        slow.check(a, b);
        slow.check_one(a, slow.value(a));
        (a, b) = (a * b - a, b.square() + a);
    }
}

#[test]
fn an_inverse_undoes() {
    let (one, mut rng) = (Field::ONE.to_limbs(), SeededRng::new(32));
    let numbers = awkward().into_iter().chain((0..500).map(|_| random(&mut rng)));
    for bytes in numbers {
        let field = loose(&bytes);
        let expected = if field.is_zero() == 0 { one } else { limbs::ZERO };
        assert_eq!((field * field.invert()).to_limbs(), expected, "{bytes:x?}");
    }
}

#[test]
fn bytes_are_below_p() {
    let p = limbs::to_bytes(P);
    for bytes in awkward() {
        let field = Field::from_bytes(&bytes);
        assert_eq!(field.is_some(), bytes < p, "{bytes:x?}");
        if let Some(field) = field {
            assert_eq!(field.to_bytes(), bytes);
        }
    }
}

#[test]
fn constants_are_what_they_say() {
    let slow = Slow::new();
    assert_eq!(number(P), U256::ZERO.wrapping_sub(&number(FOLD)), "2^256 - p");
    assert_eq!(number(SQUARED_R), number(FOLD).mul_mod(&number(FOLD), &slow.p));
    assert_eq!(Field::ONE.to_limbs(), [1, 0, 0, 0]);
    assert_eq!(P[0].wrapping_mul(u64::MAX), 1, "-1 is its inverse");
}
