#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::cbc::padding;
use super::*;
use crate::error::CryptoError;
use crate::testing::{bytes, hex};

mod blocks;
mod constant_time; // by valgrind // both forms of the block cipher against the crate

const KEY: &str = "0123456789abcdeffedcba9876543210";

struct Rfc8998 {
    nonce: [u8; 12],
    additional: Vec<u8>,
    clear: Vec<u8>,
    ciphertext: Vec<u8>,
    tag: [u8; 16],
}

/// RFC 8998 A.1.
fn rfc8998() -> Rfc8998 {
    Rfc8998 {
        nonce: hex("00001234567800000000abcd"),
        additional: bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
        clear: [0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0xee, 0xaa]
            .iter()
            .flat_map(|byte| [*byte; 8])
            .collect(),
        ciphertext: bytes(
            "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735\
             d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d",
        ),
        tag: hex("83de3541e4c2b58177e065a9bf7b62ec"),
    }
}

#[test]
fn gcm_of_rfc_8998() {
    let vector = rfc8998();
    let key = Sm4Gcm::new(&hex(KEY));
    let sealed = key.seal(&vector.nonce, &vector.additional, &vector.clear);
    assert_eq!(sealed, (vector.ciphertext.clone(), vector.tag));
    assert_eq!(
        key.open(&vector.nonce, &vector.additional, &vector.ciphertext, &vector.tag),
        Ok(vector.clear)
    );
}

#[test]
fn gcm_refuses_every_change() {
    let Rfc8998 {
        nonce,
        additional,
        ciphertext,
        tag,
        ..
    } = rfc8998();
    let key = Sm4Gcm::new(&hex(KEY));
    let refused = Err(CryptoError::Ciphertext);
    for bit in 0..128 {
        let mut wrong = tag;
        wrong[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(key.open(&nonce, &additional, &ciphertext, &wrong), refused, "tag bit {bit}");
    }
    for position in 0..ciphertext.len() {
        let mut wrong = ciphertext.clone();
        wrong[position] ^= 1;
        assert_eq!(key.open(&nonce, &additional, &wrong, &tag), refused, "byte {position}");
        assert_eq!(
            key.open(&nonce, &additional, &ciphertext[..position], &tag),
            refused,
            "cut at {position}"
        );
    }
    assert_eq!(key.open(&nonce, &additional[1..], &ciphertext, &tag), refused);
    assert_eq!(key.open(&[0; 12], &additional, &ciphertext, &tag), refused);
    assert_eq!(Sm4Gcm::new(&[0; 16]).open(&nonce, &additional, &ciphertext, &tag), refused);
}

#[test]
fn gcm_round_trips_every_length() {
    let key = Sm4Gcm::new(&hex(KEY));
    for length in 0..=65u8 {
        let clear: Vec<u8> = (0..length).collect();
        let (ciphertext, tag) = key.seal(&[length; 12], b"a", &clear);
        assert_eq!(ciphertext.len(), clear.len());
        assert_eq!(key.open(&[length; 12], b"a", &ciphertext, &tag), Ok(clear));
    }
}

#[test]
fn cbc_round_trips_every_length() {
    let key = Sm4Cbc::new(&hex(KEY));
    for length in 0..=65u8 {
        let clear: Vec<u8> = (0..length).collect();
        let ciphertext = key.encrypt(&[length; 16], &clear);
        assert_eq!(ciphertext.len(), clear.len() / 16 * 16 + 16, "{length}");
        assert_eq!(key.decrypt(&[length; 16], &ciphertext), Ok(clear));
    }
}

/// The first block of CBC under a zero IV is the block of GB/T 32907 A.1.
#[test]
fn cbc_starts_as_the_block_cipher() {
    let ciphertext = Sm4Cbc::new(&hex(KEY)).encrypt(&[0; 16], &bytes(KEY));
    assert_eq!(ciphertext[..16], bytes("681edf34d206965e86b3e94f536e4246"));
}

/// Sets each last byte through the block before it, as a padding oracle attack does: exactly the one that makes
/// padding `01` or the whole padding is accepted, every other gives the one error.
#[test]
fn cbc_padding_errors_are_one() {
    let key = Sm4Cbc::new(&hex(KEY));
    let sealed = key.encrypt(&[9; 16], b"fifteen bytes..0123456789abc");
    assert_eq!(sealed.len(), 32);
    for change in 0..=255u8 {
        let mut wrong = sealed.clone();
        wrong[15] ^= change;
        // The padding is 04 04 04 04: unchanged it is right, and as 01 it is right too.
        let is_padding = change == 0 || change == 0x04 ^ 0x01;
        let outcome = key.decrypt(&[9; 16], &wrong);
        assert_eq!(outcome.is_ok(), is_padding, "{change}");
        assert!(is_padding || outcome == Err(CryptoError::Ciphertext));
    }
    for length in [0, 1, 15, 17, 31] {
        assert_eq!(
            key.decrypt(&[9; 16], &sealed[..length]),
            Err(CryptoError::Ciphertext),
            "{length}"
        );
    }
}

#[test]
fn paddings_are_read_whole() {
    let check = |block: [u8; 16], expected| assert_eq!(padding(&block), expected);
    check([16; 16], Ok(16));
    check([17; 16], Err(CryptoError::Ciphertext));
    check([0; 16], Err(CryptoError::Ciphertext));
    check([255; 16], Err(CryptoError::Ciphertext));
    for length in 1..=16u8 {
        let mut block = [0; 16];
        block[16 - usize::from(length)..].fill(length);
        check(block, Ok(usize::from(length)));
        if length > 1 {
            block[16 - usize::from(length)] ^= 0x80;
            check(block, Err(CryptoError::Ciphertext));
        }
    }
}
