#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::sm2::testing::{Listed, number, on_both_engines};
use crate::sm2::{DEFAULT_USER_ID, USER_ID_BYTES_MAX};
use crate::testing::{GMT_K, N, P, SeededRng, ZeroRng, gmt_key, gmt_public, hex, joined};
use ::sm2::elliptic_curve::Group;
use ::sm2::elliptic_curve::point::AffineCoordinates;
use ::sm2::{ProjectivePoint, Scalar as Number};
use std::collections::BTreeSet;

mod hostile;

on_both_engines! {
    signature_of_the_standard,
    signature_of_bouncy_castle,
    signatures_of_openssl_over_a_digest,
    values_out_of_range_are_refused,
    a_sum_of_zero_does_not_verify,
    infinity_does_not_verify,
    every_changed_bit_is_refused,
    user_ids_do_not_mix,
    bad_nonces_are_drawn_again,
    a_broken_source_does_not_repeat_k,
    a_good_source_never_signs_the_same_twice,
    agrees_with_another_verifier,
}

fn base_x(k: &Number) -> [u8; 32] {
    ProjectivePoint::mul_by_generator(k).to_affine().x().into()
}

fn d() -> Number {
    number(&gmt_key().danger_bytes())
}

fn signer<C: Curve>() -> Signer<C> {
    Signer::<C>::new(&gmt_key(), DEFAULT_USER_ID).unwrap()
}

fn verifier<C: Curve>() -> Verifier<C> {
    Verifier::<C>::new(&gmt_public(), DEFAULT_USER_ID).unwrap()
}

/// GM/T 0003.5 appendix A (`facts/institutions.md` 9).
fn signature_of_the_standard<C: Curve>() {
    let signer = signer::<C>();
    assert_eq!(
        signer.z,
        hex("b2e14c5c79c6df5b85f4fe7ed8db7a262b9da7e07ccb0ea9f4747b8ccda8a4f3")
    );
    let e = identity::e(&signer.z, b"message digest");
    assert_eq!(e, hex("f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640"));
    let expected = joined(
        "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3",
        "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa",
    );
    assert_eq!(signer.sign_drawn(&e, &mut Listed(vec![hex(GMT_K)])), Ok(expected));
    assert_eq!(verifier::<C>().verify(b"message digest", &expected), Ok(()));
}

/// `BouncyCastle` `SM2SignerTest`, standard curve, its own user id.
fn signature_of_bouncy_castle<C: Curve>() {
    let d = hex("110e7973206f68c19ee5f7328c036f26911c8c73b4e4f36ae3291097f8984ffc");
    let key = PrivateKey::from_bytes(&d).unwrap();
    let signer = Signer::<C>::new(&key, b"sm2test@example.com").unwrap();
    let k = hex("3174c6ffc3c279d2422f3fc0a9f3e574674a4490fe45a5325caf7d3ec4c8f96c");
    let expected = joined(
        "05890b9077b92e47b17a1ff42a814280e556afd92b4a98b9670bf8b1a274c2fa",
        "e3abbb8db2b6ecd9b24eccea7f679fb9a4b1db52f4aa985e443ad73237fa1993",
    );
    let e = identity::e(&signer.z, b"hi chappy");
    assert_eq!(signer.sign_drawn(&e, &mut Listed(vec![k])), Ok(expected));
    assert_eq!(
        Verifier::<C>::new(key.public(), b"sm2test@example.com")
            .unwrap()
            .verify(b"hi chappy", &expected),
        Ok(())
    );
}

/// OpenSSL `evppkey_sm2.txt`, which verifies e itself.
fn signatures_of_openssl_over_a_digest<C: Curve>() {
    let key = PrivateKey::from_pem(include_str!("../../../testdata/openssl-suite.key.pem")).unwrap();
    let verifier = Verifier::<C>::new(key.public(), DEFAULT_USER_ID).unwrap();
    for (e, r, s) in [
        (
            "d7ad397f6ffa5d4f7f11e7217f241607dc30618c236d2c09c1b9ea8fdadee2e8",
            "ab1db64de7c40edbde6651c9b8ebdb804673db836e5d5c7fe15dcf9ed2725037",
            "eba714451ff69b0bb930b379e192e7cd5fa6e3c41c7fbd8303b799ab54a54621",
        ),
        (
            "b1139602c6ecc9e15e2f3f9c635a1afe737058bc15387479c1ea0d0b3d90e9e5",
            "e6e0414ebd3a656c35602af14ab20287dbf30d57af75c49a188ed4b42391f224",
            "2f54f277c606f4605e1ce9514947ffddf94c67a539804a4ed17f852288bdbe2e",
        ),
    ] {
        assert_eq!(verifier.verify_digest(&hex(e), &joined(r, s)), Some(()), "{e}");
        assert_eq!(verifier.verify_digest(&hex(e), &joined(s, r)), None, "{e} swapped");
    }
}

/// B1, B2: r and s outside [1, n-1] (CVE-2026-23965, CVE-2026-23967).
fn values_out_of_range_are_refused<C: Curve>() {
    let good = signer::<C>().sign(b"m", &mut SeededRng::new(3)).unwrap();
    let verifier = verifier::<C>();
    assert_eq!(verifier.verify(b"m", &good), Ok(()));
    let mut after = hex::<32>(N);
    after[31] += 1;
    for wrong in [[0; 32], hex(N), after, hex(P), [255; 32]] {
        let (mut r, mut s) = (good, good);
        r[..32].copy_from_slice(&wrong);
        s[32..].copy_from_slice(&wrong);
        assert_eq!(verifier.verify(b"m", &r), Err(CryptoError::Signature), "r {wrong:?}");
        assert_eq!(verifier.verify(b"m", &s), Err(CryptoError::Signature), "s {wrong:?}");
    }
}

/// With t = 0 the key falls out of [s]G + [t]P, and e = r - x([s]G) would fit any key.
fn a_sum_of_zero_does_not_verify<C: Curve>() {
    let s = number(&hex(GMT_K));
    let (r, x) = (-s, number(&base_x(&s)));
    let mut forged = [0; 64];
    forged[..32].copy_from_slice(&r.to_bytes());
    forged[32..].copy_from_slice(&s.to_bytes());
    assert_eq!(verifier::<C>().verify_digest(&(r - x).to_bytes().into(), &forged), None);
}

/// With r = e and s = -r d / (1+d), [s]G + [t]P is infinity, which has no x; taking it for 0 would accept.
fn infinity_does_not_verify<C: Curve>() {
    let e = identity::e(&verifier::<C>().z, b"m");
    let r = number(&e);
    let s = -(r * d()) * number(&signer::<C>().inverse.to_bytes());
    let mut forged = [0; 64];
    forged[..32].copy_from_slice(&r.to_bytes());
    forged[32..].copy_from_slice(&s.to_bytes());
    assert_eq!(verifier::<C>().verify(b"m", &forged), Err(CryptoError::Signature));
}

fn every_changed_bit_is_refused<C: Curve>() {
    let good = signer::<C>().sign(b"m", &mut SeededRng::new(4)).unwrap();
    let verifier = verifier::<C>();
    for bit in 0..512 {
        let mut wrong = good;
        wrong[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(verifier.verify(b"m", &wrong), Err(CryptoError::Signature), "bit {bit}");
    }
    assert!(verifier.verify(b"n", &good).is_err());
    assert!(verifier.verify(b"", &good).is_err());
}

/// A wrong Z is a signature for somebody else.
fn user_ids_do_not_mix<C: Curve>() {
    let (key, longest) = (gmt_key(), vec![b'x'; USER_ID_BYTES_MAX]);
    let ids: [&[u8]; 4] = [b"", DEFAULT_USER_ID, b"ALICE123@YAHOO.COM", &longest];
    for signing in ids {
        let signature = Signer::<C>::new(&key, signing)
            .unwrap()
            .sign(b"m", &mut SeededRng::new(5))
            .unwrap();
        for verifying in ids {
            let outcome = Verifier::<C>::new(key.public(), verifying).unwrap().verify(b"m", &signature);
            assert_eq!(outcome.is_ok(), signing == verifying);
        }
    }
    let over = vec![b'x'; USER_ID_BYTES_MAX + 1];
    assert_eq!(Signer::<C>::new(&key, &over).err(), Some(CryptoError::TooLong));
    assert_eq!(Verifier::<C>::new(key.public(), &over).err(), Some(CryptoError::TooLong));
}

/// k outside [1, n-1], and each of r = 0, r + k = n and s = 0, must draw again (A3, A5, A6).
fn bad_nonces_are_drawn_again<C: Curve>() {
    let (signer, d) = (signer::<C>(), d());
    let (k, next) = (number(&hex(GMT_K)), hex::<32>(&"42".repeat(32)));
    let x = number(&base_x(&k));
    let check = |fault: &str, e: Number, first: [u8; 32]| {
        let e = e.to_bytes().into();
        let expected = signer.sign_drawn(&e, &mut Listed(vec![next])).unwrap();
        assert_eq!(signer.sign_drawn(&e, &mut Listed(vec![first, next])), Ok(expected), "{fault}");
        assert_eq!(
            signer.sign_drawn(&e, &mut Listed(vec![first])),
            Err(CryptoError::Random),
            "{fault}"
        );
        assert_eq!(verifier::<C>().verify_digest(&e, &expected), Some(()), "{fault}");
    };
    check("k = 0", k, [0; 32]);
    check("k = n", k, hex(N));
    check("k > n", k, [255; 32]);
    check("r = 0", -x, hex(GMT_K));
    check("r + k = n", -k - x, hex(GMT_K));
    check("s = 0", k * d.invert().unwrap() - x, hex(GMT_K));
}

/// A constant source must not repeat k: two signatures under one k give d away.
fn a_broken_source_does_not_repeat_k<C: Curve>() {
    let signer = signer::<C>();
    let mut seen = BTreeSet::new();
    for message in 0..200u32 {
        let signature = signer.sign(&message.to_be_bytes(), &mut ZeroRng).unwrap();
        assert_eq!(verifier::<C>().verify(&message.to_be_bytes(), &signature), Ok(()));
        let e = number(&identity::e(&signer.z, &message.to_be_bytes()));
        let (r, _) = signature.split_at(32);
        let x = number(r.try_into().unwrap()) - e;
        assert!(seen.insert(<[u8; 32]>::from(x.to_bytes())), "k repeats at {message}");
    }
    let other = Signer::<C>::new(&PrivateKey::from_bytes(&[3; 32]).unwrap(), DEFAULT_USER_ID).unwrap();
    let draw = |signer: &Signer<C>| signer.nonces.draws([1; 32], &mut ZeroRng).draw().unwrap();
    assert_ne!(*draw(&signer), *draw(&other), "k depends on the private key");
}

fn a_good_source_never_signs_the_same_twice<C: Curve>() {
    let (signer, mut rng, mut seen) = (signer::<C>(), SeededRng::new(6), BTreeSet::new());
    for count in 0..500 {
        assert!(seen.insert(signer.sign(b"same", &mut rng).unwrap()), "{count}");
    }
}

/// Every bit of k is set in half of the draws: 5 standard deviations of 4096 coin tosses.
#[test]
fn nonces_are_unbiased() {
    let (key, mut rng, mut ones) = (NonceKey::new(&[7; 32]), SeededRng::new(7), [0i32; 256]);
    for _ in 0..4096 {
        let k = key.draws([9; 32], &mut rng).draw().unwrap();
        for (bit, count) in ones.iter_mut().enumerate() {
            *count += i32::from(k[bit / 8] >> (bit % 8) & 1);
        }
    }
    for (bit, count) in ones.into_iter().enumerate() {
        assert!((count - 2048).abs() < 160, "bit {bit} was set {count} times of 4096");
    }
}

#[test]
fn draws_end() {
    let key = NonceKey::new(&[7; 32]);
    let mut draws = key.draws([9; 32], &mut ZeroRng);
    let mut seen = BTreeSet::new();
    while let Some(k) = draws.draw() {
        assert!(seen.insert(*k));
    }
    assert_eq!(seen.len(), 64);
}

/// A second implementation of verification (`sm2::dsa`) must agree on good and corrupted input.
fn agrees_with_another_verifier<C: Curve>() {
    use ::sm2::dsa::signature::Verifier as _;
    use ::sm2::dsa::{Signature as Other, VerifyingKey};
    use rand_core::Rng;
    let mut rng = SeededRng::new(8);
    let (mut good, mut bad) = (0, 0);
    for round in 0..150u32 {
        let key = PrivateKey::generate(&mut rng).unwrap();
        let sec1 = [&[4], key.public().point().as_slice()].concat();
        let theirs = VerifyingKey::from_sec1_bytes("1234567812345678", &sec1).unwrap();
        let ours = Verifier::<C>::new(key.public(), DEFAULT_USER_ID).unwrap();
        let message = round.to_be_bytes();
        let mut signature = Signer::<C>::new(&key, DEFAULT_USER_ID)
            .unwrap()
            .sign(&message, &mut rng)
            .unwrap();
        for corrupt in [false, true] {
            if corrupt {
                let bit = rng.next_u32() as usize % 512;
                signature[bit / 8] ^= 1 << (bit % 8);
            }
            let other = Other::from_bytes(&signature.into()).and_then(|parsed| theirs.verify(&message, &parsed));
            let own = ours.verify(&message, &signature);
            assert_eq!(own.is_ok(), other.is_ok(), "seed 8 round {round}");
            if own.is_ok() { good += 1 } else { bad += 1 }
        }
    }
    assert_eq!((good, bad), (150, 150));
}
