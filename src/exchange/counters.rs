//! What is counted: for /metrics, for the demo's table, never for a decision.

use crate::pipeline::Step;
use codecs::payment::{Operation, Outcome};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Counts and times of one gateway since its start.
#[derive(Default)]
pub struct Counters {
    counts: Mutex<BTreeMap<&'static str, u64>>,
    rejected: Mutex<BTreeMap<Step, u64>>,
    operations: Mutex<BTreeMap<Operation, OperationTimes>>,
    legs: Mutex<BTreeMap<String, LegTimes>>,
    in_flight: AtomicU64,
    /// When a message last could not be made durable.
    held_back_at: AtomicI64,
}

/// What happened to one operation. Times in microseconds.
#[derive(Clone, Debug)]
pub struct OperationTimes {
    pub success: u64,
    pub failed: u64,
    pub delivered: u64,
    /// From receipt to delivered reply, less the time away at the counterparty.
    pub inside_us: Histogram<u64>,
    /// From receipt to delivered reply.
    pub total_us: Histogram<u64>,
}

/// Time away at one counterparty, in microseconds.
#[derive(Clone, Debug)]
pub struct LegTimes {
    pub away_us: Histogram<u64>,
}

impl Counters {
    /// Every plain counter by name.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.counts).clone()
    }

    pub fn rejections(&self) -> BTreeMap<Step, u64> {
        lock(&self.rejected).clone()
    }

    pub fn operations(&self) -> BTreeMap<Operation, OperationTimes> {
        lock(&self.operations).clone()
    }

    pub fn legs(&self) -> BTreeMap<String, LegTimes> {
        lock(&self.legs).clone()
    }

    /// Whether messages wait because the journal refused within the last ten seconds.
    pub fn is_held_back(&self, now: i64) -> bool {
        now.saturating_sub(self.held_back_at.load(Ordering::Relaxed)) < 10_000
    }

    pub(super) fn holds_back(&self, now: i64) {
        self.held_back();
        self.held_back_at.store(now, Ordering::Relaxed);
    }

    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Counts a task in, and out when the guard is dropped.
    pub fn enter(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(&self.in_flight)
    }

    pub(super) fn settled(&self, operation: Operation, outcome: &Outcome) {
        let mut operations = lock(&self.operations);
        let times = operations.entry(operation).or_insert_with(OperationTimes::new);
        match outcome {
            Outcome::Success => times.success += 1,
            Outcome::Failed { .. } => times.failed += 1,
            Outcome::Unknown => {}
        }
    }

    pub(super) fn delivered(&self, operation: Operation, total: Duration, away: Duration) {
        let mut operations = lock(&self.operations);
        let times = operations.entry(operation).or_insert_with(OperationTimes::new);
        times.delivered += 1;
        record(&mut times.total_us, total);
        record(&mut times.inside_us, total.saturating_sub(away));
    }

    pub(super) fn leg(&self, link: &str, away: Duration) {
        let mut legs = lock(&self.legs);
        if let Some(leg) = legs.get_mut(link) {
            record(&mut leg.away_us, away);
            return;
        }
        let mut leg = LegTimes { away_us: histogram() };
        record(&mut leg.away_us, away);
        legs.insert(link.to_owned(), leg);
    }

    pub(super) fn rejected(&self, step: Step) {
        *lock(&self.rejected).entry(step).or_default() += 1;
    }

    fn count(&self, name: &'static str) {
        *lock(&self.counts).entry(name).or_default() += 1;
    }
}

/// One method per counter, so that a name is written once.
macro_rules! counted {
    ($($method:ident = $name:literal,)+) => {
        impl Counters {
            /// Names of all plain counters.
            pub const NAMES: &'static [&'static str] = &[$($name,)+];
            $(pub(crate) fn $method(&self) { self.count($name); })+
        }
    };
}

counted! {
    acks = "acks_received",
    alarm = "alarms",
    duplicate = "duplicates",
    duplicate_reply = "duplicate_replies",
    hand_off = "hand_offs",
    held_back = "held_back",
    keyring_refused = "keyrings_refused",
    keyring_replaced = "keyrings_replaced",
    late = "late_replies",
    query = "queries",
    resent = "resent",
    shed = "shed",
    signed_anew = "signed_anew",
    stale_status = "stale_status",
    unknown = "unknown",
    unmatched = "unmatched_replies",
}

impl OperationTimes {
    fn new() -> Self {
        Self {
            success: 0,
            failed: 0,
            delivered: 0,
            inside_us: histogram(),
            total_us: histogram(),
        }
    }
}

/// A task that is counted while it lives.
pub struct InFlight<'a>(&'a AtomicU64);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Three significant digits, up to an hour.
fn histogram() -> Histogram<u64> {
    #[expect(clippy::expect_used, reason = "the bounds are constants that the constructor takes")]
    Histogram::new_with_bounds(1, TIME_US_MAX, 3).expect("fixed bounds")
}

fn record(histogram: &mut Histogram<u64>, time: Duration) {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    histogram.saturating_record(micros);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Longer times count as an hour.
const TIME_US_MAX: u64 = 3_600_000_000;
