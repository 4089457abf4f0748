#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;
use codecs::wire::Start;
use keys::sm2::PrivateKey;

fn bytes(digits: &str) -> [u8; 32] {
    let byte = |at: usize| u8::from_str_radix(digits.get(at * 2..at * 2 + 2).unwrap(), 16).unwrap();
    std::array::from_fn(byte)
}

/// GM/T 0003.5 example (facts/institutions.md 9).
#[test]
fn z_and_e_are_those_of_the_standard() {
    let key = PrivateKey::from_bytes(&bytes("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8")).unwrap();
    let z = digest::z(key.public(), b"1234567812345678").unwrap();
    assert_eq!(
        output::hex(&z),
        "b2e14c5c79c6df5b85f4fe7ed8db7a262b9da7e07ccb0ea9f4747b8ccda8a4f3"
    );
    let e = digest::e(&z, b"message digest");
    assert_eq!(
        output::hex(&e),
        "f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640"
    );
    assert_eq!(digest::z(key.public(), &[0; 8192]), None);
}

#[test]
fn a_file_is_read_by_how_it_starts() {
    let read = |text: &str| source::of_bytes(text.as_bytes().to_vec(), "file");
    let queue = read("<transaction/>").unwrap();
    assert_eq!(
        (queue.wire.start, queue.wire.body),
        (Start::Queue, b"<transaction/>".to_vec())
    );
    let request = read("REQUEST POST /v1/debit\nhangu-key: k\n\n{}").unwrap().wire;
    assert_eq!(request.header("hangu-key"), Some("k"));
    assert_eq!(request.body, b"{}");
    assert_eq!(read("STATUS 202\n\n").unwrap().wire.start, Start::Status(202));
    let sample = read("expect: ok\nsource: here\nsealing: off\n---\nbytes\n").unwrap();
    assert_eq!((sample.sealing, sample.wire.body), (Some(false), b"bytes".to_vec()));
    assert!(read("STATUS abc\n\n").unwrap_err().contains("head"));
    assert!(read("expect: ok\n").unwrap_err().contains("---"));
}

#[test]
fn a_moment_needs_its_offset() {
    assert!(instant("2026-05-01T10:00:00+08:00").is_ok());
    assert!(instant("2026-05-01T10:00:00").unwrap_err().contains("+08:00"));
}
