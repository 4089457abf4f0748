//! What a client sees: answers over time, looked at ten times a second.

use super::party::figures;
use super::strike::Strike;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub(super) struct Watch {
    shared: Arc<Shared>,
    looking: JoinHandle<()>,
}

struct Shared {
    parties: [String; 2],
    samples: Mutex<Vec<Sample>>,
    played: AtomicU64,
    over: AtomicBool,
}

/// Messages answered up to a moment, over both parties.
#[derive(Clone, Copy)]
struct Sample {
    at: Instant,
    answered: u64,
}

pub(super) struct Samples(Vec<Sample>);

/// How a fault of a kind was got over, in milliseconds from its end; `None` where the minute ended before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Recovery {
    pub(super) kind: String,
    /// Until an answer came.
    pub(super) first_ms: Option<u64>,
    /// Until a second began in which answers came at four fifths of the rate of arrivals or more.
    pub(super) normal_ms: Option<u64>,
}

impl Watch {
    pub(super) fn start(parties: [String; 2]) -> Self {
        let shared = Arc::new(Shared {
            parties,
            samples: Mutex::default(),
            played: AtomicU64::new(0),
            over: AtomicBool::new(false),
        });
        let looking = Arc::clone(&shared);
        Self {
            shared,
            looking: std::thread::spawn(move || looking.look()),
        }
    }

    /// Payments played so far.
    pub(super) fn played(&self) -> u64 {
        self.shared.played.load(Ordering::Relaxed)
    }

    pub(super) fn end(self) -> Samples {
        self.shared.over.store(true, Ordering::Relaxed);
        self.looking.join().expect("the watch");
        Samples(std::mem::take(&mut self.shared.samples.lock().unwrap()))
    }
}

impl Shared {
    fn look(&self) {
        let mut last = [(0, 0); 2];
        while !self.over.load(Ordering::Relaxed) {
            for (party, last) in self.parties.iter().zip(&mut last) {
                if let Some(seen) = figures(party) {
                    let count = |name: &str| seen[name].as_u64().unwrap_or(0);
                    *last = (count("answered"), count("played"));
                }
            }
            let sample = Sample {
                at: Instant::now(),
                answered: last.iter().map(|(answered, _)| answered).sum(),
            };
            self.played
                .store(last.iter().map(|(_, played)| played).sum(), Ordering::Relaxed);
            self.samples.lock().unwrap().push(sample);
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Samples {
    /// The longest time without any answer while the load was on.
    pub(super) fn outage_ms(&self, from: Instant, to: Instant) -> u64 {
        let (mut longest, mut last) = (Duration::ZERO, from);
        let mut known = self.0.first().map_or(0, |sample| sample.answered);
        for sample in self.0.iter().filter(|sample| (from..to).contains(&sample.at)) {
            longest = longest.max(sample.at - last);
            if sample.answered > known {
                (known, last) = (sample.answered, sample.at);
            }
        }
        milliseconds(longest)
    }

    pub(super) fn recovery(&self, strike: &Strike, to: Instant, rate: u64) -> Recovery {
        let after = self
            .0
            .iter()
            .filter(|sample| (strike.ended..to).contains(&sample.at))
            .collect::<Vec<_>>();
        let known = self
            .0
            .iter()
            .rfind(|sample| sample.at <= strike.ended)
            .map_or(0, |sample| sample.answered);
        let since = |sample: &&Sample| milliseconds(sample.at - strike.ended);
        let first_ms = after
            .iter()
            .find(|sample| sample.answered > known)
            .copied()
            .map(|sample| since(&sample));
        let is_normal = |start: &&&Sample| {
            let second = after.iter().find(|sample| sample.at >= start.at + Duration::from_secs(1));
            second.is_some_and(|end| (end.answered - start.answered) * 5 >= rate * 4)
        };
        let normal_ms = after.iter().find(is_normal).copied().map(|sample| since(&sample));
        Recovery {
            kind: strike.kind.to_owned(),
            first_ms,
            normal_ms,
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

const LOOK_EVERY: Duration = Duration::from_millis(100);
