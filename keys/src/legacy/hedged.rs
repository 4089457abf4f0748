//! Randomness for one RSA operation, hedged as the nonces of SM2 are: HMAC-SM3 over a secret, what is computed, and fresh
//! random bytes.
//!
//! A source that only gives constants can then neither remove the blinding of a private operation nor let a draw that asks for
//! "anything but zero" run for ever.

use crate::error::CryptoError;
use crate::sm3::HmacSm3;
use rand_core::{CryptoRng, TryCryptoRng, TryRng};
use std::convert::Infallible;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A stream of bytes for one operation.
pub(super) struct Hedged {
    seed: HmacSm3,
    count: u64,
}

impl Hedged {
    /// Under a secret that only we hold: safe even if `rng` is broken.
    pub(super) fn under(secret: &HmacSm3, input: &[u8], rng: &mut dyn CryptoRng) -> Self {
        let fresh = drawn(rng);
        Self::of(&secret.tag(&[LABEL, fresh.as_slice(), input]))
    }

    /// Without a secret: a source that repeats itself is refused, since what it wraps would be anybody's.
    pub(super) fn fresh(rng: &mut dyn CryptoRng) -> Result<Self, CryptoError> {
        let (first, second) = (drawn(rng), drawn(rng));
        if bool::from(first.as_slice().ct_eq(second.as_slice())) {
            return Err(CryptoError::Random);
        }
        Ok(Self::of(&HmacSm3::new(first.as_slice()).tag(&[LABEL, second.as_slice()])))
    }

    fn of(seed: &[u8; 32]) -> Self {
        Self {
            seed: HmacSm3::new(seed),
            count: 0,
        }
    }
}

impl TryRng for Hedged {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        for part in target.chunks_mut(32) {
            self.count += 1;
            let block = Zeroizing::new(self.seed.tag(&[&self.count.to_be_bytes()]));
            for (byte, random) in part.iter_mut().zip(block.iter()) {
                *byte = *random;
            }
        }
        Ok(())
    }
}

impl TryCryptoRng for Hedged {}

fn drawn(rng: &mut dyn CryptoRng) -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    rng.fill_bytes(bytes.as_mut_slice());
    bytes
}

const LABEL: &[u8] = b"hangu rsa hedge";
