//! Vectors and random sources that several tests share.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use crate::algorithm::Algorithm;
use crate::key::{KeyEntry, Side, Status, Usage};
use crate::sm2::{PrivateKey, PublicKey};
use crate::sm3::sm3;
use rand_core::{TryCryptoRng, TryRng};
use std::convert::Infallible;
use time::OffsetDateTime;
use time::macros::datetime;

/// Key of GM/T 0003.5 (`facts/institutions.md` 9).
pub(crate) const GMT_D: &str = "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8";
pub(crate) const GMT_K: &str = "59276e27d506861a16680f3ad9c02dccef3cc1fa3cdbe4ce6d54b80deac1bc21";

/// n and p of the recommended curve (GB/T 32918.5).
pub(crate) const N: &str = "fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123";
pub(crate) const P: &str = "fffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffff";

pub(crate) fn hex<const BYTES: usize>(digits: &str) -> [u8; BYTES] {
    bytes(digits).try_into().unwrap()
}

pub(crate) fn bytes(digits: &str) -> Vec<u8> {
    crate::hex::decode(digits).unwrap().to_vec()
}

pub(crate) fn joined(left: &str, right: &str) -> [u8; 64] {
    hex(&[left, right].concat())
}

pub(crate) fn gmt_key() -> PrivateKey {
    PrivateKey::from_bytes(&hex(GMT_D)).unwrap()
}

pub(crate) fn gmt_public() -> PublicKey {
    gmt_key().public().clone()
}

/// SM3 in counter mode: the same seed gives the same bytes.
pub(crate) struct SeededRng {
    seed: u64,
    count: u64,
}

impl SeededRng {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, count: 0 }
    }
}

impl TryRng for SeededRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        for part in target.chunks_mut(32) {
            self.count += 1;
            let block = sm3(&[&self.seed.to_be_bytes(), &self.count.to_be_bytes()]);
            part.copy_from_slice(&block[..part.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for SeededRng {}

/// A random source that is broken: always zero.
pub(crate) struct ZeroRng;

impl TryRng for ZeroRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        target.fill(0);
        Ok(())
    }
}

impl TryCryptoRng for ZeroRng {}

/// An instant within the validity of `entry`.
pub(crate) const NOW: OffsetDateTime = datetime!(2026-06-01 00:00 UTC);

pub(crate) fn entry(link: &str, side: Side, usage: Usage, status: Status, serial: &str) -> KeyEntry {
    KeyEntry {
        id: format!("{link}-{}-{}-{serial}", side.name(), usage.name()),
        link: link.to_owned(),
        side,
        usage,
        // What nothing serves is refused whatever is said here.
        algorithm: Algorithm::default_of(side, usage).unwrap_or(Algorithm::Sm2),
        status,
        serial: serial.to_owned(),
        primary_from: None,
        not_before: datetime!(2026-01-01 00:00 UTC),
        not_after: datetime!(2026-12-31 00:00 UTC),
        user_id: None,
    }
}
