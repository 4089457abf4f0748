//! Time and randomness as arguments: the shell passes the real ones, tests pass seeded ones.

use keys::sm3::HmacSm3;
use rand_core::{Infallible, TryCryptoRng, TryRng};
use time::{OffsetDateTime, UtcOffset};

/// The offset of the dates and times that messages carry (Beijing).
pub const BEIJING: UtcOffset = match UtcOffset::from_hms(8, 0, 0) {
    Ok(offset) => offset,
    Err(_) => UtcOffset::UTC,
};

/// The wall clock, for message times, validity and stored times. Waiting uses the runtime's timer, never this.
pub trait Clock: Send + Sync {
    fn now(&self) -> OffsetDateTime;
}

/// A source of unpredictable bytes.
pub trait Entropy: Send + Sync {
    fn fill(&self, bytes: &mut [u8]);
}

/// Adapts an entropy source to the trait that cryptography takes.
pub struct Random<'a>(pub &'a dyn Entropy);

impl TryRng for Random<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Random<'_> {}

/// Milliseconds since 1970, as the journal stores times.
pub fn millis(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// The moment that a stored time names.
pub fn from_millis(millis: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Deterministic bytes from a seed: HMAC-SM3 in counter mode. For simulations only; `run` cannot be given one.
pub struct SeededEntropy {
    key: HmacSm3,
    counter: std::sync::atomic::AtomicU64,
}

impl SeededEntropy {
    pub fn new(seed: u64) -> Self {
        Self {
            key: HmacSm3::new(&seed.to_le_bytes()),
            counter: std::sync::atomic::AtomicU64::new(0),
        }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let count = self.counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let block = self.key.tag(&[&count.to_le_bytes()]);
            for (target, source) in chunk.iter_mut().zip(block) {
                *target = source;
            }
        }
    }
}
