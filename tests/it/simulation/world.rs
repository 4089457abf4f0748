//! What drives a run: one seeded stream of choices, virtual time, and the count of await points at which a crash can fall.
//!
//! The runtime has one thread and paused time, so the order of everything follows from the seed.

use hangu::clock::{Clock, Entropy, SeededEntropy};
use simulators::world::Dice;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use time::OffsetDateTime;
use time::macros::datetime;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

/// The moment at which every run starts.
pub(crate) const EPOCH: OffsetDateTime = datetime!(2030-01-02 10:00:00 +8);

/// Seed, time, faults and complaints of one run.
pub(crate) struct World {
    dice: Mutex<Dice>,
    entropy: SeededEntropy,
    start: Instant,
    faults: AtomicBool,
    instances: [Instance; INSTANCES],
    complaints: Mutex<Vec<Complaint>>,
    talks: bool,
}

/// The await points of one instance of the gateway, and its next crash.
struct Instance {
    points: AtomicU64,
    crash_at: AtomicU64,
    crash: Notify,
}

impl Default for Instance {
    fn default() -> Self {
        Self {
            points: AtomicU64::new(0),
            crash_at: AtomicU64::new(u64::MAX),
            crash: Notify::new(),
        }
    }
}

tokio::task_local! {
    /// Which instance's task is running.
    pub(crate) static INSTANCE: usize;
}

/// A time without the party at the other end, since the start of the run.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Outage {
    pub(crate) from: Duration,
    pub(crate) until: Duration,
}

impl Outage {
    /// Rarely one that is longer than a time stamp is fresh, mostly none.
    pub(crate) fn draw(world: &World) -> Self {
        if world.below(10) > 0 {
            return Self::default();
        }
        let from = Duration::from_secs(1) + world.up_to(10_000);
        let length = if world.below(2) == 0 { 20_000 } else { 420_000 };
        Self {
            from,
            until: from + world.up_to(length),
        }
    }
}

/// One broken rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Complaint {
    pub(crate) kind: Kind,
    pub(crate) text: String,
}

/// Which rule of design.md section 5 is broken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    /// A confirmed message has no trace, or a payment no final outcome.
    Lost,
    ExecutedTwice,
    /// Two parties, or two replies, say different things.
    Contradiction,
    /// A repeat got other bytes, or a request went out in two forms.
    Bytes,
    /// A cancel succeeded and an effect is left.
    CancelledButStands,
    /// A serial of ours stands on two messages.
    SerialReused,
    /// A message of ours was refused by the other side.
    Refused,
    /// Something that must be kept is not.
    NotKept,
}

impl World {
    pub(crate) fn new(seed: u64, talks: bool) -> Self {
        Self {
            dice: Mutex::new(Dice::new(seed, 1)),
            entropy: SeededEntropy::new(seed),
            start: Instant::now(),
            faults: AtomicBool::new(true),
            instances: Default::default(),
            complaints: Mutex::default(),
            talks,
        }
    }

    pub(crate) fn below(&self, bound: u64) -> u64 {
        lock(&self.dice).below(bound)
    }

    /// True in so many of a hundred cases; never in the quiet phase.
    pub(crate) fn fault(&self, percent: u64) -> bool {
        self.below(100) < percent && self.faults.load(Ordering::Relaxed)
    }

    pub(crate) fn quieten(&self) {
        self.faults.store(false, Ordering::Relaxed);
        for instance in &self.instances {
            instance.crash_at.store(u64::MAX, Ordering::Relaxed);
        }
    }

    /// The next crash of an instance falls so many await points from here, unless peace comes first.
    pub(crate) fn crash_after(&self, instance: usize, points: u64) {
        if self.faults.load(Ordering::Relaxed) {
            let instance = &self.instances[instance];
            let at = instance.points.load(Ordering::Relaxed) + points;
            instance.crash_at.store(at, Ordering::Relaxed);
        }
    }

    /// The crash that an instance did not live to see.
    pub(crate) fn call_off_crash(&self, instance: usize) {
        self.instances[instance].crash_at.store(u64::MAX, Ordering::Relaxed);
    }

    /// The party at the other end is away until then.
    pub(crate) fn is_away(&self, outage: &Outage) -> bool {
        let now = self.start.elapsed();
        outage.from <= now && now < outage.until
    }

    pub(crate) async fn crashed(&self, instance: usize) {
        self.instances[instance].crash.notified().await;
    }

    /// A place where the gateway waits for the outside, and where it may end.
    pub(crate) async fn point(&self) {
        let Ok(number) = INSTANCE.try_with(|number| *number) else {
            return;
        };
        let instance = &self.instances[number];
        let count = instance.points.fetch_add(1, Ordering::Relaxed);
        if count == instance.crash_at.load(Ordering::Relaxed) {
            instance.crash_at.store(u64::MAX, Ordering::Relaxed);
            self.say(|| format!("instance {number} crashes at await point {count}"));
            instance.crash.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// An await point that takes up to so many milliseconds.
    pub(crate) async fn pause(&self, ms_max: u64) {
        self.point().await;
        sleep(self.up_to(ms_max)).await;
        self.point().await;
    }

    pub(crate) fn up_to(&self, ms_max: u64) -> Duration {
        Duration::from_millis(self.below(ms_max + 1))
    }

    pub(crate) fn complain(&self, kind: Kind, text: String) {
        self.say(|| format!("{kind:?}: {text}"));
        lock(&self.complaints).push(Complaint { kind, text });
    }

    pub(crate) fn complaints(&self) -> Vec<Complaint> {
        lock(&self.complaints).clone()
    }

    /// Tells what happens when one seed is looked at.
    pub(crate) fn say(&self, text: impl FnOnce() -> String) {
        if self.talks {
            eprintln!("{:>9.3} {}", self.start.elapsed().as_secs_f64(), text());
        }
    }

    /// The world as the simulators take it.
    pub(crate) fn simulated(self: &std::sync::Arc<Self>) -> simulators::world::World {
        let (clock, entropy) = (self.clone(), self.clone());
        let fill = move |bytes: &mut [u8]| entropy.entropy.fill(bytes);
        simulators::world::World::new(std::sync::Arc::new(move || clock.now()), std::sync::Arc::new(fill))
    }
}

impl Clock for World {
    fn now(&self) -> OffsetDateTime {
        EPOCH + self.start.elapsed()
    }
}

impl Entropy for World {
    fn fill(&self, bytes: &mut [u8]) {
        self.entropy.fill(bytes);
    }
}

/// Instances of the gateway that may share a journal.
pub(crate) const INSTANCES: usize = 2;

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
