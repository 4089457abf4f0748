#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::testing::{bytes, hex};

/// GB/T 32905 appendix A.
#[test]
fn digests_of_the_standard() {
    let check = |input: &[u8], expected: &str| assert_eq!(sm3(&[input]), hex(expected));
    check(b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0");
    check(
        &b"abcd".repeat(16),
        "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732",
    );
}

#[test]
fn parts_are_joined() {
    assert_eq!(sm3(&[b"a", b"", b"bc"]), sm3(&[b"abc"]));
}

/// GM/T 0042-2015 D.3, and one with a key longer than a block.
#[test]
fn tags_of_the_standard() {
    let long = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".repeat(2);
    let check = |key: &[u8], input: &[u8], expected: &str| assert_eq!(HmacSm3::new(key).tag(&[input]), hex(expected));
    check(
        &bytes("0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"),
        &long,
        "ca05e144ed05d1857840d1f318a4a8669e559fc8391f414485bfdf7bb408963a",
    );
    check(
        &bytes("0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425"),
        &[0xcd; 50],
        "220bf579ded555393f0159f66c99877822a3ecf610d1552154b41d44b94db3ae",
    );
    check(
        &[0x0b; 32],
        b"Hi There",
        "c0ba18c68b90c88bc07de794bfc7d2c8d19ec31ed8773bc2b390c9604e0be11e",
    );
    check(
        b"Jefe Jeferson Jr",
        b"what do ya want for nothing?",
        "ce791a34c59adef472997a249600f3f244d59e875be04055ba2ae12fc845e78c",
    );
    let expected = HmacSm3::new(&sm3(&[&[7; 65]])).tag(&[b"x"]);
    assert_eq!(
        HmacSm3::new(&[7; 65]).tag(&[b"x"]),
        expected,
        "RFC 2104: a long key is its digest"
    );
}

#[test]
fn wrong_tags_are_refused() {
    let key = HmacSm3::new(b"key");
    let tag = key.tag(&[b"message"]);
    assert_eq!(key.check(&[b"mess", b"age"], &tag), Ok(()));
    for bit in 0..256 {
        let mut wrong = tag;
        wrong[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(key.check(&[b"message"], &wrong), Err(CryptoError::Signature), "bit {bit}");
    }
    for wrong in [&tag[..31], &tag[..0], &[tag.as_slice(), &[0]].concat()] {
        assert_eq!(
            key.check(&[b"message"], wrong),
            Err(CryptoError::Signature),
            "{} bytes",
            wrong.len()
        );
    }
    assert_eq!(key.check(&[b"massage"], &tag), Err(CryptoError::Signature));
    assert_eq!(HmacSm3::new(b"yek").check(&[b"message"], &tag), Err(CryptoError::Signature));
}
