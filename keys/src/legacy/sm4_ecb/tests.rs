#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use super::*;
use crate::testing::{bytes, hex};

/// Made with `openssl enc -sm4-ecb`: a clear text, and its ciphertext.
const VECTORS: [(&str, &str); 2] = [
    (
        "hello, \u{5f20}\u{4e09} of sixteen",
        "6fa130da0824a5675c1f971a4b00813947a3a176769915df6455ca2334c9ef6e",
    ),
    (
        "sixteen bytes 16",
        "996c9f80a8023fbb454f0e1657586da1002a8a4efa863ccad024ac0300bb40d2",
    ),
];

fn cipher() -> Sm4Ecb {
    Sm4Ecb::new(&hex("0123456789abcdeffedcba9876543210"))
}

#[test]
fn another_implementation_agrees() {
    for (clear, sealed) in VECTORS {
        assert_eq!(cipher().encrypt(clear.as_bytes()).unwrap(), bytes(sealed));
        assert_eq!(cipher().decrypt(&bytes(sealed)).unwrap(), clear.as_bytes());
    }
}

#[test]
fn what_is_no_ciphertext_is_refused_alike() {
    let sealed = bytes(VECTORS[0].1);
    for broken in [&[][..], &sealed[1..], &sealed[..16]] {
        assert_eq!(cipher().decrypt(broken), Err(CryptoError::Ciphertext));
    }
}
