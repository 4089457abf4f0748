//! What became of a load: outcomes in three values and latency from the intended start, in all and by operation.
//!
//! Latency is of the first request of a payment until its final answer; one that got none counts with the time that it was
//! waited for, so that a gateway which stops answering looks no better for it.

use crate::institution::direct::DirectPlayed;
use crate::load::Finished;
use crate::play::Played;
use codecs::payment::Outcome;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::Duration;

/// One payment that has ended.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ended {
    /// Each request's operation and outcome, in order.
    pub messages: Vec<(String, String)>,
    /// Of the first request alone.
    pub latency: Option<Duration>,
    pub complaints: Vec<String>,
}

/// Outcomes and latencies of one operation, or of all.
#[derive(Clone, Debug)]
pub struct Group {
    pub success: u64,
    pub failed: u64,
    pub unknown: u64,
    pub latency_us: Histogram<u64>,
}

/// What is counted so far.
#[derive(Clone, Debug)]
pub struct Tally {
    pub all: Group,
    pub by_operation: BTreeMap<String, Group>,
    pub ended: u64,
    pub as_planned: u64,
    /// The first of what was not as planned.
    pub complaints: Vec<String>,
    /// The longest that a payment waited for its turn in the driver.
    pub lag_max: Duration,
    /// Since the last look.
    recent: Group,
}

/// What was seen between two looks.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Look {
    pub ended: u64,
    pub success: u64,
    pub failed: u64,
    pub unknown: u64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

impl Ended {
    pub fn planned(played: Played) -> Self {
        let message = |message: crate::play::PlayedMessage| (message.operation, message.outcome);
        Self {
            messages: played.messages.into_iter().map(message).collect(),
            latency: played.latency,
            complaints: played.complaint.into_iter().collect(),
        }
    }

    pub fn course(played: Vec<DirectPlayed>) -> Self {
        let latency = played.first().and_then(|first| first.latency);
        let message = |one: &DirectPlayed| (one.operation.name().to_owned(), one.outcome.to_owned());
        Self {
            messages: played.iter().map(message).collect(),
            latency,
            complaints: played.into_iter().filter_map(|one| one.complaint).collect(),
        }
    }
}

impl Group {
    /// `None` never happens: the bounds are constants that the histogram takes.
    fn new() -> Option<Self> {
        Some(Self {
            success: 0,
            failed: 0,
            unknown: 0,
            latency_us: Histogram::new_with_bounds(1, LATENCY_US_MAX, DIGITS).ok()?,
        })
    }

    pub fn count(&self) -> u64 {
        self.success + self.failed + self.unknown
    }

    /// In milliseconds, with the quantile between 0 and 1.
    pub fn latency_ms(&self, quantile: f64) -> f64 {
        self.latency_us.value_at_quantile(quantile) as f64 / 1000.0
    }

    fn note(&mut self, outcome: &str) {
        if outcome == Outcome::Success.name() {
            self.success += 1;
        } else if outcome == Outcome::Unknown.name() {
            self.unknown += 1;
        } else {
            self.failed += 1;
        }
    }

    fn time(&mut self, latency: Duration) {
        self.latency_us
            .saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }

    fn clear(&mut self) {
        (self.success, self.failed, self.unknown) = (0, 0, 0);
        self.latency_us.reset();
    }
}

impl Tally {
    pub fn new() -> Option<Self> {
        Some(Self {
            all: Group::new()?,
            by_operation: BTreeMap::new(),
            ended: 0,
            as_planned: 0,
            complaints: Vec::new(),
            lag_max: Duration::ZERO,
            recent: Group::new()?,
        })
    }

    pub fn take(&mut self, finished: Finished<Ended>) {
        let latency = latency(&finished);
        let Finished { result, lag, .. } = finished;
        self.ended += 1;
        self.as_planned += u64::from(result.complaints.is_empty());
        self.lag_max = self.lag_max.max(lag);
        for (place, (operation, outcome)) in result.messages.into_iter().enumerate() {
            for group in [&mut self.all, &mut self.recent] {
                group.note(&outcome);
            }
            let Some(group) = entry(&mut self.by_operation, operation) else {
                continue;
            };
            group.note(&outcome);
            if place == 0 {
                for group in [&mut self.all, &mut self.recent, group] {
                    group.time(latency);
                }
            }
        }
        let room = COMPLAINTS_MAX.saturating_sub(self.complaints.len());
        self.complaints.extend(result.complaints.into_iter().take(room));
    }

    /// What came since the last look.
    pub fn look(&mut self) -> Look {
        let recent = &self.recent;
        let look = Look {
            ended: recent.count(),
            success: recent.success,
            failed: recent.failed,
            unknown: recent.unknown,
            p50_ms: recent.latency_ms(0.5),
            p99_ms: recent.latency_ms(0.99),
            max_ms: recent.latency_ms(1.0),
        };
        self.recent.clear();
        look
    }
}

fn entry(groups: &mut BTreeMap<String, Group>, operation: String) -> Option<&mut Group> {
    if !groups.contains_key(&operation) {
        groups.insert(operation.clone(), Group::new()?);
    }
    groups.get_mut(&operation)
}

/// From the intended start to the final answer of the first request. What follows it in the same payment began when that ended.
fn latency(finished: &Finished<Ended>) -> Duration {
    match (&finished.result.messages[..], finished.result.latency) {
        ([_, _, ..], Some(first)) => finished.lag + first,
        (_, Some(_) | None) => finished.latency,
    }
}

/// Three digits of every latency from a microsecond to an hour.
const DIGITS: u8 = 3;
const LATENCY_US_MAX: u64 = 3_600_000_000;
const COMPLAINTS_MAX: usize = 20;
