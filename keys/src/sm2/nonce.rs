//! The secret k of a signature or an encryption, hedged: HMAC-SM3 over what is signed and fresh random bytes, under a key
//! derived from the private key (the idea of RFC 6979 3.6, with one HMAC a draw).
//!
//! With a good random source k is uniform and never repeats. With a constant one k still differs for every message and
//! cannot be computed without the private key, so that no two signatures betray it (`facts/reliability.md` 5.5, nonce).

use crate::sm3::HmacSm3;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// Gives candidates for k, big-endian. The engine refuses what is outside [1, n-1] and asks again.
pub(crate) trait Draw {
    /// `None` once so many were refused that the source must be broken.
    fn draw(&mut self) -> Option<Zeroizing<[u8; 32]>>;
}

/// A key for nonces, derived once from a private key.
pub(crate) struct NonceKey {
    hmac: HmacSm3,
}

impl NonceKey {
    pub(crate) fn new(key: &[u8]) -> Self {
        let derived = Zeroizing::new(HmacSm3::new(key).tag(&[LABEL]));
        Self {
            hmac: HmacSm3::new(derived.as_slice()),
        }
    }

    pub(crate) fn draws(&self, digest: [u8; 32], rng: &mut dyn CryptoRng) -> HedgedDraws<'_> {
        let mut random = Zeroizing::new([0; RANDOM_BYTES]);
        rng.fill_bytes(random.as_mut_slice());
        HedgedDraws {
            hmac: &self.hmac,
            digest: Zeroizing::new(digest),
            random,
            count: 0,
        }
    }
}

pub(crate) struct HedgedDraws<'a> {
    hmac: &'a HmacSm3,
    digest: Zeroizing<[u8; 32]>,
    random: Zeroizing<[u8; RANDOM_BYTES]>,
    count: u8,
}

impl Draw for HedgedDraws<'_> {
    fn draw(&mut self) -> Option<Zeroizing<[u8; 32]>> {
        if self.count == DRAWS_MAX {
            return None;
        }
        self.count += 1;
        Some(Zeroizing::new(self.hmac.tag(&[
            self.digest.as_slice(),
            self.random.as_slice(),
            &[self.count],
        ])))
    }
}

/// 176 bits, well above the 128 that the curve gives: with the digest and the count they fill one block of SM3.
const RANDOM_BYTES: usize = 22;

const LABEL: &[u8] = b"hangu sm2 nonce";

/// One refusal has a chance of 2^-32 at most; even the one-byte mask of GB/T 32918.4 is refused once in 256 draws.
const DRAWS_MAX: u8 = 64;
