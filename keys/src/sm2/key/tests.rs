#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::testing::{GMT_D, N, P, SeededRng, ZeroRng, gmt_key, gmt_public, hex, joined};

#[test]
fn every_file_form_gives_the_same_key() {
    for (form, text) in [
        ("OpenSSL 3", include_str!("../../../testdata/openssl.key.pem")),
        ("GmSSL", include_str!("../../../testdata/gmssl.key.pem")),
        ("SEC1 after parameters", include_str!("../../../testdata/sec1.key.pem")),
    ] {
        let key = PrivateKey::from_pem(text).expect(form);
        assert_eq!(*key.danger_bytes(), hex(GMT_D), "{form}");
    }
    let public = PublicKey::from_pem(include_str!("../../../testdata/openssl.pub.pem")).unwrap();
    assert_eq!(public, gmt_public());
}

#[test]
fn wrong_files_are_refused() {
    for (fault, text) in [
        (
            "public half of another key",
            include_str!("../../../testdata/wrong-public-half.key.pem"),
        ),
        ("P-256", include_str!("../../../testdata/wrong-curve.key.pem")),
        ("encrypted", include_str!("../../../testdata/encrypted.key.pem")),
        ("public", include_str!("../../../testdata/openssl.pub.pem")),
        ("empty", ""),
        ("label only", "-----BEGIN PRIVATE KEY-----"),
        ("no base64", "-----BEGIN PRIVATE KEY-----\n????\n-----END PRIVATE KEY-----\n"),
    ] {
        assert!(PrivateKey::from_pem(text).is_err(), "{fault}");
    }
    for (fault, text) in [
        ("off the curve", include_str!("../../../testdata/off-curve.pub.pem")),
        ("private", include_str!("../../../testdata/openssl.key.pem")),
        ("empty", ""),
    ] {
        assert_eq!(PublicKey::from_pem(text), Err(CryptoError::Key), "{fault}");
    }
}

#[test]
fn cut_files_are_refused() {
    let text = include_str!("../../../testdata/openssl.key.pem");
    for length in 0..text.len() - 1 {
        assert!(PrivateKey::from_pem(text.get(..length).unwrap()).is_err(), "{length}");
    }
}

#[test]
fn written_files_read_back() {
    let key = PrivateKey::generate(&mut SeededRng::new(1)).unwrap();
    let read = PrivateKey::from_pem(&key.danger_to_pkcs8_pem().unwrap()).unwrap();
    assert_eq!(*read.danger_bytes(), *key.danger_bytes());
    assert_eq!(
        &PublicKey::from_pem(&key.public().to_spki_pem().unwrap()).unwrap(),
        key.public()
    );
    assert_eq!(&PublicKey::from_point(&key.public().point()).unwrap(), key.public());
}

/// GB/T 32918.1 6.1: d in [1, n-2].
#[test]
fn private_keys_have_bounds() {
    let last = |digits: &str, change: i8| {
        let mut bytes = hex::<32>(digits);
        bytes[31] = bytes[31].wrapping_add_signed(change);
        PrivateKey::from_bytes(&bytes).is_ok()
    };
    assert!(last(N, -2), "n-2");
    assert!(!last(N, -1), "n-1");
    assert!(!last(N, 0), "n");
    assert!(!last(N, 1), "n+1");
    assert!(PrivateKey::from_bytes(&[0; 32]).is_err());
    assert!(PrivateKey::from_bytes(&[255; 32]).is_err());
}

/// Point validation (CVE-2026-23966).
#[test]
fn wrong_points_are_refused() {
    let point = gmt_public().point();
    let refuse = |fault: &str, point: [u8; 64]| assert_eq!(PublicKey::from_point(&point), Err(CryptoError::Key), "{fault}");
    let zero = "0".repeat(64);
    refuse("infinity as zeros", [0; 64]);
    refuse("all ones", [255; 64]);
    refuse("x = p", joined(P, &zero));
    refuse("y = p", joined(&zero, P));
    for bit in 0..512 {
        let mut wrong = point;
        wrong[bit / 8] ^= 1 << (bit % 8);
        refuse("one bit off the curve", wrong);
    }
    let mut swapped = point;
    swapped.rotate_left(32);
    refuse("x and y swapped", swapped);
}

/// x = 0 is on the curve; the same point written as x = p is not in reduced form.
#[test]
fn unreduced_coordinates_are_refused() {
    use ::sm2::elliptic_curve::point::DecompressPoint;
    let root = AffinePoint::decompress(&[0; 32].into(), 0.into())
        .into_option()
        .expect("b is a square");
    let mut point = coordinates(&root);
    assert!(PublicKey::from_point(&point).is_ok());
    point[..32].copy_from_slice(&hex::<32>(P));
    assert!(PublicKey::from_point(&point).is_err());
}

#[test]
fn a_broken_source_makes_no_key() {
    assert_eq!(PrivateKey::generate(&mut ZeroRng).err(), Some(CryptoError::Random));
    let mut rng = SeededRng::new(2);
    let (one, other) = (
        PrivateKey::generate(&mut rng).unwrap(),
        PrivateKey::generate(&mut rng).unwrap(),
    );
    assert_ne!(*one.danger_bytes(), *other.danger_bytes());
    assert_eq!(gmt_key().public(), &gmt_public());
}
