#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::testing::SeededRng;
use base64ct::{Base64, Encoding};
use std::path::Path;

mod hostile; // what must be refused
mod hygiene; // no secret is printed or copied
mod openssl; // both ways against another implementation
mod vectors; // what institutions and their libraries publish

fn pem(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/legacy");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn private(name: &str) -> RsaPrivate {
    RsaPrivate::from_pem(&pem(name)).unwrap()
}

fn base64(text: &str) -> Vec<u8> {
    Base64::decode_vec(text).unwrap()
}

fn to_base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

fn rng(seed: u64) -> SeededRng {
    SeededRng::new(seed)
}
