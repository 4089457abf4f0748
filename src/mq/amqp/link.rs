//! The supervisor of one link: generation after generation, over the address list, until it is stopped.
//!
//! Each generation is a task of its own, which is ended from outside when its watchdog says so. It knows nothing of messages.

use super::config::{Address, AmqpConfig};
use async_trait::async_trait;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

const BACKOFF_MS_MIN: u64 = 100;
const BACKOFF_MS_MAX: u64 = 10_000;
/// A generation that lived this long counts as healthy: the next pause starts small again.
const HEALTHY_LIFE: Duration = Duration::from_secs(10);

/// What every link of one broker shares.
pub(super) struct Broker {
    pub(super) config: AmqpConfig,
    pub(super) addresses: Vec<Address>,
    pub(super) health: Health,
    /// No new publications; consumers end.
    pub(super) closing: CancellationToken,
    /// The publish link ends too.
    pub(super) closed: CancellationToken,
    /// No link has any more time to end in.
    pub(super) over: CancellationToken,
}

/// The state of all links, as readiness and metrics see it.
#[derive(Default)]
pub(super) struct Health {
    links: Mutex<Vec<Arc<AtomicBool>>>,
    pub(super) generations: AtomicU64,
    pub(super) stalled: AtomicBool,
}

impl Health {
    pub(super) fn enlist(&self) -> Arc<AtomicBool> {
        let up = Arc::new(AtomicBool::new(false));
        self.links
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(&up));
        up
    }

    pub(super) fn delist(&self, up: &Arc<AtomicBool>) {
        self.links
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|link| !Arc::ptr_eq(link, up));
    }

    /// Whether every link is usable.
    pub(super) fn is_connected(&self) -> bool {
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        !links.is_empty() && links.iter().all(|up| up.load(Ordering::Acquire))
    }
}

/// Why a generation ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Ending {
    /// As asked for.
    Stopped,
    Lost(String),
}

/// The work of a link within one generation.
#[async_trait]
pub(super) trait Session: Send + Sync + 'static {
    fn name(&self) -> &str;

    /// Set while the link is usable.
    fn up(&self) -> &Arc<AtomicBool>;

    /// Works until the generation ends.
    async fn run(self: Arc<Self>, address: Address) -> Ending;

    /// Watches from outside; resolves when the generation must be killed.
    async fn watchdog(&self) -> String;

    /// Forgets what belonged to the generation that ended.
    fn ended(&self);

    /// Resolves when the link is no longer wanted.
    async fn unwanted(&self);
}

/// Runs generations of `session` until it is unwanted. A lost node is followed by the next one at once; only when all
/// have had their turn is there a pause.
pub(super) async fn supervise(broker: Arc<Broker>, session: Arc<dyn Session>) {
    let mut backoff = Backoff::default();
    for (turn, address) in broker.addresses.iter().enumerate().cycle() {
        let generation = broker.health.generations.fetch_add(1, Ordering::Relaxed) + 1;
        let born = Instant::now();
        let ending = run_generation(&session, address.clone()).await;
        session.up().store(false, Ordering::Release);
        session.ended();
        let Ending::Lost(reason) = ending else { break };
        if born.elapsed() >= HEALTHY_LIFE {
            backoff = Backoff::default();
        }
        let is_last = turn + 1 == broker.addresses.len();
        let pause = if is_last { backoff.pause() } else { Duration::ZERO };
        let (link, host, port) = (session.name(), &address.host, address.port);
        tracing::warn!(link, generation, host, port, reason, ?pause, "broker link lost");
        tokio::select! {
            biased;
            () = session.unwanted() => break,
            () = sleep(pause) => {}
        }
    }
    broker.health.delist(session.up());
}

/// One generation from its birth to its end; leaving this function ends its task, wherever it is.
async fn run_generation(session: &Arc<dyn Session>, address: Address) -> Ending {
    let work = AbortOnDropHandle::new(tokio::spawn(Arc::clone(session).run(address)));
    tokio::select! {
        ending = work => ending.unwrap_or_else(|_| Ending::Lost("the session ended abnormally".to_owned())),
        reason = session.watchdog() => Ending::Lost(reason),
    }
}

/// Decorrelated jitter: each pause is random between the least and three times the pause before, so that the instances
/// of a cluster do not come back in step.
#[derive(Debug)]
pub(super) struct Backoff {
    before_ms: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            before_ms: BACKOFF_MS_MIN,
        }
    }
}

impl Backoff {
    fn pause(&mut self) -> Duration {
        // Without randomness the jitter is lost, not the pause.
        self.pause_by(getrandom::u64().unwrap_or(u64::MAX))
    }

    pub(super) fn pause_by(&mut self, random: u64) -> Duration {
        let span = self.before_ms.saturating_mul(3).min(BACKOFF_MS_MAX) - BACKOFF_MS_MIN;
        self.before_ms = BACKOFF_MS_MIN + random % (span + 1);
        Duration::from_millis(self.before_ms)
    }
}
