#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::field::{hex_decode, hex_encode};

fn bytes(hex: &str) -> Vec<u8> {
    hex_decode(hex).unwrap()
}

/// GM/T 0003.5: r and s of "message digest" (`facts/institutions.md` section 9); both begin above 7F.
const R: &str = "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3";
const S: &str = "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa";

fn published() -> RawSignature {
    bytes(&format!("{R}{S}")).try_into().unwrap()
}

#[test]
fn the_published_signature_encodes_with_two_sign_bytes() {
    let der = signature_to_der(&published());
    assert_eq!(hex_encode(&der), format!("3046022100{R}022100{S}"));
    assert_eq!(signature_from_der(&der).unwrap(), published());
}

#[test]
fn short_numbers_encode_short_and_come_back() {
    let mut raw = [0; 64];
    raw[31] = 1;
    raw[62] = 0x80;
    let der = signature_to_der(&raw);
    assert_eq!(hex_encode(&der), "30080201010203008000");
    assert_eq!(signature_from_der(&der).unwrap(), raw);
}

#[test]
fn every_other_encoding_of_a_signature_is_refused() {
    let cases = [
        ("nothing", String::new()),
        ("a byte too many", format!("3046022100{R}022100{S}00")),
        ("a byte too many inside", format!("3047022100{R}022100{S}00")),
        ("a third number", format!("3049022100{R}022100{S}020101")),
        ("one number", format!("3023022100{R}")),
        ("cut short", format!("3046022100{R}022100{}", &S[..62])),
        ("no sign byte: negative", format!("30440220{R}0220{S}")),
        ("a leading zero too many", format!("304702220000{R}022100{S}")),
        ("a long form of the length", format!("308146022100{R}022100{S}")),
        ("an indefinite length", format!("3080022100{R}022100{S}0000")),
        ("zero", format!("3026020100022100{S}")),
        ("33 bytes of number", format!("304702220100{R}022100{S}")),
        ("an empty number", format!("30250200022100{S}")),
        ("a set", format!("3146022100{R}022100{S}")),
        ("an octet string inside", format!("3046042100{R}022100{S}")),
    ];
    for (name, hex) in cases {
        assert_eq!(
            signature_from_der(&bytes(&hex)).unwrap_err().rule,
            "signature.encoding",
            "{name}"
        );
    }
}

const X: &str = "04ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73";
const Y: &str = "e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0";
const C3: &str = "59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766";
const C2: &str = "21886ca989ca9c7d58087307ca93092d651efa";

/// "encryption standard" under the key and random number of GM/T 0003.5; GM/T 0009 writes it as 307C0220...
#[test]
fn the_published_ciphertext_encodes_as_gmt_0009_says() {
    let raw = RawCiphertext {
        c1: bytes(&format!("{X}{Y}")).try_into().unwrap(),
        c3: bytes(C3).try_into().unwrap(),
        c2: bytes(C2),
    };
    let der = ciphertext_to_der(&raw);
    assert_eq!(hex_encode(&der), format!("307c0220{X}022100{Y}0420{C3}0413{C2}"));
    assert_eq!(ciphertext_from_der(&der).unwrap(), raw);
}

/// The same ciphertext as `04 C1 C3 C2`; whatever is shorter, or begins otherwise, is refused.
#[test]
fn the_published_ciphertext_goes_raw_and_back() {
    let raw = ciphertext_from_der(&bytes(&format!("307c0220{X}022100{Y}0420{C3}0413{C2}"))).unwrap();
    let written = session::ciphertext_to_raw(&raw);
    assert_eq!(hex_encode(&written), format!("04{X}{Y}{C3}{C2}"));
    assert_eq!(session::ciphertext_from_raw(&written).unwrap(), raw);
    let mut other = written.clone();
    other[0] = 3;
    for wrong in [&written[..97], &written[2..], &other, &[]] {
        assert_eq!(session::ciphertext_from_raw(wrong).unwrap_err().rule, "envelope.encoding");
    }
}

#[test]
fn every_other_encoding_of_a_ciphertext_is_refused() {
    let cases = [
        ("no cipher", format!("30690220{X}022100{Y}0420{C3}0400")),
        ("cipher before digest", format!("307c0220{X}022100{Y}0413{C2}0420{C3}")),
        ("a short digest", format!("307b0220{X}022100{Y}041f{}0413{C2}", &C3[2..])),
        ("zero coordinate", format!("305d020100022100{Y}0420{C3}0413{C2}")),
        ("a byte too many", format!("307c0220{X}022100{Y}0420{C3}0413{C2}00")),
        ("not minimal", format!("307d022100{X}022100{Y}0420{C3}0413{C2}")),
    ];
    for (name, hex) in cases {
        assert_eq!(
            ciphertext_from_der(&bytes(&hex)).unwrap_err().rule,
            "envelope.encoding",
            "{name}"
        );
    }
}

#[test]
fn long_ciphertexts_use_the_long_form_of_lengths() {
    let raw = RawCiphertext {
        c1: [0x7f; 64],
        c3: [1; 32],
        c2: vec![5; 300],
    };
    let der = ciphertext_to_der(&raw);
    assert_eq!(&der[..2], &[0x30, 0x82]);
    assert_eq!(ciphertext_from_der(&der).unwrap(), raw);
}

/// Against the crate `der`, which reads what is written here.
#[test]
fn ciphertexts_of_every_length_of_a_length_are_read_back() {
    for length in [1, 21, 22, 127, 128, 149, 150, 255, 256, 65_530, 65_535, 65_536] {
        let raw = RawCiphertext {
            c1: published(),
            c3: [7; 32],
            c2: vec![0x80; length],
        };
        let der = ciphertext_to_der(&raw);
        assert_eq!(ciphertext_from_der(&der).unwrap(), raw, "{length}");
    }
}
