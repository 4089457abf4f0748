//! Masking: real customers and institutions become simulated ones, the same one each time, and nobody can go back.
//!
//! A customer's number is drawn by SM3 under a key that lives as long as the recording and is thrown away. Whoever has the file
//! alone cannot try accounts out, and two recordings give the same account different numbers.

use crate::people::Kind;
use crate::people::Person;
use keys::sm3::sm3;
use std::collections::{BTreeMap, BTreeSet};

/// One recording's stand-ins.
pub struct Mask {
    key: [u8; 32],
    people: BTreeMap<String, u64>,
    taken: BTreeSet<u64>,
    institutions: BTreeMap<String, usize>,
}

impl Mask {
    pub const fn new(key: [u8; 32]) -> Self {
        Self {
            key,
            people: BTreeMap::new(),
            taken: BTreeSet::new(),
            institutions: BTreeMap::new(),
        }
    }

    /// The simulated customer for an account or an agreement; no two share one as long as there are enough.
    pub fn person(&mut self, real: &str) -> u64 {
        if let Some(&known) = self.people.get(real) {
            return known;
        }
        let mut number = self.drawn(real);
        while self.taken.len() < PEOPLE_TAKEN_MAX && (self.taken.contains(&number) || Person::at(number).kind != Kind::Plain) {
            number = (number + 1) % PEOPLE;
        }
        self.taken.insert(number);
        self.people.insert(real.to_owned(), number);
        number
    }

    /// The invented institution for a real one: numbered as they come.
    pub fn institution(&mut self, real: &str) -> usize {
        let next = self.institutions.len() % INSTITUTIONS;
        *self.institutions.entry(real.to_owned()).or_insert(next)
    }

    fn drawn(&self, real: &str) -> u64 {
        let digest = sm3(&[&self.key, real.as_bytes()]);
        let bytes = digest.first_chunk::<8>().copied().unwrap_or_default();
        u64::from_be_bytes(bytes) % PEOPLE
    }
}

/// The platform's customers.
const PEOPLE: u64 = 1_000_000;
/// Beyond it a free one would be looked for too long, and customers may share a number.
const PEOPLE_TAKEN_MAX: usize = 900_000;
const INSTITUTIONS: usize = 64;
