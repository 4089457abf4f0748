//! One course of payments through a stand: arrivals fixed before (an open loop) or each answered before the next takes its
//! place (a closed one). What belongs to the warm-up is played and not counted.

use super::inside::Inside;
use super::process::Memory;
use super::refused;
use super::settings::{Mix, Setting};
use super::stand::{Account, Stand};
use crate::cli::output::Failure;
use codecs::payment::Operation;
use hdrhistogram::Histogram;
use simulators::institution::Institution;
use simulators::load::{Finished, Load, Tap, drive_through};
use simulators::mix::{Planned, chosen};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Pace {
    /// Arrivals a second, evenly spaced, whether or not earlier ones were answered.
    Open(u32),
    /// So many under way at any time.
    Closed(u32),
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Course {
    pub(super) pace: Pace,
    pub(super) warm_up: u64,
    pub(super) measured: u64,
}

/// What was seen of the measured part.
pub(super) struct Leg {
    pub(super) course: Course,
    /// Measured payments that ended with success.
    pub(super) succeeded: u64,
    /// Payments that ended between the two looks at processes and gateways, by which their time is divided.
    pub(super) between: u64,
    pub(super) took: Duration,
    /// From the intended start; in a closed loop from the start.
    pub(super) latency_us: Histogram<u64>,
    /// The longest that a payment waited for its turn in the driver: whether the driver kept to its arrivals.
    pub(super) lag_max: Duration,
    pub(super) inside: Inside,
    pub(super) cpu_us: BTreeMap<String, u64>,
    pub(super) memory: BTreeMap<String, Memory>,
    /// Resident MiB of the gateways together, at even distances.
    pub(super) samples_mib: Vec<f64>,
}

impl Leg {
    pub(super) fn per_second(&self) -> f64 {
        self.between as f64 / self.took.as_secs_f64().max(0.001)
    }

    /// Processor time of all gateways in microseconds.
    pub(super) fn gateway_us(&self) -> u64 {
        let gateways = self.cpu_us.iter().filter(|(name, _)| name.starts_with(Account::GATEWAY));
        gateways.map(|(_, us)| us).sum()
    }

    pub(super) fn each(&self, us: u64) -> f64 {
        us as f64 / self.between.max(1) as f64
    }

    pub(super) fn latency_ms(&self, quantile: f64) -> f64 {
        self.latency_us.value_at_quantile(quantile) as f64 / 1000.0
    }
}

/// Good payments without an end; none is played twice in a run.
pub(super) struct Orders {
    next: u64,
    mix: Mix,
    institutions: usize,
}

impl Orders {
    pub(super) const fn new(setting: &Setting) -> Self {
        Self {
            next: 0,
            mix: setting.mix,
            institutions: setting.institutions,
        }
    }
}

impl Iterator for Orders {
    type Item = Planned;

    fn next(&mut self) -> Option<Planned> {
        let operation = if self.mix.is_credit(self.next) {
            Operation::Credit
        } else {
            Operation::Debit
        };
        // Numbers are serials, so none is left out: a customer whose account refuses is passed over by another seed.
        let good = (1..).find_map(|seed| {
            let drawn = chosen(seed, self.next, operation, None);
            drawn.refusal.is_none().then_some(drawn)
        });
        let number = usize::try_from(self.next % self.institutions.max(1) as u64).unwrap_or(0);
        self.next += 1;
        good.map(|planned| Planned {
            institution: Institution::numbered(number),
            ..planned
        })
    }
}

/// Plays a course and looks at everything twice: when the warm-up has ended, and at the end.
pub(super) async fn play(stand: &Arc<Stand>, orders: &mut Orders, course: Course) -> Result<Leg, Failure> {
    let (warm, ended) = (Arc::new(Notify::new()), Arc::new(AtomicU64::new(0)));
    let looking = {
        let (stand, warm, ended) = (Arc::clone(stand), Arc::clone(&warm), Arc::clone(&ended));
        tokio::spawn(async move {
            warm.notified().await;
            let account = stand.account().await;
            (Instant::now(), ended.load(Ordering::Relaxed), account)
        })
    };
    if course.warm_up == 0 {
        warm.notify_one();
    }
    let mut seen = Tally::new(course)?;
    let desk = stand.desk();
    let work = move |planned: Planned| {
        let desk = desk.clone();
        async move { desk.play(&planned).await.as_expected }
    };
    let items = (0..course.warm_up + course.measured)
        .zip(orders.by_ref())
        .map(|(_, planned)| planned);
    let collect = |one| {
        seen.take(&one);
        ended.store(seen.ended, Ordering::Relaxed);
        if seen.ended == course.warm_up {
            warm.notify_one();
        }
    };
    let sampler = Sampler::start(stand, course);
    drive_through(&Tap::default(), items, load(course.pace), work, collect).await;
    let samples_mib = sampler.stop();
    let over = Instant::now();
    // The gateway notes a reply as delivered after the centre has it.
    tokio::time::sleep(SETTLE).await;
    let after = stand.account().await?;
    let (started, ended_before, before) = looking.await.map_err(|error| refused("load")(&error))?;
    let took = over.saturating_duration_since(started);
    let between = seen.ended.saturating_sub(ended_before);
    Ok(Leg {
        between,
        samples_mib,
        ..seen.leg(before?, after, took)
    })
}

/// Looks at the gateways' memory while a course is played.
struct Sampler {
    samples_mib: Arc<Mutex<Vec<f64>>>,
    task: JoinHandle<()>,
}

impl Sampler {
    fn start(stand: &Arc<Stand>, course: Course) -> Self {
        let samples_mib = Arc::<Mutex<Vec<f64>>>::default();
        let (stand, samples) = (Arc::clone(stand), Arc::clone(&samples_mib));
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(course.sample_pause()).await;
                if let Ok(rss_mib) = stand.gateways_rss_mib() {
                    samples.lock().unwrap_or_else(PoisonError::into_inner).push(rss_mib);
                }
            }
        });
        Self { samples_mib, task }
    }

    fn stop(self) -> Vec<f64> {
        self.task.abort();
        self.samples_mib.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Course {
    /// Some hundred samples, and none more often than each second.
    fn sample_pause(&self) -> Duration {
        let seconds = match self.pace {
            Pace::Open(rate) => (self.warm_up + self.measured) / u64::from(rate.max(1)) / SAMPLES,
            Pace::Closed(_) => 1,
        };
        Duration::from_secs(seconds.max(1))
    }
}

fn load(pace: Pace) -> Load {
    let (rate_per_s, concurrency) = match pace {
        Pace::Open(rate) => (rate, UNDER_WAY_MAX),
        Pace::Closed(concurrency) => (0, concurrency),
    };
    Load {
        rate_per_s,
        concurrency_max: usize::try_from(concurrency).unwrap_or(1),
    }
}

/// Ends so far.
struct Tally {
    course: Course,
    ended: u64,
    succeeded: u64,
    latency_us: Histogram<u64>,
    lag_max: Duration,
}

impl Tally {
    fn new(course: Course) -> Result<Self, Failure> {
        let histogram = Histogram::new_with_bounds(1, LATENCY_US_MAX, 3);
        Ok(Self {
            course,
            ended: 0,
            succeeded: 0,
            latency_us: histogram.map_err(|error| refused("load")(&error))?,
            lag_max: Duration::ZERO,
        })
    }

    /// The first ends are the warm-up's: it is as many payments as were to warm up.
    fn take(&mut self, one: &Finished<bool>) {
        self.ended += 1;
        if self.ended <= self.course.warm_up {
            return;
        }
        self.succeeded += u64::from(one.result);
        self.lag_max = self.lag_max.max(one.lag);
        self.latency_us
            .saturating_record(u64::try_from(one.latency.as_micros()).unwrap_or(u64::MAX));
    }

    fn leg(self, before: Account, after: Account, took: Duration) -> Leg {
        let since = |(name, us): (String, u64)| {
            let earlier = before.cpu_us.get(&name).copied().unwrap_or(0);
            (name, us.saturating_sub(earlier))
        };
        Leg {
            course: self.course,
            succeeded: self.succeeded,
            between: self.course.measured,
            took,
            latency_us: self.latency_us,
            lag_max: self.lag_max,
            inside: after.inside.since(&before.inside),
            cpu_us: after.cpu_us.into_iter().map(since).collect(),
            memory: after.memory,
            samples_mib: Vec::new(),
        }
    }
}

/// A bound of the driver's memory, far above what an open loop that holds needs.
const UNDER_WAY_MAX: u32 = 20_000;
const LATENCY_US_MAX: u64 = 3_600_000_000;
const SAMPLES: u64 = 300;
const SETTLE: Duration = Duration::from_millis(300);
