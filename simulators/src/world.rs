//! What a simulator takes from outside: the time, random bytes, and somebody who may watch.
//!
//! It reads neither a clock nor a random source itself, so that a run can be repeated.

use crate::witness::{Seen, Witness};
use rand_core::{TryCryptoRng, TryRng};
use std::convert::Infallible;
use std::sync::Arc;
use time::OffsetDateTime;
use time::macros::offset;

/// The wall clock.
pub trait Clock: Send + Sync {
    fn now(&self) -> OffsetDateTime;
}

impl<F: Fn() -> OffsetDateTime + Send + Sync> Clock for F {
    fn now(&self) -> OffsetDateTime {
        self()
    }
}

/// A source of random bytes that is fit for keys and signatures.
pub trait Entropy: Send + Sync {
    fn fill(&self, bytes: &mut [u8]);
}

impl<F: Fn(&mut [u8]) + Send + Sync> Entropy for F {
    fn fill(&self, bytes: &mut [u8]) {
        self(bytes);
    }
}

/// The time and the random source of one run, and who watches it.
#[derive(Clone)]
pub struct World {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    witness: Option<Arc<dyn Witness>>,
}

impl World {
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            clock,
            entropy,
            witness: None,
        }
    }

    /// The same world, watched.
    #[must_use]
    pub fn watched(self, witness: Arc<dyn Witness>) -> Self {
        Self {
            witness: Some(witness),
            ..self
        }
    }

    /// The same world, in which no time passes.
    #[must_use]
    pub fn at(self, moment: OffsetDateTime) -> Self {
        Self {
            clock: Arc::new(move || moment),
            ..self
        }
    }

    /// Tells the watcher, if there is one, what happened.
    pub fn tell(&self, seen: impl FnOnce() -> Seen) {
        if let Some(witness) = &self.witness {
            witness.saw(seen());
        }
    }

    /// The present moment in Beijing time, in which messages are dated.
    pub fn now(&self) -> OffsetDateTime {
        self.clock.now().to_offset(offset!(+8))
    }

    pub fn rng(&self) -> WorldRng<'_> {
        WorldRng(self.entropy.as_ref())
    }
}

/// The random source of a `World` in the form that `keys` takes.
pub struct WorldRng<'a>(&'a dyn Entropy);

impl TryRng for WorldRng<'_> {
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

impl TryCryptoRng for WorldRng<'_> {}

/// A reproducible stream of choices (`SplitMix64`). It decides what a scenario does and never makes a key.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The stream of one place of one run: the same (seed, place) gives the same choices whatever was drawn elsewhere.
    pub const fn new(seed: u64, place: u64) -> Self {
        Self(seed ^ place.wrapping_mul(0xd1b5_4a32_d192_ed03))
    }

    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 when the bound is 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next() % bound }
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = high.saturating_sub(low).unsigned_abs().saturating_add(1);
        low.saturating_add(i64::try_from(self.below(width)).unwrap_or(0))
    }
}
