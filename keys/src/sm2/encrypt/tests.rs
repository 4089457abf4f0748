#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::sm2::testing::{Listed, on_both_engines};
use crate::sm2::{WRAP_BYTES_MAX, key};
use crate::testing::{GMT_K, N, P, SeededRng, ZeroRng, gmt_key, gmt_public, hex, joined};
use ::sm2::elliptic_curve::{Group, PrimeField};
use ::sm2::{ProjectivePoint, Scalar as Number};
use std::collections::BTreeSet;

mod hostile;

on_both_engines! {
    ciphertext_of_the_standard,
    every_changed_bit_is_refused,
    hostile_points_are_refused,
    lengths_have_bounds,
    a_zero_mask_is_never_used,
    a_broken_source_does_not_repeat_k,
    another_key_does_not_open,
}

/// x || y of [k]P by an arithmetic that is not the one under test.
fn shared_point(point: &ProjectivePoint, k: &Number) -> [u8; 64] {
    key::coordinates(&(point * k).to_affine())
}

fn opened<C: Curve>(ciphertext: &Ciphertext) -> Result<Vec<u8>, CryptoError> {
    Unwrapper::<C>::new(&gmt_key())
        .unwrap(ciphertext)
        .map(|secret| secret.danger_expose().to_vec())
}

/// GM/T 0003.5 appendix C (`facts/institutions.md` 9).
fn standard() -> Ciphertext {
    Ciphertext {
        c1: joined(
            "04ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73",
            "e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0",
        ),
        c3: hex("59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766"),
        c2: hex::<19>("21886ca989ca9c7d58087307ca93092d651efa").to_vec(),
    }
}

fn ciphertext_of_the_standard<C: Curve>() {
    let wrapper = Wrapper::<C>::new(&gmt_public());
    assert_eq!(
        wrapper.wrap_drawn(b"encryption standard", &mut Listed(vec![hex(GMT_K)])),
        Ok(standard())
    );
    assert_eq!(opened::<C>(&standard()), Ok(b"encryption standard".to_vec()));
}

/// Every single bit of C1, C3 and C2 counts.
fn every_changed_bit_is_refused<C: Curve>() {
    for bit in 0..512 {
        let mut wrong = standard();
        wrong.c1[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(opened::<C>(&wrong), Err(CryptoError::Ciphertext), "C1 bit {bit}");
    }
    for bit in 0..256 {
        let mut wrong = standard();
        wrong.c3[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(opened::<C>(&wrong), Err(CryptoError::Ciphertext), "C3 bit {bit}");
    }
    for bit in 0..19 * 8 {
        let mut wrong = standard();
        wrong.c2[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(opened::<C>(&wrong), Err(CryptoError::Ciphertext), "C2 bit {bit}");
    }
}

fn hostile_points_are_refused<C: Curve>() {
    let zero = "0".repeat(64);
    for c1 in [
        [0; 64],
        [255; 64],
        joined(P, &zero),
        joined(&zero, P),
        joined(P, P),
        joined(N, N),
    ] {
        assert_eq!(opened::<C>(&Ciphertext { c1, ..standard() }), Err(CryptoError::Ciphertext));
    }
    // Minus C1 is on the curve; the key differs in y only, which C3 covers.
    let point = key::affine(&standard().c1).unwrap();
    let negated = Ciphertext {
        c1: key::coordinates(&-point),
        ..standard()
    };
    assert_eq!(opened::<C>(&negated), Err(CryptoError::Ciphertext));
}

fn lengths_have_bounds<C: Curve>() {
    let wrapper = Wrapper::<C>::new(&gmt_public());
    let mut rng = SeededRng::new(9);
    for length in (0..=130).chain([511, 512, WRAP_BYTES_MAX, WRAP_BYTES_MAX + 1]) {
        let clear = vec![0x5a; length];
        let wrapped = wrapper.wrap(&clear, &mut rng);
        if (1..=WRAP_BYTES_MAX).contains(&length) {
            assert_eq!(opened::<C>(&wrapped.unwrap()), Ok(clear), "{length}");
        } else {
            assert_eq!(wrapped, Err(CryptoError::TooLong), "{length}");
        }
    }
    for c2 in [
        Vec::new(),
        vec![0; WRAP_BYTES_MAX + 1],
        standard().c2[..18].to_vec(),
        [standard().c2, vec![0]].concat(),
    ] {
        assert_eq!(opened::<C>(&Ciphertext { c2, ..standard() }), Err(CryptoError::Ciphertext));
    }
}

/// A k whose one-byte mask is zero would send the clear byte: step A5 draws again, and B4 refuses to open.
fn a_zero_mask_is_never_used<C: Curve>() {
    let point: ProjectivePoint = gmt_public().affine().into();
    let small = (1..20_000u64).find(|k| {
        let shared = shared_point(&point, &Number::from(*k));
        sm3(&[shared.as_slice(), &1u32.to_be_bytes()])[0] == 0
    });
    let k = Number::from(small.expect("one in 256"));
    let wrapper = Wrapper::<C>::new(&gmt_public());
    let bad: [u8; 32] = k.to_repr().into();
    let expected = wrapper.wrap_drawn(b"x", &mut Listed(vec![hex(GMT_K)])).unwrap();
    assert_eq!(
        wrapper.wrap_drawn(b"x", &mut Listed(vec![[0; 32], hex(N), bad, hex(GMT_K)])),
        Ok(expected)
    );
    assert_eq!(wrapper.wrap_drawn(b"x", &mut Listed(vec![bad])), Err(CryptoError::Random));
    assert!(
        wrapper.wrap_drawn(b"xy", &mut Listed(vec![bad])).is_ok(),
        "two bytes of mask are not both zero"
    );

    let shared = shared_point(&point, &k);
    let (x, y) = shared.split_at(32);
    let c1 = key::coordinates(&ProjectivePoint::mul_by_generator(&k).to_affine());
    let forged = Ciphertext {
        c1,
        c3: sm3(&[x, b"x", y]),
        c2: b"x".to_vec(),
    };
    assert_eq!(
        opened::<C>(&forged),
        Err(CryptoError::Ciphertext),
        "C3 fits, the mask is zero"
    );
}

fn a_broken_source_does_not_repeat_k<C: Curve>() {
    let (wrapper, mut seen) = (Wrapper::<C>::new(&gmt_public()), BTreeSet::new());
    for clear in 0..100u32 {
        let wrapped = wrapper.wrap(&clear.to_be_bytes(), &mut ZeroRng).unwrap();
        assert!(seen.insert(wrapped.c1), "{clear}");
        assert_eq!(opened::<C>(&wrapped), Ok(clear.to_be_bytes().to_vec()));
    }
    let mut rng = SeededRng::new(10);
    let (one, other) = (
        wrapper.wrap(b"same", &mut rng).unwrap(),
        wrapper.wrap(b"same", &mut rng).unwrap(),
    );
    assert_ne!(one.c1, other.c1);
}

fn another_key_does_not_open<C: Curve>() {
    let other = PrivateKey::from_bytes(&[5; 32]).unwrap();
    assert_eq!(
        Unwrapper::<C>::new(&other).unwrap(&standard()).err(),
        Some(CryptoError::Ciphertext)
    );
}
